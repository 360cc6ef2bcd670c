"""The protocol that an object service implements, verb by verb."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Literal, Protocol

from remote_store import CapabilityNotSupported, RemoteStoreError
from remote_store_objects._protocol.body import Body
from remote_store_objects._protocol.values import (
    Attributes,
    ObjectInfo,
    Page,
    Part,
    Unfinished,
    Upload,
    UploadPage,
    Written,
)

__all__ = ["ObjectService", "ObjectStream"]


class ObjectStream(Protocol):
    """
    An answer to `ObjectService.get` whose body is still to come.

    Attributes:
        info: The object; its ``size`` is that of the whole object, whichever
            part of it was asked for.
        start: Position in the object of the first byte that comes.
        stop: Position after the last one.
    """

    @property
    def info(self) -> ObjectInfo:
        """What the answer tells of the object."""
        ...

    @property
    def start(self) -> int:
        """Position in the object of the first byte that comes."""
        ...

    @property
    def stop(self) -> int:
        """Position in the object after the last byte that comes."""
        ...

    async def receive(self) -> bytes:
        """
        Return the next bytes as they arrive; ``b""`` at the end of the answer.

        The backend counts: an answer that ends early need not be noticed here.

        Raises:
            BackendUnavailable: The connection broke. The backend goes on at
                the byte where it did, with another `get`.
        """
        ...

    async def aclose(self) -> None:
        """Release the connection, whatever of the body was read; idempotent, never raises."""
        ...


class ObjectService(Protocol):
    """
    One bucket of an object store, in one event loop.

    Each verb is one request, or a named few; `ObjectBackend` does everything
    else. Subclass it: the optional verbs then refuse by themselves, and the
    `Description` says that they are missing. The backend makes one object for
    each event loop, inside that loop and without I/O, and closes it there.

    Keys are names in the bucket: text that has a UTF-8 form, at most
    `Description.max_key` bytes long, and whatever a listing returned; not
    quoted. ETags are opaque tokens without quotes.

    **One attempt.** A verb sends each request once, and the backend repeats
    it by its `RetryPolicy`. (A service whose library does that itself says
    ``Description.repeats``.) So a library must not repeat on its own, as
    aiohttp does with idempotent requests on a dropped connection.

    **Errors** are those of the core's tree, with ``status``, ``code``,
    ``request_id`` and ``retry_after`` where the service told them, and the
    native exception as ``__cause__``; `remote_store_objects.http` makes them
    from an HTTP status. ``path`` and ``backend`` are filled in by the backend.

    ======================  ====================================================
    Raised                  When
    ======================  ====================================================
    NotFound                The service says that there is no such object, or no
                            such upload. Nothing else is NotFound, least of all
                            the page of a proxy.
    StorageNotFound         The bucket is absent, and the answer tells that.
    PreconditionFailed      A condition of the request did not hold, *if_absent*
                            or *if_match*; nothing was changed.
    PermissionDenied        The credentials are refused.
    ResourceLocked          A lease or a retention of somebody else.
    BackendUnavailable      No answer, an answer of somebody else, or one that
                            asks for patience (408, 429, 5xx): another attempt
                            may succeed.
    RemoteStoreError        Everything else.
    ======================  ====================================================

    **May it have arrived?** An error of a verb that changes something has
    ``outcome_unknown=True`` if the change may have been made all the same: the
    request was sent and got no answer, or one that does not say (5xx other
    than 501 and 503, a page that makes no sense). It is False where the
    connection could not be made, and for a refusal (4xx, 501, 503). A service
    that repeats attempts by itself sets it on the last error if any attempt
    before it got no answer: then a NotFound of `delete` or a PreconditionFailed
    of `put` may be about its own success, and the backend finds that out.

    Whatever else a verb raises becomes a RemoteStoreError, with
    ``outcome_unknown`` for a verb that changes something.
    """

    # Looking ---------------------------------------------------------------

    @abstractmethod
    async def head(self, key: str) -> ObjectInfo:
        """
        Return what the service tells of an object without its bytes.

        Args:
            key: Of the object.

        Raises:
            NotFound: There is none.
        """

    @abstractmethod
    async def get(
        self,
        key: str,
        *,
        start: int = 0,
        stop: int | None = None,
        if_match: str | None = None,
    ) -> ObjectStream:
        """
        Begin to read an object; return once the headers of the answer are there.

        Args:
            key: Of the object.
            start: Position of the first byte.
            stop: Position after the last byte; None for the end of the object.
                With ``start=0`` and ``stop=None`` no range is sent.
            if_match: Only this version.

        Returns:
            The stream, which the backend closes. One that has less or more
            than what was asked for says so by its ``start`` and ``stop``.

        Raises:
            NotFound: There is none.
            PreconditionFailed: It is another version.
            RemoteStoreError: With ``status`` 416 if the range starts at or
                after the end of the object.
        """

    @abstractmethod
    async def list_page(
        self, prefix: str, *, delimiter: str = "", token: str = "", limit: int
    ) -> Page:
        """
        Return one page of the objects whose keys begin with a prefix.

        What is there for the whole listing must be on one of its pages, and
        on no second one, whatever comes and goes meanwhile.

        Args:
            prefix: What the keys begin with, ``""`` for all of them.
            delimiter: ``"/"``, or ``""`` for none; see `Page`.
            token: That of the page before, ``""`` for the first page.
            limit: Entries that the page may have at most, objects and prefixes
                together; never above `Description.page`. Fewer are fine.

        Raises:
            StorageNotFound: The bucket is absent.
        """

    async def list_keys(
        self, prefix: str, *, delimiter: str = "", token: str = "", limit: int
    ) -> Page:
        """
        As `list_page`, for who wants the keys of the objects and nothing else; optional.

        A service overrides it for which that is less work. The default is `list_page`.
        """
        return await self.list_page(prefix, delimiter=delimiter, token=token, limit=limit)

    # Changing --------------------------------------------------------------

    @abstractmethod
    async def put(
        self,
        key: str,
        body: Body,
        *,
        attributes: Attributes,
        if_absent: bool,
        if_match: str | None = None,
    ) -> Written:
        """
        Make an object in one request, or replace it as a whole.

        Args:
            key: Of the object.
            body: Its bytes, at most `Description.max_put`; kept by the caller,
                never changed.
            attributes: What it keeps beside them.
            if_absent: Only where there is none; never True without
                `Condition.PUT_IF_ABSENT`.
            if_match: Only in the place of this version; never without
                `Condition.PUT_IF_MATCH`, and never with *if_absent*.

        Raises:
            PreconditionFailed: *if_absent*, and there is one; or *if_match*,
                and there is another version or none.
            StorageNotFound: The bucket is absent.
        """

    @abstractmethod
    async def delete(self, key: str, *, if_match: str | None = None) -> None:
        """
        Delete an object.

        Args:
            key: Of the object.
            if_match: Only this version; never without
                `Condition.DELETE_IF_MATCH`.

        Raises:
            NotFound: There is none; see `Description.delete_tells`.
            PreconditionFailed: It is another version, or (with *if_match*)
                there is none.
        """

    async def delete_many(
        self, keys: Sequence[str], *, etags: Mapping[str, str] | None = None
    ) -> Mapping[str, RemoteStoreError]:
        """
        Delete several objects in one request; optional, see `Description.batch`.

        Args:
            keys: Of the objects, each once.
            etags: The versions that may be deleted of some of them; never
                without `Description.batch_tells` and
                `Condition.DELETE_IF_MATCH`.

        Returns:
            What was refused, with its error. For an object that is absent that
            is NotFound, see `Description.batch_tells`; or there is none.

        Raises:
            RemoteStoreError: The request as a whole failed. If it is neither
                PermissionDenied nor BackendUnavailable, the backend deletes
                them one by one, and all further ones too.
        """
        raise _missing(self.delete_many)

    async def copy(
        self, source: str, target: str, *, if_match: str | None = None, if_absent: bool
    ) -> Written:
        """
        Copy an object within the bucket, its `Attributes` included; optional.

        Args:
            source: Key of the object that is copied.
            target: Key of the one that is made, or replaced as a whole.
            if_match: Only this version of the source; never without
                `Condition.COPY_IF_MATCH`.
            if_absent: Only where there is no target; never True without
                `Condition.COPY_IF_ABSENT`.

        Returns:
            When the copy is complete.

        Raises:
            NotFound: There is no source.
            PreconditionFailed: One of the conditions did not hold. The backend
                finds out which, unless ``path`` is *source*.
            AlreadyExists: It surely was the one on the target.
            TargetReplaced: Somebody else did it, before the copy was complete.
            CapabilityNotSupported: This one cannot be copied so; the backend
                does it by parts, or through the client.
            RemoteStoreError: Neither of these: the source may be larger than
                `Description.max_copy`, which the backend looks after.
        """
        raise _missing(self.copy)

    def with_sources_of(self, other: ObjectService) -> ObjectService | None:
        """
        Return this service for copies from another bucket; optional.

        Whether it can reach that is told by the two services alone, without
        I/O: it has the same endpoint and region and is asked with the same
        credentials, which then have to read its objects and to write here. In
        doubt it cannot. Of two buckets that it can reach `Description.location`
        differs: by it an object that is to be copied onto itself is told.

        Args:
            other: The other bucket, a service of the same class and event loop.

        Returns:
            An object whose `copy` and `copy_part` take keys of *other* as their
            sources, and whose other verbs and connections are those of this
            one; it is never closed. None if there is none, as from the default.
        """
        return None

    # Uploads in parts ------------------------------------------------------

    async def begin_upload(self, key: str, *, attributes: Attributes) -> Upload:
        """
        Begin an upload in parts; optional, with the next three.

        Args:
            key: Of the object that it is to make.
            attributes: What that keeps beside its bytes. A service that wants
                them at the commit puts them into `Upload.detail`.

        Raises:
            StorageNotFound: The bucket is absent.
        """
        raise _missing(self.begin_upload)

    async def send_part(self, upload: Upload, number: int, body: Body) -> Part:
        """
        Send a part; one that is sent again replaces the earlier one of its number.

        Args:
            upload: From `begin_upload`.
            number: From 1 on. Several may be under way at once.
            body: Within `Description.min_part` (the last: 1) and *max_part*.

        Raises:
            NotFound: The upload is unknown: aborted, or committed.
        """
        raise _missing(self.send_part)

    async def commit(
        self,
        upload: Upload,
        parts: Sequence[Part],
        *,
        if_absent: bool,
        if_match: str | None = None,
    ) -> Written:
        """
        Make the object of its parts, or replace it as a whole.

        Args:
            upload: From `begin_upload`.
            parts: All of them in order, at least one.
            if_absent: Only where there is none; never True without
                `Condition.COMMIT_IF_ABSENT`.
            if_match: Only in the place of this version; never without
                `Condition.COMMIT_IF_MATCH`, and never with *if_absent*.

        Raises:
            PreconditionFailed: *if_absent*, and there is one; or *if_match*,
                and there is another version or none.
            NotFound: The upload is unknown: aborted, or committed.
        """
        raise _missing(self.commit)

    async def abort(self, upload: Upload) -> None:
        """
        Forget an upload and its parts.

        Raises:
            NotFound: It is unknown; that is as good.
        """
        raise _missing(self.abort)

    async def copy_part(
        self,
        upload: Upload,
        number: int,
        source: str,
        *,
        start: int,
        stop: int,
        if_match: str | None = None,
    ) -> Part:
        """
        Make a part of the bytes of another object; optional, see `Description.copy_parts`.

        Args:
            upload: From `begin_upload`.
            number: From 1 on.
            source: Key of the other object.
            start: Position of the first byte in it.
            stop: Position after the last one.
            if_match: Only this version; never without `Condition.COPY_IF_MATCH`.

        Raises:
            NotFound: There is no source, or the upload is unknown.
            PreconditionFailed: The source is another version.
        """
        raise _missing(self.copy_part)

    async def committed(
        self, upload: Upload, parts: Sequence[Part]
    ) -> Written | Literal[False] | None:
        """
        Return what a commit made whose answer was lost; optional.

        Asked when another attempt of the same commit was refused. Without it
        the backend can only say that the outcome is unknown.

        Args:
            upload: As in that commit.
            parts: As in that commit.

        Returns:
            The version at the upload's key, if it surely is what this upload
            made; False if it surely is what somebody else made; None if
            nothing is there, or if that cannot be told.
        """
        return None

    async def list_uploads(self, prefix: str, *, token: str = "") -> UploadPage:
        """
        Return one page of unfinished uploads; optional, see `Description.lists_uploads`.

        Args:
            prefix: What their keys begin with.
            token: That of the page before, ``""`` for the first page.

        Raises:
            StorageNotFound: The bucket is absent.
        """
        raise _missing(self.list_uploads)

    async def unfinished(self, key: str, *, attributes: Attributes, layout: str) -> Unfinished:
        """
        Find what earlier writes of an object left; optional, see `Description.resumes`.

        What is found counts only where it equals the content, part by part. Of
        *attributes* and *layout* the service has to be sure: where the first are
        given to `begin_upload`, and nothing lists them, they go into a mark
        (a digest of both will do) that is part 1 of each upload until the last
        moment. The backend sends it after `begin_upload`, and the real part 1
        after all others. A service that is given them at the commit needs
        none, and returns an upload each time.

        Args:
            key: Of the object that the upload makes.
            attributes: What that keeps beside its bytes.
            layout: How the content is cut to parts, as a text.

        Raises:
            RemoteStoreError: It cannot be told. The backend then begins an
                upload as usual, unless the service or the bucket is not there.
        """
        raise _missing(self.unfinished)

    # Addresses -------------------------------------------------------------

    async def sign(self, key: str, *, method: str, expires: timedelta) -> str:
        """
        Return a URL that works without credentials; optional, see `Description.signs`.

        Args:
            key: Of the object; whether it is there is nobody's question.
            method: ``"GET"`` or ``"PUT"``, and the URL is good for nothing else.
            expires: From now on; whole seconds.
        """
        raise _missing(self.sign)

    # Lifecycle -------------------------------------------------------------

    async def aclose(self) -> None:
        """Close the connections of this loop; called once, when nothing runs. Does nothing."""
        return


def _missing(verb: Callable[..., object]) -> RemoteStoreError:
    """Return the error of an optional verb; the description keeps it from being called."""
    name: str = getattr(verb, "__qualname__", repr(verb))
    msg = f"{name} is not implemented, which the service's description has to say"
    return CapabilityNotSupported(msg, capability=name.rpartition(".")[2])
