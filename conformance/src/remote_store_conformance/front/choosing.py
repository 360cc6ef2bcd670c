"""Which clauses and which targets are meant, and the session that checks one."""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Sequence
from typing import Any

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
        UsageError: A waiver may not be used.
    """
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


def _given(given: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return the options of those names that were given."""
    return {
        name: value for name in names if (value := getattr(given, name)) not in (None, [], False)
    }
