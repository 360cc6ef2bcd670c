"""Where a bucket is: its host, the paths of its objects, and the region that signs for it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from attrs import define, field

__all__ = ["Place", "quoted_key"]

#: Names that may be a label of a host without breaking the certificate's wildcard.
_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


def quoted_key(key: str) -> str:
    """Return a key as it stands in a path."""
    return quote(key, safe="/-_.~")


@define
class Place:
    """
    One bucket.

    Args:
        bucket: Its name.
        endpoint: URL of a service that is not AWS; None for AWS itself.
        region: None until it is known; the service corrects a wrong one.
        addressing: ``"path"``, ``"virtual"``, or None: virtual on AWS where the
            name allows it, else path.

    Raises:
        ValueError: The endpoint is no URL of a service.
    """

    bucket: str
    endpoint: str | None
    region: str | None
    addressing: str | None
    scheme: str = field(init=False, default="https")
    host: str = field(init=False, default="")
    #: Path of the bucket, ``""`` where it is in the host.
    base: str = field(init=False, default="")

    def __attrs_post_init__(self) -> None:
        self.settle(self.region)

    def settle(self, region: str | None) -> None:
        """Take another region; on AWS it is a part of the host."""
        self.region = region
        suffix = "amazonaws.com.cn" if (region or "").startswith("cn-") else "amazonaws.com"
        parts = _split(self.endpoint or f"https://s3.{region or 'us-east-1'}.{suffix}")
        virtual = self.addressing == "virtual" or (
            self.addressing is None and self.endpoint is None and _LABEL.fullmatch(self.bucket)
        )
        self.scheme = parts.scheme
        self.host = f"{self.bucket}.{parts.netloc}" if virtual else parts.netloc
        self.base = parts.path.rstrip("/") + ("" if virtual else f"/{self.bucket}")

    def path(self, key: str | None) -> str:
        """Return the path of an object, or of the bucket for None; quoted."""
        if key is None:
            return self.base or "/"
        return f"{self.base}/{quoted_key(key)}"

    @property
    def url(self) -> str:
        """Of the bucket, for a person."""
        return f"{self.scheme}://{self.host}{self.base}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        if usable and "@" not in parts.netloc and not parts.query and not parts.fragment:
            return parts
    except ValueError:
        pass
    msg = "endpoint_url must be such as https://minio.example.org:9000, without a user"
    raise ValueError(msg)
