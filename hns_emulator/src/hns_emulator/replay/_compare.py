"""
Compare the emulator's answer with the recorded one.

Everything that was written down counts: status, reason phrase, header names
both ways, values, body to the byte. What may differ is in the tables here:
values of a run (bound), what recorders remove, account settings, and what
answers of old API versions lack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from hns_emulator.replay._bind import Bindings, encodes, second_of
from hns_emulator.replay._operation import RequestedOperation, operation
from hns_emulator.replay._read import RecordedExchange, RecordedRequest
from hns_emulator.replay._send import ReceivedAnswer

__all__ = ["compare"]

#: What answers of old API versions may lack, by operation or method: the headers, and the first
#: version that was seen with them. In between it is not known, and counts as old.
_OLD_LACKS: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "create": ("2026-04-06", frozenset({"x-ms-request-server-encrypted"})),
    "rename": ("2021-06-08", frozenset({"etag", "last-modified"})),
    "delete": ("2026-04-06", frozenset({"x-ms-delete-type-permanent"})),
    "GET": ("2026-04-06", frozenset({"x-ms-access-tier", "x-ms-access-tier-inferred"})),
    "read": (
        "2026-04-06",
        frozenset(
            f"x-ms-{name}" for name in ("acl", "group", "owner", "permissions", "resource-type")
        ),
    ),
}
#: The same for the entries of a listing.
_LIST_MODERN: Final = "2020-02-10"
_OLD_LIST_LACKS: Final = (rb'"creationTime":"\d+",', rb'"expiryTime":"\d+",')
#: Since this version a flush says that it was not encrypted; before it said `true`.
_FLUSH_NOT_ENCRYPTED: Final = "2023-08-03"

#: Recorders remove these; where they are left, they are compared.
_REMOVED: Final = {"date", "server", "x-ms-client-request-id", "x-ms-request-id"}
#: An excerpt leaves these out as well.
_REDUCED: Final = _REMOVED | {"x-ms-version"}
#: About the connection, or added for browsers: nothing the operation decides.
_TRANSPORT: Final = {"connection", "keep-alive", "vary"}
_BROWSER: Final = "access-control-"
#: Settings of the account that was recorded: its redundancy, and soft delete switched on.
_SETTINGS: Final = {"x-ms-sku-name", "x-ms-deletion-id"}

_VOLATILE: Final = r"""
    (?P<etag>0x[0-9A-F]{{15}})
  | (?P<date>[A-Z][a-z]{{2}},\ \d\d\ [A-Z][a-z]{{2}}\ \d{{4}}\ \d\d:\d\d:\d\d\ GMT)
  | (?<="creationTime":")(?P<creation>\d+)
  | (?<=RequestId:)(?P<id>{id})
  | (?<=Time:)(?P<time>{time})
  | (?<=<NextMarker>)(?P<token>[^<]*)
  | (?<=ServiceEndpoint=")(?P<endpoint>[^"]*)
"""
_THEIRS: Final = re.compile(_VOLATILE.format(id=r'[^\\\n<"]*', time=r'[^\\\n<"]*'), re.VERBOSE)
_OURS: Final = re.compile(
    _VOLATILE.format(
        id="[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        time=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z",
    ),
    re.VERBOSE,
)
_BOM: Final = b"\xef\xbb\xbf"


def compare(
    exchange: RecordedExchange, sent: RecordedRequest, got: ReceivedAnswer, bindings: Bindings
) -> list[str]:
    """
    Compare one answer, and bind the values that it shows.

    Returns:
        One line for each difference; none if the answers are equal.
    """
    op = operation(exchange.request)
    lines = list(_status(exchange, got))
    lines += _names(op, exchange, got)
    lines += _values(op, exchange, sent, got, bindings)
    lines += _body(op, exchange, got, bindings)
    return lines


def _status(exchange: RecordedExchange, got: ReceivedAnswer) -> Iterator[str]:
    answer = exchange.answer
    if answer.status != got.status:
        yield f"status {got.status} {got.code or ''}, recorded {answer.status}"
    if answer.reason is not None and answer.reason != got.reason:
        yield f"reason {got.reason!r}, recorded {answer.reason!r}"


def _names(
    op: RequestedOperation, exchange: RecordedExchange, got: ReceivedAnswer
) -> Iterator[str]:
    recorded = set(exchange.answer.headers)
    optional = _REDUCED if exchange.reduced else _REMOVED
    for key in (op.name, exchange.request.method):
        modern, lacking = _OLD_LACKS.get(key, ("", frozenset()))
        if exchange.version < modern:
            optional = optional | lacking
    for name in sorted(set(got.headers) - recorded - optional - _TRANSPORT):
        yield f"header {name}: {got.headers[name]!r} is not in the recording"
    for name in sorted(recorded - set(got.headers) - _TRANSPORT - _SETTINGS):
        if not name.startswith(_BROWSER):
            yield f"header {name} is missing, recorded {exchange.answer.headers[name]!r}"


def _values(
    op: RequestedOperation,
    exchange: RecordedExchange,
    sent: RecordedRequest,
    got: ReceivedAnswer,
    bindings: Bindings,
) -> Iterator[str]:
    recorded = exchange.answer.headers
    # ETags first: the times are compared with what they say.
    for name in sorted(set(recorded) & set(got.headers), key=lambda name: (name != "etag", name)):
        then, now = recorded[name], got.headers[name]
        complaint = None
        if name == "etag":
            complaint = _quoted(then, now) or bindings.etag(then.strip('"'), now.strip('"'))
        elif name == "last-modified":
            etag = recorded.get("etag", "").strip('"')
            complaint = bindings.date(then, now, etag if encodes(etag, then) else None)
            if complaint is None:
                bindings.modified(op.path, then, now)
        elif name == "x-ms-copy-id":
            complaint = bindings.copy(then, now)
        elif name in {"x-ms-creation-time", "x-ms-copy-completion-time"}:
            complaint = bindings.date(then, now)
        elif name == "date":
            complaint = None if second_of(now) is not None else f"{now!r} is not a date"
        elif name == "x-ms-continuation":
            complaint = bindings.token(then, now)
        elif name == "x-ms-request-id":
            complaint = None if len(now) == 36 else f"{now!r} is not a request id"
        elif name == "x-ms-client-request-id":
            asked = sent.header(name)
            complaint = None if now == asked else f"{now!r}, asked with {asked!r}"
        elif not _same(name, then, now, op, exchange):
            complaint = f"{now!r}, recorded {then!r}"
        if complaint is not None:
            yield f"header {name}: {complaint}"


def _quoted(recorded: str, got: str) -> str | None:
    if recorded.startswith('"') != got.startswith('"'):
        return f"{got} is not quoted as recorded: {recorded}"
    return None


def _same(
    name: str, then: str, now: str, op: RequestedOperation, exchange: RecordedExchange
) -> bool:
    if then == now or name in _TRANSPORT | _SETTINGS:
        return True
    if name == "content-type" and exchange.reduced:
        # Tools that parse media types write a blank after the semicolon.
        return then.replace("; ", ";") == now
    if name == "x-ms-copy-source":
        return urlsplit(then).path == urlsplit(now).path  # the account has another name here
    if name == "x-ms-request-server-encrypted" and op.name == "flush":
        return exchange.version < _FLUSH_NOT_ENCRYPTED
    return name == "x-ms-delete-type-permanent" and "x-ms-deletion-id" in exchange.answer.headers


def _body(
    op: RequestedOperation, exchange: RecordedExchange, got: ReceivedAnswer, bindings: Bindings
) -> Iterator[str]:
    recorded, body = exchange.answer.body, got.body
    if recorded is None:
        return
    if op.name in {"list paths", "list blobs"} or got.code is not None:
        if not recorded.startswith(_BOM) and "xml" in got.headers.get("content-type", ""):
            body = body.removeprefix(_BOM)  # the recorder's decoder dropped it
        if exchange.version < _LIST_MODERN:
            for pattern in _OLD_LIST_LACKS:
                if re.search(pattern, recorded) is None:
                    body = re.sub(pattern, b"", body)
        if exchange.reduced:
            body = body.removesuffix(b"\n")  # an excerpt's body was parsed
        yield from _text(recorded.decode(errors="replace"), body.decode(errors="replace"), bindings)
    elif recorded != body:
        yield f"body {_short(body)}, recorded {_short(recorded)}"


def _text(recorded: str, got: str, bindings: Bindings) -> Iterator[str]:
    """Compare texts: the same but for the values of a run, and these as bound."""
    theirs, ours = list(_THEIRS.finditer(recorded)), list(_OURS.finditer(got))
    frame, found = _THEIRS.sub("…", recorded), _OURS.sub("…", got)
    kinds = [match.lastgroup for match in theirs] == [match.lastgroup for match in ours]
    if frame != found or not kinds:
        yield f"body {_short(found)}, recorded {_short(frame)}"
        return
    pairs = list(zip(theirs, ours, strict=True))
    for then, now in sorted(pairs, key=lambda pair: pair[0].lastgroup != "etag"):
        complaint = {
            "etag": bindings.etag,
            "date": bindings.date,
            "creation": bindings.creation,
            "token": bindings.token,
        }.get(then.lastgroup or "", lambda _then, _now: None)(then.group(), now.group())
        if complaint is not None:
            yield f"body: {complaint}"


def _short(value: str | bytes) -> str:
    text = repr(value)
    return text if len(text) <= 500 else f"{text[:300]} … {text[-150:]} ({len(value)} long)"
