"""What the installed distributions offer: their entry points, read and not imported."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

__all__ = ["BackendPlugin", "scan"]


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


@functools.cache
def scan(path: tuple[str, ...]) -> tuple[list[tuple[BackendPlugin, EntryPoint]], list[str]]:
    """
    Read the metadata on *path*: tens of milliseconds, so once for each path.

    Returns:
        The plugins of all our groups, sorted by name; and what is wrong with
        each distribution that cannot be read, which is a RuntimeWarning, too.
    """
    # Imported here: it takes longer than the rest of this package.
    from importlib.metadata import distributions

    unique: dict[tuple[str, ...], tuple[BackendPlugin, EntryPoint]] = {}
    problems = []
    for distribution in distributions():
        try:
            for plugin, entry_point in _offered(distribution):
                # In the order of the path: a second copy of a distribution is not used.
                owner = re.sub(r"[-_.]+", "-", plugin.distribution).lower()
                key = (plugin.name, plugin.value, owner, entry_point.group)
                unique.setdefault(key, (plugin, entry_point))
        except Exception as error:  # noqa: BLE001 - one bad distribution harms no other
            problems.append(_complaint(distribution, error))
            warnings.warn(problems[-1], RuntimeWarning, stacklevel=5)
    return [unique[key] for key in sorted(unique)], problems


def _offered(distribution: Distribution) -> Iterator[tuple[BackendPlugin, EntryPoint]]:
    from importlib.metadata import distributions

    text = distribution.read_text("entry_points.txt")
    if text is None or "remote_store." not in text:
        return  # like most: nothing else of it needs to be read, or to be sound
    name, version = _told(distribution, "Name"), _told(distribution, "Version")
    first = next(iter(distributions(name=name)), distribution)
    if first.read_text("entry_points.txt") != text:
        return  # hidden by another version of it, earlier on the path
    for entry_point in distribution.entry_points:
        if entry_point.group.startswith("remote_store."):
            served = entry_point.name.lower()
            yield BackendPlugin(served, entry_point.value, name, version, False), entry_point


def _told(distribution: Distribution, field: str) -> str:
    metadata = distribution.metadata
    # A look-up of what is not there is deprecated, and get() is not in Python 3.11's protocol.
    return metadata[field] if field in metadata else "unknown"  # noqa: SIM401


def _complaint(distribution: Distribution, error: Exception) -> str:
    try:
        name = _told(distribution, "Name")
    except Exception:  # noqa: BLE001 - that it cannot be read is what is reported here
        name = "unknown"
    return (
        f"the plugins of distribution {name!r} in {distribution.locate_file('')} are left out: "
        f"its metadata cannot be read ({type(error).__name__}: {error}); repair or remove it"
    )
