"""Where the user points: the text of a location, taken apart without any I/O on it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, unquote

from attrs import frozen

from remote_store import redact_url
from remote_store_cli._console import hide
from remote_store_cli._outcome import InvalidCommand

__all__ = ["Location", "Origin", "link_at", "parse"]

_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<host>[^/?#]*)(?P<path>[^?#]*)(?P<suffix>.*)",
    re.DOTALL,
)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
#: What a path may hold besides letters and digits without being escaped in a URL.
_SAFE: Final = "!$&'()*+,;=:@-._~"


@frozen
class Origin:
    """
    What a URL says besides its path.

    Args:
        scheme: Name of the plugin, in lower case.
        host: What stands between ``//`` and the path; may hold credentials.
        suffix: Query and fragment.
    """

    scheme: str
    host: str
    suffix: str

    def url(self, segments: tuple[str, ...]) -> str:
        """Return the URL of the folder that *segments* lead to."""
        path = "/".join(quote(s, safe=_SAFE, errors="surrogateescape") for s in segments)
        return f"{self.scheme}://{self.host}/{path}{self.suffix}"


#: A plain path is short for such a URL.
_PATHS: Final = Origin("local", "", "")
#: URLs whose paths are paths of this machine.
_THIS_MACHINE: Final = (_PATHS, Origin("file", "", ""))


@frozen
class Location:
    """
    A file or folder that the user named.

    Args:
        text: As it was given, for messages; without credentials.
        origin: Of a URL; the name of the store for ``@name/path``.
        segments: The whole path, unescaped; of a local path without links,
            the last segment included where the command follows it.
        name: Last segment as it was written, ``""`` where it has none. The
            copy of a link is called like the link.
        base: How many leading segments are the root of the store that is to
            be opened; the rest is the key in it.
        folder: It ends in ``/``: as a destination it is a folder to put
            something into.
        explicit_root: It is a URL that ends in ``/``: that folder is the root.
    """

    text: str
    origin: Origin | str
    segments: tuple[str, ...]
    name: str
    base: int
    folder: bool
    explicit_root: bool

    @property
    def is_url(self) -> bool:
        """Whether it was written as a URL, and not as a path of this machine."""
        return isinstance(self.origin, Origin) and "://" in self.text

    def below(self, path: str) -> str:
        """Return the text of a path below this folder, as it could be given again."""
        if not path:
            return self.text
        if self.is_url:
            path = quote(path, safe=_SAFE + "/", errors="surrogateescape")
        text = self.text.rstrip("/")
        if text in ("", ".") and self.text != "/":
            return path
        if text.endswith(":"):  # a URL without a host
            return f"{text}///{path}"
        return f"{text}/{path}"


def parse(text: str, *, follow: bool = True) -> Location:
    """
    Take a location apart.

    Args:
        text: ``scheme://host/path``, ``@store/path`` or a file-system path, in
            which a leading ``~`` or ``~user`` means what it does to a shell.
        follow: Take a link of this machine for what it leads to. The user who
            names one has named no root that it could leave.

    Raises:
        InvalidCommand: It is not one of these, or its path has a ``..`` segment or
            an escaped ``/``. The message holds no credential of a URL, be it
            a mistyped one.
    """
    if not text:
        msg = "a location must not be empty"
        raise InvalidCommand(msg)
    if "\0" in text:
        msg = "a location must not contain a NUL character"
        raise InvalidCommand(msg)
    if text.startswith("@"):
        return _named(text)
    if match := _URL.fullmatch(text):
        return _from_url(match, follow=follow)
    # Neither text is repeated: a URL that was mistyped may hold a credential, too.
    if scheme := _SCHEME.match(text):
        msg = (
            f"after {scheme[0]!r} a URL needs '//'; "
            "a path with a colon in its first segment begins with './'"
        )
        raise InvalidCommand(msg)
    before, separator, _ = text.partition("://")
    if separator and "/" not in before:
        msg = (
            "what stands before '://' cannot be the name of a plugin (letters, digits, '+', '-', "
            "'.'); a path of this form begins with './'"
        )
        raise InvalidCommand(msg)
    return _from_path(text, follow=follow)


def _named(text: str) -> Location:
    name, _, path = text[1:].partition("/")
    if not name:
        msg = (
            f"{text!r}: the name of a store is missing; write @NAME/path, or './{text}' for a file"
        )
        raise InvalidCommand(msg)
    folder = path.endswith("/")
    segments = _segments(text, path.split("/"))
    return Location(text, name, segments, _last(segments), 0, folder, explicit_root=False)


def _last(segments: tuple[str, ...]) -> str:
    return segments[-1] if segments else ""


def _from_url(match: re.Match[str], *, follow: bool) -> Location:
    host, path, suffix = match["host"], match["path"], match["suffix"]
    user, at, _ = host.rpartition("@")
    if at:
        # A user without a password is a token, more often than not.
        name, colon, password = user.partition(":")
        for secret in (password, unquote(password)) if colon else (name, unquote(name)):
            hide(secret)
    query, _, fragment = suffix.removeprefix("?").partition("#")
    values = [pair.partition("=")[2] for pair in query.split("&")]
    for secret in (query, fragment, unquote(fragment), *values, *dict(parse_qsl(query)).values()):
        hide(secret)
    shown = redact_url(f"{match['scheme']}://{host}{path}")
    parts = [unquote(s, errors="surrogateescape") for s in path.split("/")]
    segments = _segments(shown, parts)
    name = _last(segments)
    folder = path.endswith("/")
    origin = Origin(match["scheme"].lower(), host, suffix)
    if follow and not folder and origin in _THIS_MACHINE:
        segments = _parts(_followed(Path(os.sep, *segments)))
    base = len(segments) if folder else max(len(segments) - 1, 0)
    return Location(shown, origin, segments, name, base, folder, explicit_root=folder)


def _segments(text: str, parts: list[str]) -> tuple[str, ...]:
    for part in parts:
        if part == ".." or "/" in part or "\0" in part:
            msg = f"{text!r}: a path must not have a '..' segment, nor an escaped '/' or NUL"
            raise InvalidCommand(msg)
    return tuple(part for part in parts if part not in ("", "."))


def _from_path(text: str, *, follow: bool) -> Location:
    # What leads to the last segment is resolved as the system would do it:
    # "link/../x" is not "x", and two ways to one folder must be seen to be the
    # same. The last one stays as it is where a link is meant itself.
    written = os.path.expanduser(text)
    path = Path(written)
    whole = path.name in ("", "..") or written.endswith(("/.", os.sep + "."))
    if whole:
        real = Path(os.path.realpath(path))
        name = real.name
    else:
        real = Path(os.path.realpath(path.parent)) / path.name
        name = path.name
        if follow:
            real = _followed(real)
    segments = _parts(real)
    base = max(len(segments) - 1, 0)
    folder = written.endswith(("/", os.sep)) or whole
    return Location(text, _PATHS, segments, name, base, folder, explicit_root=False)


def link_at(location: Location) -> Path | None:
    """Return the link of this machine that a location, which did not follow it, names."""
    if location.folder or location.origin not in _THIS_MACHINE:
        return None
    path = Path(os.sep, *location.segments)
    return path if path.is_symlink() else None


def _followed(path: Path) -> Path:
    """Return where a link leads to; itself where that is nothing, or it is not a link."""
    # What a link that leads nowhere means is for the store to say.
    return Path(os.path.realpath(path)) if path.is_symlink() and path.exists() else path


def _parts(path: Path) -> tuple[str, ...]:
    uri_path = path.as_uri().removeprefix("file://")
    return tuple(unquote(s, errors="surrogateescape") for s in uri_path.split("/") if s)
