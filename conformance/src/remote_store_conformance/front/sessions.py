"""The sessions of one pytest run: each target opened once, each clause run once."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from remote_store_conformance.clauses import find
from remote_store_conformance.engine.session import Session
from remote_store_conformance.front.arguments import options_of
from remote_store_conformance.front.choosing import choose, session_for
from remote_store_conformance.plugins.lookup import find_targets
from remote_store_conformance.plugins.manager import Kit
from remote_store_conformance.results.result import Result
from remote_store_conformance.results.run import Run
from remote_store_conformance.targets.target import Target

__all__ = ["Sessions"]


class Sessions:
    """
    What pytest's items run on.

    Args:
        given: pytest's options.
        plugins: Names and objects that may implement the kit's hooks.
    """

    def __init__(self, given: argparse.Namespace, plugins: Iterable[tuple[str, Any]]) -> None:
        self._given = argparse.Namespace(
            waivers=given.conform_waivers,
            seed=given.conform_seed,
            budget=given.conform_budget,
            patience=given.conform_patience,
        )
        self._clauses = choose(given.conform_clause)
        self._options = options_of(given.conform_option)
        self._kit = Kit()
        self.problems = self._kit.load_shipped()
        for name, plugin in plugins:
            self._kit.register(plugin, f"pytest:{name}")
        self._targets: dict[str, Target] = {}
        self._sessions: dict[str, Session] = {}
        self._results: dict[str, list[Result]] = {}

    def pairs(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """
        Return targets and clauses for some names, target by target.

        Raises:
            UsageError: A name stands for no target, or a waiver may not be used.
        """
        found = []
        for name in names:
            for target in find_targets(self._kit, name, self._options):
                if target.name not in self._targets:
                    self._targets[target.name] = target
                    self._sessions[target.name] = session_for(self._kit, target, self._given)
                found += [(target.name, clause.id) for clause in self._clauses]
        return list(dict.fromkeys(found))

    def run(self, target: str, clause: str) -> Result:
        """Run one clause."""
        result = self._sessions[target].run(find(clause))
        self._results.setdefault(target, []).append(result)
        return result

    def close(self) -> None:
        """Close the targets, and hand the runs to the plugins that want them."""
        for name, session in self._sessions.items():
            results = self._results.get(name, [])
            if results:
                self._kit.report(Run(name, tuple(results), session.about()))
            session.close()
