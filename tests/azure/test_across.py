"""Copies from one container to another: Copy Blob on a flat account, and who may ask for it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from azure.core.credentials import AccessToken, AzureSasCredential
from azure.core.exceptions import ServiceResponseError
from azure.storage.blob import (
    AccountSasPermissions,
    BlobServiceClient,
    ResourceTypes,
    generate_account_sas,
)
from tests.azure.azurite import Azurite
from tests.azure.flat import QUICK, Flat, flat

from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    CapabilityNotSupported,
    ContentHeaders,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
)
from remote_store.aio import AsyncStore
from remote_store_azure import AsyncAzureBackend
from remote_store_objects import StorageNotFound

pytestmark = pytest.mark.asyncio

_HEADERS = ContentHeaders(content_type="text/csv", cache_control="no-cache")


@pytest.fixture
def second(service: BlobServiceClient) -> Iterator[str]:
    """Name of another fresh container."""
    name = f"test-{uuid.uuid4().hex}"
    client = service.create_container(name)
    yield name
    client.delete_container()


@pytest_asyncio.fixture
async def theirs(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> AsyncIterator[Flat]:
    """A backend on the container of the sources."""
    async with flat(azurite, service, container) as found:
        yield found


@pytest_asyncio.fixture
async def ours(azurite: Azurite, service: BlobServiceClient, second: str) -> AsyncIterator[Flat]:
    """A backend on the container of the targets."""
    async with flat(azurite, service, second) as found:
        yield found


async def test_it_is_one_request_with_all_that_the_blob_has(theirs: Flat, ours: Flat) -> None:
    """Exclusive or not, of one version or of any; nothing is asked of the source's container."""
    source, target = AsyncStore(theirs.backend, "in"), AsyncStore(ours.backend, "out")
    key = "dir/a +é.bin"
    written = await source.write(key, b"content", metadata={"k": "v"}, headers=_HEADERS)
    theirs.sent()
    assert await target.copy_from(source, key, "b") is None
    assert await target.copy_from(source, key, "c", if_match=written.etag) is None
    await target.copy_from(source, key, "c", overwrite=True)
    sent = ours.transport.taken()
    assert [(one.method, one.status) for one in sent] == [("PUT", 202)] * 3
    assert sent[1].headers["x-ms-source-if-match"] == f'"{written.etag}"'
    with pytest.raises(AlreadyExists):
        await target.copy_from(source, key, "b")
    assert theirs.sent() == []
    for name in ("b", "c"):
        info = await target.get_file_info(name)
        assert await target.read_bytes(name) == b"content"
        assert (info.metadata, info.headers) == ({"k": "v"}, _HEADERS)
    with pytest.raises(PreconditionFailed) as caught:
        await target.copy_from(source, key, "b", overwrite=True, if_match="0x0")
    assert caught.value.path == f"in/{key}"


async def test_what_is_missing_is_named_on_its_side(
    azurite: Azurite, service: BlobServiceClient, theirs: Flat, ours: Flat
) -> None:
    """The blob, which may be a folder, and either container."""
    theirs.put("f/x")
    with pytest.raises(NotFound) as missing:
        await ours.backend.copy_from(theirs.backend, "none", "b")
    assert missing.value.path == "none"
    assert not isinstance(missing.value, StorageNotFound)
    async with flat(azurite, service, "no-such-container") as nowhere:
        with pytest.raises(StorageNotFound, match="'no-such-container'") as caught:
            await ours.backend.copy_from(nowhere.backend, "a", "b")
        assert caught.value.path == "a"
        with pytest.raises(StorageNotFound, match="'no-such-container'") as caught:
            await nowhere.backend.copy_from(theirs.backend, "f/x", "b")
        assert caught.value.path == "b"


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_source_that_the_service_may_not_read(
    theirs: Flat, ours: Flat, status: int
) -> None:
    """It is not taken for missing, whatever the status of the code is."""
    theirs.put("a")

    async def refuse(request: Any, answer: Any) -> Any:
        if "x-ms-copy-source" in request.headers:
            answer.status_code = status
            answer.headers = {"x-ms-error-code": "CannotVerifyCopySource", "x-ms-request-id": "1"}
        return answer

    ours.transport.after = refuse
    with pytest.raises(PermissionDenied) as caught:
        await ours.backend.copy_from(theirs.backend, "a", "b")
    assert (caught.value.code, caught.value.outcome_unknown) == ("CannotVerifyCopySource", False)


async def test_a_copy_that_is_pending_is_waited_for(theirs: Flat, ours: Flat) -> None:
    """By looks at the target, which is somebody else's once it has another copy's id."""
    theirs.put("a", b"1")
    looks = 0

    async def later(request: Any, answer: Any) -> Any:
        nonlocal looks
        if request.method == "PUT" or looks < 2:
            looks += request.method == "HEAD"
            answer.headers["x-ms-copy-status"] = "pending"
        return answer

    ours.transport.after = later
    await ours.backend.copy_from(theirs.backend, "a", "b")
    assert ours.sent() == ["PUT", "HEAD", "HEAD", "HEAD"]


async def test_a_lost_answer_is_compared_with_the_source(theirs: Flat, ours: Flat) -> None:
    """In its own container: equal is unknown."""
    theirs.put("a", b"1")
    lost = 0

    async def lose(request: Any, answer: Any) -> Any:
        nonlocal lost
        if request.method == "PUT" and not lost:
            lost += 1
            raise ServiceResponseError("no answer")
        return answer

    ours.transport.after = lose
    with pytest.raises(AlreadyExists) as caught:
        await ours.backend.copy_from(theirs.backend, "a", "b")
    assert caught.value.outcome_unknown
    assert ours.get("b") == b"1"


# Who may ask ------------------------------------------------------------------


class _Token:
    """A credential that is asked, and never sent anywhere here."""

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken("token", 1 << 40)

    async def close(self) -> None:
        """Nothing is open."""


_URL = "https://127.0.0.1:9/acc"
_KEY = "a2V5"
_SERVICE = "sv=2021-08-06&sr=c&sp=racwdl&se=2099-01-01&sig=c2ln"
_ACCOUNT = "sv=2021-08-06&ss=b&srt=sco&sp=rwdlac&se=2099-01-01&sig=c2ln"
_TOKEN = _Token()
_SAS_OBJECT = AzureSasCredential(_ACCOUNT)
_NARROW_OBJECT = AzureSasCredential(_SERVICE)


def _backend(container: str, **options: Any) -> AsyncAzureBackend:
    given = {"account_url": _URL, "hns": False, "retry": QUICK, **options}
    return AsyncAzureBackend(container, **given)


async def _reaches(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether a copy is asked for, of a service that nobody serves."""
    async with _backend("ours", **one) as ours, _backend("theirs", **other) as theirs:
        with pytest.raises((BackendUnavailable, CapabilityNotSupported)) as caught:
            await ours.copy_from(theirs, "a", "b")
    assert "c2ln" not in str(caught.value)
    return isinstance(caught.value, BackendUnavailable)


@pytest.mark.parametrize(
    "one",
    [
        {"account_name": "acc", "account_key": _KEY},
        {"sas_token": _ACCOUNT},
        {"credential": _TOKEN},
        {"credential": _SAS_OBJECT},
    ],
    ids=["key", "account SAS", "token", "SAS object"],
)
async def test_a_credential_of_the_account_reaches_its_other_containers(
    one: dict[str, Any],
) -> None:
    """A key, an account SAS, a token: the same on both sides."""
    assert await _reaches(one, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"sas_token": _SERVICE}, {"sas_token": _SERVICE}),
        ({"credential": _NARROW_OBJECT}, {"credential": _NARROW_OBJECT}),
        ({"sas_token": _ACCOUNT}, {"sas_token": _ACCOUNT + "&sip=1.2.3.4"}),
        ({"credential": _TOKEN}, {"credential": _Token()}),
        ({"credential": _TOKEN}, {"sas_token": _ACCOUNT}),
        (
            {"account_name": "acc", "account_key": _KEY},
            {"account_name": "acc", "account_key": "b3RoZXI="},
        ),
        (
            {"account_name": "acc", "account_key": _KEY},
            {"account_name": "acc", "account_key": _KEY, "account_url": _URL + "2"},
        ),
    ],
    ids=["container SAS", "SAS object", "two SAS", "two tokens", "kinds", "keys", "accounts"],
)
async def test_what_may_not_reach_it_does_not(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Told before any request, in both directions."""
    assert not await _reaches(one, other)
    assert not await _reaches(other, one)


async def test_nobody_copies_nothing() -> None:
    """Who is no one writes nothing either."""
    one = {"account_url": None, "connection_string": f"BlobEndpoint={_URL}"}
    assert not await _reaches(one, one)


async def test_the_default_credential_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it finds, it finds it for both."""
    async with _backend("ours") as ours, _backend("theirs") as theirs:
        assert ours._account.opens(theirs._account)


async def test_an_account_sas_is_in_both_urls(
    azurite: Azurite, service: BlobServiceClient, container: str, second: str
) -> None:
    """The source needs it as the request does; a container's own token is not tried."""
    token = generate_account_sas(
        azurite.account,
        azurite.key,
        ResourceTypes(object=True, container=True, service=True),
        AccountSasPermissions(read=True, write=True, create=True, list=True),
        datetime.now(UTC) + timedelta(hours=1),
    )
    options = {"connection_string": None, "account_url": azurite.blob_url, "sas_token": token}
    async with (
        flat(azurite, service, container, **options) as theirs,
        flat(azurite, service, second, **options) as ours,
    ):
        theirs.put("a", b"1")
        await ours.backend.copy_from(theirs.backend, "a", "b")
        (sent,) = ours.transport.taken()
        assert ours.get("b") == b"1"
        assert f"/{container}/a?{token}" in sent.headers["x-ms-copy-source"]
    async with (
        flat(azurite, service, container, **azurite.only(container, "rl")) as theirs,
        flat(azurite, service, second, **azurite.only(second, "rwl")) as ours,
    ):
        with pytest.raises(CapabilityNotSupported):
            await ours.backend.copy_from(theirs.backend, "a", "c")
        assert ours.sent() == []
