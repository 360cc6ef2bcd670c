"""What users see: the constructor, and the URL."""

from __future__ import annotations

import functools
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from remote_store_objects import Description, ObjectBackend, ObjectService

__all__ = ["AcmeObjects"]


class AcmeObjects(ObjectBackend):
    """
    The objects of one Acme server.

    Args:
        host: Host and port of the server: ``"127.0.0.1:9090"``.
        options: See `ObjectBackend`.

    Raises:
        ValueError: *host* is empty, or an option is refused.
    """

    def __init__(self, host: str, **options: Any) -> None:
        if not host:
            msg = "host must not be empty: acme-objects://127.0.0.1:9090/folder"
            raise ValueError(msg)
        super().__init__(functools.partial(_connect, host), _description(host), **options)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> tuple[Self, str]:
        """Return a backend and the root path for ``acme-objects://host:port/folder``."""
        parts = urlsplit(url)
        return cls(parts.netloc, **options), unquote(parts.path.strip("/"))


def _connect(host: str) -> ObjectService:
    from acme_objects._service import AcmeService  # aiohttp: not before it is needed

    return AcmeService(host)


def _description(host: str) -> Description:
    """Return what the server can do; whatever is not said here is the default."""
    return Description(
        name="async-acme-objects",
        location=f"acme-objects://{host}",
        max_key=4096,
        min_part=1,
        batch=1000,
        lists_uploads=True,
        content_headers=False,  # it keeps the media type alone
    )
