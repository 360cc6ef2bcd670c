"""The one glob language: translated to a regular expression, and to what a listing may skip."""

from __future__ import annotations

import functools
import re

from attrs import field, frozen

from remote_store._errors import InvalidPath

__all__ = ["GlobPattern", "escape_glob"]

_WILD = re.compile(r"[*?\[]")


def escape_glob(text: str) -> str:
    """Return a pattern that matches *text* and nothing else."""
    return _WILD.sub(lambda m: f"[{m[0]}]", text)


@frozen
class GlobPattern:
    r"""
    A compiled glob pattern; build it with `GlobPattern.parse`.

    - ``*`` any run of characters but ``/``, also an empty one;
    - ``?`` one character but ``/``;
    - ``[abc]``, ``[a-z]`` one of these, ``[!abc]`` one of all others (also ``/``);
      a leading ``]`` is literal, an unclosed ``[`` is literal;
    - ``**/`` any number of whole segments, also none;
    - ``**`` at the end: everything that is left.

    There is no escape character (write ``[*]``) and there are no braces. The
    pattern is matched against the whole key.

    Args:
        text: The pattern itself.
        prefix: The folder that holds every match (``""`` for the root): the
            longest leading run of segments without a wildcard.
        depth: Folders below *prefix* that a match can be deep, 0 for files
            directly in it; None where the pattern sets no limit.
    """

    text: str
    prefix: str
    depth: int | None
    _regex: re.Pattern[str] = field(repr=False, eq=False, alias="regex")
    _segments: tuple[re.Pattern[str] | None, ...] = field(repr=False, eq=False, alias="segments")

    @classmethod
    def parse(cls, pattern: str) -> GlobPattern:
        """
        Compile *pattern*.

        Raises:
            InvalidPath: *pattern* is empty, or has a NUL or a ``..``, ``.`` or
                empty segment (so no leading or trailing ``/``).
            ValueError: ``**`` is followed by something other than ``/``.
            re.error: A class holds a reversed range such as ``[z-a]``.
            TypeError: *pattern* is not a str.
        """
        return _parse(pattern)

    def matches(self, key: str) -> bool:
        """Return True if the whole of *key* matches."""
        return self._regex.fullmatch(key) is not None

    def may_contain(self, folder: str) -> bool:
        """
        Return False if no key below *folder* can match, so that a walk may skip it.

        Args:
            folder: Key of a folder, ``""`` for the root.
        """
        if not folder:
            return True
        names = folder.split("/")
        for name, segment in zip(names, self._segments, strict=False):
            if segment is None:
                return True
            if segment.fullmatch(name) is None:
                return False
        # The last segment of a pattern matches a file's name, never a folder's.
        return len(names) < len(self._segments)


@functools.lru_cache(maxsize=256)
def _parse(pattern: str) -> GlobPattern:
    if not isinstance(pattern, str):
        msg = f"a glob pattern must be a str, got {type(pattern).__name__}"
        raise TypeError(msg)
    if not pattern:
        msg = "a glob pattern must not be empty"
        raise InvalidPath(msg, path=pattern)
    if "\0" in pattern:
        msg = "glob pattern contains a NUL character"
        raise InvalidPath(msg, path=pattern)
    names = pattern.split("/")
    if ".." in names:
        msg = "glob pattern contains a '..' segment, which is never resolved"
        raise InvalidPath(msg, path=pattern)
    if "" in names or "." in names:
        msg = "glob pattern has an empty or '.' segment, which no path has: nothing could match"
        raise InvalidPath(msg, path=pattern)

    whole: list[str] = []
    #: One entry for each segment: its expression, or None from the first one
    #: on that may cross a "/", because from there nothing can be pruned.
    segments: list[re.Pattern[str] | None] = []
    literal: list[str] = []
    part: list[str] = []
    wild = crosses = False
    i, start, n = 0, 0, len(pattern)
    while i < n:
        char = pattern[i]
        if char == "*" and pattern.startswith("**", i):
            wild = crosses = True
            if i + 2 == n:
                part.append(".*")
                i = n
            elif pattern[i + 2] == "/":
                part.append("(?:[^/]+/)*")
                i += 3
            else:
                msg = f"'**' must be followed by '/' or end the pattern: {pattern!r}"
                raise ValueError(msg)
        elif char == "*":
            wild = True
            part.append("[^/]*")
            i += 1
        elif char == "?":
            wild = True
            part.append("[^/]")
            i += 1
        elif char == "[" and (end := _class_end(pattern, i)) > 0:
            wild = True
            inside = pattern[i + 1 : end]
            crosses = crosses or "/" in inside or inside[0] in "!^" or _spans_slash(inside)
            part.append(_class(inside))
            i = end + 1
        elif char == "/":
            if not wild and len(literal) == len(segments):
                literal.append(pattern[start:i])
            segments.append(None if crosses else re.compile("".join(part), re.DOTALL))
            whole += [*part, "/"]
            part = []
            wild = False
            i += 1
            start = i
        else:
            part.append(re.escape(char))
            i += 1
    whole += part
    segments.append(None if crosses else re.compile("".join(part), re.DOTALL))
    return GlobPattern(
        text=pattern,
        prefix="/".join(literal),
        depth=None if crosses else len(segments) - 1 - len(literal),
        regex=re.compile("".join(whole), re.DOTALL),
        segments=tuple(segments),
    )


def _class_end(pattern: str, start: int) -> int:
    """Return the index of the ``]`` that closes the class opened at *start*, or -1."""
    first = start + 1
    if pattern[first : first + 1] in ("!", "^"):
        first += 1
    return pattern.find("]", first + 1)


def _items(inside: str) -> list[tuple[str, str]]:
    """Return the members of a class as ranges, without a leading negation."""
    body = inside[1:] if inside[0] in "!^" else inside
    items = []
    i = 0
    while i < len(body):
        if i + 2 < len(body) and body[i + 1] == "-":
            items.append((body[i], body[i + 2]))
            i += 3
        else:
            items.append((body[i], body[i]))
            i += 1
    return items


def _spans_slash(inside: str) -> bool:
    return any(low <= "/" <= high for low, high in _items(inside))


def _class(inside: str) -> str:
    members = (
        re.escape(low) if low == high else f"{re.escape(low)}-{re.escape(high)}"
        for low, high in _items(inside)
    )
    return f"[{'^' if inside[0] in '!^' else ''}{''.join(members)}]"
