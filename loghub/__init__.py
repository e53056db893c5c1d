"""One GitHub issue per bug, from plain `logging`."""

__version__ = "0.1.0"
