"""Which kind of account it is: asked once, in the order of what credentials may ask."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest
from azure.core.exceptions import ServiceResponseError
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.flat import QUICK, Flat, flat

from remote_store import BackendUnavailable, PermissionDenied, RemoteStoreError
from remote_store.aio import AsyncStore
from remote_store_azure import AsyncAzureBackend
from remote_store_azure._account_kind import is_hierarchical
from remote_store_azure._hierarchical import Hierarchical, http_of

pytestmark = pytest.mark.asyncio

#: How the questions show in what was sent, in their order.
ACCOUNT: Final = "GET properties"
LIST: Final = "GET list"
ACL: Final = "HEAD"


class Script:
    """Lets the service answer the questions in a given way; Azurite answers what is not given."""

    def __init__(self, box: Flat, **answers: Any) -> None:
        self._answers = {key: list(value) for key, value in answers.items()}
        box.transport.after = self._after

    async def _after(self, request: Any, answer: Any) -> Any:
        if "restype=account" in request.url:
            key = "account"
        elif "comp=list" in request.url:
            key = "list"
        elif "getAccessControl" in request.url:
            key = "acl"
        else:
            return answer
        answer.headers["Server"] = "Windows-Azure-Blob/1.0"
        if not self._answers.get(key):
            return answer
        status, headers = self._answers[key].pop(0)
        answer.status_code = status
        answer.headers.update(USUAL | headers)
        return answer


#: What the service sends with such answers.
USUAL: Final = {"x-ms-request-id": "1f2e", "ETag": '"1"', "x-ms-acl": "user::rwx"}


def code(text: str) -> dict[str, str]:
    return {"x-ms-error-code": text}


TRUE, FALSE = {"x-ms-is-hns-enabled": "true"}, {"x-ms-is-hns-enabled": "false"}
FORBIDDEN = (403, code("AuthorizationPermissionMismatch"))
FLAT = (400, code("HierarchicalNamespaceNotEnabled"))


@pytest.mark.parametrize(
    ("answers", "expected", "requests"),
    [
        ({"account": [(200, TRUE)]}, True, [ACCOUNT]),
        ({"account": [(200, FALSE)]}, False, [ACCOUNT]),
        ({}, False, [ACCOUNT, ACCOUNT]),
        ({"account": [(200, {}), (200, TRUE)]}, True, [ACCOUNT, ACCOUNT]),
        ({"account": [FORBIDDEN], "acl": [(200, {})]}, True, [ACCOUNT, LIST, ACL]),
        ({"account": [FORBIDDEN], "acl": [FLAT]}, False, [ACCOUNT, LIST, ACL]),
        (
            {"account": [(200, {}), FORBIDDEN], "acl": [(409, code("Whatever"))]},
            False,
            [ACCOUNT, ACCOUNT, LIST, ACL],
        ),
        (
            {"account": [FORBIDDEN], "list": [FORBIDDEN], "acl": [(200, {})]},
            True,
            [ACCOUNT, LIST, ACL],
        ),
        (
            {"account": [FORBIDDEN], "list": [(404, code("ContainerNotFound"))]},
            None,
            [ACCOUNT, LIST],
        ),
        (
            {"account": [FORBIDDEN], "acl": [(404, code("FilesystemNotFound"))]},
            None,
            [ACCOUNT, LIST, ACL],
        ),
    ],
)
async def test_the_questions(
    azurite: Azurite,
    service: BlobServiceClient,
    container: str,
    answers: dict[str, Any],
    expected: bool | None,
    requests: list[str],
) -> None:
    """Each answer is understood, and the next question is asked only where one did not tell."""
    async with flat(azurite, service, container) as box:
        Script(box, **answers)
        with box.backend._loops.running() as wire:
            assert await is_hierarchical(http_of(wire), "a") is expected
        assert box.sent() == requests


async def test_a_listing_tells(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """One blob without a resource type makes the account flat, whatever it is called."""
    async with flat(azurite, service, container) as box:
        box.put("<ResourceType>", metadata={"ResourceType": "file"})
        Script(box, account=[FORBIDDEN])
        with box.backend._loops.running() as wire:
            assert await is_hierarchical(http_of(wire), "a") is False
        assert box.sent() == [ACCOUNT, LIST]


async def test_no_right_to_any_answer(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """Who may ask nothing is told what to pass, and nothing is concluded from it."""
    async with flat(azurite, service, container, hns=None) as box:
        box.put("a")
        Script(box, account=[FORBIDDEN], list=[FORBIDDEN], acl=[FORBIDDEN])
        with pytest.raises(PermissionDenied, match="hns=True or hns=False") as caught:
            await box.backend.is_file("a")
        assert (caught.value.status, caught.value.code) == (403, FORBIDDEN[1]["x-ms-error-code"])
        assert caught.value.__cause__ is not None
        assert await box.backend.is_file("a")  # the script is over: it is asked again


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_failure_is_no_answer(
    azurite: Azurite, service: BlobServiceClient, container: str, status: int
) -> None:
    """A service that fails raises, and the next operation asks again."""
    async with flat(azurite, service, container, hns=None) as box:
        box.put("a")
        Script(box, account=[(status, code("ServerBusy"))] * QUICK.max_attempts)
        with pytest.raises(BackendUnavailable):
            await box.backend.is_file("a")
        box.sent()
        assert await box.backend.is_file("a")
        assert box.sent() == [ACCOUNT, ACCOUNT, "HEAD"]


async def test_an_unknown_refusal_is_no_answer(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """A 400 that does not say what it is about raises instead of being read as flat."""
    async with flat(azurite, service, container) as box:
        Script(box, account=[FORBIDDEN], acl=[(400, code("InvalidQueryParameterValue"))])
        with box.backend._loops.running() as wire, pytest.raises(RemoteStoreError) as caught:
            await is_hierarchical(http_of(wire), "a")
        assert caught.value.code == "InvalidQueryParameterValue"


async def test_undecided_is_not_kept(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """While the container is absent nothing is decided for later."""
    async with flat(azurite, service, container, hns=None) as box:
        absent = (404, code("ContainerNotFound"))
        Script(box, account=[absent, absent], list=[absent, absent])
        assert not await box.backend.exists("a")
        box.put("a")
        assert await box.backend.exists("a")
        assert box.sent()[-3:] == [ACCOUNT, ACCOUNT, "HEAD"]


async def test_many_at_once_ask_once(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """Operations that begin together wait for one answer; a cancelled one does not spoil it."""
    async with flat(azurite, service, container, hns=None) as box:
        first = asyncio.create_task(box.backend.is_file("a"))
        others = [asyncio.create_task(box.backend.is_file("a")) for _ in range(8)]
        await asyncio.sleep(0)
        first.cancel()
        assert await asyncio.gather(*others) == [False] * 8
        assert box.sent().count(ACCOUNT) in (2, 3)  # what was cancelled may have asked once
        assert box.backend._kind._asking == {}


async def test_a_lost_question_is_asked_again(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """A broken connection is tried again like any other."""
    async with flat(azurite, service, container, hns=None) as box:
        failures = iter([True])

        async def after(request: Any, answer: Any) -> Any:
            if next(failures, False):
                await answer.close()
                msg = "the answer was lost"
                raise ServiceResponseError(msg)
            return answer

        box.transport.after = after
        assert not await box.backend.is_file("a")
        assert box.sent() == [ACCOUNT, ACCOUNT, ACCOUNT, "HEAD"]


async def test_the_answer_chooses_the_strategy(
    azurite: Azurite,
    service: BlobServiceClient,
    container: str,
) -> None:
    """What is found out, or passed, is what the operations are done with."""
    async with flat(azurite, service, container, hns=None) as box:
        Script(box, account=[(200, TRUE)])
        assert box.backend.operations is None
        await box.backend.exists("a")
        assert isinstance(box.backend.operations, Hierarchical)
    for hns in (True, False):
        made = AsyncAzureBackend("box", account_name="name", account_key="a2V5", hns=hns)
        assert isinstance(made.operations, Hierarchical) is hns


async def test_an_absent_container_is_asked_nothing_of_its_kind(
    azurite: Azurite, service: BlobServiceClient
) -> None:
    """A store over an absent container answers as an empty one does."""
    async with flat(azurite, service, "absent-container", hns=None) as box:
        store = AsyncStore(box.backend)
        assert not await store.exists("a")
