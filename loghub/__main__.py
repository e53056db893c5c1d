"""``loghub``, and ``python -m loghub``."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def main() -> None:
    """Do what was typed; ``loghub run`` starts its command before anything else of loghub is loaded."""
    if sys.argv[1:2] == ["run"]:
        from loghub.supervise import command

        sys.exit(
            command.main(
                sys.argv[2:], handlers=lambda said: _verb().handlers(said), help_text=lambda: _verb().help_text()
            )
        )
    from loghub.cli import main as verbs

    verbs(prog_name="loghub")


def _verb() -> ModuleType:
    return importlib.import_module("loghub.cli.run")


if __name__ == "__main__":
    main()
