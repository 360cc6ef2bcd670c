"""What the constructor and a URL are given: wrong values are refused before there is any I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

from remote_store import RetryPolicy, Secret

__all__ = ["SECRETS", "place_of", "refuse"]

#: Options that are shown only as being there.
SECRETS: Final = frozenset({"secret_access_key", "session_token"})

_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_TEXT: Final = ((str,), "a str")
_SWITCH: Final = ((bool,), "True or False")
_NUMBER: Final = ((int,), "an int")
_SECONDS: Final = ((int, float), "a number of seconds")
_SECRET: Final = ((str, Secret), "a str or a Secret")
#: The types of each option. Those of a URL are texts, switches and numbers.
_KINDS: Final[dict[str, tuple[tuple[type, ...], str]]] = {
    "endpoint_url": _TEXT,
    "region": _TEXT,
    "addressing": _TEXT,
    "profile": _TEXT,
    "access_key_id": _TEXT,
    "secret_access_key": _SECRET,
    "session_token": _SECRET,
    "anonymous": _SWITCH,
    "conditional_writes": _SWITCH,
    "conditional_replace": _SWITCH,
    "conditional_copy": _SWITCH,
    "conditional_delete": _SWITCH,
    "checksum": _SWITCH,
    "equal_parts": _SWITCH,
    "verify": ((bool, str), "True, False or the path of a file with certificates"),
    "connect_timeout": _SECONDS,
    "read_timeout": _SECONDS,
    "part_size": _NUMBER,
    "max_concurrency": _NUMBER,
    "write_headers": ((Mapping,), "a mapping from names of headers to their values"),
    "retry": ((RetryPolicy,), "a RetryPolicy"),
}
_HEADER: Final = re.compile(r"x-amz-[a-z0-9-]+")
_HEADER_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?")
#: Headers of the backend's own; and keys of the customer, without which nothing could be read.
_OURS: Final = (
    "x-amz-checksum-",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-meta-",
    "x-amz-metadata-directive",
    "x-amz-sdk-checksum",
    "x-amz-security-token",
    "x-amz-server-side-encryption-customer-",
    "x-amz-trailer",
)
_TRUTH: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def refuse(bucket: str, options: Mapping[str, Any]) -> None:
    """
    Refuse arguments of the constructor that cannot work. No message shows a secret.

    Args:
        bucket: Its name.
        options: All others by their names; None stands for "not given".

    Raises:
        TypeError: One has a wrong type.
        ValueError: One is empty or out of range, or does not go with another.
    """
    _refuse_value("bucket", bucket, _TEXT)
    if not _BUCKET.fullmatch(bucket):
        msg = f"bucket {bucket!r} is no name of a bucket: letters, digits, '-', '.' and '_'"
        raise ValueError(msg)
    for name, value in options.items():
        if value is not None:
            _refuse_value(name, value, _KINDS[name])
    key, secret = options["access_key_id"], options["secret_access_key"]
    if (key is None) != (secret is None) or (options["session_token"] is not None and not key):
        msg = "access_key_id and secret_access_key belong together, and a session_token to both"
        raise ValueError(msg)
    if sum(bool(options[name]) for name in ("access_key_id", "profile", "anonymous")) > 1:
        msg = "pass at most one of access_key_id, profile and anonymous"
        raise ValueError(msg)
    if options["addressing"] not in (None, "path", "virtual"):
        msg = f"addressing must be 'path' or 'virtual', got {options['addressing']!r}"
        raise ValueError(msg)
    if not 5 << 20 <= options["part_size"] <= 5 << 30:
        msg = "part_size must lie between 5 MiB and 5 GiB, which are the service's limits"
        raise ValueError(msg)
    for name, value in (options["write_headers"] or {}).items():
        _refuse_header(name, value)


def _refuse_header(name: object, value: object) -> None:
    if not isinstance(name, str) or not isinstance(value, str):
        msg = "write_headers must have names and values that are str"
        raise TypeError(msg)
    if not _HEADER.fullmatch(name.lower()) or name.lower().startswith(_OURS):
        msg = (
            "write_headers are those that begin with x-amz-, such as x-amz-storage-class, and that "
            f"the backend does not make or need itself, got {name!r}"
        )
        raise ValueError(msg)
    if not _HEADER_VALUE.fullmatch(value):
        msg = f"the value of {name} in write_headers must be printable ASCII, without outer blanks"
        raise ValueError(msg)


def _refuse_value(name: str, value: object, kind: tuple[tuple[type, ...], str]) -> None:
    if not isinstance(value, kind[0]) or (isinstance(value, bool) and bool not in kind[0]):
        msg = f"{name} must be {kind[1]}, got {type(value).__name__}"
        raise TypeError(msg)
    text = value.reveal() if isinstance(value, Secret) else value
    if isinstance(text, str) and not text.strip():
        msg = (
            f"{name} is empty; an environment variable or a secret that is not set is the usual "
            "cause. Set it, or leave the option out"
        )
        raise ValueError(msg)
    if type(value) in (int, float) and not 0 < value < 1 << 40:  # type: ignore[operator]
        msg = f"{name} must be positive, got {value!r}"
        raise ValueError(msg)


def place_of(url: str) -> tuple[str, str, dict[str, Any]]:
    """
    Return bucket, root path and constructor options of a URL.

    No message repeats the URL: it may hold a secret.

    Args:
        url: ``s3://bucket/folder?region=eu-west-1``. Root and options are
            percent-encoded.

    Raises:
        ValueError: Another scheme, no bucket, a user or port, a fragment, a
            root that is no UTF-8, an unknown or repeated option, or a value of
            the wrong kind.
    """
    try:
        parts = urlsplit(url)
        root = unquote_to_bytes(parts.path).decode().strip("/")
    except ValueError:
        msg = "the URL is malformed or no UTF-8: expected one such as s3://bucket/folder"
        raise ValueError(msg) from None
    odd = "@" in parts.netloc or ":" in parts.netloc or "#" in url
    if parts.scheme.lower() != "s3" or not parts.netloc or odd:
        msg = "expected s3://bucket/folder?region=..., without user, port and fragment"
        raise ValueError(msg)
    options: dict[str, Any] = {}
    # A plus sign is itself: secrets are full of them.
    for name, value in parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True):
        if name in options:
            msg = f"the URL has the option {name!r} twice"
            raise ValueError(msg)
        options[name] = _value(name, value)
    return parts.netloc, root, options


def _value(name: str, text: str) -> Any:
    kinds, words = _KINDS.get(name, ((), ""))
    if bool in kinds and text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    if str in kinds:
        return text
    try:
        if int in kinds:
            return float(text) if float in kinds else int(text)
    except ValueError:
        pass
    known = ", ".join(name for name, kind in _KINDS.items() if kind[0][0] in (str, bool, int))
    what = f"must be {words}" if name in known.split(", ") else f"is unknown; known: {known}"
    msg = f"the URL's option {name!r} {what}"
    raise ValueError(msg)
