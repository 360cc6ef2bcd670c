"""Whether an account is a flat or a hierarchical one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from remote_store import PermissionDenied
from remote_store_azure._names import NAME

if TYPE_CHECKING:
    from remote_store_azure._wire import Answer, Wire

__all__ = ["is_hierarchical"]

_ACCOUNT: Final = "restype=account&comp=properties"
#: What a question may be answered with beside the truth: then the next one is asked.
_NO_ANSWER: Final = (200, 400, 401, 403, 404, 405, 409)


async def is_hierarchical(wire: Wire) -> bool | None:
    """
    Return whether the account has a hierarchical namespace.

    The account tells by itself, or to credentials of narrower rights by what
    its listing looks like, or by whether it keeps access control lists.

    Returns:
        None while the container is absent and nothing else told.

    Raises:
        PermissionDenied: None of the questions is allowed to the credentials.
        BackendUnavailable: The service cannot be reached.
    """
    for url in (wire.url(None, _ACCOUNT), wire.account_url(_ACCOUNT)):
        answer = await wire.send("GET", url, path=None, accept=_NO_ANSWER)
        told = answer.headers.get("x-ms-is-hns-enabled")
        if answer.status == 200 and told:
            return told.lower() == "true"
        if answer.status in (401, 403):
            break
    answer = await _list(wire)
    if answer.status == 404:
        return None
    if answer.status == 200 and b"<Blob>" in answer.body:
        # Names cannot feign it, for in them the bracket is escaped.
        return b"<ResourceType>" in answer.body
    return await _has_access_control(wire)


async def _list(wire: Wire) -> Answer:
    url = wire.url(None, "restype=container&comp=list&maxresults=1")
    return await wire.send("GET", url, path=None, accept=_NO_ANSWER)


async def _has_access_control(wire: Wire) -> bool | None:
    url = wire.dfs_url("", "action=getAccessControl")
    answer = await wire.send("HEAD", url, path=None, accept=_NO_ANSWER)
    if answer.status == 200:
        return True
    if answer.status == 404:
        return None
    if answer.status == 409 or answer.code == "HierarchicalNamespaceNotEnabled":
        return False
    error = wire.error(answer)
    if answer.status in (401, 403):
        msg = (
            "The credentials do not allow to find out whether the account has a hierarchical "
            "namespace; pass hns=True or hns=False"
        )
        raise PermissionDenied(
            msg,
            backend=NAME,
            status=error.status,
            code=error.code,
            request_id=error.request_id,
        ) from error
    raise error
