"""Each member alone in an environment of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from tests.packaging.conftest import Environment, Member

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# A module may need what an extra brings, and nothing else that is undeclared.
IMPORT_ALL = """
import importlib, pkgutil
package = importlib.import_module({package!r})
names = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    try:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in {optional!r}:
            raise
print(len(names))
"""

# Each one is loaded, as a store that is opened by name would do.
LOAD_ENTRY_POINTS = """
from importlib.metadata import distribution
for entry_point in distribution({name!r}).entry_points:
    try:
        entry_point.load()
    except ModuleNotFoundError as error:
        if error.name not in {optional!r}:
            raise
    print(entry_point.name)
"""


@pytest.mark.long
def test_member_installs_exactly_what_it_declares(
    member: Member, installed: Environment, closure: Callable[[str], set[str]]
) -> None:
    """The environment holds the member's declared closure, and pip finds no conflict."""
    found = json.loads(installed.pip("list", "--format", "json"))

    assert closure(member.name) == {canonicalize_name(entry["name"]) for entry in found}
    installed.pip("check")


@pytest.mark.long
def test_every_module_imports_with_the_declared_dependencies_alone(
    member: Member, installed: Environment
) -> None:
    """No module needs a distribution that the member does not declare."""
    optional = {r.name for extra in member.optional.values() for r in extra}
    program = IMPORT_ALL.format(package=member.package, optional=optional)
    files = list((member.folder / "src" / member.package).rglob("*.py"))

    assert len(files) - 1 == int(installed.run(program))


@pytest.mark.long
def test_every_module_imports_with_what_the_extras_bring(
    member: Member, installed_with_extras: Environment
) -> None:
    """With its extras installed a member lacks nothing at all."""
    environment = installed_with_extras
    environment.run(IMPORT_ALL.format(package=member.package, optional=set()))
    environment.run(LOAD_ENTRY_POINTS.format(name=member.name, optional=set()))
    environment.pip("check")


@pytest.mark.long
def test_the_package_is_imported_from_the_environment(
    member: Member, installed: Environment
) -> None:
    """An import finds the installed package, never a folder of the work tree."""
    program = f"import {member.package} as package; print(package.__file__)"
    path = installed.run(program).strip()

    assert Path(path).is_relative_to(installed.folder)
    assert "site-packages" in Path(path).parts


@pytest.mark.long
def test_entry_points_load(member: Member, installed: Environment) -> None:
    """What the metadata of a member points to is there."""
    optional = {r.name for extra in member.optional.values() for r in extra}
    program = LOAD_ENTRY_POINTS.format(name=member.name, optional=optional)
    loaded = set(installed.run(program).split())
    tables = member.project.get("entry-points", {})
    assert isinstance(tables, dict)
    declared = {name for table in tables.values() for name in table}
    scripts = member.project.get("scripts", {})
    assert isinstance(scripts, dict)

    assert declared | set(scripts) == loaded


@pytest.mark.long
def test_members_install_from_source_with_pip_alone(
    members: list[Member], new_environment: Callable[[], Environment]
) -> None:
    """``pip install ./remote_store_core ./remote_store_local`` needs no workspace tool."""
    environment = new_environment()
    folders = {member.name: member.folder for member in members}
    # pip in place of `pip --python`: the line of the README, isolated builds included.
    environment.pip(
        "install", "--quiet", folders["remote-store-core"], folders["remote-store-local"]
    )
    environment.pip("check")

    assert environment.run("import remote_store_local as m; print(m.__name__)").strip() == (
        "remote_store_local"
    )
