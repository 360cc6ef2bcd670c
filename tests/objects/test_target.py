"""The kit's target for any object store, on a service in memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Self

import pytest
from tests.objects.service import Bucket, describe

from remote_store_objects import ObjectBackend
from remote_store_objects.conformance import object_target

pytestmark = pytest.mark.asyncio

BUCKETS: dict[str, Bucket] = {}


class Backend(ObjectBackend):
    """Opens the bucket whose name is the host of its URL."""

    def __init__(self, host: str, *, also: str = "", **options: Any) -> None:
        bucket = BUCKETS.setdefault(host.partition(":")[0], Bucket())
        super().__init__(bucket.connect, bucket.description, **options)
        self.host = host
        self.also = also

    @classmethod
    def from_url(cls, url: str, **options: Any) -> tuple[Self, str]:
        return cls(url.removeprefix("mem://"), **options), ""


@pytest.mark.parametrize("batch", [0, 2])
async def test_a_target_needs_a_url_and_an_endpoint(batch: int) -> None:
    """It leads through the proxy, and looks at the storage past it."""
    BUCKETS["host"] = bucket = Bucket(description=describe(batch=batch, page=2))
    started: list[int] = []
    fields: dict[str, Any] = object_target(
        dict,
        "mem",
        Backend,
        "mem://host:1",
        endpoint=("host", 1),
        options={"also": "http://host:1/x", "max_concurrency": 2},
        start=lambda: started.append(1),
        secrets=("s",),
    )
    assert (fields["name"], fields["secrets"], fields["max_list"]) == ("mem", ("s",), 104)
    assert fields["url"](SimpleNamespace(endpoint=("proxy", 2))) == (
        "mem://proxy:2",
        {"also": "http://proxy:2/x", "max_concurrency": 2},
    )
    assert fields["url"](SimpleNamespace(endpoint=None))[0] == "mem://host:1"
    assert not started
    scratch = SimpleNamespace(endpoint=("host", 2))
    for _ in range(2):
        async with fields["open"](scratch) as backend:
            assert (backend.host, backend.also) == ("host:2", "http://host:2/x")
    assert started == [1]

    probe = fields["probe"](backend, scratch)
    for number in range(5):
        await probe.put(f"f/{number}", b"12345")
    await probe.plant("g//x", b"")
    assert await probe.get("f/1") == b"12345"
    assert await probe.get("none") is None
    assert await probe.names("f") == [f"f/{number}" for number in range(5)]
    await probe.remove("f")
    await probe.remove("f")
    assert list(bucket.objects) == ["g//x"]
    assert all(service.closed == 1 for service in bucket.services)
