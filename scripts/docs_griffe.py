"""Shows the reference's reader what static analysis does not see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import griffe

DECORATORS: Final = {"attrs.define", "attrs.frozen", "attrs.mutable"}


class Extension(griffe.Extension):
    """The ``__init__`` that attrs makes from the fields of a class, and comments with ``#:``."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Called by griffe when a package has been read."""
        for member in _members(pkg):
            if isinstance(member, griffe.Class):
                if "__init__" not in member.members and _is_attrs(member):
                    member.set_member("__init__", _constructor(member))
            elif member.docstring is None and (text := _comment_above(member)):
                member.docstring = griffe.Docstring(text, parent=member)


def _members(scope: griffe.Object) -> Iterator[griffe.Class | griffe.Attribute]:
    for member in list(scope.members.values()):
        if isinstance(member, griffe.Class | griffe.Attribute):
            yield member
        if isinstance(member, griffe.Class | griffe.Module):
            yield from _members(member)


def _comment_above(member: griffe.Attribute) -> str:
    """Return the lines with ``#:`` that stand directly above an assignment."""
    path = member.filepath
    assert isinstance(path, Path)  # a list only for packages without a file
    lines = member.lines_collection[path]
    found: list[str] = []
    for line in reversed(lines[: (member.lineno or 1) - 1]):
        text = line.strip()
        if not text.startswith("#:"):
            break
        found.insert(0, text[2:].strip())
    return "\n".join(found)


def _is_attrs(cls: griffe.Class) -> bool:
    paths = {getattr(decorator.value, "canonical_path", "") for decorator in cls.decorators}
    return not DECORATORS.isdisjoint(paths)


def _constructor(cls: griffe.Class) -> griffe.Function:
    this = griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)
    fields = [
        _parameter(member)
        for member in cls.members.values()
        if isinstance(member, griffe.Attribute)
        and member.annotation is not None
        and "instance-attribute" in member.labels
    ]
    parameters = griffe.Parameters(this, *filter(None, fields))
    return griffe.Function("__init__", parent=cls, parameters=parameters, returns="None")


def _parameter(member: griffe.Attribute) -> griffe.Parameter | None:
    """Return the parameter of a field; None for one that the constructor does not take."""
    default, given = member.value, {}
    if isinstance(default, griffe.ExprCall) and default.canonical_path == "attrs.field":
        given = {a.name: a.value for a in default.arguments if isinstance(a, griffe.ExprKeyword)}
        default = given.get("default")
        if isinstance(default, griffe.ExprCall) or "factory" in given:
            default = "..."  # made anew for each object; the docstring says what it is
    if str(given.get("init")) == "False":
        return None
    return griffe.Parameter(
        member.name.lstrip("_"),
        annotation=member.annotation,
        kind=griffe.ParameterKind.keyword_only
        if str(given.get("kw_only")) == "True"
        else griffe.ParameterKind.positional_or_keyword,
        default=default,
    )
