"""Where targets, probes, meters and waivers come from: the kit's own pluggy manager."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import itertools
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pluggy

from remote_store.aio import AsyncBackend
from remote_store_conformance.plugins.hookspecs import GROUP, PROJECT, Hooks
from remote_store_conformance.results.run import Run
from remote_store_conformance.results.waivers import UsageError
from remote_store_conformance.targets.proxy import Wire
from remote_store_conformance.targets.target import Meter, Probe, Scratch, Target, Waiver

__all__ = ["Kit"]

_SHIPPED: Final = "shipped:"


class _Manager(pluggy.PluginManager):
    """Knows an implementation by its name: a plugin that ships one needs no import of the kit."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        marked = super().parse_hookimpl_opts(plugin, name)
        if marked is not None or name not in vars(Hooks) or name.startswith("_"):
            return marked
        if not inspect.isroutine(getattr(plugin, name, None)):
            return None
        return pluggy.HookimplOpts(
            wrapper=False,
            hookwrapper=False,
            optionalhook=False,
            tryfirst=False,
            trylast=False,
            specname=None,
        )


class Kit:
    """The plugins of one run of the kit."""

    def __init__(self) -> None:
        self._plugins = _Manager(PROJECT)
        self._plugins.add_hookspecs(Hooks)

    def register(self, plugin: object, name: str | None = None) -> None:
        """Let *plugin* implement hooks; registering it twice is no error."""
        if not self._plugins.is_registered(plugin):
            self._plugins.register(plugin, name)

    def load_shipped(self) -> list[str]:
        """
        Register what installed distributions ship for the kit.

        Returns:
            Why some could not be loaded, one sentence each: a broken plugin
            does not keep anybody from checking another one.
        """
        problems = []
        for entry_point in sorted(set(entry_points(group=GROUP)), key=lambda e: e.name):
            name = f"{_SHIPPED}{entry_point.name}={entry_point.value}"
            if self._plugins.has_plugin(name):
                continue
            try:
                loaded = entry_point.load()
                self._plugins.register(loaded() if isinstance(loaded, type) else loaded, name)
            except Exception as error:  # noqa: BLE001 - reported
                problems.append(f"{entry_point.value}: {type(error).__name__}: {error}")
        return problems

    def load(self, source: str) -> None:
        """
        Register a module that no installed distribution ships.

        Args:
            source: Path of a Python file, or name of a module. What a file imports is also
                looked for in its folder, after everything that is installed.

        Raises:
            UsageError: It cannot be loaded, whatever it raises.
        """
        try:
            loaded = (
                _module_at(Path(source))
                if source.endswith(".py")
                else importlib.import_module(source)
            )
        except Exception as error:
            msg = f"--plugin {source}: {type(error).__name__}: {error}"
            raise UsageError(msg) from error
        self.register(loaded, source)

    def targets(self, config: Mapping[str, str] | None = None) -> list[Target]:
        """Return all targets that plugins offer, sorted by name."""
        offered = self._plugins.hook.conformance_targets(config=dict(config or {}), target=Target)
        return sorted(itertools.chain.from_iterable(offered), key=lambda t: t.name)

    def probe(self, target: Target, backend: AsyncBackend, scratch: Scratch) -> Probe | None:
        """Return the probe of an open backend, or None."""
        if target.probe is not None:
            return target.probe(backend, scratch)
        found: Any = self._plugins.hook.conformance_probe(
            target=target, backend=backend, scratch=scratch
        )
        return found  # type: ignore[no-any-return]

    def meter(self, target: Target, backend: AsyncBackend, wire: Wire | None) -> Meter | None:
        """Return the meter of an open backend: its own, a plugin's, or the proxy."""
        if target.meter is not None:
            return target.meter(backend)
        found: Any = self._plugins.hook.conformance_meter(target=target, backend=backend)
        return found if found is not None else wire

    def waivers(self, target: Target) -> list[Waiver]:
        """Return the waivers that come with a target."""
        hooked = self._plugins.hook.conformance_waivers(target=target)
        return [*target.waivers, *itertools.chain.from_iterable(hooked)]

    def report(self, run: Run) -> None:
        """Hand a finished run to the plugins that want it."""
        self._plugins.hook.conformance_report(run=run)


def _module_at(path: Path) -> ModuleType:
    """Return the module in a file, which may be anywhere, and may import modules beside it."""
    folder = str(path.absolute().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    name = f"remote_store_conformance_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # the name ends in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look for it there
    spec.loader.exec_module(module)
    return module
