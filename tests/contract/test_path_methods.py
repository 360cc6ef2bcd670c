"""
What `RemotePath` has in common with `pathlib.PurePosixPath`.

Each method is held against the running Python's own over random paths; where
the two differ on purpose, the difference is named and has a test of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from enum import Enum
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from remote_store import InvalidPath, RemotePath

PROPERTY = settings(deadline=None, derandomize=True, max_examples=600)

#: Names with each place that a dot can have, alike and unlike.
NAME = st.text("ab. *", min_size=1, max_size=5).filter(lambda n: n not in (".", ".."))
PATH = st.lists(NAME, min_size=1, max_size=4).map("/".join)
#: What may be no name at all.
ANY_NAME = st.one_of(NAME, st.sampled_from(["", ".", "..", "a/b", "/", "a/", "/a"]))
ANY_SUFFIX = st.one_of(st.text("ab./", max_size=3), st.sampled_from(["", ".csv", "csv"]))


def result(call: Callable[[], Any]) -> object:
    """Return the answer of *call* as text, or ValueError where it refuses."""
    try:
        answer = call()
    except ValueError:
        return ValueError
    return answer if isinstance(answer, bool) else str(answer)


def dots_as_before(name: str) -> bool:
    """Named difference: dots at both ends of a name, where pathlib changed in Python 3.14."""
    return name.startswith("..") or name.endswith(".")


@PROPERTY
@given(PATH)
def test_parts_of_a_name(text: str) -> None:
    """`name`, `stem`, `suffix` and `suffixes` are those of pathlib, and make up the name."""
    ours, theirs = RemotePath(text), PurePosixPath(text)
    assert ours.name == theirs.name
    assert ours.stem + ours.suffix == ours.name
    assert ours.suffixes[-1:] == ([ours.suffix] if ours.suffix else [])
    assert ours.name.endswith("".join(ours.suffixes))
    assert ours.with_stem(ours.stem) == ours.with_suffix(ours.suffix) == ours
    if not dots_as_before(theirs.name):
        assert ours.stem == theirs.stem
        assert ours.suffix == theirs.suffix
        assert ours.suffixes == theirs.suffixes


@pytest.mark.parametrize(
    ("name", "stem", "suffixes"),
    [
        ("b.tar.gz", "b.tar", [".tar", ".gz"]),
        (".bashrc", ".bashrc", []),
        (".a.b", ".a", [".b"]),
        ("..a", ".", [".a"]),
        ("...", "..", [".", "."]),
        ("x.", "x", ["."]),
        ("x..", "x.", [".", "."]),
    ],
)
def test_dots_at_the_ends_of_a_name(name: str, stem: str, suffixes: list[str]) -> None:
    """The first dot of a name is the stem's and one at the end is a suffix, in each Python."""
    path = RemotePath("d.e") / name
    assert (path.stem, path.suffixes) == (stem, suffixes)


@PROPERTY
@given(PATH, ANY_NAME)
def test_with_name(text: str, name: str) -> None:
    """`with_name` answers and refuses as pathlib does; `..` is the named difference."""
    ours = result(lambda: RemotePath(text).with_name(name))
    if name == "..":
        assert ours is ValueError
    else:
        assert ours == result(lambda: PurePosixPath(text).with_name(name))


@PROPERTY
@given(PATH, ANY_NAME)
def test_with_stem(text: str, stem: str) -> None:
    """`with_stem` does, too; differences: no empty stem, and no name that is `..`."""
    assume(not dots_as_before(RemotePath(text).name))
    ours = result(lambda: RemotePath(text).with_stem(stem))
    if not stem or stem + RemotePath(text).suffix == "..":
        assert ours is ValueError
    else:
        assert ours == result(lambda: PurePosixPath(text).with_stem(stem))


@pytest.mark.long
@PROPERTY
@given(PATH, ANY_SUFFIX)
def test_with_suffix(text: str, suffix: str) -> None:
    """`with_suffix` does, too; a lone dot is refused by pathlib before Python 3.14."""
    assume(not dots_as_before(RemotePath(text).name))
    ours = result(lambda: RemotePath(text).with_suffix(suffix))
    if suffix == ".":
        assert ours == text[: len(text) - len(RemotePath(text).suffix)] + "."
    else:
        assert ours == result(lambda: PurePosixPath(text).with_suffix(suffix))


NEAR = st.lists(st.sampled_from(["a", "ab", "b"]), max_size=4).map("/".join)


@PROPERTY
@given(NEAR.filter(bool), NEAR)
def test_relative_to(text: str, other: str) -> None:
    """Below is below by segments, and the same path gives the root."""
    ours, theirs = RemotePath(text), PurePosixPath(text)
    assert ours.is_relative_to(other) == theirs.is_relative_to(other)
    assert result(lambda: ours.relative_to(other)) == result(lambda: theirs.relative_to(other))
    path = RemotePath.from_backend_path(other)
    assert ours.is_relative_to(path) == ours.is_relative_to(other)
    if ours.is_relative_to(path):
        assert path / ours.relative_to(path) == ours


@PROPERTY
@given(NEAR, st.lists(NEAR, max_size=3))
def test_joinpath(text: str, others: list[str]) -> None:
    """Joining is pathlib's, also of nothing and of the root."""
    ours = RemotePath.from_backend_path(text)
    joined = ours.joinpath(*others)
    assert str(joined) == str(PurePosixPath(text).joinpath(*others))
    assert ours.joinpath(*map(RemotePath.from_backend_path, others)) == joined


#: In pathlib's language and ours alike. Differences, below: ``**``, a negated class behind the
#: start of a segment (it may match a slash), ``^``, empty and ``.`` segments.
ATOM = st.sampled_from(["a", "b", ".", " ", "*", "?", "[ab]", "[a-b]", "[]]", "[*]"])
SEGMENT = (
    st.tuples(st.sampled_from(["", "[!a]", "[!.b]"]), st.lists(ATOM, max_size=4))
    .map(lambda drawn: drawn[0] + "".join(drawn[1]))
    .filter(lambda s: s not in ("", ".", "..") and "**" not in s)
)
PATTERN = st.lists(SEGMENT, min_size=1, max_size=3).map("/".join)


@pytest.mark.long
@PROPERTY
@given(PATH, PATTERN)
def test_match(text: str, pattern: str) -> None:
    """`match` is pathlib's over the patterns that both know."""
    assert RemotePath(text).match(pattern) == PurePosixPath(text).match(pattern)


@given(PATH)
@settings(parent=PROPERTY, max_examples=200)
def test_match_of_a_path_s_own_end(text: str) -> None:
    """Matching is not always refused: the end of a path, starred, matches it."""
    assume("*" not in text)
    for start in range(len(parts := text.split("/"))):
        end = "/".join(parts[start:])
        assert RemotePath(text).match(end)
        assert RemotePath(text).match(end[:-1] + "?")
        assert not RemotePath(text).match(f"x/{text}")


@pytest.mark.parametrize(
    ("path", "pattern", "matches"),
    [
        ("a/b/c.csv", "*.csv", True),
        ("a/b/c.csv", "b/*.csv", True),
        ("a/b/c.csv", "a/*.csv", False),
        ("a/b/c.csv", "a/**/*.csv", True),
        ("a/c.csv", "a/**/*.csv", True),
        ("a/b/c.csv", "a/**", True),
        ("a", "a/**", False),
        ("a/b", "a[!c]b", True),
        ("A.csv", "*.CSV", False),
    ],
)
def test_match_in_our_own_language(path: str, pattern: str, *, matches: bool) -> None:
    """Named differences: ``**`` spans segments, and a negated class may match a slash."""
    assert RemotePath(path).match(pattern) is matches


@pytest.mark.parametrize("pattern", ["", "a//b", "/a", "./a", "../a", "a\\b", "**a", "\0"])
def test_match_refuses_what_the_language_has_not(pattern: str) -> None:
    """A pattern that could match nothing is an error, about the pattern as it was given."""
    with pytest.raises(ValueError, match="pattern") as caught:
        RemotePath("a").match(pattern)
    if isinstance(caught.value, InvalidPath):
        assert caught.value.path == pattern


def test_root() -> None:
    """The root has no name to replace, matches nothing, and is below itself alone."""
    root = RemotePath.ROOT
    assert (root.stem, root.suffix, root.suffixes) == (".", "", [])
    assert root / root == root.joinpath() == root / "" == root.relative_to(root) == root
    assert RemotePath("a") / root == RemotePath("a").relative_to(root) == RemotePath("a")
    assert root.is_relative_to("")
    assert not root.is_relative_to("a")
    assert not any(map(root.match, ["*", "**", "?", "**/*"]))
    for call in (root.with_name, root.with_stem, lambda _: root.with_suffix(".b")):
        with pytest.raises(InvalidPath, match="root of a store has no name"):
            call("b")
    with pytest.raises(InvalidPath, match="neither 'a' nor below it"):
        root.relative_to("a")


@pytest.mark.parametrize(
    ("call", "words", "path"),
    [
        (lambda p: p.with_name("a/b"), "'a/b' cannot be the name of a path", "a/b"),
        (lambda p: p.with_name(".."), "neither '.' nor '..'", ".."),
        (lambda p: p.with_name(""), "cannot be the name", ""),
        (lambda p: p.with_name("a\\b"), "backslash", "a\\b"),
        (lambda p: p.with_name("a\0"), "NUL", "a\0"),
        (lambda p: p.with_suffix("csv"), "a suffix begins with a dot, got 'csv'", "csv"),
        (lambda p: p.with_suffix("./b"), "cannot be the name", "y./b"),
        (lambda p: p.with_stem(""), "a stem must not be empty", ""),
        (lambda p: p.with_stem("../z"), "cannot be the name", "../z.txt"),
        (lambda p: p.relative_to("x/y"), "neither 'x/y' nor below it", "x/y.txt"),
        (lambda p: p.relative_to("../x"), "'..' segment", "../x"),
        (lambda p: p.is_relative_to("a\0"), "NUL", "a\0"),
        (lambda p: p.joinpath("a", "../b"), "'..' segment", "../b"),
        (lambda p: p / "..", "'..' segment", ".."),
    ],
)
def test_refusals(call: Callable[[RemotePath], object], words: str, path: str) -> None:
    """What makes no path is refused in words, with what was wrong as the error's path."""
    with pytest.raises(InvalidPath, match=re.escape(words)) as caught:
        call(RemotePath("x/y.txt"))
    assert caught.value.path == path


@pytest.mark.parametrize("method", ["with_name", "with_stem", "with_suffix", "match"])
@pytest.mark.parametrize("value", [None, b".a", RemotePath("a")])
def test_parts_of_a_path_are_text(method: str, value: object) -> None:
    """Names, stems, suffixes and patterns are str."""
    with pytest.raises(TypeError, match="must be a str"):
        getattr(RemotePath("a"), method)(value)


@pytest.mark.parametrize("method", ["joinpath", "relative_to", "is_relative_to"])
@pytest.mark.parametrize("value", [None, b"a", PurePosixPath("a")])
def test_other_paths_are_of_the_store(method: str, value: object) -> None:
    """What is a path is a str or a RemotePath."""
    with pytest.raises(TypeError, match="str or a RemotePath"):
        getattr(RemotePath("a"), method)(value)


class Name(str, Enum):  # noqa: UP042 - StrEnum formats as its text
    """Texts that Python formats as ``Name.SUFFIX``."""

    SUFFIX = ".csv"
    PATTERN = "*.csv"


def test_subclass_of_str_is_its_text() -> None:
    """A member of an enum counts for its text, as it does for whole paths."""
    path = RemotePath("a/b.txt")
    assert str(path.with_suffix(Name.SUFFIX)) == "a/b.csv"
    assert str(path.with_name(Name.SUFFIX)) == "a/.csv"
    assert str(path / Name.SUFFIX) == "a/b.txt/.csv"
    assert path.with_suffix(".csv").match(Name.PATTERN)


def test_no_path_of_the_operating_system(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`open` and `os.fspath` refuse it, also where a local file has the same name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_text("local")
    path = RemotePath("a")
    calls: list[Callable[[Any], object]] = [open, os.fspath, os.stat, os.remove, PurePosixPath]
    for call in calls:
        with pytest.raises(TypeError):
            call(path)
    assert (tmp_path / "a").read_text() == "local"
