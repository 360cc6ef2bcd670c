"""URL: addresses by which anybody may read or write one file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from remote_store import Capability
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.kinds import Need
from remote_store_conformance.contract.trial import TRICKY, Trial

C = Capability

#: What an upload says of itself. The second one Azure demands, and others do not look at it.
_UPLOAD: Final = {"Content-Type": "application/octet-stream", "x-ms-blob-type": "BlockBlob"}

_HOUR: Final = 3600
#: Seconds of a URL that is to end during a check.
_SHORT: Final = 2


async def _ask(
    t: Trial, url: str, method: str = "GET", content: bytes | None = None
) -> tuple[int, bytes]:
    """Send a request as any program does that knows nothing but the URL."""

    def send() -> tuple[int, bytes]:
        request = urllib.request.Request(  # noqa: S310 - of the target
            url, content, _UPLOAD if content is not None else {}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=t.patience) as answer:  # noqa: S310
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read()

    return await asyncio.to_thread(send)


def _refused(what: str, status: int) -> None:
    expect(
        400 <= status < 500, f"{what} is not refused", observed=status, expected="a status of 4xx"
    )


@clause(
    "URL-001",
    "By a signed URL anybody reads a file, whatever is in its name, with plain HTTP and without "
    "credentials; where nothing is, the answer is a refusal.",
    intent="A URL is handed to a browser, and to programs of others.",
    requires=[C.SIGNED_URL, C.READ],
    needs=[Need.SEED],
    since="1.1",
)
async def reads(t: Trial) -> None:
    folder = t.name("folder")
    for number, name in enumerate((*TRICKY, "a+b", "a&b=c", "a#b", "100%")):
        content = b"content %d" % number
        path = await t.seed_file(f"{folder}/{name}/{name}", content)
        url = await t.store.signed_url(path, expires=_HOUR)
        observed = await _ask(t, url)
        expect(
            observed == (200, content),
            f"the signed URL of {path!r} does not give its content",
            observed=observed,
            expected=(200, content),
        )
    status, _ = await _ask(t, await t.store.signed_url(t.name("missing"), expires=_HOUR))
    _refused("a read of a missing file by its signed URL", status)


@clause(
    "URL-002",
    "What is sent to a signed URL for PUT is the file afterwards, as a whole, whatever was there.",
    intent="Uploads need not pass through the program that holds the keys.",
    requires=[C.SIGNED_URL, C.WRITE],
    needs=[Need.PEEK],
    since="1.1",
)
async def writes(t: Trial) -> None:
    path = t.name()
    for content in (b"first content", b"2nd", b""):
        url = await t.store.signed_url(path, expires=_HOUR, method="PUT")
        status, answer = await _ask(t, url, "PUT", content)
        expect(
            200 <= status < 300,
            "an upload to a signed URL is refused",
            observed=(status, answer),
            expected="a status of 2xx",
        )
        observed = await t.peek(path)
        expect(
            observed == content,
            "what was sent to a signed URL is not the content of the file",
            observed=observed,
            expected=content,
        )


@clause(
    "URL-003",
    "A signed URL is good for its method alone: one that reads does not write or delete, and one "
    "that writes does not read.",
    intent="A person who may see a file must not be able to replace it.",
    requires=[C.SIGNED_URL, C.READ, C.WRITE],
    needs=[Need.SEED, Need.PEEK],
    since="1.1",
)
async def one_method(t: Trial) -> None:
    path = await t.seed_file(t.name(), b"content")
    reading = await t.store.signed_url(path, expires=_HOUR)
    writing = await t.store.signed_url(path, expires=_HOUR, method="PUT")
    _refused("a PUT by a signed URL for GET", (await _ask(t, reading, "PUT", b"other"))[0])
    _refused("a DELETE by a signed URL for GET", (await _ask(t, reading, "DELETE"))[0])
    _refused("a GET by a signed URL for PUT", (await _ask(t, writing))[0])
    observed = await t.peek(path)
    expect(
        observed == b"content",
        "a refused request by a signed URL has changed the file",
        observed=observed,
        expected=b"content",
    )


@clause(
    "URL-004",
    "A signed URL works until it expires, and no longer.",
    intent="What is handed on cannot be taken back.",
    requires=[C.SIGNED_URL, C.READ],
    needs=[Need.SEED],
    since="1.1",
    seconds=30,
)
async def expires(t: Trial) -> None:
    path = await t.seed_file(t.name(), b"content")
    long = await t.store.signed_url(path, expires=_HOUR)
    short = await t.store.signed_url(path, expires=_SHORT)
    await asyncio.sleep(_SHORT + 1.5)
    status, _ = await _ask(t, short)
    _refused(f"{_SHORT} seconds after it was made, a read by a URL of so many", status)
    status, answer = await _ask(t, long)
    expect(
        status == 200,
        "a signed URL does not work as long as was asked for",
        observed=(status, answer),
        expected=200,
    )


@clause(
    "URL-005",
    "No log record has a signed URL, or its signature.",
    intent="A person who reads the logs must not be able to read the files.",
    requires=[C.SIGNED_URL, C.READ],
    needs=[Need.SEED],
    since="1.1",
)
async def not_logged(t: Trial) -> None:
    path = await t.seed_file(t.name(), b"content")
    with _all_records() as records:
        url = await t.store.signed_url(path, expires=_HOUR)
        await t.store.exists(path)
    values = [value for _, value in parse_qsl(urlsplit(url).query)]
    signature = max(values, key=len, default=url)
    found = [r for r in records if url in r or signature in r]
    expect(
        not found,
        "a log record has a signed URL",
        observed=found[0][:60] if found else "",
        expected="none",
    )


@contextlib.contextmanager
def _all_records() -> Iterator[list[str]]:
    """Collect the log records of all loggers and levels."""
    records: list[str] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(f"{record.getMessage()} {record.__dict__}")

    root, handler = logging.getLogger(), Collecting()
    level = root.level
    loggers = [x for x in logging.root.manager.loggerDict.values() if isinstance(x, logging.Logger)]
    levels = [(logger, logger.level) for logger in loggers]
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
    try:
        yield records
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        for logger, before in levels:
            logger.setLevel(before)
