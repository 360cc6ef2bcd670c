"""What the conformance kit checks of this plugin: a bucket of the guarded moto."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import botocore.session
from attrs import define, field
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.s3.moto import KEY, SECRET, remove_bucket

from remote_store import RetryPolicy
from remote_store.aio import AsyncBackend
from remote_store_s3 import AsyncS3Backend

__all__ = ["VARIABLE", "conformance_targets"]

T = TypeVar("T")

#: Where the URL of a server that runs is looked for.
VARIABLE: Final = "REMOTE_STORE_MOTO"


def conformance_targets(config: Mapping[str, str], target: Callable[..., Any]) -> Iterator[Any]:
    """
    Offer buckets of a server that runs already.

    Args:
        config: ``moto``: its URL; else the environment variable has it.
        target: The kit's class of targets.
    """
    moto = _Moto(config.get("moto") or os.environ.get(VARIABLE, ""))
    yield target(
        name="s3:moto",
        open=moto.opened,
        environment="emulator",
        hierarchical=False,
        endpoint=moto.address,
        url=moto.at,
        probe=lambda backend, scratch: _Objects(moto, _bucket_of(scratch)),
        secrets=(SECRET,),
        error_headers=("x-amz-request-id: 4442587FB7D0A2F9",),
    )


def _bucket_of(scratch: Any) -> str:
    """Return the name of a run's own bucket: moto looks through all keys of one."""
    return f"conform-{hashlib.sha256(scratch.prefix.encode()).hexdigest()[:32]}"


@define
class _Moto:
    """
    A server, named by its URL.

    Args:
        url: ``""`` without one.
    """

    url: str
    _made: set[str] = field(factory=set, init=False)
    _client: Any = field(default=None, init=False)

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port."""
        parts = urlsplit(self.url)
        return (parts.hostname, parts.port) if parts.hostname and parts.port else None

    async def call(self, operation: str, **arguments: Any) -> Any:
        """Ask the server through a client that knows nothing of the plugin."""
        if self._client is None:
            self._client = botocore.session.Session().create_client(
                "s3",
                endpoint_url=self.url,
                region_name="us-east-1",
                aws_access_key_id=KEY,
                aws_secret_access_key=SECRET,
                config=Config(
                    s3={"addressing_style": "path"},
                    response_checksum_validation="when_required",
                ),
            )
        return await asyncio.to_thread(getattr(self._client, operation), **arguments)

    @contextlib.asynccontextmanager
    async def opened(self, scratch: Any) -> AsyncGenerator[AsyncBackend, None]:
        """Open a backend on the run's bucket, which is made if it is missing."""
        if self.address is None:
            msg = f"no moto: set {VARIABLE} to the URL of one that runs"
            raise RuntimeError(msg)
        bucket = _bucket_of(scratch)
        if bucket not in self._made:
            await self.call("create_bucket", Bucket=bucket)
            self._made.add(bucket)
        options = self.options
        if scratch.endpoint is not None:
            options["endpoint_url"] = "http://{}:{}".format(*scratch.endpoint)
        retry = RetryPolicy(backoff_base=0.05, jitter=0)
        backend = AsyncS3Backend(bucket, **options, retry=retry)
        try:
            yield backend
        finally:
            await backend.aclose()

    @property
    def options(self) -> dict[str, Any]:
        """What the backend takes: the server decides all conditions, as AWS does."""
        return {
            "endpoint_url": self.url,
            "region": "us-east-1",
            "access_key_id": KEY,
            "secret_access_key": SECRET,
            "conditional_replace": True,
            "conditional_copy": True,
            "conditional_delete": True,
        }

    def at(self, scratch: Any) -> tuple[str, dict[str, Any]]:
        """Return how another process opens the same bucket."""
        return f"s3://{_bucket_of(scratch)}", self.options

    async def remove(self, bucket: str) -> None:
        """Remove a run's bucket with all that is in it."""
        self._made.discard(bucket)
        await asyncio.to_thread(remove_bucket, self.url, bucket)


@define
class _Objects:
    """The way to the objects that does not lead through the plugin: botocore's own client."""

    moto: _Moto
    bucket: str

    async def put(self, key: str, content: bytes) -> None:
        """Write an object."""
        await self.moto.call("put_object", Bucket=self.bucket, Key=key, Body=content)

    async def plant(self, key: str, content: bytes) -> None:
        """Write an object whose key need not be a path."""
        await self.put(key, content)

    async def get(self, key: str) -> bytes | None:
        """Return an object's content, None where there is none."""
        try:
            found = await self.moto.call("get_object", Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise
        content: bytes = await asyncio.to_thread(found["Body"].read)
        return content

    async def names(self, prefix: str) -> list[str]:
        """Return the keys of all objects below a folder."""
        names: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = await self.moto.call(
                "list_objects_v2", Bucket=self.bucket, Prefix=f"{prefix}/", **token
            )
            names += [found["Key"] for found in page.get("Contents", ())]
            if not page["IsTruncated"]:
                return names
            token = {"ContinuationToken": page["NextContinuationToken"]}

    async def remove(self, prefix: str) -> None:
        """Remove all objects of the run, whose folder is the only one in its bucket."""
        await self.moto.remove(self.bucket)
