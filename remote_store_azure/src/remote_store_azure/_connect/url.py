"""URLs of containers: ``azure://container/root?account_url=...``."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

__all__ = ["place_of"]

_SCHEMES: Final = ("azure", "az")
_TEXTS: Final = (
    "account_name",
    "account_url",
    "account_key",
    "sas_token",
    "connection_string",
)
_NUMBERS: Final = ("max_concurrency",)
_SWITCHES: Final = ("hns", "reject_write_under_file_ancestor", "delete_snapshots")
_TRUTH: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def place_of(url: str) -> tuple[str, str, dict[str, Any]]:
    """
    Return container, root path and constructor options of a URL.

    No message repeats the URL: it may hold a secret.

    Args:
        url: ``azure://container/folder?account_url=https%3A%2F%2F...``, or
            with ``az``. Root and options are percent-encoded.

    Raises:
        ValueError: Another scheme, no container, a user or port, a fragment,
            a root that is not UTF-8, an unknown or repeated option, or a value
            of the wrong kind.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        msg = "the URL is malformed: expected one such as azure://container/folder"
        raise ValueError(msg) from None
    if parts.scheme.lower() not in _SCHEMES:
        msg = "expected a URL with the scheme 'azure' or 'az', as in azure://container/folder"
        raise ValueError(msg)
    if "@" in parts.netloc or ":" in parts.netloc or parts.fragment or "#" in url:
        msg = "an Azure URL has no user, port or fragment: azure://container/folder?account_url=..."
        raise ValueError(msg)
    if not parts.netloc:
        msg = "the URL names no container: azure://container/folder?account_url=..."
        raise ValueError(msg)
    return _decoded(parts.netloc), _decoded(parts.path).strip("/"), _options(parts.query)


def _decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        msg = "the path of an Azure URL must be UTF-8"
        raise ValueError(msg) from None


def _options(query: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    # A plus sign is itself: keys and signatures are full of them.
    for name, value in parse_qsl(query.replace("+", "%2B"), keep_blank_values=True):
        if name in options:
            msg = f"the URL has the option {name!r} twice"
            raise ValueError(msg)
        options[name] = _value(name, value)
    return options


def _value(name: str, value: str) -> Any:
    if name in _TEXTS:
        return value
    if name in _NUMBERS:
        if value.isdecimal():
            return int(value)
        msg = f"the URL's option {name!r} must be a number"
        raise ValueError(msg)
    if name in _SWITCHES:
        if value.lower() in _TRUTH:
            return _TRUTH[value.lower()]
        msg = f"the URL's option {name!r} must be true or false"
        raise ValueError(msg)
    known = ", ".join((*_TEXTS, *_NUMBERS, *_SWITCHES))
    msg = f"the URL has an unknown option {name!r}; known: {known}"
    raise ValueError(msg)
