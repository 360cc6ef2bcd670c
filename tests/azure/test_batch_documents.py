"""The documents of batches: what is sent is what the SDK would send, and what is read is strict."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy
from tests.azure.scripted import KEY

from remote_store_azure._blob.batch import answers, batch_body, shared_key

DATE = "Thu, 14 Jun 2018 16:46:54 GMT"


@pytest.mark.parametrize("match", ["", '"0x8DECD733743AE98"'])
@pytest.mark.parametrize("snapshots", [False, True])
@pytest.mark.parametrize("path", ["/box/a/b", "/acct/box/a%20b%2Fc%3F%C3%A4~/'x"])
def test_signatures_are_those_of_the_sdk(match: str, snapshots: bool, path: str) -> None:
    """Of the same request, byte for byte."""
    headers = {"x-ms-date": DATE}
    if snapshots:
        headers["x-ms-delete-snapshots"] = "include"
    request = HttpRequest("DELETE", path, headers=headers | ({"If-Match": match} if match else {}))
    policy: Any = SharedKeyCredentialPolicy
    policy("acct", KEY).on_request(PipelineRequest(request, PipelineContext(None)))

    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    assert shared_key("acct", KEY, lines)(path, match) == request.headers["Authorization"]


def test_a_key_that_is_no_base64() -> None:
    """It is an error of its own."""
    with pytest.raises(ValueError, match=r"padding|base64"):
        shared_key("acct", "no key!", "")


def test_the_body() -> None:
    """As the service documents it, line by line."""
    parts = [("/box/a?sig=x", [("x-ms-date", DATE)]), ("/box/b", [("If-Match", '"e"')])]
    assert batch_body("batch_1", parts).decode().split("\r\n") == [
        "--batch_1",
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        "Content-ID: 0",
        "",
        "DELETE /box/a?sig=x HTTP/1.1",
        f"x-ms-date: {DATE}",
        "",
        "",
        "--batch_1",
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        "Content-ID: 1",
        "",
        "DELETE /box/b HTTP/1.1",
        'If-Match: "e"',
        "",
        "",
        "--batch_1--",
        "",
    ]
    assert "sig=x" not in repr(batch_body("batch_1", parts))


BOUNDARY = "batchresponse_66925647-d0cb-4109-b6d3-28efe3e1e5ed"
TYPE = f"multipart/mixed; boundary={BOUNDARY}"
#: The answer of the service's documentation, with its own words left out.
REAL = f"""--{BOUNDARY}
Content-Type: application/http
Content-ID: 0

HTTP/1.1 202 Accepted
x-ms-delete-type-permanent: true
x-ms-request-id: 778fdc83-801e-0000-62ff-0334671e284f
x-ms-version: 2018-11-09

--{BOUNDARY}
Content-Type: application/http
Content-ID: 1

HTTP/1.1 404 The specified blob does not exist.
x-ms-error-code: BlobNotFound
x-ms-request-id: 778fdc83-801e-0000-62ff-0334671e2852
x-ms-version: 2018-11-09
Content-Length: 80
Content-Type: application/xml

<?xml version="1.0" encoding="utf-8"?>
<Error><Code>BlobNotFound</Code></Error>
--{BOUNDARY}--
0""".replace("\n", "\r\n").encode()


def test_the_answer_of_the_documentation() -> None:
    """Statuses, headers and bodies, each with its part."""
    gone, missing = answers(TYPE, REAL, 2)
    assert (gone.status, missing.status) == (202, 404)
    assert gone.headers["x-ms-version"] == "2018-11-09"
    assert gone.body == b""
    assert missing.headers["x-ms-error-code"] == "BlobNotFound"
    assert missing.body.endswith(b"<Error><Code>BlobNotFound</Code></Error>")


def test_parts_come_in_any_order() -> None:
    """Their numbers tell."""
    turned = REAL.replace(b"Content-ID: 0", b"Content-ID: x").replace(b"-ID: 1", b"-ID: 0")
    turned = turned.replace(b"Content-ID: x", b"Content-ID: 1")
    assert [part.status for part in answers(TYPE, turned, 2)] == [404, 202]


@pytest.mark.parametrize(
    "change",
    [
        lambda body: b"preamble\r\n" + body,
        lambda body: body + b"\r\nepilogue",
        lambda body: body.replace(b"\r\n\r\n--", b"\r\n--"),  # as Azurite ends parts
        lambda body: body.replace(b"Content-ID", b"content-id"),
        lambda body: body.replace(b"HTTP/1.1 202 Accepted", b"HTTP/1.0 202"),
        lambda body: body.replace(BOUNDARY.encode() + b"\r\n", BOUNDARY.encode() + b" \t\r\n"),
    ],
)
def test_what_multipart_allows(change: Callable[[bytes], bytes]) -> None:
    """RFC 2046 and RFC 9112 leave these to the sender."""
    assert [part.status for part in answers(TYPE, change(REAL), 2)] == [202, 404]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda body: b"", "no end"),
        (lambda body: body[:-100], "no end"),
        (lambda body: body.rpartition(b"--")[0], "no end"),
        (lambda body: b"nonsense", "no end"),
        (lambda body: body.replace(b"-ID: 1", b"-ID: 0"), "twice"),
        (lambda body: body.replace(b"-ID: 1", b"-ID: 2"), "without having been asked"),
        (lambda body: body.replace(b"Content-ID: 1\r\n", b""), "does not say what"),
        (lambda body: body.replace(b"-ID: 1", b"-ID: -1"), "does not say what"),
        (lambda body: body.replace(b"-ID: 1", "-ID: ²".encode()), "does not say what"),
        (lambda body: body.replace(b"application/http", b"text/plain", 1), "no HTTP message"),
        (lambda body: body.replace(b"HTTP/1.1 202", b"HTTP/1.1 2xx"), "no HTTP status"),
        (lambda body: body.replace(b"HTTP/1.1 202 Accepted\r\n", b""), "no HTTP status"),
        (lambda body: body.replace(b"x-ms-delete-type", b"x-ms-delete type:"), None),
        (lambda body: body.replace(b"x-ms-version: 2018", b"x-ms-version 2018"), "no header"),
        (lambda body: body.replace(b"x-ms-version: 2018", b" folded: 2018"), "no header"),
        (lambda body: body.replace(b"5ed\r\n", b"5edf\r\n", 1), "boundary that is none"),
        (lambda body: body + b"\r\n--" + BOUNDARY.encode() + b"--", "boundary that is none"),
        (lambda body: body.replace(b"\r\n", b"\n"), "no end|boundary"),
    ],
)
def test_what_is_refused(change: Callable[[bytes], bytes], words: str | None) -> None:
    """Nothing that could be misread is taken for the answer to a part."""
    changed = change(REAL)
    if words is None:  # a name with a blank inside is odd, and hides nothing
        assert answers(TYPE, changed, 2)[0].status == 202
        return
    with pytest.raises(ValueError, match=words):
        answers(TYPE, changed, 2)


def test_as_many_as_were_asked() -> None:
    """No more and no fewer."""
    with pytest.raises(ValueError, match="2 parts of 3"):
        answers(TYPE, REAL, 3)
    with pytest.raises(ValueError, match="without having been asked"):
        answers(TYPE, REAL, 1)


@pytest.mark.parametrize(
    "kind",
    [
        TYPE,
        f'multipart/mixed;boundary="{BOUNDARY}"',
        f"Multipart/Mixed; charset=utf-8; Boundary={BOUNDARY}",
        f"multipart/mixed; boundary={BOUNDARY}; charset=utf-8",
    ],
)
def test_types_that_are_read(kind: str) -> None:
    """In the forms that RFC 2046 allows."""
    assert len(answers(kind, REAL, 2)) == 2


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/html",
        "multipart/mixed",
        "multipart/mixed; boundary=",
        f"multipart/form-data; boundary={BOUNDARY}",
        f"multipart/mixed; x={BOUNDARY}",
        f'multipart/mixed; boundary="{BOUNDARY}',
        "multipart/mixed; boundary=" + "x" * 71,
    ],
)
def test_types_that_are_not(kind: str) -> None:
    """Whatever the body says."""
    with pytest.raises(ValueError, match=re.escape("multipart/mixed")):
        answers(kind, REAL, 2)
