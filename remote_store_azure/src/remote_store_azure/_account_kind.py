"""Whether an account is a flat or a hierarchical one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from remote_store import BackendUnavailable, PermissionDenied, StoreClosed
from remote_store_azure._keys import NAME
from remote_store_azure._rest.operations import ACCESS_CONTROL, ACCOUNT, LIST_BLOBS, Operation

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response

__all__ = ["AccountKind", "is_hierarchical"]

_ACCOUNT: Final = "restype=account&comp=properties"
_LIST: Final = "restype=container&comp=list&maxresults=1"
#: What a question may be answered with beside the truth: then the next one is asked.
_NO_ANSWER: Final = (200, 400, 404, 405, 409)
#: Refusals that are not about one question: no other one would fare better.
_UNKNOWN_CALLER: Final = ("AuthenticationFailed", "InvalidAuthenticationInfo")
_ADVICE: Final = (
    "the Data Lake service was asked whether the account has a hierarchical namespace: pass "
    "hns=True or hns=False, and it is not"
)


class AccountKind:
    """
    What is known of an account; it is asked once, by the loop that needs it first.

    Args:
        hierarchical: True for a hierarchical namespace, False for none, None to ask.
    """

    def __init__(self, hierarchical: bool | None) -> None:
        self._asking: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}
        self._hierarchical = hierarchical

    async def detect(self, session: Session, path: str | None) -> bool | None:
        """
        Return whether the account has a hierarchical namespace, and ask it if that is not known.

        Where the container is absent it stays unknown, None: both kinds answer alike then.

        Args:
            session: Of the container.
            path: Key of the operation that needs it, for errors.

        Raises:
            PermissionDenied, BackendUnavailable: See `is_hierarchical`.
        """
        loop = asyncio.get_running_loop()
        lock = self._asking.setdefault(loop, asyncio.Lock())
        try:
            async with lock:
                if self._hierarchical is None:
                    self._hierarchical = await is_hierarchical(session, path)
        finally:
            # A lock that was waited for keeps its loop alive.
            self._asking.pop(loop, None)
        return self._hierarchical


async def is_hierarchical(session: Session, path: str | None) -> bool | None:
    """
    Return whether the account has a hierarchical namespace.

    The account says it, or shows it to credentials of narrower rights by what
    its listing looks like, or by whether it keeps access control lists.

    Args:
        session: Of the container.
        path: Key of the operation that has to know, for errors.

    Returns:
        None while the container is absent and nothing else says it.

    Raises:
        PermissionDenied: The credentials are refused, or none of the
            questions is allowed to them.
        BackendUnavailable: The service cannot be reached.
    """
    for url in (session.url(None, _ACCOUNT), session.account_url(_ACCOUNT)):
        told = await _ask(session, ACCOUNT, url, path)
        if isinstance(told, PermissionDenied):
            break
        header = told.headers.get("x-ms-is-hns-enabled")
        if told.status == 200 and header:
            return header.lower() == "true"
    listed = await _ask(session, LIST_BLOBS, session.url(None, _LIST), path)
    if isinstance(listed, PermissionDenied):
        if listed.status == 401 or listed.code in _UNKNOWN_CALLER:
            raise _undecided(listed)
        return await _has_access_control(session, path, listed)
    if listed.status == 404:
        return None
    if listed.status != 200:
        raise session.error(listed)
    if b"<Blob>" in listed.body:
        # Names cannot feign it, for in them the bracket is escaped.
        return b"<ResourceType>" in listed.body
    if listed.headers.get("Server", "").startswith("Azurite"):
        return False  # it has no hierarchical accounts, and no Data Lake service that would answer
    return await _has_access_control(session, path, None)


async def _ask(
    session: Session, operation: Operation, url: str, path: str | None
) -> Response | PermissionDenied:
    """Return the answer to a question, or the service's refusal to answer it."""
    try:
        return await session.send(operation, url, path=path, accept=_NO_ANSWER)
    except PermissionDenied as error:
        if error.status is None:
            raise  # the credential itself failed, no request was sent
        return error


async def _has_access_control(
    session: Session, path: str | None, refusal: PermissionDenied | None
) -> bool | None:
    """
    Ask the Data Lake service, which a flat account may not even have.

    Args:
        session: Of the container.
        path: Key for errors.
        refusal: Of the question before, if it was refused: then only a clear answer counts.
    """
    url = session.dfs_url("", "action=getAccessControl")
    try:
        response = await _ask(session, ACCESS_CONTROL, url, path)
    except BackendUnavailable as error:
        if refusal is not None and error.status is not None:
            raise _undecided(refusal) from error  # a server, but not a Data Lake service
        if not isinstance(error, StoreClosed):  # a network may let only the Blob service through
            error.args = (f"{error.args[0]}; {_ADVICE}",)
        raise
    if isinstance(response, PermissionDenied):
        raise _undecided(refusal or response)
    if response.status == 200:
        return True
    if response.status == 404 and refusal is None:
        return None
    if response.status == 409 or response.code == "HierarchicalNamespaceNotEnabled":
        return False
    if refusal is not None:
        raise _undecided(refusal)
    raise session.error(response)


def _undecided(refusal: PermissionDenied) -> PermissionDenied:
    msg = (
        f"{refusal.args[0]}; so it cannot be told whether the account has a hierarchical "
        "namespace: if the credentials are right but narrow, pass hns=True or hns=False"
    )
    error = PermissionDenied(
        msg,
        path=refusal.path,
        backend=NAME,
        status=refusal.status,
        code=refusal.code,
        request_id=refusal.request_id,
    )
    error.__cause__ = refusal.__cause__
    return error
