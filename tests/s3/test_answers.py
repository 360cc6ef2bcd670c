"""What the service may answer, and what becomes of it."""

from __future__ import annotations

import asyncio
import base64
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import pytest
from tests.s3.scripted import Answer, Scripted, error, scripted

from remote_store import (
    BackendUnavailable,
    InvalidPath,
    NotFound,
    PermissionDenied,
    RemoteStoreError,
    RetryPolicy,
)

pytestmark = pytest.mark.asyncio

_PUT = Answer(headers={"ETag": '"e"', "x-amz-version-id": "v1"})
_LISTED = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"


async def test_another_region_is_asked_at_once_and_from_then_on() -> None:
    """A refusal that names the region costs one request, once."""
    refusal = error(301, "PermanentRedirect", **{"x-amz-bucket-region": "eu-north-1"})
    async with scripted(refusal, _PUT, _PUT) as server:
        backend = server.backend()
        await backend.write("a", b"1")
        await backend.write("b", b"2")
        await backend.aclose()

        scopes = [r.headers["Authorization"].split("/")[2] for r in server.requests]
        assert scopes == ["eu-west-1", "eu-north-1", "eu-north-1"]
        assert server.bodies == [b"1", b"1", b"2"]


async def test_the_region_of_a_malformed_header_is_taken() -> None:
    """Services with one region of their own tell it in the document."""
    refusal = error(400, "AuthorizationHeaderMalformed", "<Region>garage</Region>")
    async with scripted(refusal, _PUT) as server:
        backend = server.backend()
        await backend.write("a", b"1")
        await backend.aclose()
        assert "/garage/s3/" in server.requests[1].headers["Authorization"]


async def test_a_redirect_without_a_region_is_an_error_and_followed_nowhere() -> None:
    """Credentials go to no other host."""
    async with scripted(error(307, "TemporaryRedirect", Location="http://elsewhere/")) as server:
        backend = server.backend()
        with pytest.raises(RemoteStoreError, match="another region"):
            await backend.read_bytes("a")
        await backend.aclose()


async def test_a_wrong_clock_is_corrected_by_the_service() -> None:
    """The request is signed again for the service's time, and later ones are at once."""
    now = datetime.now(UTC) + timedelta(hours=3)
    refusal = error(403, "RequestTimeTooSkewed", Date=format_datetime(now, usegmt=True))
    async with scripted(refusal, _PUT, _PUT) as server:
        backend = server.backend()
        await backend.write("a", b"1")
        await backend.write("b", b"1")
        await backend.aclose()
        for request in server.requests[1:]:
            sent = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
            assert abs(sent.replace(tzinfo=UTC) - now) < timedelta(minutes=1)


@pytest.mark.parametrize("code", ["InternalError", "SlowDown"])
async def test_a_copy_that_failed_after_200_is_noticed(code: str) -> None:
    """The service begins to answer before it is done; the document says how it ended."""
    head = Answer(headers={"ETag": '"e"', "Content-Length": "3"})
    failed = Answer(body=f"\n\n <Error><Code>{code}</Code><Message>Why.</Message></Error>")
    async with scripted(failed, failed, head) as server:
        backend = server.backend(conditional_copy=True)
        with pytest.raises(BackendUnavailable) as caught:
            await backend.copy("a", "b", overwrite=True)
        await backend.aclose()
        server.answers.clear()
    assert caught.value.code == code
    assert caught.value.outcome_unknown is (code == "InternalError")


async def test_a_commit_that_failed_after_200_is_noticed_and_the_upload_aborted() -> None:
    """As for a copy; nothing is left."""
    begun = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
    refused = error(200, "AccessDenied")
    parts = [Answer(headers={"ETag": '"p"'})] * 2
    async with scripted(Answer(body=begun), *parts, refused, Answer(204)) as server:
        backend = server.backend()
        with pytest.raises(PermissionDenied) as caught:
            await backend.write("a", b"x" * (9 << 20), overwrite=True)
        await backend.aclose()
        assert server.lines[-1] == "DELETE /bucket/a?uploadId=u"
    assert caught.value.code == "AccessDenied"


async def test_keys_that_a_batch_refuses_are_told() -> None:
    """DeleteObjects answers 200 whatever became of single keys."""
    entries = "".join(
        f"<Contents><Key>f/{n}</Key><Size>0</Size><ETag>&quot;e&quot;</ETag>"
        "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        for n in ("a", "b%2Bc+d", "gone")
    )
    page = f"<ListBucketResult><EncodingType>url</EncodingType>{entries}</ListBucketResult>"
    refused = (
        "<DeleteResult><Error><Key>f/b+c d</Key><Code>AccessDenied</Code><Message>No.</Message>"
        "</Error><Error><Key>f/gone</Key><Code>NoSuchKey</Code></Error></DeleteResult>"
    )
    async with scripted(Answer(body=page), Answer(body=refused)) as server:
        backend = server.backend()
        with pytest.raises(PermissionDenied) as caught:
            await backend.delete_folder("f", recursive=True)
        await backend.aclose()
        body, headers = server.bodies[1], server.requests[1].headers
        assert b"<Key>f/b+c d</Key>" in body
        assert headers["content-md5"]
    assert caught.value.path == "f/b+c d"


async def test_what_no_document_can_name_is_deleted_after_the_document() -> None:
    """Where that is refused nothing was deleted, and the error says so."""
    entries = "".join(
        f"<Contents><Key>f/{n}</Key><Size>0</Size><ETag>&quot;e&quot;</ETag>"
        "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        for n in ("%01", "a", "b")
    )
    page = f"<ListBucketResult><EncodingType>url</EncodingType>{entries}</ListBucketResult>"
    async with scripted(Answer(body=page), error(503, "SlowDown")) as server:
        backend = server.backend(retry=RetryPolicy(max_attempts=1))
        with pytest.raises(BackendUnavailable) as caught:
            await backend.delete_folder("f", recursive=True)
        assert not caught.value.outcome_unknown
        await backend.aclose()
        assert server.lines[1:] == ["POST /bucket?delete="]
    answers = Answer(body=page), Answer(body="<DeleteResult/>"), Answer(204)
    async with scripted(*answers) as server:
        backend = server.backend()
        await backend.delete_folder("f", recursive=True)
        await backend.aclose()
        assert server.lines[1:] == ["POST /bucket?delete=", "DELETE /bucket/f/%01"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, "<html>nginx</html>"),
        Answer(200, "<html>Please log in</html>"),
        Answer(200, "<Other/>"),
    ],
)
async def test_pages_of_others_are_no_answers(answer: Answer) -> None:
    """What is between us and the service neither says that nothing is there nor that all is."""
    async with scripted(*[answer] * 6) as server:
        backend = server.backend()
        with pytest.raises(BackendUnavailable, match="not the service's own"):
            await backend.read_bytes("a")
        with pytest.raises(BackendUnavailable, match="not the service's own"):
            _ = [found async for found in backend.list_files("f")]
        with pytest.raises(BackendUnavailable, match="not the service's own") as caught:
            await backend.delete("a")
        assert caught.value.outcome_unknown
        await backend.aclose()


async def test_a_head_without_marks_of_s3_is_asked_again_by_a_get() -> None:
    """Some services send no ``x-amz-`` header with a 404 that has no body."""
    missing = Answer(404), error(404, "NoSuchKey")
    async with scripted(*missing) as server:
        backend = server.backend()
        assert not await backend.is_file("a")
        await backend.aclose()
        assert server.lines == ["HEAD /bucket/a", "GET /bucket/a"]


async def test_the_checksum_of_a_whole_file_is_compared() -> None:
    """Content that is not what was stored is an error, instead of its last bytes."""
    crc = base64.b64encode(zlib.crc32(b"abd").to_bytes(4)).decode()
    headers = {"ETag": '"e"', "x-amz-checksum-crc32": crc}
    whole = {**headers, "x-amz-checksum-type": "FULL_OBJECT"}
    parts = {**headers, "x-amz-checksum-type": "COMPOSITE"}
    answers = [Answer(body="abc", headers=h) for h in (whole, parts)]
    async with scripted(*answers, Answer(body="abd", headers=whole)) as server:
        backend = server.backend()
        with pytest.raises(RemoteStoreError, match="checksum"):
            await backend.read_bytes("a")
        assert await backend.read_bytes("a") == b"abc"
        assert await backend.read_bytes("a") == b"abd"
        await backend.aclose()
        assert server.requests[0].headers["x-amz-checksum-mode"] == "ENABLED"


async def test_no_checksum_where_the_option_says_so() -> None:
    """Old services refuse headers that they do not know."""
    got = Answer(body="1", headers={"ETag": '"e"'})
    async with scripted(_PUT, got) as server:
        backend = server.backend(checksum=False)
        await backend.write("a", b"1")
        await backend.read_bytes("a")
        await backend.aclose()
        for request in server.requests:
            assert not [name for name in request.headers if "checksum" in name.lower()]


@pytest.mark.parametrize(
    ("status", "code", "cls"),
    [
        (400, "KeyTooLongError", InvalidPath),
        (403, "AccessDenied", PermissionDenied),
        (403, "InvalidObjectState", RemoteStoreError),
        (404, "NoSuchBucket", NotFound),
        (404, "NoSuchKey", NotFound),
        (404, "NoSuchWebsite", RemoteStoreError),
        (400, "ExpiredToken", PermissionDenied),
        (416, "InvalidRange", RemoteStoreError),
    ],
)
async def test_refusals_are_typed_and_not_repeated(
    status: int, code: str, cls: type[RemoteStoreError]
) -> None:
    """Status, code and request id are on the error; one request is made."""
    async with scripted(error(status, code), error(404, "NoSuchKey"), Answer(body=_LISTED)) as s:
        backend = s.backend()
        with pytest.raises(cls) as caught:
            await backend.write("a", b"1")
        assert len(s.requests) == 1
        s.answers.clear()
        await backend.aclose()
    assert type(caught.value) is cls or issubclass(cls, NotFound)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert caught.value.request_id == "REQUEST"


@pytest.mark.parametrize(
    "answer",
    [
        error(409, "ConditionalRequestConflict"),
        error(400, "RequestTimeout"),
        error(400, "BadDigest"),
        error(503, "SlowDown"),
        error(500, "InternalError"),
    ],
)
async def test_what_may_succeed_later_is_repeated(answer: Answer) -> None:
    """The second attempt sends the body again."""
    async with scripted(answer, _PUT) as server:
        backend = server.backend()
        result = await backend.write("a", b"1")
        await backend.aclose()
        assert server.bodies == [b"1", b"1"]
    assert (result.etag, result.version_id) == ("e", "v1")


async def test_a_dropped_connection_is_not_repeated_unseen() -> None:
    """aiohttp would send a PUT again by itself, and an exclusive one would meet its own success."""
    async with scripted(_PUT, Answer(0), Answer(0)) as server:
        backend = server.backend()
        await backend.write("warm", b"")
        with pytest.raises(BackendUnavailable) as caught:
            await backend.write("a", b"1", overwrite=True)
        await backend.aclose()
        assert len(server.requests) == 3
    assert caught.value.outcome_unknown


async def test_uploads_are_listed_page_by_page_and_old_ones_swept() -> None:
    """Markers are handed on, whatever characters keys have."""
    new = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    pages = [
        f"<ListMultipartUploadsResult><EncodingType>url</EncodingType>{rest}"
        f"<Upload><Key>{key}</Key><UploadId>{n}</UploadId><Initiated>{time}</Initiated></Upload>"
        "</ListMultipartUploadsResult>"
        for n, (key, time, rest) in enumerate(
            [
                (
                    *("f/a%26b+c", "2020-01-01T00:00:00.000Z"),
                    "<IsTruncated>true</IsTruncated><NextKeyMarker>f/a%26b+c</NextKeyMarker>"
                    "<NextUploadIdMarker>0</NextUploadIdMarker>",
                ),
                ("f/d", new, "<IsTruncated>false</IsTruncated>"),
            ]
        )
    ]
    answers = [Answer(body=pages[0]), Answer(204), Answer(body=pages[1])]
    async with scripted(*answers) as server:
        backend = server.backend()
        assert await backend.sweep("f") == 1
        await backend.aclose()
        assert server.lines == [
            "GET /bucket?encoding-type=url&prefix=f%2F&uploads=",
            "DELETE /bucket/f/a%26b%20c?uploadId=0",
            "GET /bucket?encoding-type=url&key-marker=f%2Fa%26b%20c&prefix=f%2F"
            "&upload-id-marker=0&uploads=",
        ]


async def test_no_secret_is_in_what_is_raised_or_shown() -> None:
    """Neither the secret nor a token nor a signature."""
    import pickle
    import traceback

    async with scripted(error(403, "SignatureDoesNotMatch"), Answer(0), Answer(0)) as server:
        backend = server.backend(session_token="t0ken/of+the+test")
        texts = [repr(backend), str(backend.resolve("a"))]
        for _ in range(2):
            with pytest.raises(RemoteStoreError) as caught:
                await backend.read_bytes("a")
            trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            texts += ["".join(trace.format()), repr(caught.value), str(pickle.dumps(caught.value))]
        await backend.aclose()
        signature = server.requests[0].headers["Authorization"].rpartition("=")[2]
    for secret in ("s3cret/of+the+test", "t0ken/of+the+test", signature):
        assert not [text for text in texts if secret in text]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_password_of_a_proxy_is_in_no_message(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that refuses it is named without."""
    async with scripted(Answer(407)) as server:
        monkeypatch.setenv(f"{scheme}_proxy", server.url.replace("//", "//user:pr%6fxy@"))
        monkeypatch.delenv("no_proxy", raising=False)
        once = RetryPolicy.disabled()
        backend = server.backend(endpoint_url=f"{scheme}://s3.example.org", retry=once)
        with pytest.raises(BackendUnavailable, match="407") as caught:
            await backend.read_bytes("a")
        await backend.aclose()
        assert not [word for word in ("proxy@", "pr%6f", "proxy'") if word in repr(caught.value)]
        sent = server.requests[0].headers["Proxy-Authorization"].removeprefix("Basic ")
        assert base64.b64decode(sent) == b"user:proxy"


async def test_no_secret_is_in_the_cause_of_an_answer_that_is_none() -> None:
    """aiohttp's error has the headers of the request, a token among them."""

    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\x00nonsense\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(nonsense, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        once = RetryPolicy.disabled()
        backend = Scripted(f"http://127.0.0.1:{port}").backend(session_token="t0ken", retry=once)
        with pytest.raises(BackendUnavailable) as caught:
            await backend.read_bytes("a")
        await backend.aclose()
    assert isinstance(caught.value.__cause__, aiohttp.ClientResponseError)
    for text in (repr(caught.value.__cause__), str(vars(caught.value.__cause__))):
        assert not [secret for secret in ("t0ken", "Signature=") if secret in text]


async def test_times_without_a_zone_are_utc() -> None:
    """Some services leave it out; times must compare."""
    entries = "".join(
        f"<Contents><Key>f/{n}</Key><Size>1</Size><LastModified>{time}</LastModified></Contents>"
        for n, time in enumerate(("2026-01-02T03:04:05.000Z", "2026-01-02T03:04:06"))
    )
    listed = Answer(body=f"<ListBucketResult>{entries}</ListBucketResult>")
    async with scripted(listed) as server:
        backend = server.backend()
        found = await backend.get_folder_info("f")
        await backend.aclose()
    assert (found.file_count, found.modified_at) == (2, datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC))
