"""What services keep with the content of a file: its digest, and headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from attrs import Attribute, field, frozen

if TYPE_CHECKING:
    from remote_store._types.path import RemotePath

__all__ = ["ContentDigest", "ContentHeaders"]

_HEX = re.compile(r"[0-9a-f]+")


def _clean(text: str) -> str:
    return text.strip().lower()


def _has_name(instance: object, attribute: Attribute[str], value: str) -> None:
    if not value:
        msg = "the algorithm of a digest must not be empty"
        raise ValueError(msg)


def _is_hexadecimal(instance: object, attribute: Attribute[str], value: str) -> None:
    if not _HEX.fullmatch(value):
        msg = f"the value of a digest must be hexadecimal, got {value!r}"
        raise ValueError(msg)


@frozen
class ContentDigest:
    """
    A digest of a file's content.

    Args:
        algorithm: Name such as ``"sha256"``; stripped and lower-cased.
        value: Hexadecimal digest; stripped and lower-cased.

    Raises:
        ValueError: *algorithm* is empty, or *value* is empty or not hexadecimal.
    """

    algorithm: str = field(converter=_clean, validator=_has_name)
    value: str = field(converter=_clean, validator=_is_hexadecimal)


#: Media types of compressed files, by the encoding that their suffix stands for.
_COMPRESSED: Final = {
    "gzip": "application/gzip",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
    "compress": "application/x-compress",
}


@frozen(kw_only=True)
class ContentHeaders:
    """
    What a service keeps with content, and hands out with it as headers of HTTP.

    None of them changes content: what is written with ``content_encoding="gzip"``
    has to be gzipped already, and is read as it was written.

    Args:
        content_type: Media type, such as ``"text/csv; charset=utf-8"``. None
            leaves it to the service, which has a default.
        cache_control: How long others may keep it, ``"max-age=3600"``.
        content_encoding: How it is compressed, ``"gzip"``.
        content_disposition: What a browser does with it,
            ``'attachment; filename="report.csv"'``.
    """

    content_type: str | None = None
    cache_control: str | None = None
    content_encoding: str | None = None
    content_disposition: str | None = None

    @classmethod
    def guessed(cls, name: str | RemotePath) -> ContentHeaders:
        """
        Return the media type that the suffix of a name stands for, as Python's own table has it.

        That of a compressed file is its own (``application/gzip`` for
        ``a.csv.gz``), and no `content_encoding`: who fetches it wants that file.

        Args:
            name: A name or a path. An unknown suffix gives no media type.
        """
        import mimetypes  # few programs guess

        # Not the functions of the module, which know what is installed on this machine.
        kind, encoding = mimetypes.MimeTypes().guess_type(f"file:///{name}")
        return cls(content_type=kind if encoding is None else _COMPRESSED.get(encoding))
