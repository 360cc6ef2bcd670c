"""Take secrets out of what may be shown."""

from __future__ import annotations

import re
from typing import Any, Final

__all__ = ["redact_request", "redacted", "scrub"]

_SIGNATURE: Final = re.compile(
    r"((?:\b|%[0-9a-f]{2})sig(?:nature)?(?:=|%3d)|\bBearer\s+|\bSharedKey\s+[^:\s]+:)[^&\s\"'<>,;)]+",
    re.IGNORECASE,
)
_HIDDEN_HEADERS: Final = ("Authorization", "x-ms-copy-source-authorization", "x-ms-encryption-key")
_URL_HEADERS: Final = ("x-ms-copy-source", "x-ms-rename-source")


def redacted(text: str) -> str:
    """Return *text* without the signatures of SAS tokens, bearer tokens and signed requests."""
    return _SIGNATURE.sub(r"\1***", text)


def redact_request(request: Any) -> None:
    """Take the secrets out of a request of the SDK that will not be sent any more."""
    request.url = redacted(request.url)
    for name in _HIDDEN_HEADERS:
        if name in request.headers:
            request.headers[name] = "***"
    for name in _URL_HEADERS:
        if name in request.headers:
            request.headers[name] = redacted(request.headers[name])


def scrub(error: BaseException) -> None:
    """
    Take the secrets out of an exception and of everything that it was raised from.

    aiohttp puts whole URLs into its messages, and the SDK repeats them.
    """
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        exc = todo.pop()
        if exc is None or id(exc) in seen:
            continue
        seen.add(id(exc))
        todo += [exc.__cause__, exc.__context__, getattr(exc, "inner_exception", None)]
        _scrub_one(exc, todo)


def _scrub_one(exc: BaseException, todo: list[BaseException | None]) -> None:
    info = getattr(exc, "request_info", None)
    if info is not None and hasattr(info, "_replace"):
        # aiohttp prints the URL of the answer that it could not parse.
        url = type(info.real_url)(redacted(str(info.real_url)))
        exc.request_info = info._replace(url=url, real_url=url, headers={})  # type: ignore[attr-defined]
        exc.args = ()
    for name in ("message", "exc_msg", "strerror"):
        text = getattr(exc, name, None)
        if isinstance(text, str) and redacted(text) != text:
            setattr(exc, name, redacted(text))
    if any(not isinstance(arg, (int, float)) for arg in exc.args):
        exc.args = tuple(redacted(a) if isinstance(a, str) else a for a in exc.args)
        todo += [a for a in exc.args if isinstance(a, BaseException)]
