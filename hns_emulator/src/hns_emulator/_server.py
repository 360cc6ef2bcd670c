"""The emulator: a thread with a loop of its own that serves one account on loopback."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import re
import socket
import threading
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import NamedTuple, Self

import aiohttp
from aiohttp import web

from hns_emulator._faults import ArmedFault, FaultKind, Faults
from hns_emulator._loopback import loopback_session
from hns_emulator._service import AccountService
from hns_emulator._state.account import AccountState

__all__ = ["HnsEmulator", "Seen"]

_REMEMBERED = 100_000
_GRACE = 0.05  # seconds for requests in flight when it stops; 0 would mean without limit


class Seen(NamedTuple):
    """
    One request, as it was answered.

    Attributes:
        kind: "dfs", "blob", or "" if it is not known.
        path: Percent-encoded as on the wire.
        query: Percent-encoded as on the wire.
        status: 0 if the connection was dropped instead of an answer.
    """

    method: str
    kind: str
    path: str
    query: str
    status: int


class HnsEmulator:
    """
    An ADLS Gen2 account with a hierarchical namespace, on 127.0.0.1.

    Its state lives in memory and survives `stop` and `start`.

    Args:
        host: An address of this machine's loopback.
        port: 0 for any free one; the attribute `port` has it after the start.
        account: The account's name.
        key: Base64 of the account's key, None for a random one.
        page_cap: Entries of a listing's page at most, None for the service's 5000.
        old_versions: Accept requests with an x-ms-version before 2021; for replays.
        debug: Hold the tree to its invariant after each request, in time linear in its size.

    Raises:
        ValueError: For arguments that no account can have.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        account: str = "hnsaccount",
        key: str | None = None,
        page_cap: int | None = None,
        old_versions: bool = False,
        debug: bool = False,
    ) -> None:
        if not re.fullmatch(r"[a-z0-9]{3,24}", account) or (page_cap is not None and page_cap < 1):
            msg = "account: 3 to 24 lower-case letters and digits; page_cap: 1 or more"
            raise ValueError(msg)
        if host != "127.0.0.1":
            msg = "the emulator serves 127.0.0.1 only"
            raise ValueError(msg)
        self.host = host
        self.port = port
        self.account = account
        try:
            base64.b64decode(key or "", validate=True)
        except binascii.Error:
            msg = "key: base64"
            raise ValueError(msg) from None
        self.key = key or base64.b64encode(os.urandom(64)).decode()
        self.unverified: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.requests: deque[Seen] = deque(maxlen=_REMEMBERED)
        self._faults = Faults()
        self._state = AccountState(account, page_cap=page_cap)
        self._service = AccountService(
            self._state,
            self.key,
            self._faults,
            seen=lambda *fields: self.requests.append(Seen(*fields)),
            unverified=self.unverified,
            refused=self.refused,
            old_versions=old_versions,
            debug=debug,
        )
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._done: asyncio.Event | None = None

    # addresses

    @property
    def connection_string(self) -> str:
        """For clients that resolve `*.localhost`, see `transport`; the endpoints differ."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};AccountKey={self.key};"
            f"EndpointSuffix=core.localhost:{self.port}"
        )

    @property
    def path_style_connection_string(self) -> str:
        """For any client; both endpoints have one address, so mistakes between them pass."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};AccountKey={self.key};"
            f"BlobEndpoint={self.path_style_url}"
        )

    @property
    def path_style_url(self) -> str:
        """The address of both endpoints in path style."""
        return f"http://{self.host}:{self.port}/{self.account}"

    @property
    def path_style_dfs_url(self) -> str:
        """The address of the Data Lake endpoint alone, for clients that have one for each."""
        return f"http://{self.host}:{self.port}/dfs/{self.account}"

    @property
    def dfs_url(self) -> str:
        """The Data Lake endpoint, in host style."""
        return f"http://{self.account}.dfs.core.localhost:{self.port}"

    @property
    def blob_url(self) -> str:
        """The Blob endpoint, in host style."""
        return f"http://{self.account}.blob.core.localhost:{self.port}"

    def transport(self) -> aiohttp.ClientSession:
        """
        Return a new session that finds the host-style addresses; call it with a running loop.

        For the SDK: `AioHttpTransport(session=emulator.transport(), session_owner=True)`.
        """
        return loopback_session()

    # knobs

    def create_filesystem(self, name: str) -> None:
        """
        Create a filesystem without a request, before or while it serves.

        Raises:
            ValueError: If it exists.
        """
        with self._service.lock:
            if name in self._state.filesystems:
                msg = f"filesystem {name!r} exists"
                raise ValueError(msg)
            self._state.create_filesystem(name)

    def fault(
        self,
        kind: FaultKind,
        *,
        method: str | None = None,
        query: str | None = None,
        path: str | None = None,
        nth: int = 1,
        times: int = 1,
        seconds: float = 1.0,
    ) -> None:
        """
        Arm a knob that breaks matching requests.

        "drop_before" drops the connection before the request takes effect,
        "drop_after" after it; "busy" answers 503 ServerBusy; "stall" waits
        before the request takes effect, which it does not if the client has
        gone meanwhile.

        Args:
            kind: What happens to them.
            method: Of the requests that match, None for any.
            query: What their raw query contains, None for any.
            path: What their raw path contains, None for any.
            nth: The first request that is hit, counted from now.
            times: How many are hit from there on.
            seconds: How long a stall lasts.

        Raises:
            ValueError: For an unknown kind, or numbers that could never hit.
        """
        self._faults.arm(ArmedFault(kind, method, query, path, nth - 1, times, seconds))

    def clear(self) -> None:
        """Forget the requests and disarm the faults; counters and state stay."""
        self._faults.clear()
        self.requests.clear()

    # life

    def start(self) -> None:
        """
        Serve in a thread of its own until `stop`.

        Raises:
            RuntimeError: If it serves already.
            OSError: If the port is taken.
        """
        if self._thread is not None:
            msg = "the emulator serves already"
            raise RuntimeError(msg)
        ready: threading.Event = threading.Event()
        failed: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(self._serve_here(self._until_stopped(ready)))
            except BaseException as exc:  # noqa: BLE001 handed to the caller of start
                failed.append(exc)
            finally:
                ready.set()

        self._thread = threading.Thread(target=run, name="hns-emulator", daemon=True)
        self._thread.start()
        ready.wait()
        if failed:
            self._thread.join()
            self._thread = None
            raise failed[0]

    def _until_stopped(self, ready: threading.Event) -> Callable[[], Awaitable[None]]:
        async def wait() -> None:
            self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
            ready.set()
            await self._done.wait()

        return wait

    def stop(self) -> None:
        """Close the sockets and end the thread; nothing to do if it does not serve."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._done is None:
            return
        self._loop.call_soon_threadsafe(self._done.set)
        thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    async def serve(self, ready: Callable[[], None] | None = None) -> None:
        """
        Serve in the running loop until cancelled.

        Args:
            ready: Called when `port` is known and connections are accepted.

        Raises:
            OSError: If the port is taken.
        """

        async def forever() -> None:
            if ready is not None:
                ready()
            await asyncio.Event().wait()

        await self._serve_here(forever)

    async def _serve_here(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        # A body is stored as it was sent: its Content-Encoding is not undone.
        server = web.Server(
            self._service.handle, access_log=None, handler_cancellation=True, auto_decompress=False
        )
        runner = web.ServerRunner(server, shutdown_timeout=_GRACE)
        with socket.create_server((self.host, self.port)) as listening:
            self.port = listening.getsockname()[1]
            await runner.setup()
            try:
                await web.SockSite(runner, listening).start()
                await meanwhile()
            finally:
                # A connection that is accepted while the server closes would never be closed:
                # accept no more, and let those that were accepted get known to the server.
                asyncio.get_running_loop().remove_reader(listening)
                await asyncio.sleep(_GRACE)
                await runner.cleanup()
