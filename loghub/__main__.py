"""``python -m loghub``."""

from loghub.cli import main

main(prog_name="loghub")
