"""What is no answer of the service never counts as one: not as absence, content or success."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import pytest
from azure.storage.blob.aio import LinearRetry
from tests.azure.flat import QUICK
from tests.azure.scripted import KEY, Act, Server, bare, reply, scripted
from tests.azure.wiring import chunked
from tests.operations import FLAT_OPERATIONS, OPERATIONS, Paths, crossed, settle

from remote_store import AlreadyExists, BackendUnavailable, RetryPolicy
from remote_store_azure import AsyncAzureBackend
from remote_store_azure._rest import operations as _operations
from remote_store_azure._rest.operations import Operation

pytestmark = pytest.mark.asyncio

Call = Callable[[AsyncAzureBackend], Awaitable[Any]]

#: A retry policy of the SDK's own, in place of ours.
SDKS: Final = LinearRetry(backoff=0, retry_total=2, random_jitter_range=0)
PAGE: Final = b"<html><body>Please log in</body></html>"
FOREIGN: Final = {
    "404": bare(404, PAGE),
    "login page": bare(200, PAGE, Content_Type="text/html", ETag='"1"'),
    "bare 201": bare(201),
    "bare 202": bare(202),
    "bare 204": bare(204),
    "403": bare(403, PAGE),
    "409": bare(409),
    "412": bare(412, b"<Error><Code>ConditionNotMet</Code></Error>"),
    "502": bare(502, PAGE),
    "503": bare(503),
    "501": bare(501),
    "marked 404": bare(404, x_ms_request_id="1"),
    "code without a mark": bare(404, x_ms_error_code="BlobNotFound"),
    "marked 204": bare(204, x_ms_request_id="1", x_ms_version="2026-06-06"),
}

PATHS: Final = Paths("d/a", "d", "d/b")
#: Those that change something come first, a write before all others.
CALLS: Final[dict[str, Call]] = {
    "stream": lambda b: b.write("d/a", chunked(b"y" * 20, 7), overwrite=True),
    **{
        name: partial(op, paths=PATHS)
        for name, op in sorted(OPERATIONS.items(), key=lambda item: not item[1].changes)
    },
}
#: Those that make a change once they have looked.
CHANGES: Final = [
    "stream",
    *(n for n, op in FLAT_OPERATIONS.items() if op.changes and op.method != "delete_folder"),
    "delete_folder, recursive",
]


@asynccontextmanager
async def opened(server: Server, **options: Any) -> AsyncIterator[AsyncAzureBackend]:
    """Give a backend on a scripted account, with blocks of 16 bytes."""
    sizes = {"max_block_size": 16, "max_single_put_size": 16}
    options = {"account_key": KEY, "retry": QUICK, "client_options": sizes, **options}
    backend = AsyncAzureBackend("box", account_url=server.url, **options)
    try:
        yield backend
    finally:
        await backend.aclose()


@pytest.mark.parametrize(
    ("call_hns", "answer"),
    crossed(
        [c for c in itertools.product(CALLS, [False, True]) if c != ("create_folder", False)],
        FOREIGN,
    ),
)
async def test_nothing_in_between_answers_for_the_service(
    call_hns: tuple[str, bool], answer: str
) -> None:
    """Every operation is repeated as if there were no answer, and then says that there is none."""
    call, hns = call_hns
    async with scripted(FOREIGN[answer]) as server, opened(server, hns=hns) as backend:
        with pytest.raises(BackendUnavailable, match="No answer from the service"):
            await settle(CALLS[call](backend))
        asked = [s for s in server.seen if s.target == server.seen[0].target]
    assert len(asked) >= QUICK.max_attempts


@pytest.mark.parametrize("answer", FOREIGN)
async def test_the_kind_of_account_is_not_guessed(answer: str) -> None:
    """A question that something else answered is asked again at the next operation."""
    async with scripted(FOREIGN[answer]) as server, opened(server) as backend:
        for _ in range(2):
            with pytest.raises(BackendUnavailable, match="No answer from the service"):
                await backend.exists("a")
    assert len(server.seen) == 2 * QUICK.max_attempts
    assert all("restype=account" in seen.target for seen in server.seen)


@pytest.mark.parametrize(("call", "answer"), crossed(CHANGES, ["bare 201", "503", "404", "412"]))
async def test_a_change_may_have_been_made(call: str, answer: str) -> None:
    """What is in between may have handed the request on: nobody knows, and the error says so."""
    acts: dict[str, list[Act]] = {
        "stream": [reply(201), reply(201)],
        "move": [reply(200, Content_Length="0")],
        "delete_folder": [reply(200, LISTED, Content_Type="application/xml")],
    }
    async with (
        scripted(*acts.get(call.partition(",")[0], []), FOREIGN[answer]) as server,
        opened(server, hns=False) as backend,
    ):
        with pytest.raises(BackendUnavailable) as caught:
            await CALLS[call](backend)
    assert caught.value.outcome_unknown
    assert caught.value.status == int(FOREIGN[answer][9:12])


LISTED: Final = (
    b"<EnumerationResults><Blobs><Blob><Name>d/a</Name></Blob></Blobs></EnumerationResults>"
)


@pytest.mark.parametrize("retries", [{"retry": QUICK}, {"client_options": {"retry_policy": SDKS}}])
async def test_ones_own_file_is_not_somebody_elses(retries: dict[str, Any]) -> None:
    """After a gateway's 503 the refusal of the repetition may be about one's own file."""
    mine = reply(200, Content_Length="1")
    async with (
        scripted(bare(503, PAGE), reply(409), mine) as server,
        opened(server, hns=False, **{"retry": None, **retries}) as backend,
    ):
        with pytest.raises(AlreadyExists) as caught:
            await backend.write("a", b"x")
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("step", [0, 1, 2])
async def test_a_temporary_file_is_removed_and_the_error_is_right(step: int) -> None:
    """A gateway's 503 at any step of a write on a hierarchical account leaves nothing behind."""
    steps: list[Act] = [reply(201), reply(202), reply(201)]
    acts = [*steps[:step], *[bare(503)] * QUICK.max_attempts]
    looks = [reply(404)] * (step > 0)  # whether an earlier attempt was carried out after all
    async with (
        scripted(*acts, *looks, reply(200)) as server,
        opened(server, hns=True) as backend,
    ):
        with pytest.raises(BackendUnavailable) as caught:
            await backend.write_atomic("d/a", b"x", overwrite=True)
    assert [s.method for s in server.seen].count("DELETE") == 1
    assert ".~tmp." in next(s.target for s in server.seen if s.method == "DELETE")
    # Until the rename the file itself has not been touched.
    assert caught.value.outcome_unknown is (step == 2)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "call", ["read_bytes", "write, overwrite", "delete", "copy", "check_health"]
)
async def test_redirects_are_not_followed(status: int, call: str) -> None:
    """No other host gets content, signatures or tokens, nor gives content."""
    async with scripted(reply(200, b"content")) as elsewhere:
        redirect = bare(status, Location=f"{elsewhere.url}/box/d/a")
        async with scripted(redirect) as server, opened(server, hns=False) as backend:
            with pytest.raises(BackendUnavailable, match=rf"redirect \({status}\)"):
                await settle(CALLS[call](backend))
            assert {seen.target for seen in server.seen} == {server.seen[0].target}
        assert elsewhere.seen == []


async def test_a_batch_is_no_exception() -> None:
    """An answer without parts, or with parts that are not the service's, deletes nothing."""
    part = b"--x\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n"
    multipart = "multipart/mixed; boundary=x"
    two = LISTED.replace(b"<Blobs>", b"<Blobs><Blob><Name>d/b</Name></Blob>")
    listing = reply(200, two, Content_Type="application/xml")
    for answer in (
        reply(202, b"", Content_Type="text/plain"),
        reply(202, b"nonsense", Content_Type=multipart),
        reply(202, b"--x\r\n\r\nHTTP/1.1 nonsense\r\n--x--", Content_Type=multipart),
        reply(202, part * 2 + b"--x--\r\n", Content_Type=multipart),
    ):
        acts: list[Act] = [listing, answer, reply(202), reply(202), reply(404)]
        async with scripted(*acts) as server, opened(server, hns=False) as backend:
            await backend.delete_folder("d", recursive=True)
        assert [s.method for s in server.seen[:4]] == ["GET", "POST", "DELETE", "DELETE"]


async def test_a_batch_is_read_to_a_bound() -> None:
    """An endless answer to a batch is left there, and the blobs are deleted one by one."""
    size = _operations.DELETE_BLOBS.most + 1
    listing = reply(
        200,
        LISTED.replace(b"<Blobs>", b"<Blobs><Blob><Name>d/b</Name></Blob>"),
        Content_Type="application/xml",
    )
    endless = reply(202, bytes(size), Content_Type="multipart/mixed; boundary=x")
    acts: list[Act] = [listing, endless, reply(202), reply(202), reply(404)]
    async with (
        scripted(*acts) as server,
        opened(server, hns=False, retry=RetryPolicy.disabled()) as backend,
    ):
        await backend.delete_folder("d", recursive=True)
    assert [s.method for s in server.seen] == ["GET", "POST", "DELETE", "DELETE", "HEAD"]


def _operations_by_name() -> dict[str, Operation]:
    return {n: op for n, op in vars(_operations).items() if isinstance(op, Operation)}


@pytest.mark.parametrize("name", _operations_by_name())
async def test_each_proof_counts(name: str) -> None:
    """Whichever header of its table an answer lacks, it is refused and the header is named."""
    operation = _operations_by_name()[name]
    for status, wanted in operation.answers.items():
        whole = dict.fromkeys(("x-ms-version", *wanted), "x")
        assert operation.lacks(status, whole) == ""
        for header in wanted:
            rest = {n: v for n, v in whole.items() if n != header}
            assert header in operation.lacks(status, rest)
    for status in (204, 302, 304):
        assert operation.lacks(status, {"x-ms-version": "x"})
    for mark in ("x-ms-version", "x-ms-request-id"):
        assert operation.lacks(404, {mark: "x", "x-ms-error-code": "BlobNotFound"}) == ""
        assert "x-ms-error-code" in operation.lacks(404, {mark: "x"})
