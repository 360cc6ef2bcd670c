"""PKG: how a plugin is packaged."""

from __future__ import annotations

import string
from importlib.metadata import Distribution
from typing import Final

from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Violation, expect
from remote_store_conformance.contract.kinds import VERSION, Level, Trait, version_key
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.tools.packages import (
    CORE,
    canonical,
    claims,
    closure,
    entry_point_of,
    imported_by,
    owners,
    requirements,
)

_SCHEME: Final = string.ascii_lowercase + string.digits + "+-."


def _distribution(t: Trial) -> Distribution:
    found = entry_point_of(t.target.plugin).dist
    if found is None:
        msg = "the entry point belongs to no distribution"
        raise Violation(msg)
    return found


@clause(
    "PKG-001",
    "The entry point in the group remote_store.backends, or remote_store.sync_backends for a sync "
    "class alone, loads and is a class.",
    intent="It is how a program finds a backend by its name.",
    only=[Trait.INSTALLED],
    opens=False,
)
def loads(t: Trial) -> None:
    entry_point = entry_point_of(t.target.plugin)
    try:
        loaded = entry_point.load()
    except Exception as error:
        msg = f"the entry point {entry_point.value!r} does not load"
        raise Violation(msg, observed=f"{type(error).__name__}: {error}") from error
    expect(
        isinstance(loaded, type),
        "the entry point is not a class",
        observed=loaded,
        expected="a backend class",
    )


@clause(
    "PKG-002",
    "The name of the entry point is a URL scheme: a small letter, then small letters, digits, "
    "'+', '-' or '.'.",
    intent="The scheme of a store's URL is the name of its backend, and schemes are small letters.",
    only=[Trait.INSTALLED],
    opens=False,
)
def scheme(t: Trial) -> None:
    name = entry_point_of(t.target.plugin).name
    expect(
        name[:1] in string.ascii_lowercase
        and len(name) > 1
        and all(character in _SCHEME for character in name),
        "the name of the entry point is no URL scheme",
        observed=name,
        expected="such as 'azure' or 's3+v2', of two or more characters",
    )


@clause(
    "PKG-003",
    "Loading the entry point imports no distribution beyond the core's own dependencies.",
    intent="A program that only looks around must not wait for a service's SDK to be imported.",
    level=Level.SHOULD,
    only=[Trait.INSTALLED],
    opens=False,
    seconds=90,
)
def light(t: Trial) -> None:
    own = canonical(_distribution(t).name)
    module = entry_point_of(t.target.plugin).module
    allowed = closure(CORE) | {own}
    heavy = {
        f"{name} ({distribution})"
        for name, distribution in owners(imported_by(module)).items()
        if distribution not in allowed
    }
    expect(
        not heavy,
        "loading the entry point imports other distributions",
        observed=", ".join(sorted(heavy)),
        expected="nothing but the core, its dependencies and the plugin itself",
    )


@clause(
    "PKG-004",
    "The distribution requires remote-store-core in a bounded range, and the class states the "
    "version of the contract.",
    intent="A later core or contract must not change a plugin's behaviour without its author.",
    only=[Trait.INSTALLED],
    opens=False,
)
def bounded(t: Trial) -> None:
    dist = _distribution(t)
    specifier = requirements(dist).get(CORE)
    if specifier is None:
        msg = f"{dist.name} does not require {CORE}"
        raise Violation(msg, expected=f"{CORE}>=0.1,<0.2")
    expect(
        "<" in specifier or "==" in specifier or "~=" in specifier,
        f"the requirement of {CORE} has no upper bound",
        observed=f"{CORE}{specifier}",
        expected=f"{CORE}>=0.1,<0.2",
    )
    stated = getattr(entry_point_of(t.target.plugin).load(), "CONTRACT", None)
    expect(
        isinstance(stated, str) and all(part.isdigit() for part in stated.split(".")),
        "the class states no version of the contract",
        observed=stated,
        expected=f"CONTRACT = {VERSION!r}",
    )
    expect(
        version_key(str(stated)) <= version_key(VERSION),
        "the class states a contract that this kit does not know; use a newer kit",
        observed=stated,
        expected=f"at most {VERSION}",
    )


@clause(
    "PKG-005",
    "No other installed distribution claims the name of the entry point.",
    intent="Two plugins with one name make every URL with that scheme an error.",
    only=[Trait.INSTALLED],
    opens=False,
)
def alone(t: Trial) -> None:
    found = [e.dist.name for e in claims(t.target.plugin) if e.dist is not None]
    expect(
        len(found) == 1,
        "two distributions claim one name" if found else "no distribution claims the name",
        observed=", ".join(found),
        expected="one distribution",
    )
