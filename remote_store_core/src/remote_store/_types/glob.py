"""The one glob language: translated to a regular expression, and to what a listing may skip."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator

from attrs import field, frozen

from remote_store._types.errors import InvalidPath
from remote_store._types.glob_nfa import ANY_SEGMENTS, NOT_SLASH, REST, STAR, Nfa

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
    _matcher: re.Pattern[str] | Nfa = field(repr=False, eq=False, alias="matcher")
    _segments: tuple[re.Pattern[str] | None, ...] = field(repr=False, eq=False, alias="segments")

    @classmethod
    def parse(cls, pattern: str) -> GlobPattern:
        """
        Compile *pattern*.

        Raises:
            InvalidPath: *pattern* is empty, or has a NUL, a backslash or a
                ``..``, ``.`` or empty segment (so no leading or trailing ``/``).
            ValueError: ``**`` is followed by something other than ``/``.
            re.error: A class holds a reversed range such as ``[z-a]``.
            TypeError: *pattern* is not a str.
        """
        if not isinstance(pattern, str):
            msg = f"a glob pattern must be a str, got {type(pattern).__name__}"
            raise TypeError(msg)
        return _parse(str.__str__(pattern))

    def matches(self, key: str) -> bool:
        """Return True if the whole of *key* matches."""
        return bool(self._matcher.fullmatch(key))

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

    def is_open_below(self, folder: str) -> bool:
        """
        Return True if a match may lie any number of folders below *folder*.

        Args:
            folder: Key of a folder that `may_contain` a match, ``""`` for the root.
        """
        deep = folder.count("/") + 1 if folder else 0
        return None in self._segments[: deep + 1]


@functools.lru_cache(maxsize=256)
def _parse(pattern: str) -> GlobPattern:
    if not pattern:
        msg = "a glob pattern must not be empty"
        raise InvalidPath(msg, path=pattern)
    if "\0" in pattern:
        msg = "glob pattern contains a NUL character"
        raise InvalidPath(msg, path=pattern)
    if "\\" in pattern:
        msg = (
            "glob pattern contains a backslash, which no path has: "
            "write '/' between segments, and [*] for a literal '*'"
        )
        raise InvalidPath(msg, path=pattern)
    names = pattern.split("/")
    if ".." in names:
        msg = "glob pattern contains a '..' segment, which is never resolved"
        raise InvalidPath(msg, path=pattern)
    if "" in names or "." in names:
        msg = "glob pattern has an empty or '.' segment, which no path has: nothing could match"
        raise InvalidPath(msg, path=pattern)

    segments = list(_segments(pattern))
    literal = list(itertools.takewhile(lambda segment: segment.is_literal, segments[:-1]))
    first_open = next((i for i, s in enumerate(segments) if s.is_open()), len(segments))
    return GlobPattern(
        text=pattern,
        prefix="/".join(segment.text for segment in literal),
        depth=None if first_open < len(segments) else len(segments) - 1 - len(literal),
        matcher=_matcher(segments),
        segments=tuple(
            re.compile(segment.expression(), re.DOTALL) if i < first_open else None
            for i, segment in enumerate(segments)
        ),
    )


class _Segment:
    """What stands between two slashes of a pattern."""

    def __init__(self) -> None:
        #: Its text, while it has no wildcard.
        self.text = ""
        #: An expression for each character and wildcard.
        self.atoms: list[str] = []
        self.is_literal = True
        #: It is ``**`` before a slash: whole segments, and nothing else.
        self.is_any = False
        #: A part of it may match a slash, as a class or ``x**/`` may.
        self.crosses = False

    def literal(self, char: str) -> None:
        """Add a character that stands for itself."""
        self.text += char
        self.atoms.append(re.escape(char))

    def wild(self, expression: str, *, crosses: bool = False) -> None:
        """Add a wildcard."""
        self.atoms.append(expression)
        self.is_literal = False
        self.crosses = self.crosses or crosses

    def is_open(self) -> bool:
        """Return True if it may match more than one segment of a key."""
        return self.is_any or self.crosses or REST in self.atoms

    def expression(self) -> str:
        """
        Return the expression of a segment that does not cross a slash.

        What stands between two stars is matched where it first occurs, for
        good: the star after it can take up whatever lies before a later
        occurrence. Without that, the time to find out that a key does not
        match would grow with a power of its length, one for each star.
        """
        pieces = [""]
        for atom in self.atoms:
            if atom == STAR:
                pieces.append("")
            else:
                pieces[-1] += atom
        first, *others = pieces
        parts = [first]
        for i, piece in enumerate(others):
            last = i == len(others) - 1
            parts.append(f"{STAR}{piece}" if last else f"(?>{STAR}?{piece})")
        return "".join(parts)


def _matcher(segments: list[_Segment]) -> re.Pattern[str] | Nfa:
    """Return what matches a whole key: an expression if one can in linear time."""
    if any(segment.crosses for segment in segments):
        return Nfa(_atoms(segments))
    return re.compile(_expression(segments), re.DOTALL)


def _atoms(segments: list[_Segment]) -> Iterator[str]:
    for i, segment in enumerate(segments, 1):
        if segment.is_any:
            yield ANY_SEGMENTS  # which end with their slash
            continue
        yield from segment.atoms
        if i < len(segments):
            yield "/"


def _expression(segments: list[_Segment]) -> str:
    """Return the expression of a pattern of which no segment crosses a slash."""
    groups: list[list[_Segment]] = [[]]
    for segment in segments:
        if segment.is_any:
            groups.append([])
        else:
            groups[-1].append(segment)
    last = len(groups) - 1
    parts = []
    for i, group in enumerate(groups):
        text = "/".join(segment.expression() for segment in group)
        if group and i < last:
            text += "/"
        if i == 0:
            parts.append(text)
        elif i == last:
            parts.append(ANY_SEGMENTS + text)
        else:
            # As for stars: what lies before a later occurrence of these
            # segments can be taken up by the ``**/`` that follows them.
            parts.append(f"(?>{ANY_SEGMENTS}?{text})" if group else "")
    return "".join(parts)


def _segments(pattern: str) -> Iterator[_Segment]:
    """Split *pattern* at the slashes that are not inside a class."""
    i = start = 0
    segment = _Segment()
    while i < len(pattern):
        char = pattern[i]
        if pattern.startswith("**", i):
            after = pattern[i + 2 : i + 3]
            if after not in ("", "/"):
                msg = f"'**' must be followed by '/' or end the pattern: {pattern!r}"
                raise ValueError(msg)
            if after and i == start:
                segment.is_any, segment.is_literal = True, False
                yield segment
                segment, start = _Segment(), i + 3
            elif after:
                segment.wild(ANY_SEGMENTS, crosses=True)
            else:
                segment.wild(REST)
            i += 3
        elif char == "*":
            segment.wild(STAR)
            i += 1
        elif char == "?":
            segment.wild(NOT_SLASH)
            i += 1
        elif char == "[" and (end := _class_end(pattern, i)) > 0:
            inside = pattern[i + 1 : end]
            if _WILD.fullmatch(inside):
                segment.literal(inside)  # as `escape_glob` writes it
            else:
                # At the start of a segment no key has a slash.
                segment.wild(_class(inside), crosses=i > start and _matches_slash(inside))
            i = end + 1
        elif char == "/":
            yield segment
            i += 1
            segment, start = _Segment(), i
        else:
            segment.literal(char)
            i += 1
    yield segment


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


def _matches_slash(inside: str) -> bool:
    return inside[0] in "!^" or any(low <= "/" <= high for low, high in _items(inside))


def _class(inside: str) -> str:
    members = (
        re.escape(low) if low == high else f"{re.escape(low)}-{re.escape(high)}"
        for low, high in _items(inside)
    )
    return f"[{'^' if inside[0] in '!^' else ''}{''.join(members)}]"
