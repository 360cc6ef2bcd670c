"""URLs of local folders."""

from __future__ import annotations

from typing import Final

from remote_store_local._keys import WINDOWS

__all__ = ["folder_of_url"]

_SCHEMES: Final = ("local", "file")


def folder_of_url(url: str, *, windows: bool = WINDOWS) -> str:
    """
    Return the folder that *url* names; a relative one stays relative.

    ``file:///srv/data`` and ``local:///srv/data`` are absolute,
    ``local:data`` is relative to the working directory. Special characters
    are percent-encoded. The errors show neither user-info nor query.

    Args:
        url: The URL.
        windows: Take the slash before a drive letter off.

    Raises:
        ValueError: Another scheme, a host, a query or fragment, nothing left,
            or a byte sequence that is not UTF-8 or has a NUL.
    """
    scheme, colon, rest = url.partition(":")
    if not colon or scheme.lower() not in _SCHEMES:
        msg = (
            f"expected a URL with the scheme 'local' or 'file', got {scheme if colon else 'none'!r}"
        )
        raise ValueError(msg)
    # What follows may be a value that was meant for another backend: it is not shown.
    if "?" in rest or "#" in rest:
        msg = "a local URL has no query or fragment; in a path write %3F for ? and %23 for #"
        raise ValueError(msg)
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host.lower() not in ("", "localhost"):
            msg = "a local URL names no host, write three slashes"
            if "@" not in rest:  # which may end user-info, wherever it stands
                msg += f": {f'{scheme}:///{rest[2:]}'!r}"
            raise ValueError(msg)
        rest = slash + path
    from urllib.parse import unquote_to_bytes  # it brings ipaddress along

    try:
        folder = unquote_to_bytes(rest).decode()
    except UnicodeDecodeError as error:
        msg = f"the path of a local URL must be UTF-8: {url!r}"
        raise ValueError(msg) from error
    if not folder or "\0" in folder:
        msg = f"the URL names no folder: {url!r}"
        raise ValueError(msg)
    if windows and folder[2:3] == ":":
        folder = folder.removeprefix("/")
    return folder
