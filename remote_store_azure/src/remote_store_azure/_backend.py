"""The backend's front: arguments, checks that need no service, and the choice of a strategy."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from remote_store import (
    Capability,
    CapabilitySet,
    FileInfo,
    FolderEntry,
    FolderInfo,
    GlobPattern,
    InvalidPath,
    ResolutionPlan,
    RetryPolicy,
    Secret,
    WriteResult,
)
from remote_store.aio import AsyncBackend, AsyncWritableContent
from remote_store.authoring import cannot_delete_root, file_key, folder_key, is_a_folder
from remote_store_azure._account_kind import AccountKind
from remote_store_azure._blob.headers import metadata_headers
from remote_store_azure._blob.probe import container_exists, look_at_container
from remote_store_azure._connect.account import account_of
from remote_store_azure._connect.options import SECRETS, refuse_types
from remote_store_azure._connect.url import place_of
from remote_store_azure._hierarchical import Hierarchical
from remote_store_azure._http.clients import Clients
from remote_store_azure._keys import NAME, target_key
from remote_store_azure._strategy import Strategy

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session

__all__ = ["AsyncAzureBackend"]

T = TypeVar("T")


class AsyncAzureBackend(AsyncBackend):
    """
    One container of Azure Blob Storage or of a Data Lake Storage account (Gen2).

    Accounts without a hierarchical namespace keep folders only in the names of
    their blobs: a folder is there as long as something is in it, and a file
    and a folder of one name may coexist. Accounts with one keep real folders.
    Which of the two an account is, is found out once, by the first operation.

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
            Capability.RANGE_READ,
            Capability.CONDITIONAL_WRITE,
            Capability.CONTENT_HEADERS,
            Capability.SIGNED_URL,
        }
    )
    CONTRACT: ClassVar[str] = "1.0"
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
        self._account = account_of(**where)
        if hns is not None and not isinstance(hns, bool):
            msg = f"hns must be True, False or None, got {hns!r}"
            raise ValueError(msg)
        self._options: dict[str, Any] = {
            **where,
            **further,
            "client_options": dict(client_options or {}),
            "hns": hns,
        }
        self._clients = Clients(
            self._account,
            retry=retry,
            client_options=self._options["client_options"],
            max_concurrency=max_concurrency,
            name=NAME,
        )
        self._kind = AccountKind(
            hns=hns,
            reject_under_file=reject_write_under_file_ancestor,
            delete_snapshots=delete_snapshots,
        )
        missing = set() if hns else {Capability.ATOMIC_MOVE}
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
            hierarchical account one that declares ATOMIC_MOVE too and shares
            the connections of this one, so that closing either closes both.

        Raises:
            PermissionDenied, BackendUnavailable: It cannot be found out.
            StoreClosed: The backend is closed.
        """
        self._clients.refuse_closed()
        if self._connected is not None:
            return self._connected
        with self._clients.running() as session:
            strategy = self._kind.strategy or await self._kind.detect(session, None)
        if self._options["hns"] is not None or not isinstance(strategy, Hierarchical):
            return self
        if self._connected is None:  # another call may have been faster
            twin = self.__class__.__new__(self.__class__)
            self._connected = twin
            twin.__dict__.update(
                self.__dict__,
                _options={**self._options, "hns": True},
                _capabilities=CapabilitySet(self.CAPABILITIES),
            )
        return self._connected

    # What it is ------------------------------------------------------------

    @property
    def name(self) -> str:
        """Identifier of this backend type, ``"async-azure"``."""
        return NAME

    @property
    def capabilities(self) -> CapabilitySet:
        """
        What both kinds of accounts can do: all but SEEKABLE_READ and ATOMIC_MOVE.

        With ``hns=True`` moves are atomic too.
        """
        return self._capabilities

    def native_path(self, path: str) -> str:
        """Return a key as ``container/key``; the root is the container alone."""
        key = folder_key(path, NAME)
        return f"{self._account.container}/{key}" if key else self._account.container

    def to_key(self, native_path: str) -> str:
        """Return the key of ``container/key``; anything else is returned unchanged."""
        if native_path == self._account.container:
            return ""
        return native_path.removeprefix(f"{self._account.container}/")

    def resolve(self, path: str) -> ResolutionPlan:
        """Return where a key is stored, without I/O and without secrets."""
        details = {
            "container": self._account.container,
            "account_url": self._account.given_url,
        }
        return ResolutionPlan(NAME, NAME, path, self.native_path(path), details)

    def unwrap(self, type_hint: type[T]) -> T:
        """
        Return the SDK's own async ``FileSystemClient`` for the running loop.

        It belongs to the backend, which closes it.

        Raises:
            StoreClosed: The backend is closed.
            CapabilityNotSupported: Another type is asked for.
            RuntimeError: No event loop is running.
        """
        return self._clients.unwrap(type_hint)

    def __repr__(self) -> str:
        # The URL as the caller gave it may hold a password or a token.
        options = self._options | {"account_url": self._account.given_url}
        shown = {k: v for k, v in options.items() if v is not None and k != "client_options"}
        parts = (f"{k}='***'" if k in SECRETS else f"{k}={v!r}" for k, v in shown.items())
        return f"{type(self).__name__}({', '.join(parts)})"

    def __reduce__(self) -> tuple[Any, ...]:
        self._clients.__reduce__()  # refuses what belongs to this process
        return _rebuilt, (type(self), self._options)

    # Questions -------------------------------------------------------------

    async def exists(self, path: str) -> bool:
        """
        Return True if a file or folder is at *path*; of the root, if the container is there.

        Raises:
            PermissionDenied: The service does not say. Only a definite answer is False.
        """
        with self._clients.running() as session:
            key = folder_key(path, NAME)
            if not key:
                return await container_exists(session)
            strategy = self._kind.strategy or await self._kind.detect(session, key)
            return await strategy.exists(session, key)

    async def is_file(self, path: str) -> bool:
        """Return True if a file is at *path*."""
        with self._clients.running() as session:
            key = folder_key(path, NAME)
            if not key:
                return False
            strategy = self._kind.strategy or await self._kind.detect(session, key)
            return await strategy.is_file(session, key)

    async def is_folder(self, path: str) -> bool:
        """
        Return True if a folder is at *path*; of the root, if the container is there.

        On a flat account one that holds nothing is not seen, though another
        tool may have made a blob that stands for it.
        """
        with self._clients.running() as session:
            key = folder_key(path, NAME)
            if not key:
                return await container_exists(session)
            strategy = self._kind.strategy or await self._kind.detect(session, key)
            return await strategy.is_folder(session, key)

    async def get_file_info(self, path: str) -> FileInfo:
        """Return size, time, ETag, media type, MD5 and user metadata of a file."""
        with self._clients.running() as session:
            key = folder_key(path, NAME)
            if not key:
                raise is_a_folder(path, NAME)
            strategy = self._kind.strategy or await self._kind.detect(session, key)
            return await strategy.get_file_info(session, key)

    async def get_folder_info(self, path: str) -> FolderInfo:
        """
        Add up the files below a folder; one request for each 5,000 of them.

        Raises:
            NotFound: There is no such folder; of the root, no container.
            InvalidPath: It is a file.
        """
        with self._clients.running() as session:
            key = folder_key(path, NAME)
            strategy = self._kind.strategy or await self._kind.detect(session, key)
            return await strategy.get_folder_info(session, key)

    async def check_health(self) -> None:
        """
        Ask for the container by a listing, since a token for one container may do no more.

        Raises:
            PermissionDenied: The credentials are refused, or do not allow listings.
            NotFound: There is no such container; the message says how to make it.
            BackendUnavailable: The service does not answer.
        """
        with self._clients.running() as session:
            await look_at_container(session)

    # Reading ---------------------------------------------------------------

    async def read(self, path: str) -> AsyncGenerator[bytes, None]:
        """
        Yield the content of one version of a file as it arrives.

        A connection that breaks is taken up again at the byte where it broke.

        Raises:
            NotFound, InvalidPath: As in the protocol.
            PreconditionFailed: The file was replaced or deleted meanwhile.
        """
        with self._clients.running() as session:
            key = file_key(path, NAME)
            strategy = self._kind.strategy or await self._kind.detect(session, key)
            async with aclosing(strategy.read(session, key)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def read_bytes(self, path: str) -> bytes:
        """Return the whole content of a file; raises as `read`."""
        with self._clients.running() as session:
            key = file_key(path, NAME)
            strategy = self._kind.strategy or await self._kind.detect(session, key)
            return await strategy.read(session, key).read_all()

    # Writing ---------------------------------------------------------------

    async def write(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        """
        Write a file: readers see the old content or the new.

        Content of up to 8 MiB is one request, more is sent in blocks of 4 MiB,
        which grow as the stream goes on; blocks of a write that failed are
        never part of a file, and the service drops them after a week.

        Raises:
            InvalidPath, AlreadyExists: As in the protocol. After a connection
                that broke at the wrong moment AlreadyExists has
                ``outcome_unknown``, where the file may be this write's own.
            PreconditionFailed: Another stream was written to the same file at
                the same time, and made the service discard this one's blocks.
            ValueError: Metadata that the service would not keep unchanged: keys
                are identifiers, unique ignoring case, values printable ASCII
                without blanks around them.
            TypeError: *content* is neither bytes nor an async iterator of them.
        """
        return await self._write(path, content, overwrite, metadata, atomic=False)

    async def write_atomic(
        self,
        path: str,
        content: AsyncWritableContent,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        """As `write`. On a hierarchical account by a temporary file that is renamed."""
        return await self._write(path, content, overwrite, metadata, atomic=True)

    async def _write(
        self,
        path: str,
        content: AsyncWritableContent,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
        *,
        atomic: bool,
    ) -> WriteResult:
        with self._clients.running() as session:
            if not isinstance(content, bytes) and not hasattr(content, "__aiter__"):
                kind = type(content).__name__
                msg = f"content must be bytes or an async iterator of bytes, got {kind}"
                raise TypeError(msg)
            key = target_key(path)
            if metadata:
                metadata = dict(metadata)
                metadata_headers(metadata)  # before anything is sent
            strategy = self._kind.strategy or await self._kind.detect(session, key)
            return await strategy.write(
                session,
                key,
                content if isinstance(content, bytes) else aiter(content),
                overwrite=overwrite,
                atomic=atomic,
                metadata=metadata,
            )

    # Deleting --------------------------------------------------------------

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        """
        Delete a file.

        A delete whose first attempt got no answer, and which then finds
        nothing, has done it.

        Raises:
            NotFound, InvalidPath: As in the protocol.
            PermissionDenied: The file has snapshots; see *delete_snapshots*.
        """
        with self._clients.running() as session:
            key = file_key(path, NAME)
            strategy = self._kind.strategy or await self._kind.detect(session, key)
            await strategy.delete(session, key, missing_ok=missing_ok)

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        """
        Delete a folder, on a flat account in batches of 256 blobs.

        Raises:
            InvalidPath, NotFound, DirectoryNotEmpty: As in the protocol.
            RemoteStoreError: A blob below could not be deleted, PermissionDenied
                for example if it has snapshots; every other one is. The
                error's ``others`` are the errors of further blobs.
        """
        with self._clients.running() as session:
            key = folder_key(path, NAME)
            if not key:
                raise cannot_delete_root(path, NAME)
            strategy = self._kind.strategy or await self._kind.detect(session, key)
            await strategy.delete_folder(session, key, recursive=recursive, missing_ok=missing_ok)

    # Moving and copying ----------------------------------------------------

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        """
        Rename a file.

        On a flat account it is copied by the service and then removed, and
        only in the version that was copied.

        Raises:
            NotFound, InvalidPath, AlreadyExists: As in the protocol.
            PreconditionFailed: Another client changed or removed the source
                meanwhile; the message says what there is now.
        """
        with self._clients.running() as session:
            target = target_key(dst)
            source = file_key(src, NAME)
            strategy = self._kind.strategy or await self._kind.detect(session, source)
            await strategy.move(session, source, target, overwrite=overwrite)

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        """Let the service copy a file, and return when that is complete; raises as `move`."""
        with self._clients.running() as session:
            target = target_key(dst)
            source = file_key(src, NAME)
            strategy = self._kind.strategy or await self._kind.detect(session, source)
            await strategy.copy(session, source, target, overwrite=overwrite)

    # Listing ---------------------------------------------------------------

    def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncGenerator[FileInfo, None]:
        """Yield the files of a folder; folders below *max_depth* are not asked for."""
        return self._listed(
            path,
            lambda strategy, session, key: strategy.list_files(
                session, key, recursive=recursive, max_depth=max_depth
            ),
        )

    def list_folders(self, path: str) -> AsyncGenerator[FolderEntry, None]:
        """Yield the subfolders of a folder."""
        return self._listed(
            path, lambda strategy, session, key: strategy.list_folders(session, key)
        )

    def iter_children(self, path: str) -> AsyncGenerator[FileInfo | FolderEntry, None]:
        """Yield the files and subfolders of a folder in one pass."""
        return self._listed(
            path, lambda strategy, session, key: strategy.iter_children(session, key)
        )

    async def _listed(
        self, path: str, listing: Callable[[Strategy, Session, str], AsyncGenerator[T, None]]
    ) -> AsyncGenerator[T, None]:
        with self._clients.running() as session:
            key = folder_key(path, NAME)
            strategy = self._kind.strategy or await self._kind.detect(session, key)
            async with aclosing(listing(strategy, session, key)) as found:
                async for entry in found:
                    yield entry

    async def glob(self, pattern: str) -> AsyncGenerator[FileInfo, None]:
        """
        Yield the files whose key matches; only what may hold one is listed.

        Raises:
            InvalidPath, ValueError, re.error: See `GlobPattern.parse`.
        """
        with self._clients.running() as session:
            parsed = GlobPattern.parse(pattern)
            try:
                pattern.encode()
            except UnicodeEncodeError as error:
                msg = f"glob pattern has no UTF-8 form: {pattern!r}"
                raise InvalidPath(msg, path=pattern, backend=NAME) from error
            strategy = self._kind.strategy or await self._kind.detect(session, pattern)
            async with aclosing(strategy.glob(session, parsed)) as found:
                async for info in found:
                    yield info

    # Lifecycle -------------------------------------------------------------

    async def aclose(self) -> None:
        """
        Close the connections of every loop; operations raise StoreClosed from now on.

        Waits up to 5 seconds for what is running, and up to 2 more for the
        removal of temporary files of what does not end. A credential that was
        passed in stays open. Idempotent.
        """
        await self._clients.aclose()


def _rebuilt(cls: type[AsyncAzureBackend], options: dict[str, Any]) -> AsyncAzureBackend:
    return cls(**options)
