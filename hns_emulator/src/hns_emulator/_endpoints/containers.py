"""Handlers of the Blob endpoint for the account and its containers."""

from __future__ import annotations

from collections.abc import Callable

from hns_emulator._endpoints.common import stamps
from hns_emulator._endpoints.messages import Answer, ReceivedRequest
from hns_emulator._endpoints.xml import container_list
from hns_emulator._state.account import AccountState
from hns_emulator._state.listing import page_size
from hns_emulator._state.tree import Filesystem

__all__ = ["HANDLERS", "container"]

_META = "x-ms-meta-"
#: The queries that a listing repeats.
_REPEATED = ("Prefix", "Marker", "MaxResults")


def container(account: AccountState, request: ReceivedRequest) -> Filesystem:
    """
    Return the container that a request addresses.

    Raises:
        ServiceError: It is not there; the code is that of the endpoint.
    """
    missing = "FilesystemNotFound" if request.kind == "dfs" else "ContainerNotFound"
    return account.filesystem(request.filesystem, missing)


def account_information(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `GET ?restype=account&comp=properties`."""
    headers = {
        "x-ms-account-kind": "StorageV2",
        "x-ms-sku-name": "Standard_LRS",
        "x-ms-is-hns-enabled": "true",
    }
    return Answer(200, headers)


def create_container(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `PUT ?restype=container`, or `PUT ?resource=filesystem`."""
    exists = "FilesystemAlreadyExists" if request.kind == "dfs" else "ContainerAlreadyExists"
    fs = account.create_filesystem(request.filesystem, exists)
    fs.metadata = request.metadata
    return Answer(201, stamps(fs.root))


def set_container_metadata(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `PUT ?restype=container&comp=metadata`."""
    fs = container(account, request)
    fs.metadata = request.metadata
    fs.root.changed = account.clock.tick()
    return Answer(200, stamps(fs.root))


def container_properties(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `GET` or `HEAD ?restype=container`."""
    fs = container(account, request)
    headers = {
        **stamps(fs.root),
        **{f"{_META}{name}": value for name, value in fs.metadata.items()},
        "x-ms-lease-status": "unlocked",
        "x-ms-lease-state": "available",
        "x-ms-default-encryption-scope": "$account-encryption-key",
        "x-ms-deny-encryption-scope-override": "false",
        "x-ms-has-immutability-policy": "false",
        "x-ms-has-legal-hold": "false",
        "x-ms-immutable-storage-with-versioning-enabled": "false",
    }
    return Answer(200, headers, None if request.method == "HEAD" else b"")


def delete_container(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `DELETE ?restype=container`, or `DELETE ?resource=filesystem`."""
    del account.filesystems[container(account, request).name]
    return Answer(202)


def list_containers(account: AccountState, request: ReceivedRequest) -> Answer:
    """Answer `GET /?comp=list`."""
    query = request.query
    size = page_size(account, query.get("maxresults"))
    prefix, marker = query.get("prefix", ""), query.get("marker", "")
    names = [name for name in sorted(account.filesystems) if name.startswith(prefix)]
    names = [name for name in names if name >= marker]
    body = container_list(
        f"http://{account.name}.blob.core.localhost/",
        [
            (name, query[name.lower()])
            for name in ("Prefix", "Marker", "MaxResults")
            if name.lower() in query
        ],
        [account.filesystems[name] for name in names[:size]],
        names[size] if len(names) > size else None,
        with_metadata="include" in query,
    )
    return Answer(200, {"Content-Type": "application/xml"}, body, chunked=True)


HANDLERS: dict[str, Callable[[AccountState, ReceivedRequest], Answer]] = {
    "account_information": account_information,
    "container_properties": container_properties,
    "create_container": create_container,
    "delete_container": delete_container,
    "list_containers": list_containers,
    "set_container_metadata": set_container_metadata,
}
"""By the name of the operation."""
