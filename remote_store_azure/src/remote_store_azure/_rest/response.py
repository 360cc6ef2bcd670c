"""What the service says, whole or as it arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Self

from attrs import define, field

from remote_store_azure._rest.errors import error_code

__all__ = ["Response", "StreamedResponse", "headers_of", "read"]


@define(slots=True)
class Response:
    """
    What the service said.

    Args:
        status: HTTP status.
        headers: Found whatever the case of their names.
        body: The whole body, as it was sent.
        path: The key that the request was about.
        lost: An earlier attempt of this request ended without an answer; what
            it did is unknown.
        resent: There was an earlier attempt.
        method: Of the request.
        response: The SDK's object.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    path: str | None = None
    lost: bool = False
    resent: bool = False
    method: str = "GET"
    sdk_response: Any = field(default=None, repr=False, eq=False)

    @property
    def code(self) -> str:
        """The service's error code, ``""`` if there is none."""
        return error_code(self.headers, self.body)


class StreamedResponse:
    """
    An answer whose body is still to come: an async iterator over its bytes, to be closed.

    Attributes:
        status: HTTP status.
        headers: Found whatever the case of their names.
        lost: As of `Response`.
        path: As of `Response`.
    """

    __slots__ = ("_pull", "_response", "_source", "headers", "lost", "path", "status")

    def __init__(
        self,
        sdk_response: Any,
        pull: Callable[[Any], Awaitable[bytes]],
        path: str | None,
        lost: bool,
    ) -> None:
        self._response = sdk_response
        self._pull = pull
        self._source: Any = None
        self.path = path
        self.status: int = sdk_response.status_code
        self.headers = headers_of(sdk_response)
        self.lost = lost

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self.next()
        except BaseException:
            await self.aclose()
            raise
        if chunk:
            return chunk
        await self.aclose()
        raise StopAsyncIteration

    def next(self) -> Awaitable[bytes]:
        """
        Return, once awaited, the next bytes of the body as they arrive, undecoded; none at its end.

        Raises:
            BackendUnavailable: The connection broke or was too slow.
            StoreClosed: The backend was closed meanwhile.
        """
        if self._source is None:
            self._source = self._response.iter_raw()
        return self._pull(self._source)

    async def aclose(self) -> None:
        """Drop what is still to come, and free the connection; idempotent."""
        if self._source is not None:
            await self._source.aclose()
        await self._response.close()


def headers_of(sdk_response: Any) -> Any:
    """Return an answer's headers as a mapping that ignores the case of names."""
    from multidict import CIMultiDict  # aiohttp's own; loaded long since

    headers = sdk_response.headers
    # The SDK's subclass joins repeated headers in Python at each look-up.
    return CIMultiDict(headers if isinstance(headers, CIMultiDict) else headers.items())


async def read(source: AsyncIterator[bytes], most: int) -> tuple[bytes, bool]:
    """Return a body up to *most* bytes, and whether that is all of it."""
    pieces: list[bytes] = []
    left = most
    async for piece in source:
        pieces.append(piece[:left])
        if len(piece) > left:
            return b"".join(pieces), False
        left -= len(piece)
    return b"".join(pieces), True
