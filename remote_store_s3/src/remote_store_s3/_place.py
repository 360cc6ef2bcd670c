"""Where a bucket is: its host, the paths of its objects, and the region that signs for it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from attrs import define, field, frozen

__all__ = ["REGION", "Place", "Spot", "quoted_key"]

#: Names that may be a label of a host without breaking the certificate's wildcard.
_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")

#: It stands in a host and in what is signed.
REGION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_PRINTABLE: Final = re.compile(r"[!-~]+")


def quoted_key(key: str) -> str:
    """Return a key as it stands in a path."""
    return quote(key, safe="/-_.~")


@frozen
class Spot:
    """
    Where a bucket is, as far as that is known; replaced as a whole, since loops share a `Place`.

    Args:
        region: That signs.
        scheme: ``"https"`` or ``"http"``.
        host: With its port.
        base: Path of the bucket, ``""`` where it is in the host.
    """

    region: str | None
    scheme: str
    host: str
    base: str

    def path(self, key: str | None) -> str:
        """Return the path of an object, or of the bucket for None; quoted."""
        if key is None:
            return self.base or "/"
        return f"{self.base}/{quoted_key(key)}"

    @property
    def url(self) -> str:
        """Of the bucket, for a person."""
        return f"{self.scheme}://{self.host}{self.base}"


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

    Attributes:
        spot: Where it is now.
        guessed: Nothing has told the region yet.

    Raises:
        ValueError: The endpoint is no URL of a service, or the region no name.
    """

    bucket: str
    endpoint: str | None
    _region: str | None
    addressing: str | None
    spot: Spot = field(init=False)
    guessed: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self.settle(self._region)

    def settle(self, region: str | None) -> None:
        """Take another region; on AWS it is a part of the host."""
        if region is not None and not REGION.fullmatch(region):
            msg = f"region {region!r} is no name of a region"
            raise ValueError(msg)
        suffix = "amazonaws.com.cn" if (region or "").startswith("cn-") else "amazonaws.com"
        parts = _split(self.endpoint or f"https://s3.{region or 'us-east-1'}.{suffix}")
        virtual = self.addressing == "virtual" or (
            self.addressing is None and self.endpoint is None and _LABEL.fullmatch(self.bucket)
        )
        host = f"{self.bucket}.{parts.netloc}" if virtual else parts.netloc
        base = parts.path.rstrip("/") + ("" if virtual else f"/{self.bucket}")
        self.spot = Spot(region, parts.scheme, host, base)
        self.guessed = False

    def is_beside(self, other: Place) -> bool:
        """Return whether another bucket is at the same endpoint, and in no other region."""
        regions = {p.spot.region for p in (self, other) if not p.guessed} - {None}
        return _name(self.endpoint) == _name(other.endpoint) and len(regions) < 2


def _name(endpoint: str | None) -> tuple[str, ...]:
    """Return an endpoint in a form that compares; AWS itself has none."""
    if endpoint is None:
        return ()
    parts = _split(endpoint)
    return parts.scheme, parts.netloc.lower(), parts.path.rstrip("/")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        if not _PRINTABLE.fullmatch(url):
            usable = False
        if usable and "@" not in parts.netloc and not parts.query and not parts.fragment:
            return parts
    except ValueError:
        pass
    msg = "endpoint_url must be such as https://minio.example.org:9000, without a user"
    raise ValueError(msg)
