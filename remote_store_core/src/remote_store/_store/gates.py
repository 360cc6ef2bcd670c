"""What a store refuses before a call, because the backend lacks it or the argument is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from attrs import asdict

from remote_store._contract.standard_errors import no_real_folders
from remote_store._types.capabilities import Capability, CapabilitySet
from remote_store._types.path import RemotePath, text_of

__all__ = [
    "METADATA_LIMIT",
    "check_etag",
    "check_metadata",
    "gate_folder",
    "gate_headers",
    "gate_match",
    "gate_resume",
    "gate_url",
    "gate_write",
]

#: Bytes of all keys and values of a file's user metadata together.
METADATA_LIMIT: Final = 2048


def check_etag(etag: object) -> None:
    """
    Refuse what is no ETag as ``get_file_info`` returns it.

    Raises:
        TypeError: It is not a str.
        ValueError: It is empty or ``*``, which name no version, or has quotes or
            characters that no ETag has.
    """
    if not isinstance(etag, str):
        msg = f"if_match must be a str, the etag of a FileInfo, got {type(etag).__name__}"
        raise TypeError(msg)
    if etag in ("", "*"):
        msg = f"if_match must name one version, got {etag!r}"
        raise ValueError(msg)
    if '"' in etag or not (etag.isascii() and etag.isprintable()):
        msg = f"if_match must be an ETag without quotes, as get_file_info returns it, got {etag!r}"
        raise ValueError(msg)


def gate_folder(capabilities: CapabilitySet, path: str | RemotePath, backend: str) -> None:
    """
    Refuse to make a folder where folders are not real, or nothing is written.

    Raises:
        CapabilityNotSupported: No CREATE_FOLDER, or no WRITE.
    """
    if Capability.CREATE_FOLDER not in capabilities:
        raise no_real_folders(text_of(path), backend)
    capabilities.require(Capability.WRITE, backend=backend)


def gate_headers(capabilities: CapabilitySet, headers: object, backend: str) -> dict[str, Any]:
    """
    Return the keyword that hands content headers to a backend; none where they hold nothing.

    Raises:
        TypeError: *headers* is no `ContentHeaders`, or one of them no str.
        ValueError: One of them is empty, or has outer blanks or characters
            other than printable ASCII, which would not come back unchanged.
        CapabilityNotSupported: No CONTENT_HEADERS.
    """
    from remote_store._types.content import ContentHeaders  # few writes have headers

    if not isinstance(headers, ContentHeaders):
        msg = f"headers must be a ContentHeaders, got {type(headers).__name__}"
        raise TypeError(msg)
    given = {k: v for k, v in asdict(headers).items() if v is not None}
    for name, value in given.items():
        if not isinstance(value, str):
            msg = f"{name} must be a str, got {type(value).__name__}"
            raise TypeError(msg)
        if not value or value != value.strip() or not (value.isascii() and value.isprintable()):
            msg = f"{name} must be printable ASCII without blanks around it, got {value!r}"
            raise ValueError(msg)
    if not given:
        return {}
    capabilities.require(Capability.CONTENT_HEADERS, backend=backend)
    return {"headers": headers}


def gate_match(capabilities: CapabilitySet, if_match: object, backend: str) -> dict[str, Any]:
    """
    Return the keyword that asks a backend for one version.

    Raises:
        TypeError, ValueError: See `check_etag`.
        CapabilityNotSupported: No CONDITIONAL_WRITE.
    """
    check_etag(if_match)
    capabilities.require(Capability.CONDITIONAL_WRITE, backend=backend)
    return {"if_match": if_match}


def gate_resume(capabilities: CapabilitySet, backend: str) -> dict[str, Any]:
    """
    Return the keyword that asks a backend to go on with an unfinished write.

    Raises:
        CapabilityNotSupported: No RESUMABLE_WRITE.
    """
    capabilities.require(Capability.RESUMABLE_WRITE, backend=backend)
    return {"resume": True}


def gate_url(capabilities: CapabilitySet, expires: object, method: str, backend: str) -> timedelta:
    """
    Return for how long a signed URL is to work, in whole seconds.

    Raises:
        TypeError: *expires* is no timedelta and no number.
        ValueError: It is below a second or beyond all times, or *method* is neither GET nor PUT.
        CapabilityNotSupported: No SIGNED_URL; no READ or WRITE for the method.
    """
    if method not in ("GET", "PUT"):
        msg = f"method must be 'GET' or 'PUT', got {method!r}"
        raise ValueError(msg)
    seconds: float
    if isinstance(expires, timedelta):
        seconds = expires.total_seconds()
    elif isinstance(expires, (int, float)) and not isinstance(expires, bool):
        seconds = expires
    else:
        msg = f"expires must be a timedelta or seconds, got {type(expires).__name__}"
        raise TypeError(msg)
    # As a float the longest of all is longer than itself.
    if not 1 <= seconds < timedelta.max.total_seconds():
        msg = f"expires must be from one second to {timedelta.max.days} days, got {expires!r}"
        raise ValueError(msg)
    capabilities.require(Capability.SIGNED_URL, backend=backend)
    needed = Capability.READ if method == "GET" else Capability.WRITE
    capabilities.require(needed, backend=backend)
    return timedelta(seconds=int(seconds))


def gate_write(
    capabilities: CapabilitySet,
    metadata: Mapping[str, str] | None,
    *,
    atomic: bool,
    backend: str,
) -> Mapping[str, str] | None:
    """
    Refuse a write that the backend did not declare.

    Returns:
        The metadata to hand on: a copy, which the caller cannot change while
        the content is being read.

    Raises:
        ValueError: See `check_metadata`.
        CapabilityNotSupported: Non-empty *metadata* without USER_METADATA, an
            atomic write without ATOMIC_WRITE, any write without WRITE.
    """
    if metadata:
        check_metadata(metadata)
        capabilities.require(Capability.USER_METADATA, backend=backend)
    if atomic:
        capabilities.require(Capability.ATOMIC_WRITE, backend=backend)
    capabilities.require(Capability.WRITE, backend=backend)
    return dict(metadata) if metadata else metadata


def check_metadata(metadata: Mapping[str, str]) -> None:
    """
    Refuse user metadata that not every backend could keep.

    Raises:
        ValueError: *metadata* is not a mapping; a key or value is not a str; a
            key is empty, starts with an underscore or is not ASCII; all keys
            and values together exceed `METADATA_LIMIT` bytes of UTF-8.
    """
    if not isinstance(metadata, Mapping):
        msg = f"metadata must be a mapping of str to str, got {type(metadata).__name__}"
        raise ValueError(msg)
    total = 0
    for key, value in metadata.items():
        if not isinstance(key, str):
            msg = f"metadata keys must be str, got {key!r}"
            raise ValueError(msg)
        if not isinstance(value, str):
            msg = f"metadata value of {key!r} must be a str, got {type(value).__name__}"
            raise ValueError(msg)
        if not key:
            msg = "metadata keys must not be empty"
            raise ValueError(msg)
        if key.startswith("_"):
            msg = f"metadata key {key!r} must not start with an underscore"
            raise ValueError(msg)
        if not key.isascii():
            msg = f"metadata key {key!r} must be ASCII"
            raise ValueError(msg)
        try:
            total += len(key) + len(value.encode())
        except UnicodeEncodeError as error:
            msg = f"metadata value of {key!r} cannot be encoded as UTF-8"
            raise ValueError(msg) from error
    if total > METADATA_LIMIT:
        msg = f"metadata takes {total} bytes, at most {METADATA_LIMIT} are allowed"
        raise ValueError(msg)
