"""
Whether the core's files are its own, found out without importing one of them.

Two distributions can bring an import package of one name; an installer lets
the later one overwrite the files of the earlier, and its removal takes them
away. A program that imports what is left then dies with an ImportError, so
nothing in this module needs the core, nor anything that needs it.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.util
import json
import platform
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from remote_store_cli._codes import PLUGIN
from remote_store_cli._output import emit, emit_json, printable

__all__ = ["CORE", "cannot_start", "damage", "installed", "other_owners", "refuse_damage"]

#: The distribution that owns the import package `_PACKAGE`.
CORE: Final = "remote-store-core"
_PACKAGE: Final = "remote_store"


def installed(names: Iterable[str]) -> list[str]:
    """Return those of the distributions that are installed."""
    found = []
    for name in names:
        try:
            metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found.append(name)
    return found


def other_owners() -> list[str]:
    """Return a problem for each other distribution with an import package of the core's name."""
    try:
        owners = set(metadata.packages_distributions().get(_PACKAGE, ()))
    except Exception as error:  # noqa: BLE001 - any distribution's metadata may be unsound
        return [
            f"it cannot be told who else brings an import package {_PACKAGE!r}, since a "
            f"distribution's metadata cannot be read: {type(error).__name__}: {error}"
        ]
    # An editable installation lists no files of the package: ask by name, too.
    owners.update(installed(["remote-store"]))
    others = sorted(owners - {CORE})
    return [
        f"distribution {other!r} brings an import package {_PACKAGE!r} of its own, as {CORE!r} "
        f"does: one overwrites the other; pip uninstall {other}, then {_repair()}"
        for other in others
    ]


def damage() -> list[str]:
    """Return what is wrong with the core's files: gone, changed, or not what is imported."""
    try:
        core = metadata.distribution(CORE)
    except metadata.PackageNotFoundError:
        return [f"distribution {CORE!r} is not installed; pip install {CORE}"]
    gone, changed = [], []
    recorded = False
    for name, digest in _recorded(core):
        recorded = True
        path = Path(str(core.locate_file(name)))
        if not path.is_file():
            gone.append(name)
        elif digest and not _is(path, digest):
            changed.append(name)
    problems = []
    if gone:
        problems.append(f"{_files(gone)} missing of {CORE!r}: {', '.join(gone)}; {_repair()}")
    if changed:
        what = f"{_files(changed)} overwritten of {CORE!r}"
        problems.append(f"{what}: {', '.join(changed)}; {_repair()}")
    if recorded and not problems:
        problems += _shadowed(Path(str(core.locate_file(_PACKAGE))))
    return problems


def _files(names: list[str]) -> str:
    return "1 file is" if len(names) == 1 else f"{len(names)} files are"


def _repair() -> str:
    try:
        which = f"{CORE}=={metadata.version(CORE)}"
    except metadata.PackageNotFoundError:
        which = CORE
    return f"pip install --force-reinstall --no-deps {which}"


def _recorded(core: metadata.Distribution) -> Iterator[tuple[str, str]]:
    """Yield each module that the installer wrote, with its digest; none of an editable one."""
    # Not `files`, which newer Pythons reduce to those that exist.
    for row in csv.reader((core.read_text("RECORD") or "").splitlines()):
        if len(row) > 1 and row[0].startswith(f"{_PACKAGE}/") and not row[0].endswith(".pyc"):
            yield row[0], row[1]


def _is(path: Path, digest: str) -> bool:
    algorithm, _, wanted = digest.partition("=")
    try:
        found = hashlib.new(algorithm, path.read_bytes()).digest()
    except ValueError:  # an algorithm that this Python does not know
        return True
    return base64.urlsafe_b64encode(found).decode().rstrip("=") == wanted


def _shadowed(folder: Path) -> list[str]:
    spec = importlib.util.find_spec(_PACKAGE)  # which imports nothing of a top-level package
    origin = Path(spec.origin) if spec and spec.origin else None
    if origin is not None and origin.parent.resolve() == folder.resolve():
        return []
    return [
        f"import {_PACKAGE} finds {origin or 'no package'}, which is not of {CORE!r} (that is in "
        f"{folder}); rename it, or take its folder out of the path"
    ]


def refuse_damage(*, as_json: bool) -> None:
    """
    Let a `doctor` go on only when importing the core gets what was installed.

    Raises:
        SystemExit: It does not; the findings were printed.
    """
    if problems := damage():
        raise SystemExit(_show(other_owners() + problems, as_json=as_json))


def cannot_start(arguments: list[str], error: Exception) -> int:
    """Say that the core, or what it needs, cannot be imported; return the exit code."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if arguments[:1] == ["doctor"]:
        problem = f"the core cannot be imported: {text}; install what is missing, or {_repair()}"
        return _show([problem], as_json="--json" in arguments)
    line = f"remote-store cannot start ({text}); 'remote-store doctor' tells what is wrong"
    if "--json" in arguments:
        line = json.dumps({"level": "error", "message": line, "type": "PluginError"})
        sys.stderr.write(f"{line}\n")
    else:
        sys.stderr.write(f"error: {printable(line)}\n")
    return PLUGIN


def _show(problems: list[str], *, as_json: bool) -> int:
    """Print the findings of a `doctor` that cannot import the core; return the exit code."""
    versions = {"Python": platform.python_version()}
    versions |= {name: metadata.version(name) for name in installed([CORE, "remote-store-cli"])}
    if as_json:
        emit_json({"versions": versions, "plugins": [], "missing": {}, "problems": problems})
        return PLUGIN
    emit(", ".join(f"{name} {version}" for name, version in versions.items()))
    emit("")
    for problem in problems:
        emit(f"problem: {problem}")
    emit(f"problems: {len(problems)}; no plugin was examined, since that needs a sound core")
    return PLUGIN
