"""From locations to open stores: which share one, what is created, whether two are one place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remote_store import (
    ResolutionPlan,
)
from remote_store.aio import AsyncStore
from remote_store_cli._location import Location, parse
from remote_store_cli._opening import OpenedPath, Opener, is_within
from remote_store_cli._settings import Stores
from remote_store_memory import AsyncMemoryBackend

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Servers


def _opened(*texts: str) -> tuple[Opener, list[Location]]:
    opener = Opener(texts, Stores())
    return opener, opener.locations


@pytest.mark.asyncio
async def test_two_urls_of_one_origin_share_a_store(servers: Servers) -> None:
    """They meet at the closest common folder, so that the backend itself can move."""
    opener, (a, b) = _opened("shared://h/x/in/a", "shared://h/x/out/deep/b")
    async with opener:
        first, second = await opener.open(a), await opener.open(b)

    assert first.store is second.store
    assert (first.key, second.key) == ("in/a", "out/deep/b")


@pytest.mark.asyncio
async def test_a_chosen_root_is_not_left(servers: Servers) -> None:
    """A URL that ends in a slash is opened there, not above: there may be nothing to open."""
    opener, (a, b) = _opened("shared://h/x/in/", "shared://h/x/out/b")
    async with opener:
        first, second = await opener.open(a), await opener.open(b)

    assert first.store is not second.store
    assert (first.key, second.key) == ("", "b")


@pytest.mark.asyncio
async def test_other_hosts_do_not_share(servers: Servers) -> None:
    """Two servers are two stores."""
    opener, (a, b) = _opened("shared://h1/x/a", "shared://h2/x/a")
    async with opener:
        assert (await opener.open(a)).store is not (await opener.open(b)).store


def test_reading_creates_no_root(cli: Cli, creating: list[bool]) -> None:
    """Where a backend can be told not to create its root, reading tells it so."""
    cli("ls", "creating:///")
    cli("cat", "creating:///no/such", code=1)

    assert creating == [False, False]


def test_writing_may_create_the_root(cli: Cli, servers: Servers, creating: list[bool]) -> None:
    """The store of a destination is opened for writing."""
    servers.seed("s", {"x": b""})

    cli("cp", "shared://s/x", "creating:///new/y")

    assert creating == [True]


class Plans(AsyncMemoryBackend):
    """A backend that says where its files are."""

    def __init__(self, root: str, host: str | None) -> None:
        super().__init__()
        self._root, self._host = root, host

    def resolve(self, path: str) -> ResolutionPlan:
        plan = super().resolve(path)
        details: dict[str, object] = {"root": self._root, "host": self._host}
        details = details if self._host else {}
        native = f"{self._root}/{path}" if path else self._root
        return type(plan)(plan.kind, plan.backend, path, native, details)


@pytest.mark.parametrize(
    ("root", "host", "key", "expected"),
    [
        ("/srv/data", "h1", "x/y", True),
        ("/srv", "h1", "data/x", True),
        ("/srv", "h1", "data/xy", False),
        ("/srv/data", "h2", "x/y", False),
        ("/srv/data", None, "x/y", None),
    ],
)
def test_overlap_of_two_stores_is_told_by_their_plans(
    root: str, host: str | None, key: str, expected: bool | None
) -> None:
    """Native paths and the rest of the plan decide; without details nothing is claimed."""
    outer = OpenedPath(AsyncStore(Plans("/srv/data", "h1")), "x", parse("shared://s"))
    inner = OpenedPath(AsyncStore(Plans(root, host)), key, parse("@s"))

    assert expected is is_within(inner, outer)


@pytest.mark.parametrize("schemes", [("local", "local"), ("file", "local")])
@pytest.mark.parametrize("slash", ["/", ""])
def test_a_link_in_a_url_hides_no_overlap(
    cli: Cli, tmp_path: Path, schemes: tuple[str, str], slash: str
) -> None:
    """A folder is not copied into itself, nor a file moved over itself, by way of a link."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("content")
    (tmp_path / "link").symlink_to("d")
    real, linked = f"{schemes[0]}://{tmp_path}/d", f"{schemes[1]}://{tmp_path}/link"

    result = cli("cp", "-r", real + slash, f"{linked}/sub", code=2)
    assert "itself or lies in it" in result.stderr
    cli("mv", "--overwrite", f"{real}/f", f"{linked}/f", code=2)
    cli("cp", "-r", real, f"{linked}-not/sub")

    assert (tmp_path / "d" / "f").read_text() == "content"
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["f"]
    assert (tmp_path / "link-not" / "sub" / "f").exists()


@pytest.mark.parametrize(
    ("text", "key", "root", "path", "shown"),
    [
        ("shared://s/in", "", "in", "in/a", "shared://s/in/a"),
        ("shared://s/in/d", "d", "in", "in/d/a", "shared://s/in/d/a"),
        ("shared://s/in/d", "d", "in", "in/d", "shared://s/in/d"),
        ("/srv/x/d", "d", "srv/x", "d/a", "/srv/x/d/a"),
        ("/srv/x/d", "d", "srv/x", "other", "other"),
        ("@s/d", "d", "", "root/d/a", "@s/d/a"),
        ("@s/d", "d", "", "d/a", "@s/d/a"),
        ("@s", "", "", "root/a", "root/a"),
        ("@s/d", "d", "", None, "@s/d"),
    ],
)
def test_the_path_of_an_error_is_shown_as_a_location(
    text: str, key: str, root: str, path: str | None, shown: str
) -> None:
    """A backend names its own path; it is told as it could be given again."""
    opened = OpenedPath(AsyncStore(AsyncMemoryBackend()), key, parse(text), root)

    assert opened.text_of(path) == shown
