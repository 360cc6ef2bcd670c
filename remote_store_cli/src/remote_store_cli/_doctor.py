"""What is installed, and what is wrong with it; nothing is printed here."""

from __future__ import annotations

import platform
import re
import warnings
from collections import Counter
from importlib import metadata
from typing import Any, Final, Literal

from attrs import frozen

from remote_store import (
    CONTRACT,
    BackendPlugin,
    PluginError,
    list_backends,
    load_backend,
    register_plugin,
)
from remote_store._contract.members import MANDATORY

# What is examined here is the core's own discovery, of all its groups.
from remote_store._plugins.entry_points import EntryPoint
from remote_store._plugins.loading import LISTENERS, import_plugin, list_plugins, unreadable
from remote_store_cli._integrity import CORE, installed, other_owners
from remote_store_cli._outcome import describe

__all__ = ["Findings", "PluginState", "examine"]

#: The conformance kit, and the group of what is offered to it alone.
_KIT: Final = "remote-store-conformance"
_OFFERED_TO_KIT: Final = "remote_store.conformance"
#: What a class must have; its instances may get their other members later.
_METHODS: Final = frozenset(MANDATORY) - {"name", "capabilities"}

_EXTRA: Final = re.compile(r"([A-Za-z0-9._-]+).*;.*\bextra\s*==\s*['\"]([^'\"]+)['\"]")

Status = Literal["ok", "off", "broken", "clash", "wrong contract"]


@frozen
class PluginState:
    """
    One entry point, and how it is.

    Args:
        name: Name that it serves.
        value: ``"package.module:Class"``.
        distribution: What brings it.
        version: Of the distribution.
        status: ``"off"`` is switched off by an environment variable.
        contract: What the class says it keeps; None if it says nothing.
        problem: What is wrong and what to do; None if nothing is.
    """

    name: str
    value: str
    distribution: str
    version: str
    status: Status
    contract: str | None = None
    problem: str | None = None


@frozen
class Findings:
    """
    The outcome of an examination.

    Args:
        versions: Of Python, the core, the command line and the contract.
        plugins: Every backend entry point.
        missing: Extras of the core that are not installed, each with the
            line that installs it. That is not a problem.
        problems: What is wrong, in words.
    """

    versions: dict[str, str]
    plugins: list[PluginState]
    missing: dict[str, str]
    problems: list[str]

    def versions_text(self) -> str:
        """Return all versions in one line."""
        return ", ".join(f"{name} {version}" for name, version in self.versions.items())

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        plugins = [
            {
                "name": p.name,
                "class": p.value,
                "distribution": p.distribution,
                "version": p.version,
                "status": p.status,
                "contract": p.contract,
                "problem": p.problem,
            }
            for p in self.plugins
        ]
        return {
            "versions": self.versions,
            "plugins": plugins,
            "missing": self.missing,
            "problems": self.problems,
        }


def examine() -> Findings:
    """Look at every plugin (importing those that are switched on) and at the core itself."""
    with warnings.catch_warnings():  # they are among the findings
        warnings.simplefilter("ignore", RuntimeWarning)
        problems = unreadable()[:]
    found = list_backends()
    claims = Counter(plugin.name for plugin in found)
    plugins = [_state(plugin, clash=claims[plugin.name] > 1) for plugin in found]
    problems += other_owners()
    problems += _broken_beside(LISTENERS)
    if installed([_KIT]):
        problems += _broken_beside(_OFFERED_TO_KIT)
    # A clash concerns several entry points and is one problem.
    problems += dict.fromkeys(p.problem for p in plugins if p.problem is not None)
    versions = {
        "Python": platform.python_version(),
        CORE: metadata.version(CORE),
        "remote-store-cli": metadata.version("remote-store-cli"),
        "contract": CONTRACT,
    }
    return Findings(versions, plugins, _missing_extras(), problems)


def _state(plugin: BackendPlugin, *, clash: bool) -> PluginState:
    status: Status = "ok"
    contract = problem = None
    if plugin.blocked:
        status = "off"
    else:
        try:
            cls, twin = load_backend(plugin.name), load_backend(plugin.name, sync=True)
        except PluginError as error:
            status = "clash" if clash else "broken"
            problem = describe(error)
        else:
            contract = getattr(cls, "CONTRACT", None)
            problem = _incomplete(plugin, cls) or _incomplete(plugin, twin)
            status = "broken" if problem else "ok"
        if contract is not None and str(contract).partition(".")[0] != CONTRACT.partition(".")[0]:
            status = "wrong contract"
            problem = (
                f"plugin {plugin.name!r} ({plugin.distribution} {plugin.version}) keeps contract "
                f"{contract}, this core needs {CONTRACT}; upgrade the older of the two"
            )
    return PluginState(
        plugin.name,
        plugin.value,
        plugin.distribution,
        plugin.version,
        status,
        contract,
        problem,
    )


def _incomplete(plugin: BackendPlugin, cls: type[Any]) -> str | None:
    """Return what a class lacks to be a backend, as far as the class alone shows it."""
    lacking = set(getattr(cls, "__abstractmethods__", ()))
    if not hasattr(cls, "__getattr__"):  # which may delegate the rest
        lacking |= {name for name in _METHODS if not callable(getattr(cls, name, None))}
    if not lacking:
        return None
    return (
        f"plugin {plugin.name!r} ({plugin.distribution} {plugin.version}) is broken: "
        f"{cls.__name__} is no backend, it lacks {', '.join(sorted(lacking))}"
    )


def _broken_beside(group: str) -> list[str]:
    """Try what is switched on in a group of no backends."""
    problems = []
    for plugin in list_plugins(group):
        if plugin.blocked:
            continue
        try:
            entry_point = EntryPoint(plugin.name, plugin.value, group)
            loaded = import_plugin(plugin, entry_point)
            if group == LISTENERS:
                register_plugin(loaded, plugin.name)
        except PluginError as error:
            problems.append(describe(error))
    return problems


def _missing_extras() -> dict[str, str]:
    missing = {}
    for requirement in metadata.requires(CORE) or ():
        match = _EXTRA.match(requirement)
        # An extra that only bundles others asks for the core itself, which is there.
        if match and not installed([match[1]]):
            missing[match[2]] = f"pip install '{CORE}[{match[2]}]'"
    return missing
