"""What the constructor is given: wrong types, empty secrets and unusable options are refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import frozen

from remote_store import RetryPolicy, Secret

__all__ = ["GROWTH", "SECRETS", "Tuning", "refuse_blank", "refuse_types", "tuning_of"]

#: Options that are shown only as being there.
SECRETS: Final = frozenset({"account_key", "sas_token", "connection_string", "credential"})

#: Blocks after which the size of a block doubles; a blob has 50,000 at most. So these hold a
#: thousand times what most streams have, and few streams need more memory than the smallest do.
GROWTH: Final = 10_000

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "account_name": (str,),
    "account_url": (str,),
    "account_key": (str, Secret),
    "sas_token": (str, Secret),
    "connection_string": (str, Secret),
    "max_concurrency": (int,),
    "client_options": (Mapping,),
    "retry": (RetryPolicy,),
    "reject_write_under_file_ancestor": (bool,),
    "delete_snapshots": (bool,),
}

_UNSIGNED: Final = re.compile(r"(?:^|[?&])sig=\s*(?:&|$)")
_VERSION: Final = re.compile(r"\d{4}-\d\d-\d\d")


@frozen
class Tuning:
    """
    Sizes in bytes; the caller's ``client_options`` win.

    Args:
        max_single_put: Content up to this size is one request.
        block_size: Of the blocks of longer content, to begin with.
        max_single_get: First range of a read with several connections; None
            for the rest of the blob.
        max_chunk_get: Further ranges.
    """

    max_single_put: int = 8 * 1024 * 1024
    block_size: int = 4 * 1024 * 1024
    max_single_get: int | None = None
    max_chunk_get: int = 4 * 1024 * 1024


def refuse_types(options: Mapping[str, Any]) -> None:
    """
    Refuse arguments of the constructor that are of a wrong type; None is always right.

    Args:
        options: By their names; those that are not known here are passed by.

    Raises:
        TypeError: One of them is. The message shows no value.
    """
    for name, kinds in _TYPES.items():
        value = options.get(name)
        if value is None and name != "max_concurrency":
            continue
        if name in options and (
            not isinstance(value, kinds) or (kinds == (int,) and isinstance(value, bool))
        ):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            msg = f"{name} must be of type {wanted}, got {type(value).__name__}"
            raise TypeError(msg)


def refuse_blank(name: str, value: object) -> None:
    """
    Refuse a secret that has nothing in it: another credential would silently take its place.

    Args:
        name: What the message calls it.
        value: A text or a `Secret`; anything else passes.

    Raises:
        ValueError: It is empty or blank, or a SAS token without a signature.
    """
    text = value.reveal() if isinstance(value, Secret) else value
    if not isinstance(text, str):
        return
    blank = not text.strip().lstrip("?")
    if blank or _UNSIGNED.search(text):
        what = "is empty" if blank else "has an empty signature"
        msg = (
            f"{name} {what}; an environment variable or a secret that is not set is the usual "
            "cause. Set it, or leave the option out"
        )
        raise ValueError(msg)


# Options of the SDK's clients ------------------------------------------------


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e9


def _sends(value: object) -> bool:
    return callable(value) or callable(getattr(value, "send", None))


_SIZES: Final = {
    "max_single_put_size": "max_single_put",
    "max_block_size": "block_size",
    "max_single_get_size": "max_single_get",
    "max_chunk_get_size": "max_chunk_get",
}
_SIZE: Final = (_is_size, "a positive number of bytes")
_TIME: Final = (_is_time, "a positive number of seconds")
#: What the SDK or aiohttp would stumble over only once there are connections.
_RULES: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    **dict.fromkeys((*_SIZES, "connection_data_block_size"), _SIZE),
    **dict.fromkeys(("connection_timeout", "read_timeout"), _TIME),
    "api_version": (
        lambda v: isinstance(v, str) and _VERSION.fullmatch(v) is not None,
        "a version of the service, such as '2024-11-04'",
    ),
    "connection_verify": (lambda v: isinstance(v, (bool, str)), "True, False or a path"),
    "proxies": (lambda v: isinstance(v, Mapping), "a mapping from schemes to URLs"),
    "transport": (_sends, "a transport, or a function that returns one"),
    "retry_policy": (_sends, "a retry policy"),
    "permit_redirects": (
        lambda v: v is False,
        "False: content and credentials go to no other host than the account's",
    ),
}


def tuning_of(options: Mapping[str, Any], retry: RetryPolicy | None) -> Tuning:
    """
    Return the sizes among the options of the SDK's clients, once all of them can be used.

    Args:
        options: The caller's ``client_options``; None as a value stands for
            the default.
        retry: The caller's, which must not say the same again.

    Raises:
        TypeError: A name is not a str.
        ValueError: An option cannot work, or clashes with *retry*. No value
            is shown but that of a number.
    """
    for name, value in options.items():
        if not isinstance(name, str):
            msg = f"client_options has names of options as keys, got {type(name).__name__}"
            raise TypeError(msg)
        rule = _RULES.get(name)
        if rule is not None and value is not None and not rule[0](value):
            got = repr(value) if isinstance(value, (int, float)) else type(value).__name__
            msg = f"client_options[{name!r}] must be {rule[1]}, got {got}"
            raise ValueError(msg)
    clashing = [n for n in options if n.startswith("retry_") and n != "retry_policy"]
    if retry is not None and clashing:
        msg = f"pass either retry= or client_options[{clashing[0]!r}], not both"
        raise ValueError(msg)
    sizes = {_SIZES[n]: value for n, value in options.items() if n in _SIZES and value is not None}
    return Tuning(**sizes)
