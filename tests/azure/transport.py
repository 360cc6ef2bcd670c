"""The SDK's own transport, counting what it sends and failing on request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from attrs import field, frozen
from azure.core.pipeline.transport import AioHttpTransport

__all__ = ["CountingTransport", "Sent"]


@frozen
class Sent:
    """
    A request that went out.

    Args:
        method: Its method.
        path: The quoted path of its URL.
        query: The quoted query of its URL, without what a SAS token adds.
        headers: Its headers, names in lower case.
        status: Of the answer; None when there was none.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str] = field(repr=False)
    status: int | None


#: Called with the request before it is sent; raises to let the sending fail.
Before: TypeAlias = Callable[[Any], Awaitable[None]]
#: Called with request and answer; returns the answer to hand on, or raises to lose it.
After: TypeAlias = Callable[[Any, Any], Awaitable[Any]]

_SAS = {"sv", "ss", "srt", "sp", "se", "st", "spr", "sr", "sig", "sip"}


class CountingTransport(AioHttpTransport):  # type: ignore[misc]  # the SDK exports it untyped
    """
    A transport for ``client_options={"transport": ...}``.

    A subclass, since the SDK's signing looks at the type: behind a wrapper
    keys with some characters get 403.

    Attributes:
        requests: What was sent, in order of the answers.
        before: Called before each request, or None.
        after: Called after each answer, or None.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.requests: list[Sent] = []
        self.before: Before | None = None
        self.after: After | None = None

    async def send(self, request: Any, **options: Any) -> Any:
        """Send a request, and note it."""
        status = None
        try:
            if self.before is not None:
                await self.before(request)
            answer = await super().send(request, **options)
            status = answer.status_code
            return answer if self.after is None else await self.after(request, answer)
        finally:
            parts = urlsplit(request.url)
            query = "&".join(p for p in parts.query.split("&") if p.split("=")[0] not in _SAS)
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.requests.append(Sent(request.method, parts.path, query, headers, status))

    def taken(self) -> list[Sent]:
        """Return what was sent since the last call."""
        taken, self.requests = self.requests, []
        return taken
