"""The public API, name by name: what is added or taken away is seen in `public_names.txt`."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import remote_store

LIST = Path(__file__).with_name("public_names.txt")


def _modules() -> Iterator[str]:
    yield "remote_store"
    for module in pkgutil.walk_packages(remote_store.__path__, "remote_store."):
        if "._" not in module.name:
            yield module.name


def _arguments(function: Any) -> str:
    parts = []
    star = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            star = True
        elif parameter.kind is parameter.KEYWORD_ONLY and not star:
            star = True
            parts.append("*")
        parts.append(str(parameter.replace(annotation=parameter.empty)))
    return f"({', '.join(parts)})"


def _members(cls: type[Any]) -> Iterator[str]:
    """Yield what a class of ours has of our own, with the arguments of each method."""
    ours = [base for base in cls.__mro__ if base.__module__.startswith("remote_store")]
    found: dict[str, Any] = {}
    for base in reversed(ours):
        found |= dict.fromkeys(inspect.get_annotations(base))
        found |= vars(base)
    for name, member in sorted(found.items()):
        if name.startswith("_"):
            continue
        function = getattr(member, "__func__", member)  # of a classmethod
        yield f"{name}{_arguments(function) if inspect.isfunction(function) else ''}"


def public_names() -> Iterator[str]:
    """Yield each public name, and behind a class its members."""
    for module_name in _modules():
        module = importlib.import_module(module_name)
        yield module_name
        for name in sorted(getattr(module, "__all__", ())):
            thing = getattr(module, name)
            full = f"{module_name}.{name}"
            if inspect.isfunction(thing):
                yield full + _arguments(thing)
            elif inspect.isclass(thing):
                own = "__init__" in vars(thing) and inspect.isfunction(thing.__init__)
                protocol = getattr(thing, "_is_protocol", False)
                yield full + (_arguments(thing) if own and not protocol else "")
                yield from (f"{full}.{member}" for member in _members(thing))
            else:
                yield full


def test_the_public_api_is_the_one_that_was_agreed_on() -> None:
    """
    Each public name and each argument is in the list, and nothing else is.

    Who changes the API writes the list anew: ``python -P tests/core/test_public_names.py``.
    """
    assert list(public_names()) == LIST.read_text().splitlines()


if __name__ == "__main__":
    LIST.write_text("".join(f"{name}\n" for name in public_names()))
