"""How commands declare their arguments and options: beside the type, each once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, get_type_hints

import attrs
import click

__all__ = [
    "FILES",
    "SAID",
    "STORES",
    "Argument",
    "FilePath",
    "Option",
    "Whole",
    "argument",
    "flag",
    "option",
    "taking",
]

#: Panels of the help.
FILES: Final = "Which files"
SAID: Final = "What is said"
STORES: Final = "Stores"


class Argument(click.Argument):
    """An argument, with what the help says of it."""

    def __init__(self, *names: str, help: str, **more: Any) -> None:  # noqa: A002
        super().__init__(names, **more)
        self.help = help  # click before 8.5 knows of none


class Option(click.Option):
    """An option in a panel of the help; None is the first one."""

    def __init__(self, *names: str, panel: str | None = None, **more: Any) -> None:
        super().__init__(names, **more)
        self.panel = panel


class Whole(click.IntRange):
    """A whole number that is not smaller than another, nor larger than one where there is one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number; fail in plain words."""
        try:
            return int(super().convert(value, param, ctx))
        except click.BadParameter:
            limits = (
                f"of at least {self.min}" if self.max is None else f"from {self.min} to {self.max}"
            )
            self.fail(f"{value!r} is no whole number {limits}", param, ctx)


class FilePath(click.Path):
    """A file of this machine."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; a URL is none, and would lose a slash by which its password is found."""
        if "://" in str(value):
            self.fail(f"{value} is a URL, and no file of this machine", param, ctx)
        return super().convert(value, param, ctx)


def argument(metavar: str, *, help: str, **more: Any) -> Any:  # noqa: A002
    """
    Declare an argument, as metadata of `Annotated`; a parameter without a default is required.

    Args:
        metavar: What it is called in the help.
        help: What it is.
        more: As `click.Argument` takes it.
    """

    def declared(name: str, default: object) -> Argument:
        if default is inspect.Parameter.empty:
            return Argument(name, metavar=metavar, help=help, required=True, **more)
        return Argument(name, metavar=metavar, help=help, default=default, **more)

    return declared


def option(*names: str, metavar: str | None, help: str, **more: Any) -> Any:  # noqa: A002
    """
    Declare an option, as metadata of `Annotated`.

    Args:
        names: Its names.
        metavar: What its value is called in the help.
        help: What it does.
        more: As `Option` takes it.
    """
    return lambda name, default: Option(
        *names, name, metavar=metavar, help=help, default=default, **more
    )


def flag(*names: str, help: str, **more: Any) -> Any:  # noqa: A002
    """Declare a switch, as `option` does."""
    return option(*names, metavar=None, help=help, is_flag=True, **more)


def taking(call: Callable[..., None]) -> tuple[list[click.Parameter], Callable[..., None]]:
    """
    Find what a function declares; each field of an attrs class is an option of its own.

    Returns:
        The parameters, and what calls the function with all their values.
    """
    groups: dict[str, type[Any]] = {}
    found: list[click.Parameter] = []
    for name, parameter in inspect.signature(call, eval_str=True).parameters.items():
        if attrs.has(parameter.annotation):
            groups[name] = parameter.annotation
            found += _fields(parameter.annotation)
        else:
            found.append(_declared(parameter.annotation, name, parameter.default))

    def called(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{f.name: values.pop(f.name) for f in attrs.fields(group)})
        call(**values)

    return found, called


def _fields(group: type[Any]) -> Iterator[click.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return (_declared(hints[f.name], f.name, f.default) for f in attrs.fields(group))


def _declared(annotation: Any, name: str, default: object) -> click.Parameter:
    declared: Callable[[str, object], click.Parameter] = annotation.__metadata__[0]
    return declared(name, default)
