"""What is read from a page of List Blobs is what the SDK reads from it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
from azure.storage.blob import BlobPrefix, ContainerClient
from hypothesis import given, settings
from hypothesis import strategies as st

from remote_store import ContentDigest
from remote_store_azure._blob.list_xml import parse_page
from remote_store_objects import ObjectInfo, Page

HEAD = '\ufeff<?xml version="1.0" encoding="utf-8"?>'
TIME = "Fri, 19 Jun 2026 17:06:07 GMT"


def parsed(body: str) -> Page:
    steps = parse_page(body.encode())
    while True:
        try:
            next(steps)
        except StopIteration as end:
            page: Page = end.value
            return page


def document(entries: str, marker: str = "<NextMarker />", head: str = HEAD) -> str:
    return (
        f'{head}<EnumerationResults ServiceEndpoint="http://127.0.0.1/" ContainerName="c">'
        f"<Prefix>p</Prefix><MaxResults>5000</MaxResults><Blobs>{entries}</Blobs>{marker}"
        "</EnumerationResults>"
    )


def blob(name: str = "<Name>n</Name>", properties: str = "", rest: str = "") -> str:
    return f"<Blob>{name}<Properties>{properties}</Properties>{rest}</Blob>"


class Served:
    """The SDK's own client before a server that answers with one document."""

    def __init__(self) -> None:
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = served.body.encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.body = ""
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        self.client = ContainerClient(f"http://127.0.0.1:{self.server.server_port}/a", "c")

    def read(self, body: str) -> Page:
        """Return what the SDK makes of the first page."""
        self.body = body
        pager: Any = self.client.walk_blobs(include=["metadata"]).by_page()
        blobs: list[ObjectInfo] = []
        prefixes: list[str] = []
        for item in next(pager):
            if isinstance(item, BlobPrefix):
                prefixes.append(item.name)
                continue
            md5 = item.content_settings.content_md5
            # The SDK gives None for an empty value, which is not what was stored.
            metadata = {key: value or "" for key, value in (item.metadata or {}).items()}
            blobs.append(
                ObjectInfo(
                    item.name,
                    item.size or 0,
                    item.etag,
                    item.last_modified,
                    ContentDigest("md5", bytes(md5).hex()) if md5 else None,
                    item.content_settings.content_type,
                    metadata,
                )
            )
        return Page(blobs, prefixes, pager.continuation_token or "")

    def close(self) -> None:
        self.client.close()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(scope="module")
def sdk() -> Iterator[Served]:
    """The SDK's listing of any document."""
    served = Served()
    yield served
    served.close()


text = st.text(
    st.characters(codec="utf-8", exclude_characters="\x7f\x85￾￿", min_codepoint=0x20), min_size=1
)
key = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True) | st.sampled_from(
    ["Blob", "Name", "Etag", "Properties", "Metadata", "NextMarker", "BlobPrefix", "Blobs"]
)
name = text.map(lambda t: f"<Name>{escape(t)}</Name>") | text.map(
    lambda t: f'<Name Encoded="true">{escape(quote(t))}</Name>'
)
moment = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)).map(
    lambda t: t.strftime("%a, %d %b %Y %H:%M:%S GMT")
)
properties = st.fixed_dictionaries(
    {"BlobType": st.just("BlockBlob")},  # without one the SDK fails
    optional={
        "Creation-Time": moment,
        "Last-Modified": moment,
        "Etag": st.from_regex(r"0x[0-9A-Fa-f]{15}", fullmatch=True),
        "Content-Length": st.integers(0, 2**45).map(str),
        "Content-Type": st.sampled_from(["application/octet-stream", "text/x; a=&quot;b&quot;"]),
        "Content-MD5": st.sampled_from(["", "1B2M2Y8AsgTpgAmY7PhCfg=="]),
        "LeaseState": st.just("available"),
    },
).map(lambda d: "".join(f"<{k}>{v}</{k}>" for k, v in d.items()))
metadata = st.dictionaries(key, st.just("") | text.map(str.strip).map(escape), max_size=4).map(
    lambda d: "<Metadata>" + "".join(f"<{k}>{v}</{k}>" for k, v in d.items()) + "</Metadata>"
)
entry = st.builds(
    blob, name, properties, st.just("") | st.just("<Metadata />") | metadata
) | name.map(lambda n: f"<BlobPrefix>{n}</BlobPrefix>")
documents = st.builds(
    document,
    st.lists(entry, max_size=6).map("".join),
    st.sampled_from(["", "<NextMarker />", "<NextMarker>2!8!MDA-</NextMarker>"]),
    st.sampled_from([HEAD, HEAD[1:], ""]),
)


@pytest.mark.long
@settings(max_examples=200, deadline=None)
@given(documents)
def test_a_page_reads_as_the_sdk_reads_it(sdk: Served, body: str) -> None:
    """LIST: names, sizes, times, MD5, ETag, type, metadata and prefixes are those of the SDK."""
    mine, theirs = parsed(body), sdk.read(body)
    assert [b.key for b in mine.objects] == [b.key for b in theirs.objects]
    unmarked = [b._replace(is_folder=False) for b in mine.objects]
    assert (unmarked, mine.token) == (theirs.objects, theirs.token)
    assert sorted(mine.prefixes) == sorted(theirs.prefixes)


def test_the_order_is_the_services() -> None:
    """Entries come in the order of the answer, prefixes by themselves."""
    page = parsed(document("".join(blob(f"<Name>{n}</Name>") for n in "cab")))
    assert [b.key for b in page.objects] == ["c", "a", "b"]
    two = "<BlobPrefix><Name>z/</Name></BlobPrefix><BlobPrefix><Name>b/</Name></BlobPrefix>"
    assert parsed(document(two)).prefixes == ["z/", "b/"]


@pytest.mark.parametrize("raw", ["a%20b", "%", "%2F", "a+b"])
def test_a_name_that_is_not_encoded_stays_as_it_is(raw: str) -> None:
    """Only names that say so are percent-encoded, those of blobs and of prefixes."""
    names = f"<Name>{raw}</Name>", f'<Name Encoded="true">{quote(raw)}</Name>'
    for one in names:
        assert parsed(document(blob(one))).objects[0].key == raw
        assert parsed(document(f"<BlobPrefix>{one}</BlobPrefix>")).prefixes == [raw]


def test_a_prefix_with_properties() -> None:
    """A hierarchical account tells properties of directories, which do not count as blobs."""
    found = parsed(
        document(
            "<BlobPrefix><Name>d/</Name><Properties><Etag>0x1</Etag>"
            "<ResourceType>directory</ResourceType></Properties></BlobPrefix>"
        )
    )
    assert found == Page([], ["d/"], "")


@pytest.mark.parametrize(
    ("properties", "rest", "expected"),
    [
        ("<ResourceType>directory</ResourceType>", "", True),
        ("<ResourceType>file</ResourceType>", "", False),
        ("", "<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>", True),
        ("", "<Metadata><Hdi_IsFolder>True</Hdi_IsFolder></Metadata>", True),
        ("", "<Metadata><hdi_isfolder>false</hdi_isfolder></Metadata>", False),
        ("", "<OrMetadata><hdi_isfolder>true</hdi_isfolder></OrMetadata>", False),
        ("", "<Tags><TagSet><Tag><Key>hdi_isfolder</Key></Tag></TagSet></Tags>", False),
    ],
)
def test_directories_are_told_from_files(properties: str, rest: str, expected: bool) -> None:
    """A directory is one by its resource type, or by its metadata in any case of letters."""
    (found,) = parsed(document(blob(properties=properties, rest=rest))).objects
    assert found.is_folder is expected
    assert not any(key.lower() == "hdi_isfolder" for key in found.metadata or ())


def test_every_field() -> None:
    """Each field is taken from its own element, whatever other elements are called."""
    body = document(
        blob(
            '<Name Encoded="true">a%2Fb%EF%BF%BE</Name>',
            f"<Last-Modified>{TIME}</Last-Modified><Etag>0x8DEcE250DB3BECC</Etag>"
            "<Content-Length>46</Content-Length><Content-Type>text/plain</Content-Type>"
            "<Content-MD5>1B2M2Y8AsgTpgAmY7PhCfg==</Content-MD5><New><Etag>no</Etag></New>",
            "<Metadata><Name>x</Name><Etag></Etag></Metadata><Name2>no</Name2>",
        ),
        "<NextMarker>m&amp;n</NextMarker>",
    )
    assert parsed(body) == Page(
        [
            ObjectInfo(
                "a/b￾",
                46,
                "0x8DEcE250DB3BECC",
                datetime(2026, 6, 19, 17, 6, 7, tzinfo=UTC),
                ContentDigest("md5", "d41d8cd98f00b204e9800998ecf8427e"),
                "text/plain",
                {"Name": "x", "Etag": ""},
            )
        ],
        [],
        "m&n",
    )


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not XML",
        document(blob())[:-9],
        document(blob()) + "<x/>",
        "<Error><Code>X</Code></Error>",
        document("<Blob><Properties /></Blob>"),
        document("<Blob><Name /></Blob>"),
        document(blob(properties="<Content-MD5>*</Content-MD5>")),
        document(blob(properties="<Content-Length>many</Content-Length>")),
    ],
)
def test_what_is_no_listing_is_refused(body: str) -> None:
    """A body cut short or of another kind is never taken for a page."""
    with pytest.raises(ValueError):
        parsed(body)


def test_a_full_page_is_read_in_small_steps() -> None:
    """A page of 5000 is read in many steps, so that the loop may serve others meanwhile."""
    many = "".join(blob(f"<Name>{n:06}</Name>", f"<Etag>{n}</Etag>") for n in range(5000))
    steps = parse_page(document(many).encode())
    count = sum(1 for _ in steps)
    assert count > 40
