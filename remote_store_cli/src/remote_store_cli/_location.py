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
from remote_store_cli._outcome import UsageError

__all__ = ["Location", "Origin", "parse"]

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


@frozen
class Location:
    """
    A file or folder that the user named.

    Args:
        text: As it was given, for messages; without credentials.
        origin: Of a URL; the name of the store for ``@name/path``.
        segments: The whole path, unescaped.
        base: How many leading segments are the root of the store that is to
            be opened; the rest is the key in it.
        folder: It ends in ``/``: as a destination it is a folder to put
            something into.
        explicit_root: It is a URL that ends in ``/``: that folder is the root.
    """

    text: str
    origin: Origin | str
    segments: tuple[str, ...]
    base: int
    folder: bool
    explicit_root: bool

    @property
    def name(self) -> str:
        """Last segment, ``""`` where there is none."""
        return self.segments[-1] if self.segments else ""


def parse(text: str) -> Location:
    """
    Take a location apart.

    Args:
        text: ``scheme://host/path``, ``@store/path`` or a file-system path.

    Raises:
        UsageError: It is none of these, or its path has a ``..`` segment or
            an escaped ``/``. The message holds no credential of a URL, be it
            a mistyped one.
    """
    if not text:
        msg = "a location must not be empty"
        raise UsageError(msg)
    if "\0" in text:
        msg = "a location must not contain a NUL character"
        raise UsageError(msg)
    if text.startswith("@"):
        return _named(text)
    if match := _URL.fullmatch(text):
        return _from_url(match)
    # Neither text is repeated: a URL that was mistyped may hold a credential, too.
    if scheme := _SCHEME.match(text):
        msg = (
            f"after {scheme[0]!r} a URL needs '//'; "
            "a path with a colon in its first segment begins with './'"
        )
        raise UsageError(msg)
    before, separator, _ = text.partition("://")
    if separator and "/" not in before:
        msg = (
            "what stands before '://' cannot be the name of a plugin (letters, digits, '+', '-', "
            "'.'); a path of this form begins with './'"
        )
        raise UsageError(msg)
    return _from_path(text)


def _named(text: str) -> Location:
    name, _, path = text[1:].partition("/")
    if not name:
        msg = (
            f"{text!r}: the name of a store is missing; write @NAME/path, or './{text}' for a file"
        )
        raise UsageError(msg)
    folder = path.endswith("/")
    return Location(text, name, _segments(text, path.split("/")), 0, folder, explicit_root=False)


def _from_url(match: re.Match[str]) -> Location:
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
    folder = path.endswith("/")
    base = len(segments) if folder else max(len(segments) - 1, 0)
    origin = Origin(match["scheme"].lower(), host, suffix)
    return Location(shown, origin, segments, base, folder, explicit_root=folder)


def _segments(text: str, parts: list[str]) -> tuple[str, ...]:
    for part in parts:
        if part == ".." or "/" in part or "\0" in part:
            msg = f"{text!r}: a path must not have a '..' segment, nor an escaped '/' or NUL"
            raise UsageError(msg)
    return tuple(part for part in parts if part not in ("", "."))


def _from_path(text: str) -> Location:
    # The last segment stays as it is (it may be a link that is meant itself);
    # what leads to it is resolved as the system would do it: "link/../x" is
    # not "x", and two ways to one folder must be seen to be the same.
    path = Path(text)
    whole = path.name in ("", "..") or text.endswith(("/.", os.sep + "."))
    real = Path(os.path.realpath(text))
    if not whole:
        real = Path(os.path.realpath(path.parent)) / path.name
    uri_path = real.as_uri().removeprefix("file://")
    segments = tuple(unquote(s, errors="surrogateescape") for s in uri_path.split("/") if s)
    base = max(len(segments) - 1, 0)
    folder = text.endswith(("/", os.sep)) or whole
    return Location(text, Origin("local", "", ""), segments, base, folder, explicit_root=False)
