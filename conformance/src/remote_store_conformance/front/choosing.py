"""Which clauses and which targets are meant, and the session that checks one."""

from __future__ import annotations

import argparse
import fnmatch
import math
from collections.abc import Sequence
from typing import Any, Final

from remote_store_conformance.clauses import all_clauses
from remote_store_conformance.contract.clause import Clause
from remote_store_conformance.engine.session import Session
from remote_store_conformance.front.arguments import SIZES, endpoint_of, options_of
from remote_store_conformance.plugins.lookup import find_targets, target_of_url
from remote_store_conformance.plugins.manager import Kit
from remote_store_conformance.report import data
from remote_store_conformance.results.waivers import UsageError, Waivers, load_waivers
from remote_store_conformance.targets.target import Target

__all__ = ["choose", "session_for", "targets_of"]

_MAY_BE_ZERO: Final = ("consistency", "read_ahead")


def choose(patterns: Sequence[str]) -> list[Clause]:
    """
    Return the clauses that match one of the patterns, all without any.

    Raises:
        UsageError: A pattern matches none.
    """
    clauses = all_clauses()
    for pattern in patterns:
        if not any(fnmatch.fnmatch(c.id, pattern) for c in clauses):
            msg = f"no clause matches {pattern!r}"
            raise UsageError(msg)
    if not patterns:
        return clauses
    return [c for c in clauses if any(fnmatch.fnmatch(c.id, p) for p in patterns)]


def session_for(kit: Kit, target: Target, given: argparse.Namespace) -> Session:
    """
    Return a session with the options that both front-ends share.

    Raises:
        UsageError: A waiver may not be used, or a number makes no sense.
    """
    for name in ("budget", "patience"):
        _check_number(name, getattr(given, name))
    extra = load_waivers(given.waivers) if given.waivers else []
    return Session(
        target,
        kit=kit,
        waivers=Waivers.of(
            [*extra, *kit.waivers(target)],
            plugin=data.plugin_of(target.plugin).get("version", ""),
            kit=data.version_of("remote-store-conformance"),
        ),
        seed=given.seed,
        budget=given.budget,
        patience=given.patience,
    )


def targets_of(kit: Kit, given: argparse.Namespace) -> list[Target]:
    """
    Return the targets that a command line asks for.

    Raises:
        UsageError: A name stands for no target, or an option does not belong there.
        NotOpen: The storage of ``--url`` does not open.
    """
    options = options_of(given.option)
    for name in SIZES:
        _check_number(name, getattr(given, name), or_zero=name in _MAY_BE_ZERO)
    if given.url:
        if len(given.names) > 1:
            msg = "--url describes the storage of one backend; give one name"
            raise UsageError(msg)
        target = target_of_url(
            given.names[0],
            given.url,
            options,
            flat=given.flat,
            shared_names=given.flat and not given.exclusive_names,
            volatile=given.volatile,
            loops=not given.one_loop,
            environment=given.environment,
            endpoint=endpoint_of(given.endpoint) if given.endpoint else None,
            secrets=given.secret,
            **_given(given, "root", *SIZES),
        )
        return [target]
    about = _given(given, "endpoint", "one_loop", "root", "secret", "flat", "volatile", *SIZES)
    for name in about:
        msg = f"--{name.replace('_', '-')} belongs to --url; targets that plugins ship state it"
        raise UsageError(msg)
    found = [t for name in given.names for t in find_targets(kit, name, options)]
    return list({t.name: t for t in found}.values())


def _check_number(name: str, value: float | None, *, or_zero: bool = False) -> None:
    """Refuse a number with which nothing, or not what was meant, would be checked."""
    if value is None or 0 < value < math.inf or (or_zero and value == 0):
        return
    least = "of 0 or more" if or_zero else "above 0"
    msg = f"--{name.replace('_', '-')} takes a number {least}, got {value:g}"
    raise UsageError(msg)


def _given(given: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return the options of those names that were given."""
    found = {name: getattr(given, name) for name in names}
    # Not 0, which was given.
    return {n: v for n, v in found.items() if v is not None and v is not False and v != []}
