"""
What stands for what: values of the recording and the emulator's values for them.

ETags, times and continuation tokens differ from run to run. Each is bound at
first sight, and from then on must repeat where the recording repeats it and
differ where the recording differs.
"""

from __future__ import annotations

import calendar
import re
import time
from email.utils import formatdate, parsedate_to_datetime
from typing import Final
from urllib.parse import quote, unquote

from hns_emulator.replay._operation import RequestedOperation, operation
from hns_emulator.replay._read import RecordedExchange, RecordedRequest
from hns_emulator.replay._send import RawClient

__all__ = ["Bindings", "Unresolvable", "encodes", "second_of"]

_UNIX_EPOCH_TICKS: Final = 621_355_968_000_000_000
_FILETIME_TICKS: Final = 504_911_232_000_000_000
_PER_SECOND: Final = 10_000_000
_DROPPED: Final = {
    *("authorization", "connection", "content-length", "date", "expect", "host"),
    *("transfer-encoding", "x-ms-date"),
}
#: What a shared access signature puts into the query; the request is signed with the key instead.
_SAS: Final = {
    *("saoid", "sdd", "se", "si", "sig", "sip", "ske", "skoid", "sks", "skt", "sktid", "skv"),
    *("sp", "spr", "sr", "srt", "ss", "st", "suoid", "sv"),
}
_ETAG: Final = re.compile(r"0x[0-9A-F]{15}")
_COPY: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: What the set-up made is this much too young at most.
_SETUP_SECONDS: Final = 5
_TOKENS: Final = {"continuation", "marker"}
_NO_ETAG: Final = '"0x000000000000000"'
_BODY_TIME: Final = re.compile(rb"Time:(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)")


class Unresolvable(Exception):
    """Raised when a request holds a value for which the recording gives no equivalent."""


def encodes(etag: str, date: str) -> bool:
    """Return True if an unquoted ETag is the time of a date, as ETags of the service are."""
    return _ETAG.fullmatch(etag) is not None and _ticks_second(etag) == second_of(date)


class Bindings:
    """The bindings of one recording, kept while its exchanges are replayed."""

    def __init__(self) -> None:
        self._etags: dict[str, str] = {}
        self._recorded: dict[str, str] = {}
        self._tokens: dict[str, str] = {}
        self._copies: dict[str, str] = {}
        self._modified: list[tuple[str, int, int]] = []

    def etag(self, recorded: str, got: str) -> str | None:
        """Bind or check an unquoted ETag; give the complaint, if there is one."""
        if _ETAG.fullmatch(got) is None:
            return f"{got!r} does not have the form of the service's ETags"
        if _ETAG.fullmatch(recorded) is None:
            return None  # masked
        expected = self._etags.setdefault(recorded, got)
        if expected != got:
            return f"{got} where the recording repeats the ETag bound to {expected}"
        first = self._recorded.setdefault(got, recorded)
        if first != recorded:
            return f"{got} again where the recording has a new ETag"
        return None

    def token(self, recorded: str, got: str) -> str | None:
        """Bind or check a continuation token."""
        if bool(recorded) != bool(got):
            return f"token {got!r}, recorded {recorded!r}"
        self._tokens[recorded] = got
        return None

    def copy(self, recorded: str, got: str) -> str | None:
        """Bind or check the id of a copy."""
        if _COPY.fullmatch(got) is None:
            return f"{got!r} is not the id of a copy"
        expected = self._copies.setdefault(recorded, got)
        if expected != got or list(self._copies.values()).count(got) > 1:
            return f"{got} where the recording has another copy, or repeats that of {expected}"
        return None

    def creation(self, recorded: str, got: str) -> str | None:
        """Check a creation time in 100 ns since 1601 against the ETags seen so far."""
        if re.fullmatch(r"\d{18}", got) is None:
            return f"{got!r} is not a creation time"
        known = self._etags.get(f"0x{int(recorded) + _FILETIME_TICKS:X}")
        if known is not None and int(known, 16) != int(got) + _FILETIME_TICKS:
            return f"creation time {got} is not that of {known}, as recorded"
        return None

    def date(self, recorded: str, got: str, etag: str | None = None) -> str | None:
        """
        Check a time of whole seconds.

        Args:
            recorded: As it was written down.
            got: As the emulator gave it.
            etag: The recorded ETag that it belongs to; None = any of those seen so far.
        """
        then, now = second_of(recorded), second_of(got)
        if now is None or formatdate(now, usegmt=True) != got:
            return f"{got!r} is not a date in the form of RFC 1123"
        near = [etag] if etag is not None else list(self._etags)
        near = [e for e in near if e in self._etags and _ticks_second(e) == then]
        # Which change a time without an ETag is of is a guess: what the set-up made has a
        # second of its own here, so the one before and after count as well.
        slack = 0 if etag is not None else 1
        if near and all(abs(now - _ticks_second(self._etags[e])) > slack for e in near):
            return f"{got} is not the time of {self._etags[near[0]]}, as recorded"
        return None

    def modified(self, path: str, recorded: str, got: str) -> None:
        """Remember when the same change happened there and here."""
        then, now = second_of(recorded), second_of(got)
        if then is not None and now is not None:
            self._modified.append((path, then, now))

    def request(self, exchange: RecordedExchange, client: RawClient) -> RecordedRequest:
        """
        Put the emulator's values into a recorded request.

        Raises:
            Unresolvable: A value that the request needs has no counterpart here.
        """
        sent = exchange.request
        op = operation(sent)
        headers = {}
        for name, value in sent.headers.items():
            low = name.lower()
            if low in _DROPPED:
                continue
            if low.endswith(("if-match", "if-none-match")) and value != "*":
                value = self._condition(low, value, op, exchange, client)
            elif low.endswith("modified-since"):
                value = formatdate(self._moment(low, value, op, exchange, client), usegmt=True)
            elif low == "x-ms-copy-source":
                path = re.sub(r"^https?://[^/]+", "", value).partition("?")[0]
                value = f"http://{client.account}.blob.core.localhost:{client.port}{path}"
            headers[name] = value
        query = "&".join(self._query(part) for part in _unsigned(sent.query))
        return RecordedRequest(sent.method, sent.host, sent.path, query, headers, sent.body)

    def _query(self, part: str) -> str:
        name, _, value = part.partition("=")
        if name not in _TOKENS or not value:
            return part
        token = self._tokens.get(unquote(value))
        if token is None:
            msg = f"the token of {name}= comes from an answer that was not written down"
            raise Unresolvable(msg)
        return f"{name}={quote(token, safe='')}"

    def _condition(
        self,
        name: str,
        value: str,
        op: RequestedOperation,
        exchange: RecordedExchange,
        client: RawClient,
    ) -> str:
        recorded = value.strip('"')
        known = self._etags.get(recorded)
        if known is not None:
            return f'"{known}"'
        refused = exchange.answer.status in {304, 412}
        if refused == name.endswith("if-none-match"):
            # The answer shows that this was the current ETag of something made by the set-up.
            path = op.source if name.startswith("x-ms-source") else op.path
            found = client.send("HEAD", "blob", "/" + quote(path or "")).headers.get("etag", "")
            if found:
                self.etag(recorded, found.strip('"'))
                return found
        return _NO_ETAG if "{" in value else value

    def _moment(
        self,
        name: str,
        value: str,
        op: RequestedOperation,
        exchange: RecordedExchange,
        client: RawClient,
    ) -> int:
        """Give the moment here that is as far from known changes as the recorded one was."""
        then = second_of(value)
        if then is None:
            msg = f"{value!r} is not a date"
            raise Unresolvable(msg)
        path = op.source if name.startswith("x-ms-source") else op.path
        own = [(a, b) for seen, a, b in self._modified if seen == path]
        known = [pair for pair in own if pair[0] == then][-1:]
        known = known or [(a, b) for _, a, b in self._modified]
        if not known:
            known = [(_recorded_now(exchange), int(time.time()))]
        there, now = min(known, key=lambda pair: abs(pair[0] - then))
        moment = now + then - there
        return moment if own else _beside(moment, name, path or "", exchange, client)


def _beside(
    moment: int, name: str, path: str, exchange: RecordedExchange, client: RawClient
) -> int:
    """Move a moment to the side of a set-up file's time on which the recorded one was."""
    found = client.send("HEAD", "blob", "/" + quote(path)).headers.get("last-modified")
    made = second_of(found)
    if made is None or abs(moment - made) > _SETUP_SECONDS:
        return moment
    refused = exchange.answer.status in {304, 412}
    after = refused != name.endswith("if-unmodified-since")
    return max(moment, made) if after else min(moment, made - 1)


def _ticks_second(etag: str) -> int:
    return (int(etag, 16) - _UNIX_EPOCH_TICKS) // _PER_SECOND


def second_of(date: str | None) -> int | None:
    """Give a date in seconds since 1970; None for anything else, for instance a mask."""
    try:
        return int(parsedate_to_datetime(date or "").timestamp())
    except ValueError:
        return None


def _unsigned(query: str) -> list[str]:
    parts = [part for part in query.split("&") if part]
    if not any(part.startswith("sig=") for part in parts):
        return parts
    return [part for part in parts if part.partition("=")[0] not in _SAS]


def _recorded_now(exchange: RecordedExchange) -> int:
    headers = exchange.answer.headers
    for date in (headers.get("date"), exchange.request.header("x-ms-date")):
        second = second_of(date)
        if second is not None:
            return second
    found = _BODY_TIME.search(exchange.answer.body or b"")
    if found is not None:
        return calendar.timegm(time.strptime(found[1].decode(), "%Y-%m-%dT%H:%M:%S"))
    second = second_of(headers.get("last-modified"))
    if second is not None:
        return second
    msg = "a time condition, and no recorded time to compare it with"
    raise Unresolvable(msg)
