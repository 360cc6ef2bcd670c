"""Closing what an iteration leaves behind, at the end of a block."""

from __future__ import annotations

__all__ = ["Closing"]


class Closing:
    """Closes *iterator* at the end of the block, if it is something that can be closed."""

    # contextlib would make one more async generator for the loop to look after.
    __slots__ = ("_iterator",)

    def __init__(self, iterator: object) -> None:
        self._iterator = iterator

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            await close()
