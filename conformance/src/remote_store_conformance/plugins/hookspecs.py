"""
The hooks by which vendors supply targets and what belongs to them.

A plugin ships an object with hook implementations under the entry point group
``remote_store.conformance``; a conftest.py implements the same hooks. A function
with the name of a hook implements it, marked with `hookimpl` or not, and takes
the arguments that it wants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import pluggy

from remote_store.aio import AsyncBackend
from remote_store_conformance.results.run import Run
from remote_store_conformance.targets.target import Meter, Probe, Scratch, Target, Waiver

__all__ = ["GROUP", "PROJECT", "Hooks", "hookimpl"]

PROJECT: Final = "remote_store_conformance"

#: Entry point group of the objects that ship targets with a plugin.
GROUP: Final = "remote_store.conformance"

_hookspec = pluggy.HookspecMarker(PROJECT)

#: Marks a function or method as an implementation of one of the hooks. Only
#: needed for pluggy's options: the name of the hook is enough.
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """The hook specifications."""

    @_hookspec
    def conformance_targets(
        self, config: Mapping[str, str], target: Callable[..., Target]
    ) -> Iterable[Target]:
        """
        Return the targets that this plugin or repository offers.

        Args:
            config: What was given with ``--option name=value``.
            target: The class `Target`, for a plugin that does not want to
                import the kit.
        """
        return ()

    @_hookspec(firstresult=True)
    def conformance_probe(
        self, target: Target, backend: AsyncBackend, scratch: Scratch
    ) -> Probe | None:
        """Return a probe for a target that has none of its own."""

    @_hookspec(firstresult=True)
    def conformance_meter(self, target: Target, backend: AsyncBackend) -> Meter | None:
        """Return a meter for a target that has none of its own."""

    @_hookspec
    def conformance_waivers(self, target: Target) -> Iterable[Waiver]:
        """Return waivers for a target beside its own."""
        return ()

    @_hookspec
    def conformance_report(self, run: Run) -> None:
        """Called once with the finished run of a target."""
