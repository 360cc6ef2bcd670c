"""One request from the socket to its answer: signature, tables, fault knobs, one atomic step."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections import Counter
from collections.abc import Callable
from datetime import date

from aiohttp import web

from hns_emulator._address import Address, locate, queries
from hns_emulator._auth import verify
from hns_emulator._endpoints import blob, containers, dfs
from hns_emulator._endpoints.batch import BatchPart, answered, parts
from hns_emulator._endpoints.messages import Answer, Kind, ReceivedRequest, error_answer, finish
from hns_emulator._endpoints.tables import hold_to_tables, select
from hns_emulator._errors import Refused, ServiceError, UnverifiedError
from hns_emulator._faults import Faults
from hns_emulator._state.account import AccountState
from hns_emulator._state.tree import check, parse_name

__all__ = ["AccountService"]

_log = logging.getLogger("hns_emulator")
_HANDLERS = {**dfs.HANDLERS, **containers.HANDLERS, **blob.HANDLERS}
_META = "x-ms-meta-"
_SLICE = 1 << 20
_OLDEST = date(2021, 1, 1)


class _ChunkedResponse(web.StreamResponse):
    """Says that an answer to HEAD is chunked, as the service does; aiohttp would leave it out."""

    async def _write_headers(self) -> None:
        if self.chunked:
            self.headers["Transfer-Encoding"] = "chunked"
        await super()._write_headers()


class _DroppedError(ConnectionError):
    """The connection was dropped on purpose."""


class _RawRequest:
    """
    One request as it arrived.

    Attributes:
        target: Path and query, still percent-encoded.
        fields: Its headers as sent.
        headers: The same, names in lower case.
        query: Decoded; empty if it could not be.
        address: What it is sent to, or the reason why there is no such address.
    """

    __slots__ = ("address", "body", "fields", "headers", "method", "query", "target")

    def __init__(
        self,
        method: str,
        target: str,
        fields: tuple[tuple[str, str], ...],
        body: bytes,
        account: str,
    ) -> None:
        self.method = method
        self.target = target
        self.fields = fields
        self.body = body
        self.headers = {name.lower(): value for name, value in fields}
        self.query: dict[str, str] = {}
        self.address: Address | Refused
        try:
            self.query = queries(target)
            self.address = locate(account, method, target, self.headers, self.query)
        except Refused as refusal:
            self.address = refusal

    @property
    def kind(self) -> Kind | None:
        """The endpoint, None if there is none at this address."""
        return None if isinstance(self.address, Refused) else self.address.kind

    def verified(self, address: Address) -> ReceivedRequest:
        """
        Return it as handlers see it.

        Raises:
            ServiceError: The name is malformed.
        """
        metadata = {
            name[len(_META) :]: value
            for name, value in self.fields
            if name.lower().startswith(_META)
        }
        return ReceivedRequest(
            self.method,
            address.kind,
            address.filesystem,
            address.name,
            parse_name(address.name),
            self.query,
            self.headers,
            metadata,
            self.body,
        )


class AccountService:
    """
    Answers requests on one account.

    Args:
        key: Base64 of the account's key.
        seen: Called with method, endpoint, raw path, raw query and status.
        unverified: Counts what nobody recorded.
        refused: Counts what is outside the closed tables.
        old_versions: Accept an x-ms-version before 2021.
        debug: Check the tree's invariant after each request.
    """

    def __init__(
        self,
        account: AccountState,
        key: str,
        faults: Faults,
        *,
        seen: Callable[[str, str, str, str, int], None],
        unverified: Counter[str],
        refused: Counter[str],
        old_versions: bool,
        debug: bool,
    ) -> None:
        self.lock = threading.Lock()
        self._account = account
        self._key = key
        self._faults = faults
        self._seen = seen
        self._unverified = unverified
        self._refused = refused
        self._old_versions = old_versions
        self._debug = debug

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, or break it if a knob says so."""
        raw = _RawRequest(
            request.method,
            request.raw_path,
            tuple(request.headers.items()),
            await request.content.read(),
            self._account.name,
        )
        status = 0
        try:
            answer = await self._with_fault(raw)
            status = answer.status
            if status < 400:
                _log.info("%s %s: %s", raw.method, raw.target, status)
        except _DroppedError:
            if request.transport is not None:
                request.transport.abort()
            return web.StreamResponse()
        finally:
            path, _, query = raw.target.partition("?")
            self._seen(raw.method, raw.kind or "", path, query, status)
        return await _send(request, answer)

    async def _with_fault(self, raw: _RawRequest) -> Answer:
        fault = self._faults.take(raw.method, raw.target)
        kind = None if fault is None else fault.kind
        if fault is not None and kind == "stall":
            await asyncio.sleep(fault.seconds)
        if kind == "drop_before":
            raise _DroppedError
        answer = await self._answer(raw, busy=kind == "busy")
        if kind == "drop_after":
            raise _DroppedError
        return answer

    async def _answer(self, raw: _RawRequest, *, busy: bool, alone: bool = True) -> Answer:
        account = self._account
        kind = raw.kind or "blob"
        try:
            self._verify(raw)
            if busy:
                raise ServiceError(code="ServerBusy")
            if alone:
                self._require_protocol(raw)
            answer = await self._carry_out(raw)
        except ServiceError as error:
            _log.log(
                logging.WARNING if isinstance(error, Refused | UnverifiedError) else logging.INFO,
                "%s %s: %s %s: %s",
                raw.method,
                raw.target,
                error.status,
                error.code,
                error.text,
            )
            if isinstance(error, Refused):
                self._refused[f"{error.code}: {error.detail}"] += 1
            if isinstance(error, UnverifiedError):
                self._unverified[error.operation] += 1
            ticks = account.clock.tick()
            answer = error_answer(error, kind, raw.method, ticks)
        finish(answer, kind, raw.headers, account.clock.tick())
        return answer

    def _verify(self, raw: _RawRequest) -> None:
        if isinstance(raw.address, Refused):
            raise raw.address
        account = self._account
        verify(
            raw.method,
            account.name,
            self._key,
            raw.target,
            raw.headers,
        )

    def _require_protocol(self, raw: _RawRequest) -> None:
        version = raw.headers.get("x-ms-version", "")
        try:
            if not re.fullmatch(r"\d{4}-\d\d-\d\d", version, re.ASCII):
                raise ValueError
            old = date.fromisoformat(version) < _OLDEST
        except ValueError:
            raise Refused(code="InvalidHeaderValue", detail=f"x-ms-version: {version}") from None
        if old and not self._old_versions:
            raise Refused(code="InvalidHeaderValue", detail=f"x-ms-version: {version}")
        names = [name.lower() for name, _ in raw.fields]
        twice = {name for name in names if names.count(name) > 1 and name.startswith("x-ms-")}
        if twice:
            raise Refused(code="UnsupportedHeader", detail=f"{min(twice)} twice")
        if "chunked" in raw.headers.get("transfer-encoding", ""):
            raise Refused(code="MissingContentLengthHeader", detail=raw.method)

    async def _carry_out(self, raw: _RawRequest) -> Answer:
        account = self._account
        assert isinstance(raw.address, Address)
        request = raw.verified(raw.address)
        operation = select(request)
        hold_to_tables(operation, request)
        if operation.name == "batch":
            return await self._batch(raw)
        with self.lock:
            answer = _HANDLERS[operation.name](account, request)
            if self._debug:
                for fs in account.filesystems.values():
                    check(fs)
        return answer

    async def _batch(self, raw: _RawRequest) -> Answer:
        """Answer each request of a batch as if it had come alone."""
        found = parts(raw.headers.get("content-type", ""), raw.body)
        answers: list[tuple[BatchPart, Answer]] = []
        account = self._account.name
        for part in found:
            # In path style some name the account here, and some do not.
            for host in (raw.headers["host"], f"{account}.blob.core.localhost"):
                fields = (*part.fields, ("host", host))
                inner = _RawRequest(part.method, part.target, fields, b"", account)
                if not isinstance(inner.address, Refused):
                    break
            answers.append((part, await self._answer(inner, busy=False, alone=False)))
        return answered(answers)


async def _send(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    response = _ChunkedResponse(status=answer.status, reason=answer.reason, headers=answer.headers)
    if answer.chunked:
        response.enable_chunked_encoding()
    try:
        await response.prepare(request)
        view = memoryview(answer.body or b"")
        for start in range(0, len(view), _SLICE):
            await response.write(view[start : start + _SLICE])
        await response.write_eof()
    except ConnectionError:
        pass  # The client has gone; what it asked for is done.
    return response
