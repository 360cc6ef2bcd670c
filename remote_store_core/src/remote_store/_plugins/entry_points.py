"""What the installed distributions offer: their entry points, read and not imported."""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

from attrs import frozen

from remote_store._plugins.installed import Distribution, canonical, first_named, installed

__all__ = ["BackendPlugin", "EntryPoint", "scan"]


@frozen
class BackendPlugin:
    """
    An entry point, as its metadata describes it.

    Args:
        name: Name that it serves, in lower case, which is also its URL scheme.
        value: Where its object is, ``"package.module:Class"``.
        distribution: Name of the distribution that brings it.
        version: Version of that distribution.
        blocked: Switched off by ``REMOTE_STORE_PLUGINS`` or
            ``REMOTE_STORE_DISABLE_PLUGINS``; the latter switches off a class
            under all its names.
    """

    name: str
    value: str
    distribution: str
    version: str
    blocked: bool

    @property
    def class_name(self) -> str:
        """Last part of the value."""
        return self.value.rpartition(":")[2].rpartition(".")[2]


class EntryPoint(NamedTuple):
    """
    A line of an ``entry_points.txt``.

    Args:
        name: What stands before the equals sign.
        value: What stands behind it.
        group: The section that it is in.
    """

    name: str
    value: str
    group: str

    def load(self) -> Any:
        """Import its object."""
        # What an old tool may have put behind it, in brackets, is for installers.
        module, _, attributes = self.value.partition("[")[0].partition(":")
        found: Any = importlib.import_module(module.strip())
        for attribute in filter(None, attributes.strip().split(".")):
            found = getattr(found, attribute)
        return found


@functools.cache
def scan(path: tuple[str, ...]) -> tuple[list[tuple[BackendPlugin, EntryPoint]], list[str]]:
    """
    Read the metadata on *path*: milliseconds, so once for each path.

    Returns:
        The plugins of all our groups, sorted by name; and what is wrong with
        each distribution that cannot be read, which is a RuntimeWarning, too.
    """
    unique: dict[tuple[str, ...], tuple[BackendPlugin, EntryPoint]] = {}
    problems = []
    everything = list(installed(path))
    for distribution in everything:
        try:
            for plugin, entry_point in _offered(distribution, everything):
                # In the order of the path: a second copy of a distribution is not used.
                owner = canonical(plugin.distribution)
                key = (plugin.name, plugin.value, owner, entry_point.group)
                unique.setdefault(key, (plugin, entry_point))
        except Exception as error:  # noqa: BLE001 - one bad distribution harms no other
            problems.append(_complaint(distribution, error))
            warnings.warn(problems[-1], RuntimeWarning, stacklevel=5)
    return [unique[key] for key in sorted(unique)], problems


def _offered(
    distribution: Distribution, everything: list[Distribution]
) -> Iterator[tuple[BackendPlugin, EntryPoint]]:
    text = distribution.read_text("entry_points.txt")
    if text is None or "remote_store." not in text:
        return  # like most: nothing else of it needs to be read, or to be sound
    name, version = _told(distribution)
    first = first_named(name, everything)
    if first is not None and first.read_text("entry_points.txt") != text:
        return  # hidden by another version of it, earlier on the path
    for entry_point in _lines(text):
        if entry_point.group.startswith("remote_store."):
            served = entry_point.name.lower()
            yield BackendPlugin(served, entry_point.value, name, version, False), entry_point


def _lines(text: str) -> Iterator[EntryPoint]:
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif line and not line.startswith("#"):
            name, equals, value = map(str.strip, line.partition("="))
            if not equals:
                msg = f"entry_points.txt has a line without an equals sign: {line!r}"
                raise ValueError(msg)
            yield EntryPoint(name, value, group)


def _told(distribution: Distribution) -> tuple[str, str]:
    """Return name and version of a distribution, ``"unknown"`` for what it does not say."""
    text = distribution.read_text("METADATA")
    if text is None:
        text = distribution.read_text("PKG-INFO")
    if text is None:
        msg = "it has no file METADATA"
        raise ValueError(msg)
    fields = {"name": "unknown", "version": "unknown"}
    for line in text.splitlines():
        if not line:
            break  # the description comes behind
        key, colon, value = line.partition(":")
        if colon and key.lower() in fields:
            fields[key.lower()] = value.strip()
    return fields["name"], fields["version"]


def _complaint(distribution: Distribution, error: Exception) -> str:
    try:
        name, _ = _told(distribution)
    except Exception:  # noqa: BLE001 - that it cannot be read is what is reported here
        name = "unknown"
    return (
        f"the plugins of distribution {name!r} in {distribution.locate_file('')} are left out: "
        f"its metadata cannot be read ({type(error).__name__}: {error}); repair or remove it"
    )
