"""The rules of `remote_store.authoring`, kept by every backend that is called without a store."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable
from typing import Any

import pytest
from tests.authoring.conftest import BACKENDS, SERVED, Offer
from tests.operations import (
    OPERATIONS,
    OPERATIONS_OF_SYNC,
    SINCE_1_1,
    Kind,
    Operation,
    Paths,
    settle,
    slots,
)

from remote_store import (
    AlreadyExists,
    Backend,
    DirectoryNotEmpty,
    InvalidPath,
    NotFound,
    RemotePath,
    RemoteStoreError,
    list_backends,
    load_backend,
)

pytestmark = pytest.mark.asyncio

SCENE = {"here": b"here-body", "box/f": b"f-body", "box/deep/g": b"g-body"}
#: What is wrong with a key, in the words of the error.
BAD_KEYS = {
    "/here": "start with '/'",
    "//here": "start with '/'",
    "/": "start with '/'",
    "box/../here": r"'\.\.' segment",
    "..": r"'\.\.' segment",
    "a\\b": "backslash",
    "a\0b": "NUL",
    "\0": "NUL",
}
ROOTS = ("", ".", "./", ".//", "./.")


def operations(backend: Any) -> dict[str, Operation]:
    """Return what this backend has."""
    found = OPERATIONS if hasattr(backend, "aclose") else OPERATIONS | OPERATIONS_OF_SYNC
    declared = set(backend.capabilities) - (SINCE_1_1 if backend.CONTRACT == "1.0" else set())
    return {name: op for name, op in found.items() if set(op.needs) <= declared}


async def filled(backend: Any) -> Any:
    """Put the scene into the backend."""
    for key, content in SCENE.items():
        await settle(backend.write(key, content))
    return backend


async def unchanged(backend: Any) -> None:
    """Require the scene, and nothing else."""
    found = await settle(backend.list_files("", recursive=True))
    keys = [info.path.as_posix() for info in found]
    assert {key: await settle(backend.read_bytes(key)) for key in keys} == SCENE
    assert {e.name for e in await settle(backend.list_folders(""))} == {"box"}


async def refusal(backend: Any, answer: Any, kind: type[Exception], text: str) -> Any:
    """Return the error of an answer, once its class and words are what is expected."""
    with pytest.raises(kind, match=f"(?i){text}") as caught:
        await settle(answer)
    assert type(caught.value) is kind
    if isinstance(caught.value, RemoteStoreError):
        assert caught.value.backend == backend.name
    return caught.value


async def test_keys_that_no_store_hands_over(backend: Any) -> None:
    """Every operation refuses them in the same words, with the key as it was given."""
    await filled(backend)
    found = operations(backend)
    for name, slot in slots(found):
        for key, what in BAD_KEYS.items():
            answer = _call(found[name], backend, Paths("here", "box", "new").but(slot, key))
            error = await refusal(backend, answer, InvalidPath, f"path .*{what}")
            assert error.path == key, name
    await unchanged(backend)


def _call(operation: Operation, backend: Any, paths: Paths) -> Any:
    """Make a call that may be refused before it returns, as sync ones are."""

    async def call() -> Any:
        return await settle(operation(backend, paths))

    return call()


async def test_keys_that_are_no_text(backend: Any) -> None:
    """They are a TypeError in every operation."""
    found = operations(backend)
    for name, slot in slots(found):
        for key in (None, b"here", 3, RemotePath("here")):
            paths = Paths().but(slot, key)  # type: ignore[arg-type]
            await refusal(backend, _call(found[name], backend, paths), TypeError, "must be a str")


async def test_the_root_is_no_file(backend: Any) -> None:
    """In no spelling is it read, written, deleted, moved or copied, whatever the other path is."""
    await filled(backend)
    found = operations(backend)
    wanted = [*slots(found, "file", "free"), *((n, "folder") for n in found if "delete_f" in n)]
    for name, slot in wanted:
        if found[name].kind is Kind.QUESTION:
            continue
        for root in ROOTS:
            paths = Paths("missing", "box", "new").but(slot, root)
            text = "must not be empty|exists as a directory"
            await refusal(backend, _call(found[name], backend, paths), InvalidPath, text)
    await unchanged(backend)


async def test_the_root_is_a_folder(backend: Any) -> None:
    """It is there in every spelling, also when nothing else is."""
    for files in (0, len(SCENE)):
        for root in ROOTS:
            assert await settle(backend.exists(root)) is True
            assert await settle(backend.is_file(root)) is False
            assert await settle(backend.is_folder(root)) is True
            info = await settle(backend.get_folder_info(root))
            assert (info.path, info.file_count) == (RemotePath.ROOT, files)
            assert len(await settle(backend.list_files(root, recursive=True))) == files
        if not files:
            await filled(backend)


async def test_reserved_names(backend: Any) -> None:
    """Names of temporary files are no targets; what only looks alike is one."""
    await filled(backend)
    found = operations(backend)
    for name, slot in slots(found, "free"):
        for key in (".~tmp.x", "box/.~tmp.", ".~tmp.d/f"):
            answer = _call(found[name], backend, Paths("here").but(slot, key))
            error = await refusal(backend, answer, InvalidPath, "reserved")
            assert error.path == key
    assert not await settle(backend.exists(".~tmp.x"))
    await unchanged(backend)
    for key in ("x.~tmp.y", ".~tmp", "box/.~tm"):
        await settle(backend.write(key, b"1"))
        assert await settle(backend.read_bytes(key)) == b"1"


async def test_keys_in_other_spellings(backend: Any) -> None:
    """Empty and dot segments are dropped; they never make a key of their own."""
    for key in ("a//b", "a/./b", "a/b/", "./a/b", "a/b/."):
        result = await settle(backend.write(key, b"1", overwrite=True))
        assert result.path == RemotePath("a/b")
        assert await settle(backend.read_bytes(key)) == b"1"
        assert (await settle(backend.get_file_info(key))).path == RemotePath("a/b")
        assert await settle(backend.is_file(key))
        await settle(backend.copy(key, "./c//d/"))
        await settle(backend.move("c/./d", key, overwrite=True))
        (info,) = await settle(backend.list_files("./a/."))
        assert info.path == RemotePath("a/b")
        await settle(backend.delete(key))


async def test_names_that_only_look_special(backend: Any) -> None:
    """They are kept as they are."""
    for name in ("...x", "..a", "a b", "a*[?]", "~", "C:x", "é", "e\u0301"):
        await settle(backend.write(f"box/{name}/f", b"1"))
        assert await settle(backend.read_bytes(f"box/{name}/f")) == b"1"


async def _source(chunk: Any) -> Any:
    yield b"good"
    yield chunk


async def test_content_consists_of_bytes(backend: Any) -> None:
    """Anything else is a TypeError, also in the middle of a stream, and nothing is there."""
    await filled(backend)
    for method in ("write", "write_atomic"):
        write = getattr(backend, method)
        for wrong in ("text", 5, None, [b"x"]):
            # Without a store, Python itself may say that there is no way to iterate.
            with pytest.raises(TypeError, match=r"bytes|__aiter__"):
                await settle(write("new", wrong))
            if not isinstance(backend, Backend):
                with pytest.raises(TypeError, match="consist of bytes"):
                    await settle(write("new/er", _source(wrong)))
    await unchanged(backend)


def _errors(
    found: dict[str, Operation], *, shared_names: bool
) -> Iterable[tuple[str, Paths, type, str, str]]:
    """Give operation, paths, class, words, and the path that the error is about."""
    for name, op in found.items():
        if op.kind is Kind.QUESTION or op.kind is Kind.LISTING:
            continue
        if "file" in op.uses:
            if "missing_ok" not in op.options:
                yield name, Paths("missing", free="new"), NotFound, "not found", "missing"
                yield name, Paths("here/sub", free="new"), NotFound, "not found", "here/sub"
                yield name, Paths("box/f/x/y", free="new"), NotFound, "not found", "box/f/x/y"
            yield name, Paths("box", free="new"), InvalidPath, "directory", "box"
            yield name, Paths("box/deep", free="here"), InvalidPath, "directory", "box/deep"
        if "free" in op.uses:
            here = Paths("box/f", free="box/deep/g")
            if "overwrite" not in op.options:
                yield name, here, AlreadyExists, "already exists", "box/deep/g"
            below = here.but("free", "here/sub/new")
            if not shared_names:
                yield name, here.but("free", "box"), InvalidPath, "exists as a directory", "box"
                yield name, below, InvalidPath, "exists as a file", "here/sub/new"
        if "folder" in op.uses:
            if "missing_ok" not in op.options and op.kind is not Kind.FOLDER:
                yield name, Paths(folder="missing"), NotFound, "not found", "missing"
            yield name, Paths(folder="here"), InvalidPath, "exists as a file", "here"
    yield "delete_folder", Paths(folder="box"), DirectoryNotEmpty, "not empty", "box"


async def test_standard_errors(offer: Offer) -> None:
    """Class and words are the same everywhere, the path is the caller's, and nothing changes."""
    backend = await filled(offer.backend)
    found = operations(backend)
    for name, paths, kind, text, about in _errors(found, shared_names=offer.shared_names):
        error = await refusal(backend, _call(found[name], backend, paths), kind, text)
        assert error.path == about, (name, paths)
        assert about in str(error)
        assert not error.outcome_unknown
    await unchanged(backend)


async def test_nothing_there(backend: Any) -> None:
    """What is missing is absent in every answer, also below a file; so is a file as a folder."""
    await filled(backend)
    found = operations(backend)
    for key in ("missing", "box/missing", "missing/below", "here/below", "box/f/x/y"):
        for name, op in found.items():
            if op.kind in (Kind.QUESTION, Kind.LISTING) or "missing_ok" in op.options:
                answer = await settle(op(backend, Paths.all(key)))
                assert answer in (False, [], None), (name, key)
    for name in ("list_files", "list_files, recursive", "list_folders", "iter_children"):
        assert await settle(found[name](backend, Paths.all("here"))) == []
    assert await settle(backend.is_folder("here")) is False
    assert await settle(backend.is_file("box")) is False
    await unchanged(backend)


async def test_names_that_are_no_paths(offer: Offer, caplog: pytest.LogCaptureFixture) -> None:
    """What others have put there under such names is left out, with one warning a listing."""
    if offer.plant is None:
        pytest.skip("its files are in this process: nobody else can put a name there")
    await filled(offer.backend)
    backend, box = offer.backend, Paths(folder="box")
    for name in offer.odd:
        offer.plant(name)
    found = operations(backend)
    for name in ("list_files", "list_files, recursive", "iter_children", "glob"):
        if name not in found:
            continue
        caplog.clear()
        with caplog.at_level(logging.WARNING, "remote_store"):
            entries = await settle(found[name](backend, box))
        assert {entry.name for entry in entries} <= {"f", "g", "deep"}
        if name == "list_files, recursive" or caplog.records:  # others may not meet any
            (record,) = caplog.records
            assert getattr(record, "names_left_out") is True  # noqa: B009
            assert "that no path can have" in record.getMessage()


async def test_secret_options() -> None:
    """What a class declares as secret is an option of it, and is refused when it is blank."""
    declared = {}
    for name in (plugin.name for plugin in list_backends()):
        kind = load_backend(name)
        parameters = inspect.signature(kind).parameters
        for option in getattr(kind, "SECRET_OPTIONS", ()):
            declared[name, option] = kind
            assert option in parameters, (name, option)
            given: Any = {option: " "}
            with pytest.raises(ValueError, match=option):
                kind("container", **given)
    assert {("azure", "account_key"), ("azure", "sas_token")} <= set(declared)


async def test_every_plugin_is_in_the_table() -> None:
    """A backend that is installed here is checked here."""
    plugins = {plugin.value.partition(":")[0] for plugin in list_backends()}
    # It reads only, and other people's filesystems: tests/fsspec.
    plugins -= {"remote_store_fsspec"}
    covered = {make.__name__.partition("_")[0] for make in (*BACKENDS, *SERVED)}

    assert plugins <= {f"remote_store_{name}" for name in covered}
