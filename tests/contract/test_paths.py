"""Normal form of paths, the path type, and keys below a root."""

from __future__ import annotations

import copy
import pickle
from enum import Enum
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remote_store import InvalidPath, RemotePath
from remote_store._store.rules import file_key
from remote_store._types.path import join_root, normal_paths, normalise, strip_root

#: Every character that has a meaning, and some that must not have one.
ALPHABET = "a./\\~ \0*é"
RAW = st.text(alphabet=ALPHABET, max_size=8)
fast = settings(deadline=None, derandomize=True, max_examples=400)


def expected(raw: str) -> str | None:
    """The rule once more, character by character; None where it must be refused."""
    segments = [""]
    for char in raw:
        if char == "\0":
            return None
        if char in "/\\":
            segments.append("")
        else:
            segments[-1] += char
    kept = [s for s in segments if s and s != "."]
    return None if not kept or ".." in kept else "/".join(kept)


@fast
@given(RAW)
def test_normal_form_is_that_of_the_independent_rule(raw: str) -> None:
    """Whatever is put in, the text or the refusal is that of the rule written out."""
    want = expected(raw)
    if want is None:
        with pytest.raises(InvalidPath) as caught:
            RemotePath(raw)
        assert caught.value.path == raw
        assert caught.value.backend is None
    else:
        assert str(RemotePath(raw)) == normalise(raw) == want


@fast
@given(RAW)
def test_normal_form_is_stable_and_taken_apart_again(raw: str) -> None:
    """A normal form stays as it is, and its parts, parent and name make it up."""
    want = expected(raw)
    if want is None:
        return
    path = RemotePath(raw)
    assert RemotePath(str(path)) == path == RemotePath.from_backend_path(str(path))
    assert "/".join(path.parts) == path.as_posix() == str(path)
    assert path.name == path.parts[-1]
    assert (path.parent / path.name if path.parent else RemotePath(path.name)) == path
    assert hash(path) == hash(RemotePath(want))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("a", "a"),
        ("a/", "a"),
        ("/a", "a"),
        ("./a", "a"),
        ("//a//", "a"),
        ("a/./b", "a/b"),
        ("a//b", "a/b"),
        ("a\\b", "a/b"),
        ("C:\\x", "C:/x"),
        ("...", "..."),
        ("..a", "..a"),
        ("a..", "a.."),
        (" ", " "),
        ("a*", "a*"),
        ("~", "~"),
        ("e\u0301", "e\u0301"),
        ("A/\x01", "A/\x01"),
        ("x" * 5000, "x" * 5000),
    ],
)
def test_accepted_spellings(raw: str, text: str) -> None:
    """Only separators and dots are special; nothing else is changed or limited."""
    assert str(RemotePath(raw)) == text


@pytest.mark.parametrize(
    "raw", ["", ".", "/", "//", "./", "\\", "..", "../a", "a/..", "a/../b", "a\\..\\b", "a\0", "\0"]
)
def test_refused_spellings(raw: str) -> None:
    """Nothing left, a parent segment and NUL are refused, with the raw text on the error."""
    with pytest.raises(InvalidPath, match="path") as caught:
        RemotePath(raw)
    assert caught.value.path == raw


@pytest.mark.parametrize("raw", [None, b"a", PurePosixPath("a"), 1])
def test_only_text_is_a_path(raw: object) -> None:
    """Anything but a str or a RemotePath is a TypeError, not an odd path."""
    with pytest.raises(TypeError, match="str"):
        RemotePath(raw)  # type: ignore[arg-type]


class Place(str, Enum):  # noqa: UP042 - StrEnum formats as its text
    """Paths as programs name them; Python formats this one as ``Place.REPORT``."""

    REPORT = "reports/x.csv"


class Sly(str):
    """Looks like one path and is formatted as another."""

    __slots__ = ()

    def __str__(self) -> str:
        return "../../etc"

    __format__ = lambda self, spec: "../../etc"  # noqa: E731


@pytest.mark.parametrize("path", [Place.REPORT, Sly("reports/x.csv")])
def test_subclass_of_str_is_its_text(path: str) -> None:
    """What was checked is what is used, whatever a subclass makes of itself."""
    normal_paths.clear()
    for _ in range(2):  # the second time it is known
        assert file_key("root", path) == "root/reports/x.csv"
        assert type(normalise(path)) is str
        assert RemotePath(path) == RemotePath("reports/x.csv")


def test_long_paths_are_not_remembered() -> None:
    """What is remembered stays small, whoever sends paths."""
    normal_paths.clear()
    normalise("a" * 100_000)
    normalise("short")
    assert normal_paths == {"short"}


@pytest.mark.parametrize(
    ("text", "name", "suffix", "parent"),
    [
        ("b.tar.gz", "b.tar.gz", ".gz", None),
        (".bashrc", ".bashrc", "", None),
        ("x.", "x.", ".", None),
        ("d.e/f", "f", "", "d.e"),
        ("a/b/c.txt", "c.txt", ".txt", "a/b"),
    ],
)
def test_name_suffix_parent(text: str, name: str, suffix: str, parent: str | None) -> None:
    """The derived parts follow the last separator and the last dot."""
    path = RemotePath(text)
    assert (path.name, path.suffix) == (name, suffix)
    assert path.parent == (None if parent is None else RemotePath(parent))


def test_root_constant() -> None:
    """ROOT is the text "." and joins without leaving a trace of it."""
    root = RemotePath.ROOT
    assert (str(root), root.name, root.parts, root.parent) == (".", ".", (".",), None)
    assert RemotePath.from_backend_path("") is RemotePath.from_backend_path(".") is root
    assert str(root / "a") == "a"
    for clone in (copy.copy(root), copy.deepcopy(root), pickle.loads(pickle.dumps(root))):
        assert clone == root


def test_joining_validates_again() -> None:
    """The slash operator cannot smuggle a parent segment in."""
    assert str(RemotePath("a") / "b//c") == str(RemotePath("a") / RemotePath("b/c")) == "a/b/c"
    assert RemotePath(RemotePath("a/b")) == RemotePath("a/b")
    with pytest.raises(InvalidPath):
        RemotePath("a") / "../b"
    with pytest.raises(TypeError):
        RemotePath("a") / 1  # type: ignore[operator]


def test_equality_ordering_and_text() -> None:
    """Paths equal only paths, sort by their text, and are neither str nor the system's paths."""
    path = RemotePath("a/b")
    assert path == RemotePath("a//b")
    assert path != RemotePath("a")
    assert (path == "a/b") is False
    assert repr(path) == "RemotePath('a/b')"
    assert not isinstance(path, str)
    texts = ["b", "a/b", "a-b", "a", "a/a"]
    assert [str(p) for p in sorted(map(RemotePath, texts))] == sorted(texts)
    assert RemotePath("a") <= RemotePath("a") < RemotePath("b") > RemotePath("a") >= RemotePath("a")
    with pytest.raises(TypeError):
        assert path < "c"  # type: ignore[operator]
    assert not hasattr(path, "__fspath__")


def test_frozen_and_copyable() -> None:
    """Attributes cannot be set, added or deleted; copies and pickles are equal."""
    path = RemotePath("a/b")
    for name in ("_text", "name", "other"):
        with pytest.raises(AttributeError):
            setattr(path, name, "x")
        with pytest.raises(AttributeError):
            delattr(path, name)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(path, protocol)) == path
    assert copy.copy(path) == copy.deepcopy(path) == path


KEY = st.lists(st.sampled_from(["a", "ab", "b"]), min_size=1, max_size=3).map("/".join)


@fast
@given(KEY, KEY)
def test_root_prefix_is_cut_by_segments(root: str, key: str) -> None:
    """Joining and stripping are inverse; a root owns a key only at a segment's end."""
    assert strip_root(root, join_root(root, key)) == key
    assert strip_root("", key) == key == join_root("", key)
    assert join_root(root, "") == root
    inside = (*key.split("/"),)[: root.count("/") + 1] == (*root.split("/"),)
    if inside:
        assert strip_root(root, key) == "/".join(key.split("/")[root.count("/") + 1 :])
    else:
        with pytest.raises(InvalidPath, match="not under store root"):
            strip_root(root, key)
