"""No signature can be reached from an error, whichever way one looks."""

from __future__ import annotations

import asyncio
import itertools
import pickle
import re
import traceback
import types
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

import pytest
from azure.core.credentials import AzureSasCredential
from tests.azure.flat import QUICK
from tests.azure.scripted import KEY, Act, bare, reply, scripted
from tests.azure.test_foreign_answers import LISTED
from tests.operations import OPERATIONS, Paths, crossed, settle

from remote_store import RemoteStoreError
from remote_store_azure import AsyncAzureBackend
from remote_store_azure._rest.redact import RedactedResponse, Signed

pytestmark = pytest.mark.asyncio

SIGNATURE: Final = "TheSignatureOfTheToken"
TOKEN: Final = f"sv=2022-11-02&sp=rw&sig={SIGNATURE}%2Fx%3D&se=2030"

#: Two blobs, which are deleted in a batch.
TWO: Final = LISTED.replace(b"<Blobs>", b"<Blobs><Blob><Name>d/b</Name></Blob>")

Call = Callable[[AsyncAzureBackend], Awaitable[Any]]

PATHS: Final = Paths("a", "d", "b")
CALLS: Final = (
    *("write", "read", "copy, overwrite", "move, overwrite", "delete_folder, recursive"),
    "list_files",
)


async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin an answer, and drop the connection."""
    writer.write(reply(200, b"half", Content_Length="8"))
    await writer.drain()


DETAIL: Final = (
    b"<Error><Code>AuthenticationFailed</Code><AuthenticationErrorDetail>The MAC signature found "
    b"in the HTTP request 'MAC' is not the same as any computed signature."
    b"</AuthenticationErrorDetail></Error>"
)
ACTS: Final[dict[str, Act]] = {
    "403": reply(403, DETAIL),
    "409": reply(409, f"<Error><Message>https://x?{TOKEN}</Message></Error>".encode()),
    "500": reply(500),
    "503": reply(503),
    "redirect": bare(307, Location=f"https://elsewhere/x?{TOKEN}"),
    "dropped": None,
    "no HTTP": b"this is no HTTP\r\n\r\n",
    "cut": stall,
}


def reachable(root: object) -> Iterator[str]:
    """Give every text that attributes and items of *root* lead to, but for frames."""
    todo, seen = [root], {id(root): root}
    while todo:
        thing = todo.pop()
        below: list[object] = []
        if isinstance(thing, (str, bytes, bytearray)):
            yield thing if isinstance(thing, str) else bytes(thing).decode("latin-1")
            continue
        if isinstance(thing, (type, types.ModuleType, types.FunctionType, types.TracebackType)):
            continue
        if isinstance(thing, BaseException):
            below += [thing.args, thing.__cause__, thing.__context__]
        if isinstance(thing, Mapping):
            below += [*thing.keys(), *thing.values()]
        elif isinstance(thing, (list, tuple, set, frozenset)):
            below += thing
        below += getattr(thing, "__dict__", {}).values()
        for kind in type(thing).__mro__:
            slots = kind.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                below.append(getattr(thing, name, None))
        for each in below:
            if id(each) not in seen:
                seen[id(each)] = each
                todo.append(each)


def shown(error: BaseException) -> Iterator[str]:
    """Give what tracebacks with locals print of the frames that are not the tests' own."""
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo:
        each = todo.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        todo += [each.__cause__, each.__context__]
        report = traceback.TracebackException.from_exception(each, capture_locals=True)
        for frame in report.stack:
            if "/tests/" not in frame.filename:
                yield f"{frame.filename}:{frame.lineno}: {frame.locals}"


@pytest.mark.parametrize(
    ("call_hns", "act", "secret"),
    crossed(itertools.product(CALLS, [False, True]), ACTS, ["key", "sas", "credential"]),
)
async def test_no_signature_is_reachable(call_hns: tuple[str, bool], act: str, secret: str) -> None:
    """Not by attributes, causes, contexts, answers, requests, pickles or locals in tracebacks."""
    call, hns = call_hns
    every: dict[str, dict[str, Any]] = {
        "key": {"account_key": KEY},
        "sas": {"sas_token": TOKEN},
        "credential": {"credential": AzureSasCredential(TOKEN)},
    }
    begin: dict[str, list[Act]] = {
        "move": [reply(200, Content_Length="1")],
        "delete_folder": [] if hns else [reply(200, TWO)],
    }
    async with scripted(*begin.get(call.partition(",")[0], []), ACTS[act]) as server:
        backend = AsyncAzureBackend(
            "box", account_url=server.url, hns=hns, retry=QUICK, **every[secret]
        )
        with pytest.raises(RemoteStoreError) as caught:
            await settle(OPERATIONS[call](backend, PATHS))
        await backend.aclose()
    secrets = {SIGNATURE, KEY, "'MAC'"}
    for seen in server.seen:
        secrets.add(seen.headers.get("authorization", KEY).rpartition(":")[2])
        secrets.update(re.findall(r"SharedKey \w+:(\S+)", seen.body.decode("latin-1")))
    error = caught.value
    texts = [*reachable(error), *shown(error), repr(error), str(error)]
    texts.append(pickle.dumps(error).decode("latin-1"))
    for text in texts:
        for each in secrets:
            assert each not in text, text


async def test_a_reply_is_what_the_sdk_documents() -> None:
    """Status, words, headers and body of an answer are there for who handles the SDK's error."""
    async with scripted(reply(403, DETAIL, Content_Type="application/xml")) as server:
        backend = AsyncAzureBackend("box", account_url=server.url, account_key=KEY, hns=False)
        with pytest.raises(RemoteStoreError) as caught:
            await backend.read_bytes("a")
        await backend.aclose()
    cause: Any = caught.value.__cause__
    found = cause.response
    assert isinstance(found, RedactedResponse)
    assert (found.status_code, found.reason, cause.status_code) == (403, "Reason", 403)
    assert found.headers["X-MS-Error-Code"] == "AuthorizationFailure"
    assert found.content_type == "application/xml"
    assert "AuthenticationFailed" in found.text()
    assert found.body() == found.content
    assert found.request.method == "GET"
    assert repr(found) == "<Reply: 403 Reason>"


async def test_a_text_with_a_token_hides_it_in_its_repr_only() -> None:
    """It is sent as it is."""
    text = Signed(f"https://x/y?{TOKEN}")
    assert text == f"https://x/y?{TOKEN}"
    assert SIGNATURE not in repr({"headers": [text]})
