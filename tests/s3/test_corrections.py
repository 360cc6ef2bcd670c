"""Refusals that another region, clock or credential answers."""

from __future__ import annotations

import asyncio
import os
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session
from tests.s3.scripted import Answer, error, scripted

from remote_store import BackendUnavailable, PermissionDenied, RemoteStoreError
from remote_store_s3 import AsyncS3Backend
from remote_store_s3._credentials import Credentials, Keys

pytestmark = pytest.mark.asyncio

_PUT = Answer(headers={"ETag": '"e"'})
_HEAD = Answer(headers={"ETag": '"e"', "x-amz-request-id": "R"})


async def test_all_that_is_under_way_is_sent_to_the_region_that_one_of_them_found() -> None:
    """Of several first requests only one is the first to learn it; the others are right, too."""
    moved = error(301, "PermanentRedirect", **{"x-amz-bucket-region": "eu-north-1"})
    async with scripted(moved, moved, moved, _PUT, _PUT, _PUT) as server:
        backend = server.backend()
        await asyncio.gather(*(backend.write(name, b"1") for name in "abc"))
        await backend.aclose()


@pytest.mark.parametrize("region", ["evil.example/", "a b", "eu-west-1,x", "é"])
async def test_a_region_that_is_no_name_is_not_taken(region: str) -> None:
    """On AWS it is a part of the host: signed requests would go to somebody else's."""
    headers = {"x-amz-bucket-region": region}
    async with scripted(error(301, "PermanentRedirect", **headers)) as server:
        backend = server.backend()
        with pytest.raises(RemoteStoreError, match="another region"):
            await backend.read_bytes("a")
        await backend.aclose()
    with pytest.raises(ValueError, match="region"):
        AsyncS3Backend("bucket", region=region)


async def test_a_head_that_is_refused_for_the_clock_is_signed_again() -> None:
    """It has no document that says so; the service's time does."""
    now = datetime.now(UTC) - timedelta(hours=1)
    refusal = Answer(
        403, headers={"Date": format_datetime(now, usegmt=True), "x-amz-request-id": "R"}
    )
    async with scripted(refusal, _HEAD, refusal) as server:
        backend = server.backend()
        assert await backend.is_file("a")
        with pytest.raises(PermissionDenied):  # the clock is right by now
            await backend.is_file("a")
        await backend.aclose()


async def test_a_head_that_may_be_refused_for_old_credentials_is_signed_by_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has no document either: a 400, once."""
    refusal = Answer(400, headers={"x-amz-request-id": "R"})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    async with scripted(refusal, _HEAD, refusal, refusal) as server:
        backend = server.backend(access_key_id=None, secret_access_key=None)
        assert await backend.is_file("a")
        with pytest.raises(RemoteStoreError, match="400"):
            await backend.is_file("a")
        await backend.aclose()


async def test_credentials_that_are_over_are_looked_up_once_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever is refused later with the same takes what the first one found."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OLD")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    credentials = Credentials(None, None, None, None)
    old = await credentials.current()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "NEW")
    made: list[Session] = []

    def session(**options: Any) -> Session:
        made.append(Session(**options))
        return made[-1]

    monkeypatch.setattr("botocore.session.Session", session)
    found = await asyncio.gather(*(credentials.current(refused=old) for _ in range(4)))
    assert ({keys.key_id for keys in found}, len(made)) == ({"NEW"}, 1)


async def test_a_fork_in_the_middle_of_a_look_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The lock that a thread of the parent holds is not the child's."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "K")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "S")
    credentials = Credentials(None, None, None, None)
    held = credentials._locks.setdefault(os.getpid(), threading.Lock())
    parent = os.getpid()
    with held:
        monkeypatch.setattr(os, "getpid", lambda: parent + 1)
        assert await asyncio.wait_for(credentials.current(), 10) == Keys("K", "S")


async def test_pages_of_a_content_network_are_no_answers() -> None:
    """Those of AWS have marks that begin as the service's own."""
    page = Answer(404, "<html>none</html>", {"x-amz-cf-id": "C"})
    async with scripted(page, page) as server:
        backend = server.backend()
        with pytest.raises(BackendUnavailable, match="not the service's own"):
            await backend.read_bytes("a")
        await backend.aclose()


async def test_certificates_that_cannot_be_read_are_no_missing_file(tmp_path: Path) -> None:
    """An OSError from a store would mean that a file of its is missing."""
    path = str(tmp_path / "none.pem")
    async with AsyncS3Backend(
        "bucket", verify=path, access_key_id="k", secret_access_key="s"
    ) as backend:
        with pytest.raises(RemoteStoreError, match="certificates") as caught:
            await backend.read_bytes("a")
        assert not isinstance(caught.value, OSError)
