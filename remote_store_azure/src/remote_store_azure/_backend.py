"""The backend: what a container is told by its users, and which operations its account needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar, cast

from remote_store import (
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    RetryPolicy,
    Secret,
)
from remote_store_azure._account_kind import AccountKind
from remote_store_azure._blob.headers import METADATA
from remote_store_azure._blob.signed import longest_url
from remote_store_azure._connect.account import Account, account_of
from remote_store_azure._connect.options import GROWTH, SECRETS, refuse_types
from remote_store_azure._connect.url import place_of
from remote_store_azure._datalake.probe import loses_dots, refuse_dots
from remote_store_azure._hierarchical import Hierarchical, http_of
from remote_store_azure._http.clients import Clients
from remote_store_azure._keys import LONGEST, NAME, UNLISTABLE
from remote_store_objects import Description, ObjectBackend, ObjectService
from remote_store_objects.authoring import Calls, Flat, Session

if TYPE_CHECKING:
    from remote_store_azure._blob.service import BlobService

__all__ = ["AsyncAzureBackend"]

T = TypeVar("T")
_DAY: Final = timedelta(days=1)

#: What only accounts with a hierarchical namespace can do.
_REAL_FOLDERS: Final = CapabilitySet([Capability.ATOMIC_MOVE, Capability.CREATE_FOLDER])


class AsyncAzureBackend(ObjectBackend):
    """
    One container of Azure Blob Storage or of a Data Lake Storage account (Gen2).

    Accounts without a hierarchical namespace keep folders only in the names of
    their blobs: a folder is there as long as something is in it, and a file
    and a folder of one name may coexist. Accounts with one keep real folders.
    Which of the two an account is, is found out once, by the first operation.

    Content of up to 8 MiB is one request, more is sent in blocks of 4 MiB,
    which grow as the stream goes on. Blocks of a write that failed are never
    part of a file, and the service drops them after a week. On a hierarchical
    account streams, larger content and atomic writes go to a temporary file,
    which is renamed. User metadata have identifiers as keys, unique ignoring
    case, and printable ASCII as values. A folder of a flat account is deleted
    in batches of 256 blobs; moving a file there copies it and removes the
    version that was copied.

    Every write, move and copy without ``overwrite`` is decided by the service:
    of any number of concurrent writers, in tasks, processes or machines, one
    succeeds. A read that is cut off goes on with the same version or raises.

    One instance serves any number of tasks, threads and event loops; each loop
    gets connections of its own, which end with it. Closing is terminal. It
    pickles as its configuration, secrets included, unless it was given a
    credential object.

    Args:
        container: Name of the container.
        account_name: Name of the storage account.
        account_url: URL of the account, of its Blob or its Data Lake service;
            or of the container, as the portal shows it with a SAS token.
        account_key: Key of the account.
        sas_token: Shared access signature.
        connection_string: As the portal shows it; wins over all of the others.
        credential: Any credential object. An async one is used as it is, a
            sync one is asked in a thread; neither is closed.
        client_options: Options of the SDK's clients; they win over ours.
        retry: How often and how long to try again; None for the default
            `RetryPolicy`.
        max_concurrency: Requests of one upload or download at a time.
        reject_write_under_file_ancestor: On a flat account, look for a file at
            each folder above the target of a write, move or copy, and for a
            folder at the target, and refuse it with InvalidPath; each look is
            a request. Hierarchical accounts always refuse.
        delete_snapshots: On a flat account, delete the snapshots of a file with
            it, when it is deleted, moved, or in a folder that is. Without it
            the service refuses: PermissionDenied. Hierarchical accounts have
            no snapshots.
        hns: True for a hierarchical namespace, False for none, None to find
            out.

    Raises:
        TypeError: An argument, or the name of an option, is of a wrong type.
        ValueError: No container, no account, an empty secret,
            *max_concurrency* below 1, something that cannot work, or *hns* is
            no bool. What is missing is in the message, and never a secret.
    """

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(
        set(Capability)
        - {
            Capability.SEEKABLE_READ,
        }
    )
    CONTRACT: ClassVar[str] = "1.1"
    close_is_terminal: ClassVar[bool] = True
    SECRET_OPTIONS: ClassVar[frozenset[str]] = SECRETS

    def __init__(
        self,
        container: str,
        *,
        account_name: str | None = None,
        account_url: str | None = None,
        account_key: str | Secret | None = None,
        sas_token: str | Secret | None = None,
        connection_string: str | Secret | None = None,
        credential: Any | None = None,
        client_options: dict[str, Any] | None = None,
        retry: RetryPolicy | None = None,
        max_concurrency: int = 1,
        reject_write_under_file_ancestor: bool = False,
        delete_snapshots: bool = False,
        hns: bool | None = None,
    ) -> None:
        where: dict[str, Any] = {
            "container": container,
            "account_name": account_name,
            "account_url": account_url,
            "account_key": account_key,
            "sas_token": sas_token,
            "connection_string": connection_string,
            # A connection string wins, so that an object beside it is of no use.
            "credential": None if connection_string else credential,
            "max_concurrency": max_concurrency,
        }
        further: dict[str, Any] = {
            "client_options": client_options,
            "retry": retry,
            "reject_write_under_file_ancestor": reject_write_under_file_ancestor,
            "delete_snapshots": delete_snapshots,
        }
        refuse_types(where | further)
        account = account_of(**where)
        if hns is not None and not isinstance(hns, bool):
            msg = f"hns must be True, False or None, got {hns!r}"
            raise ValueError(msg)
        self._account = account
        self._options: dict[str, Any] = {
            **where,
            **further,
            "client_options": dict(client_options or {}),
            "hns": hns,
        }
        self._clients = Clients(
            account,
            retry=retry,
            client_options=self._options["client_options"],
            max_concurrency=max_concurrency,
        )
        tuning = self._clients.tuning
        super().__init__(
            _no_service,
            _described(account),
            retry=retry,
            max_concurrency=max_concurrency,
            single_put=tuning.max_single_put,
            part_size=tuning.block_size,
            growth=GROWTH,
            range_size=tuning.max_chunk_get,
            first_range=tuning.max_single_get,
        )
        self._kind = AccountKind(hns)
        self.operations = None if hns is None else self._operations_of(hns)
        missing = set() if hns else set(_REAL_FOLDERS)
        if self.description.signs is None:
            missing.add(Capability.SIGNED_URL)
        self._capabilities = CapabilitySet(set(self.CAPABILITIES) - missing)
        self._connected: Self | None = None

    @classmethod
    def from_url(cls, url: str, **options: Any) -> tuple[Self, str]:
        """
        Return a backend and the root path for ``azure://container/root?account_url=...``.

        Args:
            url: A URL with the scheme ``azure`` or ``az``. Its query may hold
                every option that is a text, a number or a switch.
            options: Further keywords of the class; they win.

        Raises:
            ValueError: The URL is malformed, or an option is refused.
        """
        container, root, found = place_of(url)
        return cls(container, **{**found, **options}), root

    # Which account it is ---------------------------------------------------

    async def connected(self) -> Self:
        """
        Find out which kind of account it is; opening a store awaits this.

        Returns:
            The backend to use, the same object at every call: on a
            hierarchical account one that declares ATOMIC_MOVE and CREATE_FOLDER
            too and shares the connections of this one, so that closing either
            closes both.

        Raises:
            PermissionDenied, BackendUnavailable: It cannot be found out.
            StoreClosed: The backend is closed.
        """
        self._loops.refuse_closed()
        if self._connected is not None:
            return self._connected
        with self._loops.running() as session:
            operations = self.operations or await self.found_operations(session, None)
        if self._options["hns"] is not None or not isinstance(operations, Hierarchical):
            return self
        if self._connected is None:  # another call may have been faster
            twin = self.__class__.__new__(self.__class__)
            self._connected = twin
            twin.__dict__.update(
                self.__dict__,
                _options={**self._options, "hns": True},
                _capabilities=self._capabilities | _REAL_FOLDERS,
            )
        return self._connected

    async def found_operations(self, session: Session, key: str | None) -> Flat:
        """Ask the account which kind it is; an absent container is asked again."""
        hierarchical = await self._kind.detect(http_of(session), key)
        operations = self._operations_of(hierarchical or False)
        if hierarchical is not None:
            self.operations = operations
        return operations

    def _operations_of(self, hierarchical: bool) -> Flat:
        if hierarchical:
            return Hierarchical()
        return Flat(self._options["reject_write_under_file_ancestor"])

    def made_service(self, calls: Calls) -> ObjectService:
        """Make the service of the running loop, and the SDK's clients."""
        from remote_store_azure._blob.service import BlobService

        clients = self._clients.connect(calls)
        return BlobService(clients, snapshots=self._options["delete_snapshots"])

    async def sweep(
        self,
        path: str = "",
        *,
        older_than: timedelta = _DAY,
        dry_run: bool = False,
        found: Callable[[str], object] | None = None,
    ) -> int:
        """
        Remove temporary files that killed processes left on a hierarchical account.

        On a flat account the service drops uncommitted blocks itself, after a week.

        Args:
            path: Folder to sweep, with all below it.
            older_than: Only files that nobody has changed for so long. A write
                may still be under way, in whatever process.
            dry_run: Remove nothing.
            found: Told the key of each one.

        Returns:
            How many were removed, or with *dry_run* would be.

        Raises:
            CapabilityNotSupported: The account is flat.
            PermissionDenied, RemoteStoreError: Something cannot be listed or removed.
        """
        with self._loops.running() as session:
            key = self._keys.folder(path)
            operations = self.operations or await self.found_operations(session, key)
            if isinstance(operations, Hierarchical):
                return await operations.sweep(
                    session, key, older_than, dry_run=dry_run, found=found
                )
        msg = (
            "a flat account leaves nothing to be swept: it drops uncommitted blocks "
            "by itself, after a week"
        )
        raise CapabilityNotSupported(msg, path=path, backend=self.name, capability="sweep")

    # What it is ------------------------------------------------------------

    @property
    def capabilities(self) -> CapabilitySet:
        """
        What both kinds of accounts can do: all but SEEKABLE_READ, ATOMIC_MOVE and CREATE_FOLDER.

        With ``hns=True`` moves are atomic too, and folders can be made.
        """
        return self._capabilities

    async def signed_url(self, path: str, *, expires: timedelta, method: str = "GET") -> str:
        """
        Return a URL by which anybody may read or write one file; see `ObjectBackend.signed_url`.

        Raises:
            InvalidPath: Also where a name ends in a dot and the account is hierarchical: it would
                be the URL of another file. Which kind it is, is asked only then.
        """
        if self.description.signs is not None and loses_dots(key := self._keys.file(path)):
            with self._loops.running() as session:
                operations = self.operations or await self.found_operations(session, key)
            if isinstance(operations, Hierarchical):
                refuse_dots(key)
        return await super().signed_url(path, expires=expires, method=method)

    def native_path(self, path: str) -> str:
        """Return a key as ``container/key``; the root is the container alone."""
        return super().native_path(self._keys.folder(path))

    def unwrap(self, type_hint: type[T]) -> T:
        """
        Return the SDK's own async ``FileSystemClient`` for the running loop.

        It belongs to the backend, which closes it.

        Raises:
            StoreClosed: The backend is closed.
            CapabilityNotSupported: Another type is asked for.
            RuntimeError: No event loop is running.
        """
        self._loops.refuse_closed()
        if not _is_file_system_client(type_hint):
            msg = (
                f"backend {self.name!r} does not expose {type_hint!r}; it does expose "
                "azure.storage.filedatalake.aio.FileSystemClient"
            )
            raise CapabilityNotSupported(msg, backend=self.name, capability="unwrap")
        try:
            asyncio.get_running_loop()
        except RuntimeError as error:
            msg = (
                "a client of the SDK belongs to the event loop that runs, and none is running: "
                "call unwrap inside of a coroutine, in the loop that is to use it"
            )
            raise RuntimeError(msg) from error
        session = self._loops.running().session
        return cast("T", cast("BlobService", session.service).clients.file_system())

    def __repr__(self) -> str:
        # The URL as the caller gave it may hold a password or a token.
        options = self._options | {"account_url": self._account.given_url}
        shown = {k: v for k, v in options.items() if v is not None and k != "client_options"}
        parts = (f"{k}='***'" if k in SECRETS else f"{k}={v!r}" for k, v in shown.items())
        return f"{type(self).__name__}({', '.join(parts)})"

    def __reduce__(self) -> tuple[Any, ...]:
        self._clients.__reduce__()  # refuses what belongs to this process
        return _rebuilt, (type(self), self._options)


def _rebuilt(cls: type[AsyncAzureBackend], options: dict[str, Any]) -> AsyncAzureBackend:
    return cls(**options)


def _no_service() -> ObjectService:
    msg = "a service of this backend has to know what is under way"
    raise TypeError(msg)


def _described(account: Account) -> Description:
    return Description(
        name=NAME,
        location=account.container,
        details={"container": account.container, "account_url": account.given_url},
        max_key=LONGEST,
        forbidden=UNLISTABLE,
        max_put=5000 << 20,
        min_part=1,
        max_part=4000 << 20,
        max_parts=50_000,
        page=5000,
        batch=256,
        batch_tells=True,
        metadata=METADATA,
        folder_marks=True,
        repeats=True,
        signs=longest_url(account),
        resumes=True,
    )


def _is_file_system_client(type_hint: object) -> bool:
    # A program that asks for it has imported it; others need not.
    module = getattr(type_hint, "__module__", "")
    if not isinstance(module, str) or not module.startswith("azure.storage.filedatalake"):
        return False
    from azure.storage.filedatalake.aio import FileSystemClient

    return type_hint is FileSystemClient
