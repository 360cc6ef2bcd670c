"""How options are shown in the help: in panels, and switches without a type."""

from __future__ import annotations

from typing import Any, Final

import typer

__all__ = ["FILES", "SAID", "STORES", "flag"]

#: Panels of the help.
FILES: Final = "Which files"
SAID: Final = "What is said"
STORES: Final = "Stores"


def flag(*names: str, help: str, panel: str | None = None, **more: Any) -> Any:  # noqa: A002
    """
    Return a switch, as `typer.Option` does.

    Args:
        names: Its names.
        help: What it does.
        panel: Panel of the help; None for the first one.
        more: As `typer.Option` takes it.
    """
    return typer.Option(*names, metavar="", help=help, rich_help_panel=panel, **more)
