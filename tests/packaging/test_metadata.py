"""What the pyproject files and the constraints say, without building anything."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from tests.packaging.conftest import Member


def test_every_folder_of_a_member_is_in_the_workspace(members: list[Member]) -> None:
    """Tools that know the workspace know all members, and find each of them there."""
    root = members[0].folder.parent
    tool = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["uv"]

    assert {m.folder.name for m in members} == set(tool["workspace"]["members"])
    assert {m.name for m in members} == set(tool["sources"])


def test_the_readme_names_every_member(members: list[Member]) -> None:
    """The table of members links each one's README, and says how it is imported."""
    text = (members[0].folder.parent / "README.md").read_text()
    for member in members:
        assert f"| [{member.name}]({member.folder.name}/README.md) | `{member.package}` |" in text


def test_each_member_has_the_licence_of_the_repository(members: list[Member]) -> None:
    """Each folder has a copy, since a build takes no file from above its project."""
    root = members[0].folder.parent
    folders = [*(member.folder for member in members), *(root / "examples").glob("*-backend")]
    for folder in folders:
        assert (folder / "LICENSE").read_bytes() == (root / "LICENSE").read_bytes(), folder


def _links(text: str) -> list[str]:
    """Return where a Markdown text links to: inline, by reference, by HTML."""
    pattern = r"""\]\(([^)\s]+)|^\[[^\]]+\]:\s*(\S+)|(?:src|href)=["']([^"']+)"""
    return [match[match.lastindex or 0] for match in re.finditer(pattern, text, re.M)]


@pytest.mark.parametrize("text", ["a [b](x)", "![b](x)", "<img src='x'>", "[b]: x", '[b](x "t")'])
def test_the_search_for_links_finds_them(text: str) -> None:
    """A search that cannot find would prove nothing."""
    assert _links(text) == ["x"]


def test_links_of_a_readme_work_on_an_index(member: Member) -> None:
    """The page of an index has none of the repository's files beside it."""
    links = _links((member.folder / "README.md").read_text())

    assert [link for link in links if not link.startswith(("https://", "#"))] == []


def test_members_say_who_made_them_and_where_to_read_on(members: list[Member]) -> None:
    """Authors, links and classifiers: the same for all, each member at its own folder."""
    root = members[0].folder.parent
    for member in members:
        urls = member.project["urls"]
        assert isinstance(urls, dict)
        assert urls["Source"].endswith(f"/{member.folder.name}"), member.name
        assert all(url.startswith("https://") for url in urls.values())
        for url in urls.values():  # what follows the branch is a path of the repository
            assert (root / url.partition("/main/")[2]).exists(), url
        assert member.project["authors"] == [{"name": "remote_store maintainers"}]
        assert member.project["license-files"] == ["LICENSE"]
        classifiers = member.project["classifiers"]
        assert isinstance(classifiers, list)
        assert {"Operating System :: OS Independent", "Typing :: Typed"} <= set(classifiers)
        # The index refuses both at once (PEP 639).
        assert not [name for name in classifiers if name.startswith("License")]


def test_members_accept_each_others_versions(members: list[Member]) -> None:
    """The range in which a member wants another one holds the version that is here."""
    versions = {member.name: member.version for member in members}
    wanted = [r for m in members for r in m.requirements if r.name in versions]

    assert wanted
    for requirement in wanted:
        assert requirement.specifier.contains(versions[requirement.name]), requirement
        assert ">=" in str(requirement.specifier), requirement
        assert "<" in str(requirement.specifier).replace("<=", ""), requirement


def _serves_backends(member: Member) -> bool:
    entry_points = member.project.get("entry-points", {})
    assert isinstance(entry_points, dict)
    return "remote_store.backends" in entry_points


def test_extras_of_the_core_name_members(members: list[Member]) -> None:
    """Each extra is a member in range, each backend an extra, and ``all`` is all of them."""
    versions = {member.name: member.version for member in members}
    (core,) = (member for member in members if member.name == "remote-store-core")
    extras = core.project["optional-dependencies"]
    assert isinstance(extras, dict)
    everything = Requirement(extras.pop("all")[0])

    assert everything.name == core.name
    assert everything.extras == set(extras)
    assert {m.name.removeprefix("remote-store-") for m in members if _serves_backends(m)} <= set(
        extras
    )
    for extra, lines in extras.items():
        (requirement,) = map(Requirement, lines)
        assert requirement.name == f"remote-store-{extra}"
        assert requirement.specifier.contains(versions[requirement.name])


def _versions(member: Member) -> list[str]:
    classifiers = member.project["classifiers"]
    assert isinstance(classifiers, list)
    pattern = r"Programming Language :: Python :: (3\.\d+)"
    return [match[1] for name in classifiers if (match := re.fullmatch(pattern, name))]


def test_members_agree_on_the_python_versions(members: list[Member]) -> None:
    """The classifiers of every member are one list, and what installs and checks knows it."""
    root = members[0].folder.parent
    versions = _versions(members[0])
    oldest = versions[0]
    tool = tomllib.loads((root / "pyproject.toml").read_text())["tool"]

    assert versions == ["3.11", "3.12", "3.13"]
    for member in members:
        assert _versions(member) == versions, member.name
        assert member.project["requires-python"] == f">={oldest}"
    assert tool["mypy"]["python_version"] == tool["pyright"]["pythonVersion"] == oldest
    assert tool["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    newest_first = " ".join(f"python{version}" for version in reversed(versions))
    assert f"${{PYTHON:-python3 {newest_first}}}" in (root / "scripts" / "install").read_text()


def _needed(members: list[Member]) -> set[str]:
    root = members[0].folder.parent
    groups = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]
    lines = [line for group in groups.values() for line in group if isinstance(line, str)]
    todo = [Requirement(line) for line in lines] + [r for m in members for r in m.requirements]
    found: set[str] = set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        extras = requirement.extras or {""}
        if name in found and extras == {""}:
            continue
        found.add(name)
        try:
            below = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError as error:
            msg = f"{name} is needed by the checks but is not installed"
            raise AssertionError(msg) from error
        todo += [
            r for r in below if not r.marker or any(r.marker.evaluate({"extra": e}) for e in extras)
        ]
    return found - {member.name for member in members}


def test_constraints_pin_everything_that_the_checks_install(members: list[Member]) -> None:
    """Each line is one exact version, without an address, and nothing is left unpinned."""
    text = (members[0].folder.parent / "constraints.txt").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    pins = [re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][0-9a-z.+]*)", line) for line in lines]

    assert all(pins), [line for line, pin in zip(lines, pins, strict=True) if not pin]
    missing = _needed(members) - {canonicalize_name(pin[1]) for pin in pins if pin}
    assert not missing, "run scripts/update-constraints"
