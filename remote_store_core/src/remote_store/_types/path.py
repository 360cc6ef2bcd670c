"""Paths: one normal form, and joining and stripping the root of a store."""

from __future__ import annotations

import functools
from typing import Any, ClassVar, Final

from remote_store._types.errors import InvalidPath

__all__ = [
    "RemotePath",
    "join_root",
    "known_path",
    "normal_paths",
    "normalise",
    "strip_root",
    "text_of",
]


#: Paths known to be in normal form, how many are kept, and of which length at most.
#: Each store call begins with such a look-up, mostly for a path that was seen a
#: moment ago.
normal_paths: Final[set[str]] = set()
_REMEMBERED: Final = 16384
_LENGTH: Final = 512


def text_of(path: str | RemotePath) -> str:
    """Return what a caller gave for a path as text: the own text of a RemotePath."""
    return path._text if isinstance(path, RemotePath) else path  # noqa: SLF001 - of this module


def normalise(raw: str | RemotePath) -> str:
    r"""
    Return *raw* in normal form: segments joined by single ``/``.

    ``\`` becomes ``/``; empty and ``.`` segments are dropped. No other
    character is special, and nothing is case-folded or Unicode-normalised.

    Raises:
        InvalidPath: A NUL character, a ``..`` segment (never resolved), or
            nothing is left.
        TypeError: *raw* is neither a str nor a RemotePath.
    """
    if type(raw) is RemotePath and raw._text != ".":  # noqa: SLF001
        return raw._text  # noqa: SLF001 - it is in that form
    raw = text_of(raw)
    if not isinstance(raw, str):
        msg = f"a path must be a str or a RemotePath, got {type(raw).__name__}"
        raise TypeError(msg)
    if type(raw) is not str:
        # An enum's, say: its own way of being formatted must not get into a key.
        raw = str.__str__(raw)
    if raw in normal_paths:
        return raw
    if (
        raw
        and "\\" not in raw
        and "\0" not in raw
        and "//" not in raw
        and "./" not in raw
        and raw[0] not in "/."
        and raw[-1] not in "/."
    ):
        if len(raw) <= _LENGTH:
            if len(normal_paths) >= _REMEMBERED:
                normal_paths.clear()
            normal_paths.add(raw)
        return raw
    if "\0" in raw:
        msg = "path contains a NUL character"
        raise InvalidPath(msg, path=raw)
    segments = [s for s in raw.replace("\\", "/").split("/") if s not in ("", ".")]
    if ".." in segments:
        msg = "path contains a '..' segment, which is never resolved"
        raise InvalidPath(msg, path=raw)
    if not segments:
        msg = "path must not be empty"
        raise InvalidPath(msg, path=raw)
    return "/".join(segments)


def join_root(root: str, key: str) -> str:
    """Return the backend key of *key* below *root*; either may be ``""``."""
    if not root:
        return key
    return f"{root}/{key}" if key else root


def strip_root(root: str, key: str, said: str | None = None) -> str:
    """
    Return *key* relative to *root*; the root itself gives ``""``.

    Args:
        root: Root of a store.
        key: A backend key.
        said: What the caller gave, for the error, where that is not *key*.

    Raises:
        InvalidPath: *key* is not *root* and does not lie below it.
    """
    if not root:
        return key
    if key == root:
        return ""
    if key.startswith(root) and key[len(root)] == "/":
        return key[len(root) + 1 :]
    msg = f"path is not under store root {root!r}"
    raise InvalidPath(msg, path=key if said is None else said)


@functools.total_ordering
class RemotePath:
    """
    An immutable, normalised path inside a store.

    Every method of a store that takes a path takes one, for its text. Equal
    only to another RemotePath of the same text, and sorted by it.

    Properties and methods mean what those of `pathlib.PurePosixPath` mean,
    and every path that they return is validated as a new one is. Different
    from there: paths sort by text and not by segments, a leading ``/`` makes
    no path absolute, `parent` of a single segment is None, the root is named
    ``"."``, and what is said below at `suffix` and `match`.

    It has no ``__fspath__`` on purpose: with one, ``open(path)`` would read or
    write a local file of the same name, where a file of the store was meant.
    ``open`` and ``os.fspath`` raise TypeError for it.

    Args:
        raw: Text to normalise, see the rules of `normalise`.

    Raises:
        InvalidPath: *raw* has a NUL, a ``..`` segment or no segment at all.
        TypeError: *raw* is neither a str nor a RemotePath.
    """

    __slots__ = ("_text",)

    _text: str
    #: The root of a store; its text is ``"."``.
    ROOT: ClassVar[RemotePath]

    def __init__(self, raw: str | RemotePath) -> None:
        # Looked up here as well: a frame less for each entry of a listing.
        _set_text(self, raw if type(raw) is str and raw in normal_paths else normalise(raw))

    @classmethod
    def from_backend_path(cls, text: str) -> RemotePath:
        """
        Return the path of a backend key; ``""`` and ``"."`` give `ROOT`.

        Raises:
            InvalidPath: As the constructor.
        """
        return cls.ROOT if text in ("", ".") else cls(text)

    @property
    def name(self) -> str:
        """The last segment."""
        return self._text.rpartition("/")[2]

    @property
    def parent(self) -> RemotePath | None:
        """The path without its last segment; None for a single segment."""
        head = self._text.rpartition("/")[0]
        return known_path(head) if head else None

    @property
    def parts(self) -> tuple[str, ...]:
        """The segments."""
        return tuple(self._text.split("/"))

    @property
    def suffix(self) -> str:
        """
        The last dot of the name and what follows; ``""`` where there is none or it leads.

        A dot at the end is a suffix.
        """
        name = self.name
        dot = name.rfind(".")
        return name[dot:] if dot > 0 else ""

    @property
    def suffixes(self) -> list[str]:
        """The parts of the name that begin with a dot; their last is `suffix`."""
        return [f".{part}" for part in self.name[1:].split(".")[1:]]

    @property
    def stem(self) -> str:
        """The name without its `suffix`."""
        return self.name.removesuffix(self.suffix)

    def with_name(self, name: str) -> RemotePath:
        """
        Return the path with another last segment.

        Args:
            name: The new segment.

        Raises:
            InvalidPath: *name* is empty, ``.`` or ``..``, or has a ``/``, a
                backslash or a NUL; or this path is `ROOT`, which has no name.
            TypeError: *name* is not a str.
        """
        name = _text("name", name)
        if self._text == ".":
            msg = "the root of a store has no name that could be replaced"
            raise InvalidPath(msg, path=self._text)
        if name in ("", ".", "..") or any(char in name for char in "/\\\0"):
            msg = (
                f"{name!r} cannot be the name of a path: it must be one segment, "
                "without '/', backslash and NUL, and neither '.' nor '..'"
            )
            raise InvalidPath(msg, path=name)
        head, slash, _ = self._text.rpartition("/")
        return RemotePath(head + slash + name)

    def with_stem(self, stem: str) -> RemotePath:
        """
        Return the path with another stem and the same `suffix`.

        Args:
            stem: What comes before the suffix.

        Raises:
            InvalidPath: *stem* is empty, or the new name is none: see `with_name`.
            TypeError: *stem* is not a str.
        """
        stem = _text("stem", stem)
        if not stem:
            msg = "a stem must not be empty"
            raise InvalidPath(msg, path=stem)
        return self.with_name(stem + self.suffix)

    def with_suffix(self, suffix: str) -> RemotePath:
        """
        Return the path with another `suffix`.

        Args:
            suffix: A dot and what follows; ``""`` takes the suffix away.

        Raises:
            InvalidPath: *suffix* does not begin with a dot, or the new name is
                none: see `with_name`.
            TypeError: *suffix* is not a str.
        """
        suffix = _text("suffix", suffix)
        if suffix and not suffix.startswith("."):
            msg = f"a suffix begins with a dot, got {suffix!r}"
            raise InvalidPath(msg, path=suffix)
        return self.with_name(self.stem + suffix)

    def joinpath(self, *others: str | RemotePath) -> RemotePath:
        """
        Return *others* one below the other, below this path; ``/`` does so with one.

        Args:
            others: Paths; ``""``, ``"."`` and `ROOT` add nothing.

        Raises:
            InvalidPath: One of *others* is malformed.
            TypeError: One of *others* is neither a str nor a RemotePath.
        """
        key = functools.reduce(join_root, map(_key, others), _key(self))
        return RemotePath.from_backend_path(key)

    def is_relative_to(self, other: str | RemotePath) -> bool:
        """
        Return True if this path is *other* or lies below it.

        Args:
            other: A path; ``""``, ``"."`` and `ROOT` are the root, and hold every path.

        Raises:
            InvalidPath: *other* is malformed.
            TypeError: *other* is neither a str nor a RemotePath.
        """
        root = _key(other)
        return not root or f"{self._text}/".startswith(f"{root}/")

    def relative_to(self, other: str | RemotePath) -> RemotePath:
        """
        Return what is left of this path below *other*; `ROOT` where both are one.

        Args:
            other: A path; ``""``, ``"."`` and `ROOT` are the root.

        Raises:
            InvalidPath: This path is not *other* and does not lie below it, or
                *other* is malformed.
            TypeError: *other* is neither a str nor a RemotePath.
        """
        root = _key(other)
        if not self.is_relative_to(root):
            msg = f"path is neither {root!r} nor below it"
            raise InvalidPath(msg, path=self._text)
        return RemotePath.from_backend_path(strip_root(root, _key(self)))

    def match(self, pattern: str) -> bool:
        """
        Return True if the last segments of the path match *pattern*.

        As `pathlib.PurePosixPath.match` matches from the right, so that
        ``*.csv`` is about the name alone, but in the one language of patterns
        of this package (see `GlobPattern`) and alike in each version of
        Python: ``**/`` stands for any number of segments. The whole path is
        matched by `GlobPattern.matches`, which takes its text. `ROOT` matches nothing.

        Args:
            pattern: What `GlobPattern.parse` takes; case matters.

        Raises:
            InvalidPath, ValueError, re.error, TypeError: See `GlobPattern.parse`.
        """
        from remote_store._types.glob import GlobPattern  # few programs use globs

        given = GlobPattern.parse(pattern)
        key = _key(self)
        return bool(key) and GlobPattern.parse(f"**/{given.text}").matches(key)

    def as_posix(self) -> str:
        """Return the text, with ``/`` between segments."""
        return self._text

    def __truediv__(self, other: str | RemotePath) -> RemotePath:
        if not isinstance(other, (str, RemotePath)):
            return NotImplemented
        return self.joinpath(other)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"RemotePath({self._text!r})"

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, RemotePath) else NotImplemented

    def __lt__(self, other: RemotePath) -> bool:
        return self._text < other._text if isinstance(other, RemotePath) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __setattr__(self, name: str, value: object) -> None:
        msg = "RemotePath is immutable"
        raise AttributeError(msg)

    def __delattr__(self, name: str) -> None:
        msg = "RemotePath is immutable"
        raise AttributeError(msg)

    def __reduce__(self) -> tuple[Any, ...]:
        return RemotePath.from_backend_path, (self._text,)


# The slot's own setter, which the guard against assignment does not cover.
_set_text = RemotePath.__dict__["_text"].__set__
_new_path = RemotePath.__new__


def _key(path: str | RemotePath) -> str:
    """Return the normal form of a path that may be the root, which is ``""`` here."""
    return "" if text_of(path) in ("", ".") else normalise(path)


def _text(what: str, value: str) -> str:
    """Return the own text of a str, whatever a subclass makes of itself."""
    if not isinstance(value, str):
        msg = f"a {what} must be a str, got {type(value).__name__}"
        raise TypeError(msg)
    return str.__str__(value)


def known_path(key: str) -> RemotePath:
    """
    Return the path of a key in a third of the time of `RemotePath`, which looks at it.

    Args:
        key: Known to be in normal form, and a plain str; nothing is checked.
    """
    path = _new_path(RemotePath)
    _set_text(path, key)
    return path


RemotePath.ROOT = known_path(".")
