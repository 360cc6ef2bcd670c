"""Let a client find `*.localhost` on this machine, also where its resolver does not know them."""

from __future__ import annotations

import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

__all__ = ["loopback_connector", "loopback_session"]


class _LoopbackResolver(AbstractResolver):
    """Answers 127.0.0.1 for `localhost` and what is below, refuses all else."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """
        Return the one address.

        Raises:
            OSError: For any other name; tests do not leave this machine.
        """
        if host != "localhost" and not host.endswith(".localhost"):
            msg = f"only names below localhost resolve here, not {host!r}"
            raise OSError(msg)
        return [
            {
                "hostname": host,
                "host": "127.0.0.1",
                "port": port,
                "family": socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    async def close(self) -> None:
        """Hold nothing."""


def loopback_connector() -> aiohttp.TCPConnector:
    """Return a connector for host-style addresses; call it with a running loop."""
    return aiohttp.TCPConnector(resolver=_LoopbackResolver())


def loopback_session() -> aiohttp.ClientSession:
    """
    Return a session for host-style addresses; call it with a running loop.

    For the SDK: `AioHttpTransport(session=loopback_session(), session_owner=True)`.
    It neither decompresses nor raises by itself, as that transport expects.
    """
    return aiohttp.ClientSession(
        connector=loopback_connector(), trust_env=False, auto_decompress=False
    )
