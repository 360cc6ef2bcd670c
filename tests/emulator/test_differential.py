"""
The Blob endpoint answers as Azurite does, where both serve the same.

Azurite is an emulator as well, and of accounts without a hierarchy: agreement is
no proof of the service. But it was written by others, and what both say alike
is no mistake of one of them.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from email.utils import formatdate
from urllib.parse import urlsplit

import pytest
from tests.azure import azurite as server

from hns_emulator import HnsEmulator
from hns_emulator.replay._send import RawClient, ReceivedAnswer, authorization

#: The newest version that Azurite knows.
VERSION = server.API_VERSION
_CONTAINER = "differential"


class Endpoint:
    """A Blob endpoint that takes signed raw requests, in either style of addressing."""

    def __init__(
        self,
        client: RawClient,
        url: str,
        prefix: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.client = client
        self.url = url
        self._prefix = prefix
        self._headers = headers or {}

    def __call__(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> ReceivedAnswer:
        """Send a request for a path in the container."""
        target = f"{self._prefix}/{_CONTAINER}/{path}".rstrip("/") + (query and f"?{query}")
        out = {"x-ms-version": VERSION, "x-ms-date": formatdate(usegmt=True), **self._headers}
        out |= headers or {}
        if method == "PUT":
            out["Content-Length"] = str(len(body))
        out["Authorization"] = authorization(
            self.client.account, self.client.key, method, target, out
        )
        return self.client.send(method, "blob", target, out, body)


@pytest.fixture(scope="module")
def azurite() -> Iterator[Endpoint]:
    """Azurite, in path style: its account is part of the path, and signed twice."""
    with server.running() as running:
        port = urlsplit(running.blob_url).port or 0
        host = {"Host": f"127.0.0.1:{port}"}
        with RawClient(port, running.account, running.key) as client:
            yield Endpoint(client, running.blob_url, f"/{running.account}", host)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Endpoint]:
    """The emulator, in host style."""
    with (
        HnsEmulator() as running,
        RawClient(running.port, running.account, running.key) as client,
    ):
        yield Endpoint(client, f"http://{running.account}.blob.core.localhost:{running.port}")


class Session:
    """One sequence of requests to one endpoint, with what the answers have in common."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.seen: list[tuple[object, ...]] = []
        self._etags: dict[str, str] = {}

    def __call__(
        self, method: str, path: str, query: str = "", **more: str | bytes
    ) -> ReceivedAnswer:
        """
        Send a request and note what every server must say to it.

        Args:
            more: `body`, and headers; `_` in their names stands for `-`.
        """
        body = more.pop("body", b"")
        assert isinstance(body, bytes)
        sent = {name.replace("_", "-"): str(value) for name, value in more.items()}
        answer = self.endpoint(method, path, query, sent, body)
        etag = answer.headers.get("etag", "").strip('"')
        self.seen.append(
            (
                *(method, path, query, sorted(sent), answer.status, answer.code),
                # Which ETags are equal is the same everywhere, not what they are.
                etag and self._etags.setdefault(etag, f"etag {len(self._etags)}"),
                {name: answer.headers.get(name) for name in _COMPARED},
                {k: v for k, v in answer.headers.items() if k.startswith("x-ms-meta-")},
                answer.body if method == "GET" and not query and answer.status < 300 else b"",
                _listing(answer.body.decode()) if "comp=list" in query else (),
            )
        )
        return answer


_COMPARED = ("content-range", "x-ms-copy-status", "x-ms-blob-type", "x-ms-lease-state")
Script = Callable[[Session], None]
BLOB = {"x_ms_blob_type": "BlockBlob"}


def _listing(text: str) -> list[tuple[str, ...]]:
    """Give the blobs of a listing, without directories: flat accounts have none."""
    blobs = re.findall("<Blob>(.*?)</Blob>", text, re.DOTALL)
    files = [blob for blob in blobs if "<ResourceType>directory" not in blob]
    shown = [
        (re.findall("<Name>([^<]*)<", blob)[0], re.findall("<Content-Length>([^<]*)<", blob)[0])
        for blob in files
    ]
    prefixes = re.findall("<BlobPrefix><Name>([^<]*)</Name>", text)
    return [*shown, *((prefix,) for prefix in prefixes)]


def put_get_head_delete(send: Session) -> None:
    send("HEAD", "f")
    send("GET", "f")
    send("PUT", "f", body=b"first", **BLOB, x_ms_meta_k="v")
    send("HEAD", "f")
    send("GET", "f")
    send("PUT", "f", body=b"the second", **BLOB)
    send("GET", "f")
    send("DELETE", "f")
    send("GET", "f")
    send("DELETE", "f")


def ranges(send: Session) -> None:
    send("PUT", "f", body=b"0123456789", **BLOB)
    for span in ("bytes=0-4", "bytes=3-", "bytes=5-99", "bytes=0-33554431", "bytes=11-"):
        send("GET", "f", x_ms_range=span)
    send("PUT", "empty", **BLOB)
    send("GET", "empty", x_ms_range="bytes=0-33554431")
    send("GET", "empty")


def conditions(send: Session) -> None:
    first = send("PUT", "f", body=b"1", **BLOB).headers["etag"]
    send("PUT", "f", body=b"2", **BLOB, If_None_Match="*")
    second = send("PUT", "f", body=b"3", **BLOB, If_Match=first).headers["etag"]
    send("PUT", "f", body=b"4", **BLOB, If_Match=first)
    send("PUT", "g", body=b"5", **BLOB, If_None_Match="*")
    for method in ("GET", "HEAD"):
        for name in ("If_Match", "If_None_Match"):
            send(method, "f", **{name: first})
            send(method, "f", **{name: second})
    past = formatdate(0, usegmt=True)
    send("GET", "f", If_Unmodified_Since=past)
    send("GET", "f", If_Modified_Since=past)
    send("DELETE", "f", If_Match=first)
    send("DELETE", "f", If_Match=second)


def metadata(send: Session) -> None:
    send("PUT", "f", "comp=metadata", x_ms_meta_k="v")
    send("PUT", "f", body=b"1", **BLOB, x_ms_meta_old="1")
    send("PUT", "f", "comp=metadata", x_ms_meta_k="v", x_ms_meta_other="w")
    send("HEAD", "f")
    send("PUT", "f", "comp=metadata")
    send("HEAD", "f")
    send("GET", "f")


def blocks(send: Session) -> None:
    ids = [base64.b64encode(b"%04d" % n).decode() for n in range(3)]

    def stage(block: str, data: bytes) -> None:
        send("PUT", "f", f"comp=block&blockid={block.replace('=', '%3D')}", body=data)

    def commit(*chosen: str, **headers: str) -> ReceivedAnswer:
        items = "".join(f"<Latest>{block}</Latest>" for block in chosen)
        text = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{items}</BlockList>'
        return send("PUT", "f", "comp=blocklist", body=text.encode(), **headers)

    stage(ids[0], b"one ")
    send("HEAD", "f")
    commit(ids[0], ids[1])
    stage(ids[1], b"two ")
    commit(ids[1], ids[0], ids[1], If_None_Match="*", x_ms_meta_k="v")
    send("GET", "f")
    stage(ids[2], b"three")
    commit(ids[2], If_None_Match="*")
    etag = send("HEAD", "f").headers["etag"]
    commit(ids[2], If_Match=etag)
    commit(ids[2], If_Match=etag)
    send("GET", "f")


def copies(send: Session) -> None:
    first = send("PUT", "f", body=b"data", **BLOB, x_ms_meta_k="v").headers["etag"]
    source = {"x_ms_copy_source": f"{send.endpoint.url}/{_CONTAINER}/f"}
    send("PUT", "g", **source)
    send("HEAD", "g")
    send("GET", "g")
    send("PUT", "g", **source, If_None_Match="*")
    send("PUT", "h", **source, If_None_Match="*", x_ms_source_if_match=first)
    send("PUT", "g", **source, x_ms_meta_new="1")
    send("HEAD", "g")


def listings(send: Session) -> None:
    for name in ("a.txt", "b", "dir/one", "dir/two", "dir/sub/three", "e%20e", "z"):
        send("PUT", name, body=name.encode(), **BLOB)
    base = "restype=container&comp=list"
    for more in ("", "&prefix=dir%2F", "&prefix=b", "&prefix=none", "&delimiter=%2F"):
        send("GET", "", base + more)
    send("GET", "", f"{base}&prefix=dir%2F&delimiter=%2F")


def containers(send: Session) -> None:
    send("PUT", "", "restype=container")
    send("GET", "", "restype=container")
    send("DELETE", "", "restype=container")
    send("HEAD", "f")
    send("GET", "", "restype=container")
    send("PUT", "f", body=b"1", **BLOB)


@contextlib.contextmanager
def container(endpoint: Endpoint) -> Iterator[Session]:
    """Make the container for one session, and take it away."""
    made = endpoint("PUT", "", "restype=container")
    assert made.status == 201, made
    try:
        yield Session(endpoint)
    finally:
        endpoint("DELETE", "", "restype=container")


@pytest.mark.parametrize(
    "script",
    [
        *(put_get_head_delete, ranges, conditions, metadata, blocks, copies, listings),
        containers,
    ],
    ids=lambda script: script.__name__,
)
def test_same_as_azurite(script: Script, azurite: Endpoint, emulator: Endpoint) -> None:
    """Status, code, equality of ETags, metadata, content and listings are the same."""
    with container(azurite) as theirs, container(emulator) as ours:
        script(theirs)
        script(ours)
        assert theirs.seen == ours.seen
