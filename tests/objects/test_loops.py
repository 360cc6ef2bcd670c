"""What is not bound to one event loop."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest
from tests.objects.service import Bucket

from remote_store_objects import Description, MetadataRules


def test_each_loop_has_a_service_of_its_own() -> None:
    """Which ends with it, also without a close, and after use in many of them."""
    bucket = Bucket()
    backend = bucket.backend()
    for number in range(5):
        asyncio.run(backend.write(f"{number}", b""))
    assert len(bucket.services) == 5
    assert all(service.closed == 1 for service in bucket.services)
    assert len(backend._loops._states) == 0

    done = threading.Barrier(3)

    def other() -> None:
        async def use() -> None:
            await backend.write("x", b"", overwrite=True)
            await asyncio.to_thread(done.wait, 10)

        asyncio.run(use())

    threads = [threading.Thread(target=other) for _ in range(2)]
    for thread in threads:
        thread.start()
    done.wait(10)
    for thread in threads:
        thread.join()
    assert len(bucket.services) == 7


def test_a_backend_that_is_dropped_leaves_nothing() -> None:
    """Its service is closed by the loop."""
    bucket = Bucket()

    async def use() -> None:
        await bucket.backend().exists("a")
        gc.collect()
        await asyncio.sleep(0)

    asyncio.run(use())
    assert [service.closed for service in bucket.services] == [1]


def test_metadata_rules_can_be_the_service_s_own() -> None:
    """Case may count, and sizes may be another."""
    MetadataRules(ignores_case=False, key=MetadataRules().value).refuse({"a": "", "A": ""})
    with pytest.raises(ValueError, match="case"):
        MetadataRules(key=MetadataRules().value).refuse({"a": "", "A": ""})
    with pytest.raises(ValueError, match="at most 3"):
        MetadataRules(most=3).refuse({"ab": "cd"})
    assert Description(name="x", location="y").metadata == MetadataRules()
