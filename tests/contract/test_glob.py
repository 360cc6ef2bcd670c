"""The glob language and its search, against a matcher written without regular expressions."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from enum import Enum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.probes import Recorder, as_backend, collect, in_new_loop
from tests.contract.reference import DictBackend

from remote_store import Capability, CapabilitySet, FileInfo, GlobPattern, InvalidPath
from remote_store._types.glob import escape_glob
from remote_store.aio import AsyncBackend, AsyncStore
from remote_store.aio.ext.glob import glob_files

pytestmark = pytest.mark.slow

PROPERTY = settings(
    deadline=None,
    derandomize=True,
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)

# The oracle ----------------------------------------------------------------


def class_at(pattern: str, i: int) -> tuple[bool, str, int] | None:
    """Negation, members and end of a class that starts at *i*; None if it is unclosed."""
    j = i + 1
    negated = j < len(pattern) and pattern[j] in "!^"
    j += negated
    k = j + 1
    while k < len(pattern) and pattern[k] != "]":
        k += 1
    return None if k >= len(pattern) else (negated, pattern[j:k], k + 1)


def in_class(members: str, char: str) -> bool:
    i = 0
    while i < len(members):
        if members[i + 1 : i + 2] == "-" and i + 2 < len(members):
            if members[i] <= char <= members[i + 2]:
                return True
            i += 3
        else:
            if members[i] == char:
                return True
            i += 1
    return False


def oracle(pattern: str, key: str) -> bool:
    """Match by trying every possibility, position by position."""
    if pattern == "":
        return key == ""
    if pattern == "**":
        return True
    if pattern.startswith("**/"):
        if oracle(pattern[3:], key):
            return True
        head, slash, tail = key.partition("/")
        return bool(head and slash) and oracle(pattern, tail)
    first, rest = pattern[0], pattern[1:]
    if first == "*":
        return any("/" not in key[:n] and oracle(rest, key[n:]) for n in range(len(key) + 1))
    if not key:
        return False
    if first == "?":
        return key[0] != "/" and oracle(rest, key[1:])
    if first == "[" and (found := class_at(pattern, 0)):
        negated, members, end = found
        return in_class(members, key[0]) != negated and oracle(pattern[end:], key[1:])
    return first == key[0] and oracle(rest, key[1:])


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*", ["a", ".a", "a b"], ["a/b"]),
        ("?", ["a", "."], ["/", "ab"]),
        ("data/**", ["data/a", "data/a/b"], ["data", "datax/a"]),
        ("**/*.csv", ["x.csv", "a/x.csv", "a/b/.csv"], ["x.csvx", "a/x"]),
        ("**", ["a", "a/b/c"], []),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "ab"]),
        ("[!a]", ["b"], ["a", "bb"]),
        ("[^a]", ["b", "^"], ["a"]),
        ("a[!x]b", ["a/b", "ayb"], ["axb"]),
        ("[]a]", ["]", "a"], ["b", "[]a]"]),
        ("[!]a]", ["b"], ["]", "a"]),
        ("[a-c]x", ["ax", "bx", "cx"], ["dx", "-x"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("[", ["["], ["a"]),
        ("a[b", ["a[b"], ["ab"]),
        ("[]", ["[]"], []),
        ("{a,b}", ["{a,b}"], ["a", "b"]),
        ("a.b+c$", ["a.b+c$"], ["axb+c$", "abbc"]),
        ("é?", ["éx", "éé"], ["é"]),
        ("a\nb*", ["a\nb", "a\nb\nc"], []),
    ],
)
def test_language_by_example(pattern: str, yes: list[str], no: list[str]) -> None:
    """The rules as examples, which the oracle has to agree with as well."""
    parsed = GlobPattern.parse(pattern)
    for key in yes:
        assert parsed.matches(key), key
        assert oracle(pattern, key), key
    for key in no:
        assert not parsed.matches(key), key
        assert not oracle(pattern, key), key


SEGMENT = st.sampled_from(["a", "b", "ab", "*", "?", "a*", "*b", "[ab]", "[!a]", "**", "[a", "a]"])
PATTERN = st.lists(SEGMENT, min_size=1, max_size=4).map("/".join)
CHARS = st.text(alphabet="ab/*?[]!-", min_size=1, max_size=7)
NAME = st.sampled_from(["a", "b", "ab", "[", "*"])
KEY = st.lists(NAME, min_size=1, max_size=4).map("/".join)


def parse(pattern: str) -> GlobPattern | None:
    """None for what is no pattern: bad segments, a lone ``**x``, a reversed range."""
    try:
        return GlobPattern.parse(pattern)
    except (InvalidPath, ValueError, re.error):
        return None


@pytest.mark.long
@PROPERTY
@given(PATTERN | CHARS, KEY)
def test_matches_as_the_oracle_says(pattern: str, key: str) -> None:
    """For any pattern and key of a small alphabet both matchers give one answer."""
    parsed = parse(pattern)
    if parsed is not None:
        assert parsed.matches(key) == oracle(pattern, key)


@PROPERTY
@given(PATTERN | CHARS, KEY)
def test_no_folder_of_a_match_is_pruned(pattern: str, key: str) -> None:
    """A walk that skips what may_contain denies, or goes by prefix and depth, misses no match."""
    parsed = parse(pattern)
    if parsed is None or not oracle(pattern, key):
        return
    folders = ["/".join(key.split("/")[:n]) for n in range(key.count("/") + 1)]
    assert all(parsed.may_contain(folder) for folder in folders)
    assert parsed.prefix in folders
    if parsed.depth is not None:
        inside = key.count("/") - (parsed.prefix.count("/") + 1 if parsed.prefix else 0)
        assert inside <= parsed.depth


@PROPERTY
@given(st.text(alphabet="ab[]*?!-^", min_size=1, max_size=5), KEY)
def test_escaped_text_matches_itself_only(text: str, key: str) -> None:
    """An escaped text is a pattern of exactly that text."""
    parsed = GlobPattern.parse(escape_glob(text))
    assert parsed.matches(text)
    assert parsed.matches(key) == (key == text)


@pytest.mark.parametrize("pattern", ["", "..", "a/../b", "a\0", "/a", "a/", "a//b", "./a", "a\\*"])
def test_what_no_key_can_match_is_refused(pattern: str) -> None:
    """Empty patterns, NUL, backslash and segments that no key has: InvalidPath with the pattern."""
    with pytest.raises(InvalidPath) as caught:
        GlobPattern.parse(pattern)
    assert caught.value.path == pattern


@pytest.mark.parametrize("pattern", ["**a", "***", "a/**b", "**.csv", "a**b"])
def test_double_star_stands_before_a_slash_or_last(pattern: str) -> None:
    """Other uses are a plain ValueError."""
    with pytest.raises(ValueError, match=r"\*\*") as caught:
        GlobPattern.parse(pattern)
    assert not isinstance(caught.value, InvalidPath)


def test_reversed_range_is_the_errors_own() -> None:
    """A reversed range is re.error, not wrapped."""
    with pytest.raises(re.error):
        GlobPattern.parse("[z-a]")


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        ("*a" * 8 + "*b", "a" * 100),
        ("**/" * 12 + "x", "a/" * 40 + "b"),
        ("*[!_]" * 12 + "*_z", "a" * 100),
        ("*[+-9]" * 12 + "*z", "1" * 100 + "y"),
        ("**/*[!a]" * 12, "a/" * 40 + "a"),
        ("a*[!.]*x**/" * 8 + "b", "ax" * 40 + "/" + "ax/" * 40),
    ],
    ids=["stars", "double-stars", "negated", "range", "both", "inside"],
)
@pytest.mark.timeout(3)
def test_matching_does_not_explode(pattern: str, key: str) -> None:
    """A pattern of many stars is answered at once, not after trying every way to split the key."""
    assert GlobPattern.parse(pattern).matches(key) is False


@pytest.mark.parametrize("root", ["a[1]", "*", "x/[?]"])
def test_an_escaped_folder_is_the_prefix(root: str) -> None:
    """What `escape_glob` writes has no wildcard: listings begin at that folder."""
    parsed = GlobPattern.parse(f"{escape_glob(root)}/*.csv")
    assert (parsed.prefix, parsed.depth) == (root, 0)


@pytest.mark.parametrize("pattern", ["[.]/x", "[.][.]/x", "[/]/x"])
def test_another_class_of_one_character_is_no_prefix(pattern: str) -> None:
    """A prefix is a key: a class must not smuggle a segment into it that no key has."""
    assert GlobPattern.parse(pattern).prefix == ""


class Pattern(str, Enum):  # noqa: UP042 - StrEnum formats as its text
    """Patterns as programs name them; Python formats these as ``Pattern.REPORTS``."""

    REPORTS = "r/*.csv"


@pytest.mark.asyncio
async def test_pattern_that_is_an_enum(reference: DictBackend) -> None:
    """A subclass of str is its text, also below a root."""
    store = AsyncStore(as_backend(Globbing(reference, CapabilitySet(Capability))), "root")
    await store.write("r/a.csv", b"")
    for search in (store.glob, lambda pattern: glob_files(store, pattern)):
        assert [str(f.path) for f in await collect(search(Pattern.REPORTS))] == ["r/a.csv"]


# Searching -----------------------------------------------------------------


class Globbing(Recorder):
    """A backend with a native glob: the brute-force one of the oracle."""

    async def glob(self, pattern: str) -> AsyncIterator[FileInfo]:
        files: Any = self._backend.list_files("", recursive=True)  # type: ignore[attr-defined]
        async for info in files:
            if oracle(pattern, str(info.path)):
                yield info


async def fill(store: AsyncStore, keys: list[str]) -> list[str]:
    """Write the keys; those that would lie below a file are left out."""
    kept: list[str] = []
    for key in dict.fromkeys(keys):
        if not any(k.startswith(f"{key}/") or key.startswith(f"{k}/") for k in kept):
            await store.write(key, b"")
            kept.append(key)
    return kept


TREE = st.lists(KEY, max_size=8)


@pytest.mark.long
@pytest.mark.parametrize("root", ["", "a", "[a*]"])
@PROPERTY
@given(TREE, PATTERN)
def test_glob_files_finds_what_the_oracle_finds(root: str, keys: list[str], pattern: str) -> None:
    """Walk, recursive listing and native glob give the same files, once each, below any root."""
    if parse(pattern) is None:
        return

    async def check() -> None:
        for native in (False, True):
            backend = DictBackend()
            everything = AsyncStore(as_backend(backend))
            await everything.write("outside/a", b"")
            wrapped = Globbing(backend, CapabilitySet(Capability)) if native else backend
            store = AsyncStore(as_backend(wrapped), root)
            kept = await fill(store, keys) + ([] if root else ["outside/a"])
            found = [str(f.path) for f in await collect(glob_files(store, pattern))]
            assert sorted(found) == sorted(k for k in kept if oracle(pattern, k))

    in_new_loop(check())


PATTERNS = [
    *("*", "**", "a/*", "*/a", "**/a", "a/**", "a/**/b", "[!b]*/?", "?b/*", "*/*/*", "a/b/c"),
    *("a b/*", "é*/**", "missing/*", "a/b", "[*]/x", "**/*.txt", "a/b/**"),
]
KEYS = [
    *("a/a", "a/b/c", "a/b/d/c", "ab/c", "ab/x.txt", "b", "a b/c", "é/a/b", "éa/b", "*/x"),
    *("top.txt", "a/.hidden", "c/c/c/c"),
]


@pytest.mark.asyncio
@pytest.mark.parametrize("below", ["", "b[1]*"])
async def test_glob_files_on_every_backend(backend: AsyncBackend, below: str) -> None:
    """Every backend of ours answers as the oracle does, natively or not, below odd roots too."""
    store = AsyncStore(backend, below)
    await fill(AsyncStore(backend), ["b1/a/a", "outside/a/b/c"])
    kept = await fill(store, KEYS) + ([] if below else ["b1/a/a", "outside/a/b/c"])
    for pattern in PATTERNS:
        found = [str(f.path) for f in await collect(glob_files(store, pattern))]
        assert sorted(found) == sorted(k for k in kept if oracle(pattern, k)), pattern
        if store.supports(Capability.GLOB):
            native = [str(f.path) for f in await collect(store.glob(pattern))]
            assert sorted(native) == sorted(found), pattern


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("pattern", "listed"),
    [
        ("a/b/*", ["a/b"]),
        ("a/b/c", ["a/b"]),
        ("*", [""]),
        ("a/?/*", ["a", "a/b", "a/x"]),
        ("*/b/*", ["", "a", "a/b", "c", "c/b", "e"]),
        ("c/*/*/z", ["c", "c/b", "c/b/d"]),
        ("a/**", ["a"]),
        ("*/b/**", ["", "a", "a/b", "c", "c/b", "e"]),
        ("*/b/**/z", ["", "a", "a/b", "c", "c/b", "e"]),
        ("c/[!x]*/d/*", ["c", "c/b", "c/b/d"]),
    ],
)
async def test_only_folders_that_can_match_are_listed(
    pattern: str, listed: list[str], reference: DictBackend
) -> None:
    """The walk asks the backend for the folders on the pattern's way and for no others."""

    class Children(Recorder):
        async def iter_children(self, path: str) -> AsyncIterator[Any]:
            self.calls.append(("iter_children", (path,), {}))
            inner: Any = self._backend
            async for file in inner.list_files(path):
                yield file
            async for folder in inner.list_folders(path):
                yield folder

    backend = Children(reference)
    store = AsyncStore(as_backend(backend))
    await fill(store, ["a/b/f", "a/x/f", "a/f", "c/b/d/z", "c/b/d/e/z", "e/e/e"])
    backend.calls.clear()
    await collect(glob_files(store, pattern))
    assert sorted(args[0] for _, args, _ in backend.calls) == sorted(listed)
    assert len(set(map(str, backend.calls))) == len(backend.calls)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("pattern", "kind"), [("a/../b", InvalidPath), ("", InvalidPath), ("**x", ValueError)]
)
async def test_search_refuses_at_the_call(
    pattern: str, kind: type[Exception], store: AsyncStore
) -> None:
    """A malformed pattern is refused by the call itself, with and without a native glob."""
    with pytest.raises(kind):
        glob_files(store, pattern)


@pytest.mark.asyncio
async def test_search_is_lazy_and_leaves_nothing(reference: DictBackend) -> None:
    """Nothing is listed before the first pull."""
    backend = Recorder(reference)
    found = glob_files(AsyncStore(as_backend(backend)), "*/*")
    await asyncio.sleep(0)
    assert backend.calls == []
    await found.aclose()
    assert backend.calls == []
