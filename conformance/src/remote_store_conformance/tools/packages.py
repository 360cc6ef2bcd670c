"""What the metadata of installed distributions says about a backend's plugin."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, EntryPoint, distribution, distributions, entry_points
from typing import Any, Final

from remote_store_conformance.contract.expect import Violation, expect

__all__ = ["CORE", "claims", "entry_point_of", "imported_by", "requirements"]

CORE: Final = "remote-store-core"

#: A plugin with a sync class alone has an entry point in the second group only.
_GROUPS: Final = ("remote_store.backends", "remote_store.sync_backends")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_LIST_IMPORTS: Final = """
import sys, json
sys.path[:] = json.loads(sys.argv[1])
import remote_store.aio
before = set(sys.modules)
import importlib
importlib.import_module(sys.argv[2])
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(new)))
"""


def canonical(name: str) -> str:
    """Return a distribution's name in the form in which names are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def claims(name: str) -> list[EntryPoint]:
    """Return the entry points that claim a backend's name, one for each distribution."""
    found: dict[str, EntryPoint] = {}
    for group in _GROUPS:
        for e in entry_points(group=group, name=name):
            found.setdefault(canonical(e.dist.name if e.dist else ""), e)
    return [found[key] for key in sorted(found)]


def entry_point_of(name: str) -> EntryPoint:
    """
    Return the entry point of a backend.

    Raises:
        Violation: No installed distribution has one of that name.
    """
    found = claims(name)
    if not found:
        msg = f"no installed distribution has an entry point {name!r} in the group {_GROUPS[0]}"
        raise Violation(msg, expected=f"{name} = 'package:Class'")
    return found[0]


def requirements(dist: Distribution) -> dict[str, str]:
    """Return what a distribution always requires: name and version specifier."""
    found = {}
    for line in dist.requires or []:
        requirement, _, marker = line.partition(";")
        if "extra" in marker:
            continue
        match = _NAME.match(requirement.strip())
        if match is not None:
            name = canonical(match[0])
            specifier = requirement.strip()[match.end() :].strip()
            found[name] = re.sub(r"^\[[^]]*\]\s*", "", specifier).strip(" ()")
    return found


def imported_by(module: str, seconds: float = 60.0) -> list[str]:
    """
    Return the top-level modules that importing *module* brings, beside the core's.

    Raises:
        Violation: The import fails in a fresh interpreter.
    """
    done = subprocess.run(  # noqa: S603 - our own interpreter, and no shell
        [sys.executable, "-I", "-c", _LIST_IMPORTS, json.dumps(sys.path), module],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    expect(
        done.returncode == 0,
        f"importing {module} fails in a fresh interpreter",
        observed=(done.stderr.strip().splitlines() or [""])[-1],
    )
    found: list[str] = json.loads(done.stdout)
    return found


def owners(modules: Iterable[str]) -> dict[str, str]:
    """Return which distribution each of some top-level modules belongs to, where one does."""
    wanted = set(modules) - sys.stdlib_module_names
    found: dict[str, str] = {}
    if wanted:
        for dist in distributions():
            for module in wanted.intersection(_top_levels(dist)):
                found[module] = canonical(dist.name)
    return found


def _top_levels(dist: Distribution) -> set[str]:
    # Not `dist.files` where RECORD has them: that asks the disk about every single file.
    record = dist.read_text("RECORD")
    lines = record.splitlines() if record is not None else map(str, dist.files or [])
    tops = {re.split("[/,]", line, maxsplit=1)[0] for line in lines}
    folders = (".dist-info", ".egg-info", "..")
    return {top.partition(".")[0] for top in tops if not top.endswith(folders)}


def closure(name: str) -> set[str]:
    """Return a distribution and everything that it always requires."""
    todo, found = [name], set[str]()
    while todo:
        current = canonical(todo.pop())
        if current in found:
            continue
        found.add(current)
        todo += _required(current)
    return found


def _required(name: str) -> list[str]:
    try:
        dist: Any = distribution(name)
    except ModuleNotFoundError:  # a requirement of another platform
        return []
    return list(requirements(dist))
