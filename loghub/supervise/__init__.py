"""`loghub run`: runs a command exactly, and reports how it ended."""
