"""The members as their metadata declares them, their built archives, and venvs to try these in."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Mapping
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

import pytest
from attrs import field, frozen
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


@frozen
class Member:
    """
    One distribution of the workspace.

    Args:
        folder: Where its pyproject.toml is.
        project: The ``[project]`` table.
    """

    folder: Path
    project: dict[str, object] = field(eq=False)

    @property
    def name(self) -> str:
        return str(self.project["name"])

    @property
    def version(self) -> str:
        return str(self.project["version"])

    @property
    def package(self) -> str:
        """The top-level package: the one folder below src."""
        (package,) = (path for path in (self.folder / "src").iterdir() if path.is_dir())
        return package.name

    @property
    def requirements(self) -> list[Requirement]:
        dependencies = self.project["dependencies"]
        assert isinstance(dependencies, list)
        return [Requirement(line) for line in dependencies]

    @property
    def optional(self) -> dict[str, list[Requirement]]:
        """What its extras bring that is not ours, by extra."""
        extras = self.project.get("optional-dependencies", {})
        assert isinstance(extras, dict)
        theirs = {
            extra: [r for r in map(Requirement, lines) if not r.name.startswith("remote-store-")]
            for extra, lines in extras.items()
        }
        return {extra: found for extra, found in theirs.items() if found}


def _members() -> list[Member]:
    files = sorted(ROOT.glob("*/pyproject.toml"))
    return [Member(path.parent, tomllib.loads(path.read_text())["project"]) for path in files]


MEMBERS = _members()


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Return what a command prints; a failing one fails the test with all that it said."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        text = " ".join(map(str, command))
        pytest.fail(f"{text}\nexit status {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


class Environment:
    """A fresh virtual environment that holds nothing, not even pip."""

    def __init__(self, folder: Path) -> None:
        run(sys.executable, "-m", "venv", "--without-pip", folder)
        self.folder = folder
        self.python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"

    def pip(self, *arguments: str | Path) -> str:
        """Run our pip on this environment."""
        return run(sys.executable, "-P", "-m", "pip", "--python", self.python, *arguments)

    def run(self, program: str) -> str:
        """Run a Python program in it, away from the work tree."""
        return run(self.python, "-I", "-W", "error", "-c", program, cwd=self.folder)


@pytest.fixture(scope="session")
def members() -> list[Member]:
    """Every member of the workspace."""
    return MEMBERS


@pytest.fixture(params=MEMBERS, ids=lambda member: member.name, scope="session")
def member(request: pytest.FixtureRequest) -> Member:
    """Each member in turn."""
    member: Member = request.param
    return member


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist of each member, and the wheel that was built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    for member in MEMBERS:
        command = (sys.executable, "-P", "-m", "build", "--no-isolation", "--outdir", folder)
        run(*command, member.folder)
    return folder


@pytest.fixture(scope="session")
def shelf(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with wheels of everything that is not ours, fetched once for all environments."""
    folder = tmp_path_factory.mktemp("shelf")
    ours = {member.name for member in MEMBERS}
    wanted = [r for m in MEMBERS for some in (m.requirements, *m.optional.values()) for r in some]
    theirs = [str(r) for r in wanted if r.name not in ours]
    command = (sys.executable, "-P", "-m", "pip", "download", "--quiet", "--dest", folder)
    run(*command, "--constraint", ROOT / "constraints.txt", *theirs)
    return folder


@pytest.fixture(scope="session")
def installed(
    member: Member, dist: Path, shelf: Path, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """An environment into which *member* alone was installed from its wheel."""
    return _installed(f"{member.name}=={member.version}", dist, shelf, tmp_path_factory)


@pytest.fixture(scope="session")
def installed_with_extras(
    member: Member, dist: Path, shelf: Path, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """An environment that also has what the member's extras bring."""
    what = f"{member.name}[{','.join(member.optional)}]=={member.version}"
    return _installed(what, dist, shelf, tmp_path_factory)


def _installed(
    what: str, dist: Path, shelf: Path, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    environment = Environment(tmp_path_factory.mktemp("environment"))
    places = ("--no-index", "--find-links", dist, "--find-links", shelf)
    environment.pip("install", "--quiet", *places, what)
    return environment


@pytest.fixture
def new_environment(tmp_path: Path) -> Callable[[], Environment]:
    """Make an empty environment."""
    return lambda: Environment(tmp_path / "venv")


def metadata_of(wheel: Path) -> Message:
    """Return the metadata file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return HeaderParser().parsestr(archive.read(name).decode())


@pytest.fixture(scope="session")
def metadata(dist: Path, member: Member) -> Message:
    """The metadata of the member's wheel."""
    (wheel,) = dist.glob(f"{member.name.replace('-', '_')}-{member.version}-py3-none-any.whl")
    return metadata_of(wheel)


def _closure(requirement: Requirement, wheels: Mapping[NormalizedName, Message]) -> set[str]:
    found: set[tuple[str, str]] = set()
    todo = [requirement]
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        for extra in ("", *wanted.extras):
            if (name, extra) in found:
                continue
            found.add((name, extra))
            lines = wheels[name].get_all("Requires-Dist", [])
            needs = [Requirement(line) for line in lines]
            todo += [n for n in needs if n.marker is None or n.marker.evaluate({"extra": extra})]
    return {name for name, _ in found}


@pytest.fixture(scope="session")
def closure(dist: Path, shelf: Path) -> Callable[[str], set[str]]:
    """Tell which distributions a requirement asks for, by the metadata of the wheels alone."""
    found = [metadata_of(path) for folder in (dist, shelf) for path in folder.glob("*.whl")]
    wheels = {canonicalize_name(metadata["Name"]): metadata for metadata in found}
    return lambda text: _closure(Requirement(text), wheels)
