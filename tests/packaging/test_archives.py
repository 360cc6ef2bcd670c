"""What is in the wheels and the sdists."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable
from email.message import Message
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.packaging.conftest import Member

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def _names_in_wheel(dist: Path, member: Member) -> list[PurePosixPath]:
    (wheel,) = dist.glob(f"{member.name.replace('-', '_')}-{member.version}-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        return [PurePosixPath(name) for name in archive.namelist()]


def _names_in_sdist(dist: Path, member: Member) -> list[PurePosixPath]:
    (sdist,) = dist.glob(f"{member.name.replace('-', '_')}-{member.version}.tar.gz")
    with tarfile.open(sdist) as archive:
        return [PurePosixPath(*PurePosixPath(name).parts[1:]) for name in archive.getnames()]


@pytest.mark.long
def test_wheel_holds_every_file_of_the_package_and_nothing_else(dist: Path, member: Member) -> None:
    """A wheel is the package and its metadata: no test, no stray top-level folder."""
    source = member.folder / "src"
    expected = {
        path.relative_to(source).as_posix()
        for path in (source / member.package).rglob("*")
        if path.is_file() and not {"__pycache__", ".mypy_cache"} & set(path.parts)
    }
    names = _names_in_wheel(dist, member)
    package = {name.as_posix() for name in names if not name.parts[0].endswith(".dist-info")}

    assert expected == package
    assert not [name for name in names if "tests" in name.parts or name.match("test_*.py")]


def test_wheel_says_that_it_is_typed(dist: Path, member: Member) -> None:
    """Type checkers use the annotations of an installed member."""
    assert PurePosixPath(member.package, "py.typed") in _names_in_wheel(dist, member)


def test_sdist_holds_source_readme_and_licence_only(dist: Path, member: Member) -> None:
    """An sdist has what a build needs; tests and generated files stay out."""
    tops = {name.parts[0] for name in _names_in_sdist(dist, member) if name.parts}
    needed = {"src", "README.md", "LICENSE", "pyproject.toml", "PKG-INFO"}

    assert needed <= tops
    assert tops <= needed | {".gitignore"}


def test_both_archives_hold_the_licence(dist: Path, member: Member) -> None:
    """Who gets a member from an index gets the text that the licence asks to pass on."""
    licence = (member.folder.parent / "LICENSE").read_bytes()
    prefix = f"{member.name.replace('-', '_')}-{member.version}"
    with zipfile.ZipFile(dist / f"{prefix}-py3-none-any.whl") as wheel:
        assert wheel.read(f"{prefix}.dist-info/licenses/LICENSE") == licence
    with tarfile.open(dist / f"{prefix}.tar.gz") as sdist:
        file = sdist.extractfile(f"{prefix}/LICENSE")
        assert file is not None
        assert file.read() == licence


def test_wheel_tells_what_an_index_shows(metadata: Message, member: Member) -> None:
    """The built metadata names authors, licence and links, and ends with the README."""
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert metadata["Author"]
    assert {line.partition(",")[0] for line in metadata.get_all("Project-URL", [])} == {
        "Changelog",
        "Documentation",
        "Source",
    }
    assert metadata.get_payload() == (member.folder / "README.md").read_text()


@pytest.mark.long  # it fetches what is not ours
def test_closure_walks_extras(closure: Callable[[str], set[str]], members: list[Member]) -> None:
    """An extra of the core reaches the member that it names; without extras nothing does."""
    (core,) = (member for member in members if member.name == "remote-store-core")
    others = {member.name for member in members} - {core.name}
    extras = core.project["optional-dependencies"]
    assert isinstance(extras, dict)

    assert closure(core.name).isdisjoint(others)
    for extra in set(extras) - {"all"}:
        assert f"remote-store-{extra}" in closure(f"{core.name}[{extra}]")
        assert f"remote-store-{extra}" in closure(f"{core.name}[all]")
