"""A running emulator, the real SDK on it, and a client that signs raw requests by itself."""

from __future__ import annotations

import base64
import email.utils
import hashlib
import hmac
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, quote

import aiohttp
import pytest
import pytest_asyncio
import yarl
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.filedatalake.aio import DataLakeServiceClient, FileSystemClient

from hns_emulator import HnsEmulator

VERSION = "2026-04-06"
_numbers = itertools.count(1)


class Reply(NamedTuple):
    """One raw answer."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str | None:
        """The service's error code, None without an error."""
        return self.headers.get("x-ms-error-code")


class Raw:
    """Signs with a signer of its own, so that it does not share the emulator's mistakes."""

    def __init__(self, emulator: HnsEmulator, session: aiohttp.ClientSession, fs: str) -> None:
        self.emulator = emulator
        self.session = session
        self.fs = fs

    def signature(self, method: str, target: str, headers: Mapping[str, str], length: int) -> str:
        """Return the Authorization for plain header names, whose ASCII order is the service's."""
        path, _, query = target.partition("?")
        lower = {name.lower(): value for name, value in headers.items()}
        lines = [method, lower.get("content-encoding", ""), lower.get("content-language", "")]
        lines += [str(length) if length else "", lower.get("content-md5", "")]
        lines += [lower.get("content-type", ""), "", lower.get("if-modified-since", "")]
        lines += [lower.get("if-match", ""), lower.get("if-none-match", "")]
        lines += [lower.get("if-unmodified-since", ""), lower.get("range", "")]
        lines += [f"{name}:{lower[name]}" for name in sorted(lower) if name.startswith("x-ms-")]
        lines.append(f"/{self.emulator.account}{path}")
        lines += [
            f"{name.lower()}:{value}"
            for name, value in sorted(parse_qsl(query, keep_blank_values=True))
        ]
        key = base64.b64decode(self.emulator.key)
        digest = hmac.new(key, "\n".join(lines).encode(), hashlib.sha256).digest()
        return f"SharedKey {self.emulator.account}:{base64.b64encode(digest).decode()}"

    async def __call__(
        self,
        method: str,
        kind: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        authorization: str | None = "valid",
    ) -> Reply:
        """
        Send one request.

        Args:
            kind: "dfs" or "blob", in host style.
            target: Below the filesystem, from its "/" or "?" on; "//..." is below the account.
            authorization: Instead of the valid one; None for none.
        """
        target = target[1:] if target.startswith("//") else f"/{self.fs}{target}"
        sent = {
            "x-ms-version": VERSION,
            "x-ms-date": email.utils.formatdate(time.time(), usegmt=True),
            **(headers or {}),
        }
        if authorization == "valid":
            sent["Authorization"] = self.signature(method, target, sent, len(body))
        elif authorization is not None:
            sent["Authorization"] = authorization
        base = self.emulator.dfs_url if kind == "dfs" else self.emulator.blob_url
        url = yarl.URL(base + target, encoded=True)
        async with self.session.request(
            method, url, headers=sent, data=body or None, skip_auto_headers=["Content-Type"]
        ) as response:
            content = await response.read()
            return Reply(response.status, response.reason or "", response.headers, content)

    async def create(self, path: str, kind: str = "file", **headers: str) -> Reply:
        """Create a file or directory by the Data Lake endpoint."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self("PUT", "dfs", f"/{quote(path)}?resource={kind}", named)

    async def write(self, path: str, data: bytes) -> Reply:
        """Create a file with content by the Data Lake endpoint."""
        await self.create(path)
        return await self(
            "PATCH", "dfs", f"/{quote(path)}?action=append&flush=true&position=0", body=data
        )

    async def put(self, path: str, data: bytes, **headers: str) -> Reply:
        """Put Blob."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self(
            "PUT", "blob", f"/{quote(path)}", {"x-ms-blob-type": "BlockBlob", **named}, data
        )

    async def head(self, path: str, **headers: str) -> Reply:
        """HEAD by the Blob endpoint."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self("HEAD", "blob", f"/{quote(path)}", named)

    async def get(self, path: str) -> bytes | None:
        """Return a file's content, None if it does not exist."""
        reply = await self("GET", "blob", f"/{quote(path)}")
        assert reply.status in (200, 404)
        return reply.body if reply.status == 200 else None

    async def rename(self, source: str, target: str, **headers: str) -> Reply:
        """Rename within the filesystem."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["x-ms-rename-source"] = f"/{self.fs}/{quote(source)}"
        return await self("PUT", "dfs", f"/{quote(target)}?mode=legacy", named)


class Sdk(NamedTuple):
    """The real clients on a fresh filesystem, which exists."""

    lake: DataLakeServiceClient
    blob: BlobServiceClient
    fs: FileSystemClient


@pytest.fixture(scope="module")
def emulator() -> Iterator[HnsEmulator]:
    """One emulator for the tests of a module that do not disturb each other."""
    with HnsEmulator(debug=True) as running:
        yield running


@pytest.fixture
def filesystem(emulator: HnsEmulator) -> str:
    """A fresh filesystem."""
    name = f"fs-{next(_numbers)}"
    emulator.create_filesystem(name)
    return name


@pytest_asyncio.fixture
async def raw(emulator: HnsEmulator, filesystem: str) -> AsyncIterator[Raw]:
    """A raw client on a fresh filesystem."""
    async with emulator.transport() as session:
        yield Raw(emulator, session, filesystem)


def transport(emulator: HnsEmulator) -> AioHttpTransport:
    """Return the SDK's transport for host-style addresses."""
    return AioHttpTransport(session=emulator.transport(), session_owner=True)


@pytest_asyncio.fixture
async def sdk(emulator: HnsEmulator, filesystem: str) -> AsyncIterator[Sdk]:
    """The real clients on a fresh filesystem."""
    lake = DataLakeServiceClient.from_connection_string(
        emulator.connection_string, transport=transport(emulator)
    )
    blob = BlobServiceClient.from_connection_string(
        emulator.connection_string, transport=transport(emulator)
    )
    async with lake, blob:
        yield Sdk(lake, blob, lake.get_file_system_client(filesystem))
