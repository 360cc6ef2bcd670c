"""What a plan says."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from tests.transfer.conftest import Make, contents, fill, watched

from remote_store import BackendUnavailable, InvalidPath, NotFound, PermissionDenied
from remote_store.aio import AsyncStore
from remote_store_local import AsyncLocalBackend
from remote_store_transfer._listing.sorter import Sorter
from remote_store_transfer.aio import Plan, copy_tree, execute, plan, sync_tree, verify_tree

pytestmark = pytest.mark.asyncio

#: The user of that name on most systems.
_NOBODY: Final = 65534


async def kinds(actions: Plan) -> dict[str, str]:
    return {action.path: action.kind async for action in actions}


async def test_each_path_has_the_action_that_it_needs(memory: Make) -> None:
    """New, differing, equal and surplus files are told apart, deletions come last."""
    source, target = memory(), memory()
    await fill(source, {"new": b"12", "same": b"1", "differs": b"123"})
    await fill(target, {"differs": b"1", "gone": b"1"})
    await copy_tree(source, target, include=["same"])

    actions = plan(source, target, delete=True)
    found = [(a.kind, a.path, a.size) async for a in actions]

    assert found == [
        ("replace", "differs", 3),
        ("copy", "new", 2),
        ("skip", "same", 0),
        ("delete", "gone", 0),
    ]
    assert (actions.totals.files, actions.totals.size) == (4, 5)


async def test_actions_pickle_and_say_what_was_seen(memory: Make) -> None:
    """An action can go to another process, with both versions."""
    source, target = memory(), memory()
    await fill(source, {"a": b"12"})
    await fill(target, {"a": b"1"})
    (action,) = [action async for action in plan(source, target)]

    assert pickle.loads(pickle.dumps(action)) == action
    assert action.source is not None
    assert action.target is not None
    assert (action.source.size, action.target.size) == (2, 1)
    assert action.source.etag == (await source.get_file_info("a")).etag


async def test_iterating_and_executing_list_once(memory: Make) -> None:
    """A plan that was shown is executed as it was shown."""
    source, target = memory(), memory()
    await fill(source, {"a": b"1", "b": b"2"})
    actions = plan(source, target)
    assert await kinds(actions) == await kinds(actions)
    await fill(source, {"c": b"3"})

    assert (await execute(actions)).copied == 2
    assert watched(source).calls["list_files"] == watched(target).calls["list_files"] == 1


async def test_order(memory: Make) -> None:
    """Largest first, or by name."""
    source, target = memory(), memory()
    await fill(source, {"a": b"1", "b": b"123", "c": b"12"})

    assert list("bca") == [a.path async for a in plan(source, target)]
    assert list("abc") == [a.path async for a in plan(source, target, order="name")]


async def test_filters_leave_the_target_alone(memory: Make) -> None:
    """What is filtered out is neither copied nor deleted."""
    source, target = memory(), memory()
    await fill(source, {"a.txt": b"1", "b.tmp": b"1", "c/d.txt": b"12345", "c/e.txt": b"1"})
    await fill(target, {"c/d.txt": b"1", "x.tmp": b"1", "y.txt": b"1"})

    found = await kinds(
        plan(source, target, delete=True, include=["**/*.txt"], exclude=["c/e.*"], max_size=4)
    )

    assert found == {"a.txt": "copy", "y.txt": "delete"}
    newer = datetime.now(UTC) + timedelta(seconds=60)
    assert await kinds(plan(source, target, newer=newer)) == {}


async def test_a_file_in_the_way_of_a_folder_is_a_conflict(memory: Make) -> None:
    """Both ways round; nothing is lost, and the report says so."""
    source, target = memory(), memory()
    await fill(source, {"a": b"1", "b/c": b"1", "d": b"1"})
    await fill(target, {"a/x": b"2", "b": b"2"})

    report = await sync_tree(source, target, delete=True)

    assert {f.path: f.kind for f in report.failures} == {"a": "conflict", "b/c": "conflict"}
    assert (report.copied, report.deletes_withheld, report.ok) == (1, 2, False)
    assert await contents(target) == {"a/x": b"2", "b": b"2", "d": b"1"}


async def test_without_overwrite_a_file_that_differs_stays(memory: Make) -> None:
    """copy_tree reports it, and copies the rest."""
    source, target = memory(), memory()
    await fill(source, {"a": b"12", "b": b"1"})
    await fill(target, {"a": b"1"})

    report = await copy_tree(source, target)

    assert [(f.path, f.kind) for f in report.failures] == [("a", "conflict")]
    assert await contents(target) == {"a": b"1", "b": b"1"}


async def test_a_missing_source_deletes_nothing(memory: Make) -> None:
    """A name that was misspelt is an error, and an empty folder is none."""
    source, target = memory(), memory()
    await fill(source, {"f": b"1"})
    await fill(target, {"a": b"1"})

    with pytest.raises(NotFound, match="misspelt"):
        await sync_tree(source, target, source_path="misspelt", delete=True)
    with pytest.raises(InvalidPath, match="copy_between"):
        await sync_tree(source, target, source_path="f", delete=True)
    assert await contents(target) == {"a": b"1"}


async def test_a_listing_that_breaks_withholds_deletions(memory: Make) -> None:
    """What could not be listed may be there."""
    source, target = memory(), memory()
    await fill(source, {"a": b"1"})
    info = await source.get_file_info("a")

    async def list_files(path: str, **options: Any) -> Any:
        yield info
        msg = "no answer"
        raise BackendUnavailable(msg, path="deep")

    watched(source).members["list_files"] = list_files
    await fill(target, {"deep/b": b"1"})

    report = await sync_tree(source, target, delete=True)

    assert [(f.path, f.kind, f.reason) for f in report.failures] == [
        ("deep", "list", "source: no answer")
    ]
    assert (report.copied, report.deleted, report.deletes_withheld) == (1, 0, 1)


async def test_one_folder_is_not_copied_into_itself(memory: Make, local: Make) -> None:
    """Not within a store, and not between two stores over one folder."""
    source = memory()
    for paths in (("", ""), ("a", "a/b"), ("a/b", "a")):
        with pytest.raises(ValueError, match="one folder"):
            plan(source, source, source_path=paths[0], target_path=paths[1])
    with pytest.raises(ValueError, match="one folder"):
        plan(local("x"), local("x/y"))
    plan(source, source, source_path="a", target_path="ab")
    plan(local("x"), local("xy"))


@pytest.mark.parametrize(
    "options",
    [
        {"compare": "luck"},
        {"links": "x"},
        {"order": "x"},
        {"include": "*.txt"},
        {"newer": datetime(2026, 1, 1)},
        {"min_size": 2, "max_size": 1},
    ],
)
async def test_bad_arguments_are_refused_before_anything(
    memory: Make, options: dict[str, Any]
) -> None:
    """At the call, without a listing."""
    source = memory()
    with pytest.raises((ValueError, TypeError)):
        plan(source, memory(), **options)
    assert not watched(source).calls


async def test_content_tells_what_times_do_not(memory: Make) -> None:
    """Two contents of one size; verify_tree reads them."""
    source, target = memory(), memory()
    await fill(source, {"a": b"1", "b": b"1", "c": b"1"})
    await fill(target, {"a": b"1", "b": b"2", "d": b"1"})

    report = await verify_tree(source, target)

    assert (report.equal, report.differing, report.missing, report.extra) == (
        1,
        ("b",),
        ("c",),
        ("d",),
    )
    assert not report.ok


@pytest.mark.parametrize("refusing", ["source", "target"])
@pytest.mark.parametrize("folder", ["top/sub", "top", "elsewhere"])
async def test_nothing_is_called_missing_that_could_not_be_listed(
    memory: Make, refusing: str, folder: str
) -> None:
    """What lies below a folder that refuses may be there, on either side."""
    refuses, other = memory(), memory()
    backend = watched(refuses).backend
    tree = {"top/a": b"1", "top/sub/b": b"1", "top/subway": b"1"}

    async def refuse(path: str, **options: Any) -> Any:
        async for file in backend.list_files(path, **options):
            if folder == "top/sub" and not file.path.is_relative_to("top/sub"):
                yield file
        msg = "you may not look"
        raise PermissionDenied(msg, path=folder)

    watched(refuses).members["list_files"] = refuse
    for store in (refuses, other):
        await fill(store, tree)
    await fill(other, {"top/new": b"1"})
    sides = (refuses, other) if refusing == "source" else (other, refuses)

    report = await verify_tree(*sides, source_path="top", target_path="top")

    told = ("new",) if folder == "top/sub" else ()
    assert report.equal == (2 if told else 0)
    assert report.missing == (told if refusing == "target" else ())
    assert report.extra == (told if refusing == "source" else ())
    assert [failure.kind for failure in report.failures] == ["list"]
    assert not report.ok


async def test_a_preparation_that_was_given_up_is_begun_anew(memory: Make) -> None:
    """What it had decided is not there twice."""
    source, target = memory(), memory()
    await fill(source, {"new": b"1", "same": b"1", "zero": b"1"})
    await fill(target, {"same": b"1"})

    async def never(path: str) -> Any:
        await asyncio.sleep(60)
        yield b""

    watched(source).members["read"] = never
    actions = plan(source, target, compare="content")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(actions.prepare(), 0.2)
    assert actions.totals.copy == 2
    del watched(source).members["read"]

    assert await kinds(actions) == {"new": "copy", "zero": "copy", "same": "skip"}
    assert actions.totals.files == 3


async def test_an_older_source_is_noticed(local: Make, tmp_path: Path) -> None:
    """A file that was put back from a backup has an older time and the same size."""
    source, target = local("a"), local("b")
    await fill(source, {"f": b"new"})
    await sync_tree(source, target)
    (tmp_path / "a/f").write_bytes(b"old")
    os.utime(tmp_path / "a/f", (10**9, 10**9))

    assert (await sync_tree(source, target)).replaced == 1
    assert (tmp_path / "b/f").stat().st_mtime == 10**9
    assert (await sync_tree(source, target)).skipped == 1


async def test_a_source_from_the_future_is_copied_once(
    local: Make, memory: Make, tmp_path: Path
) -> None:
    """Its time is far beyond the target's clock; one question tells what was kept of it."""
    source, target = local("a"), memory()
    await fill(source, {"ahead": b"1", "now": b"1"})
    os.utime(tmp_path / "a/ahead", (4e9, 4e9))
    os.utime(tmp_path / "a/now", (1e9, 1e9))
    assert (await sync_tree(source, target)).copied == 2
    watched(target).calls.clear()

    assert (await sync_tree(source, target)).skipped == 2

    assert watched(target).calls == {"list_files": 1, "get_file_info": 1}
    (tmp_path / "a/ahead").write_bytes(b"2")
    assert (await sync_tree(source, target)).replaced == 1


async def test_links(local: Make, memory: Make, tmp_path: Path) -> None:
    """They are counted, followed without loops, or left out; only the first withholds deletions."""
    source = local("a")
    await fill(source, {"real/f": b"1"})
    (tmp_path / "a/link").symlink_to("real")
    (tmp_path / "a/real/up").symlink_to("..")
    for links, paths, left, deleted in (
        ("report", {"real/f"}, 2, 0),
        ("skip", {"real/f"}, 0, 1),
        ("follow", {"real/f", "link/f"}, 2, 1),
    ):
        target = memory()
        await fill(target, {"old": b"1"})
        report = await sync_tree(source, target, delete=True, links=links)  # type: ignore[arg-type]
        assert set(await contents(target)) - {"old"} == paths
        assert (report.links_left_out, report.deleted) == (left, deleted), links


@pytest.mark.parametrize("compare", ["time", "content"])
async def test_what_lies_behind_a_link_of_the_target_is_compared(
    local: Make, tmp_path: Path, compare: Any
) -> None:
    """No listing shows it, but a copy is written to it: so it is new only once."""
    source, target = local("a"), local("b")
    await fill(source, {"sub/f": b"1", "sub/g": b"2"})
    await fill(target, {"real/old": b"1"})
    (tmp_path / "b/sub").symlink_to("real")

    counts = []
    for _ in range(2):
        report = await sync_tree(source, target, compare=compare)
        counts.append((report.copied, report.replaced, report.skipped, report.failures))
    (tmp_path / "a/sub/f").write_bytes(b"33")
    report = await sync_tree(source, target, compare=compare)
    counts.append((report.copied, report.replaced, report.skipped, report.failures))

    assert counts == [(2, 0, 0, ()), (0, 0, 2, ()), (0, 1, 1, ())]
    assert (tmp_path / "b/real/f").read_bytes() == b"33"


@pytest.mark.parametrize("links", ["report", "follow"])
@pytest.mark.parametrize("goal", ["outside", "nowhere"])
async def test_nothing_is_deleted_that_may_be_behind_a_link(
    local: Make, memory: Make, tmp_path: Path, links: Any, goal: str
) -> None:
    """A link that leaves the root, or leads nowhere today, may have what the target has."""
    source, target = local("a"), memory()
    await fill(source, {"top/real/f": b"1"})
    (tmp_path / "outside").mkdir()
    (tmp_path / "a/top/link").symlink_to(tmp_path / goal)
    (tmp_path / "a/top/within").symlink_to("real")
    kept = "link/old" if goal == "outside" else "link"
    await fill(target, {kept: b"1", "within/old": b"1"})

    report = await sync_tree(source, target, source_path="top", delete=True, links=links)

    assert set(await contents(target)) >= {kept, "within/old"}
    assert (report.deleted, report.deletes_withheld) == (0, 2)
    assert report.links_left_out >= 1
    await target.delete(kept)
    if links == "follow":
        report = await sync_tree(source, target, source_path="top", delete=True, links=links)
        assert report.deleted == 1
        assert report.links_left_out == (goal == "outside")


async def test_what_cannot_be_compared_is_reported_and_stays(memory: Make) -> None:
    """The other files are decided, and nothing is deleted."""
    source, target = memory(), memory()
    await fill(source, {"a": b"1", "b": b"1"})
    await fill(target, {"a": b"1", "b": b"2", "old": b"1"})
    backend = watched(target).backend

    async def read(path: str) -> Any:
        if path == "a":
            msg = "no answer"
            raise BackendUnavailable(msg, path=path)
        async for chunk in backend.read(path):
            yield chunk

    watched(target).members["read"] = read

    report = await sync_tree(source, target, delete=True, compare="content")

    assert [(f.path, f.kind, f.reason) for f in report.failures] == [("a", "compare", "no answer")]
    assert (report.replaced, report.deleted, report.deletes_withheld) == (1, 0, 1)


async def test_a_plan_that_spills_is_the_same_plan(
    memory: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listings and actions go through the disk, and nothing is lost or doubled on the way."""
    source, target = memory(), memory()
    files = {f"d{i % 3}/f{i:03}": b"x" * (i % 7) for i in range(200)}
    await fill(source, files)
    await fill(target, dict.fromkeys(list(files)[::2], b"") | {"old": b"1"})
    whole = [a async for a in plan(source, target, delete=True)]
    monkeypatch.setattr(Sorter.__init__, "__defaults__", (500, None))

    async with plan(source, target, delete=True) as actions:
        spilled = [a async for a in actions]
        assert actions._decided.actions.runs > 10

    assert spilled == whole
    assert len(whole) == 201
    with pytest.raises(ValueError, match="closed"):
        await actions.prepare()


@pytest.mark.parametrize("link", ["folder", "file"])
async def test_silenced_warnings_are_no_loss(
    local: Make, memory: Make, tmp_path: Path, link: str
) -> None:
    """Nothing behind a link is deleted, and the report has all links and names."""
    source, target = local("a"), memory()
    await fill(source, {"top/real/f": b"1"})
    (tmp_path / "elsewhere").write_bytes(b"1")
    goal = tmp_path / "a/top/real" if link == "folder" else tmp_path / "elsewhere"
    (tmp_path / "a/top/link").symlink_to(goal)
    (tmp_path / "a/top/other").symlink_to(goal)
    (tmp_path / "a/top" / "no\\path").write_bytes(b"1")
    path = "link/f" if link == "folder" else "link"
    await fill(target, {path: b"1", "old": b"1"})
    logging.disable(logging.WARNING)
    try:
        report = await sync_tree(source, target, source_path="top", delete=True)
        assert (report.deleted, report.deletes_withheld, report.ok) == (0, 2, False)
        assert (report.links_left_out, report.names_left_out) == (2, True)
        assert not (await verify_tree(source, target, source_path="top", include=["real/*"])).ok
        skipping = await sync_tree(source, target, source_path="top", delete=True, links="skip")
    finally:
        logging.disable(logging.NOTSET)
    assert (skipping.deleted, skipping.ok) == (2, True)


async def test_a_silenced_source_without_links_deletes(
    local: Make, memory: Make, tmp_path: Path
) -> None:
    """The look before a deletion withholds nothing by itself, below a root that is a link too."""
    (tmp_path / "a").mkdir()
    (tmp_path / "alias").symlink_to("a")
    source, target = local("alias"), memory()
    await fill(source, {"d/f": b"1"})
    await fill(target, {"d/old": b"1", "gone/deep/old": b"1"})

    report = await sync_tree(source, target, delete=True)

    assert (report.deleted, report.ok) == (2, True)


async def test_etag_tells_what_time_does_not(memory: Make) -> None:
    """The source's token that was kept decides; each file of the target is asked for."""
    source, target = memory(), memory()
    await fill(source, {"a": b"1", "b": b"1"})
    await sync_tree(source, target, compare="etag")
    watched(target).calls.clear()
    assert (await sync_tree(source, target, compare="etag")).skipped == 2
    assert watched(target).calls == {"list_files": 1, "get_file_info": 2}

    await fill(source, {"a": b"2"})

    assert await kinds(plan(source, target, compare="etag")) == {"a": "replace", "b": "skip"}


@contextlib.contextmanager
def nobody_special() -> Iterator[Path]:
    """Give a folder to somebody whom permissions concern, and be that user."""
    folder = Path(tempfile.mkdtemp())
    before = os.geteuid()
    try:
        if before == 0:  # root may read everything
            os.chown(folder, _NOBODY, -1)
            os.seteuid(_NOBODY)
        yield folder
    finally:
        os.seteuid(before)
        shutil.rmtree(folder)


async def test_an_unreadable_folder_hides_no_other() -> None:
    """What can be read is copied, and the folder is in the report."""
    with nobody_special() as folder:
        source, target = (AsyncStore(AsyncLocalBackend(folder / name)) for name in "ab")
        await fill(source, {"open/f": b"1", "shut/f": b"1"})
        (folder / "a/shut").chmod(0)
        report = await sync_tree(source, target)
        arrived = await contents(target)
        (folder / "a/shut").chmod(0o755)

    assert [(f.path, f.error) for f in report.failures] == [("shut", "PermissionDenied")]
    assert set(arrived) == {"open/f"}
