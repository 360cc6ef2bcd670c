"""Paths: one normal form, and joining and stripping the root of a store."""

from __future__ import annotations

import functools
from typing import Any, ClassVar, Final

from remote_store._types.errors import InvalidPath

__all__ = ["RemotePath", "join_root", "normal_paths", "normalise", "strip_root", "text_of"]


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
    only to another RemotePath of the same text, and sorted by it. It has no
    ``__fspath__``: a path in a store is none of the operating system's.

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
        return _trusted(head) if head else None

    @property
    def parts(self) -> tuple[str, ...]:
        """The segments."""
        return tuple(self._text.split("/"))

    @property
    def suffix(self) -> str:
        """The last dot of the name and what follows; ``""`` where there is none or it leads."""
        name = self.name
        dot = name.rfind(".")
        return name[dot:] if dot > 0 else ""

    def as_posix(self) -> str:
        """Return the text, with ``/`` between segments."""
        return self._text

    def __truediv__(self, other: str | RemotePath) -> RemotePath:
        if not isinstance(other, (str, RemotePath)):
            return NotImplemented
        if self._text == ".":
            return RemotePath(other)
        return RemotePath(f"{self._text}/{text_of(other)}")

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


def _trusted(text: str) -> RemotePath:
    """Return the path of *text*, which is known to be in normal form."""
    path = _new_path(RemotePath)
    _set_text(path, text)
    return path


RemotePath.ROOT = _trusted(".")
