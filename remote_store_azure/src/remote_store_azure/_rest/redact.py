"""Take secrets out of what may be shown."""

from __future__ import annotations

import re
import traceback
from typing import Any, Final

__all__ = [
    "RedactedResponse",
    "Signed",
    "SignedBytes",
    "redact_request",
    "redacted",
    "redacted_bytes",
    "scrub",
]

_SIGNATURE: Final = re.compile(
    r"((?:\b|%[0-9a-f]{2})sig(?:nature)?(?:=|%3d)|\bBearer\s+|\bSharedKey\s+[^:\s]+:"
    r"|MAC signature found in the HTTP request ['\"])[^&\s\"'<>,;)]+",
    re.IGNORECASE,
)
_HIDDEN_HEADERS: Final = ("Authorization", "x-ms-copy-source-authorization", "x-ms-encryption-key")
_URL_HEADERS: Final = ("x-ms-copy-source", "x-ms-rename-source")


def redacted(text: str) -> str:
    """Return *text* without the signatures of SAS tokens, bearer tokens and signed requests."""
    return _SIGNATURE.sub(r"\1***", text)


def redacted_bytes(body: bytes) -> bytes:
    """Return the body of an answer without signatures, as `redacted`."""
    return redacted(body.decode("latin-1")).encode("latin-1")


class Signed(str):
    """A text with a SAS token, whose repr does not show it: tracebacks print locals."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(redacted(self))


class SignedBytes(bytes):
    """The same of a body that has signatures or tokens in it."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes with signatures>"


class RedactedResponse:
    """
    What an answer was, in place of the SDK's object in the SDK's exceptions.

    That one leads to the connection that it came by, and to the request as it
    was signed. This has what the SDK documents of an answer, secrets taken out.

    Args:
        response: The SDK's object; its request is cleaned, too.
        body: What was read of the body.

    Attributes:
        status_code: HTTP status.
        reason: Its words.
        headers: Found whatever the case of their names.
        content_type: Media type of the body.
        request: The SDK's object.
        content: The body.
    """

    def __init__(self, response: Any, body: bytes) -> None:
        from multidict import CIMultiDict  # aiohttp's own; loaded long since

        redact_request(response.request)
        self.status_code: int = response.status_code
        self.reason: str | None = response.reason
        self.headers = CIMultiDict((n, redacted(v)) for n, v in response.headers.items())
        self.content_type = self.headers.get("Content-Type")
        self.request = response.request
        self.content = redacted_bytes(body)

    def body(self) -> bytes:
        """Return what was read of the body."""
        return self.content

    def text(self, encoding: str | None = None) -> str:
        """Return what was read of the body as a text."""
        return self.content.decode(encoding or "utf-8-sig", "replace")

    def __repr__(self) -> str:
        return f"<Reply: {self.status_code} {self.reason}>"


def redact_request(request: Any) -> None:
    """Take the secrets out of a request that will not be sent any more; our own lose their body."""
    request.url = redacted(request.url)
    if hasattr(request, "drop_body"):
        request.drop_body()
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
    # The frames of aiohttp and the SDK, which are over, hold URLs and headers.
    traceback.clear_frames(exc.__traceback__)
    if getattr(exc, "exc_traceback", None) is not None:
        exc.exc_traceback = None  # type: ignore[attr-defined]
    response = getattr(exc, "response", None)
    if response is not None and not isinstance(response, RedactedResponse):
        exc.response = RedactedResponse(response, b"")  # type: ignore[attr-defined]
    if getattr(exc, "history", None):
        exc.history = ()  # type: ignore[attr-defined]  # aiohttp's own answers
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
