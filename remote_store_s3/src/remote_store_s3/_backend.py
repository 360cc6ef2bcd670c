"""The front: what users give, and what the toolkit is told of it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from remote_store import RetryPolicy, Secret
from remote_store_objects import Condition, Description, ObjectBackend
from remote_store_s3._credentials import Credentials
from remote_store_s3._options import SECRETS, place_of, refuse
from remote_store_s3._place import Place

if TYPE_CHECKING:
    from remote_store_s3._service import S3Service

__all__ = ["AsyncS3Backend"]

NAME: Final = "async-s3"
_GIB: Final = 1 << 30
#: The longest time of a signed URL.
_WEEK: Final = timedelta(days=7)
#: Parts after which their size doubles: the 10,000 of an upload hold 5 TiB, its most.
_GROWTH: Final = 900
#: Bytes up to which content is one request.
_PUT: Final = 8 << 20
#: They would be lost in listings and batches of many services, which speak XML.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]")
_BY_OPTION: Final = {
    "conditional_writes": {Condition.PUT_IF_ABSENT, Condition.COMMIT_IF_ABSENT},
    "conditional_replace": {Condition.PUT_IF_MATCH, Condition.COMMIT_IF_MATCH},
    "conditional_copy": {Condition.COPY_IF_ABSENT},
    "conditional_delete": {Condition.DELETE_IF_MATCH},
}


class AsyncS3Backend(ObjectBackend):
    """
    One bucket of Amazon S3, or of a service that speaks its protocol.

    Everything that `ObjectBackend` says holds. What is not given is looked up
    where the AWS tools do: the endpoint in ``AWS_ENDPOINT_URL_S3`` and
    ``AWS_ENDPOINT_URL``, the region in ``AWS_REGION``, ``AWS_DEFAULT_REGION``
    and the profile, credentials in the environment, profiles, single sign-on,
    web identity, container and instance metadata. A wrong region is corrected
    by the service's first answer.

    It pickles as its configuration, secrets included.

    Args:
        bucket: Its name.
        endpoint_url: URL of a service that is not AWS, as
            ``"https://minio.example.org:9000"``.
        region: Of the bucket.
        addressing: ``"virtual"`` puts the bucket into the host, ``"path"`` into
            the path; None for virtual on AWS, if its name allows it, else path.
        profile: Name of a profile of the AWS configuration files.
        access_key_id: With *secret_access_key*, instead of all other places.
        secret_access_key: Its secret.
        session_token: Of temporary credentials.
        anonymous: Sign nothing, for public buckets.
        conditional_writes: The service decides exclusive writes
            (``If-None-Match``). False for one that does not: writes, copies
            and moves with ``overwrite=False`` are then refused.
        conditional_replace: The service decides writes that replace one version
            (``If-Match``). None for True on AWS and False elsewhere, since a
            service that ignores it would overwrite what somebody else wrote;
            such writes are then refused.
        conditional_copy: CopyObject looks at ``If-None-Match``, too. None as
            before; exclusive copies are made by parts then.
        conditional_delete: DeleteObject looks at ``If-Match``. None as before;
            without it each deletion looks first, in a request of its own.
        checksum: Send a CRC-32 with all content, and compare that of whole
            files that are read. False for services that refuse the headers.
        equal_parts: All parts of an upload have *part_size*, as R2 wants it.
        write_headers: ``x-amz-…`` headers of all that makes an object: storage
            class, encryption.
        verify: Check certificates; or the path of those that are trusted.
            ``AWS_CA_BUNDLE`` names it, too.
        connect_timeout: Seconds to connect.
        read_timeout: Seconds without a byte of an answer.
        part_size: Bytes of the parts of what is more than one request holds,
            8 MiB or this; they grow unless *equal_parts*.
        max_concurrency: Requests of one upload or download at a time.
        retry: How often and how long to try again; None for the default.

    Raises:
        TypeError: An argument is of a wrong type.
        ValueError: One is empty or cannot work. No secret is in the message.
    """

    SECRET_OPTIONS: ClassVar[frozenset[str]] = SECRETS

    def __init__(
        self,
        bucket: str,
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        addressing: str | None = None,
        profile: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | Secret | None = None,
        session_token: str | Secret | None = None,
        anonymous: bool = False,
        conditional_writes: bool = True,
        conditional_replace: bool | None = None,
        conditional_copy: bool | None = None,
        conditional_delete: bool | None = None,
        checksum: bool = True,
        equal_parts: bool = False,
        write_headers: Mapping[str, str] | None = None,
        verify: bool | str = True,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        part_size: int = 5 << 20,
        max_concurrency: int = 1,
        retry: RetryPolicy | None = None,
    ) -> None:
        options = {n: v for n, v in locals().items() if n not in ("self", "bucket", "__class__")}
        refuse(bucket, options)
        for name in SECRETS:
            if isinstance(options[name], str):
                options[name] = Secret(options[name])
        endpoint = endpoint_url or next(
            filter(None, map(os.environ.get, ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"))), None
        )
        self._given = (bucket, options)
        found = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        self._place = Place(bucket, endpoint, found or None, addressing)
        self._credentials = (
            None
            if anonymous
            else Credentials(
                access_key_id, options["secret_access_key"], options["session_token"], profile
            )
        )
        super().__init__(
            self._made,
            _described(self._place, options),
            retry=retry,
            max_concurrency=max_concurrency,
            single_put=max(_PUT, part_size),
            part_size=part_size,
            growth=_GROWTH,
        )

    @classmethod
    def from_url(cls, url: str, **options: Any) -> tuple[Self, str]:
        """
        Return a backend and the root path for ``s3://bucket/folder?region=...``.

        Args:
            url: Its query may hold every option that is a text, a number or a
                switch.
            options: Further keywords of the class; they win.

        Raises:
            ValueError: The URL is malformed, or an option is refused.
        """
        bucket, root, found = place_of(url)
        return cls(bucket, **{**found, **options}), root

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), *self._given)

    def __repr__(self) -> str:
        bucket, options = self._given
        shown = {n: v for n, v in options.items() if v is not None and v is not False}
        parts = (f"{n}='***'" if n in SECRETS else f"{n}={v!r}" for n, v in shown.items())
        return f"{type(self).__name__}({', '.join((repr(bucket), *parts))})"

    def _made(self) -> S3Service:
        # They load aiohttp, which nobody needs who only lists the plugins.
        from remote_store_s3._service import S3Service
        from remote_store_s3._wire import Wire

        _, options = self._given
        wire = Wire(
            self._place,
            self._credentials,
            verify=options["verify"],
            connect_timeout=options["connect_timeout"],
            read_timeout=options["read_timeout"],
        )
        return S3Service(
            wire,
            self._place,
            conditions=self.description.conditions,
            checksum=options["checksum"],
            write_headers=options["write_headers"] or {},
        )


def _rebuilt(cls: type[AsyncS3Backend], bucket: str, options: dict[str, Any]) -> AsyncS3Backend:
    return cls(bucket, **options)


def _described(place: Place, options: Mapping[str, Any]) -> Description:
    aws = place.endpoint is None
    conditions = {Condition.GET_IF_MATCH, Condition.COPY_IF_MATCH}
    for option, wanted in _BY_OPTION.items():
        value = options[option]
        if value if value is not None else aws and options["conditional_writes"]:
            conditions |= wanted
    return Description(
        name=NAME,
        location=f"s3://{place.bucket}",
        details={"bucket": place.bucket, "endpoint": place.spot.url},
        forbidden=_CONTROL,
        max_put=5 * _GIB,
        max_part=5 * _GIB,
        max_copy=5 * _GIB,
        copy_parts=True,
        equal_parts=options["equal_parts"],
        batch=1000,
        lists_uploads=True,
        resumes=True,
        signs=None if options["anonymous"] else _WEEK,
        conditions=frozenset(conditions),
        delete_tells=Condition.DELETE_IF_MATCH in conditions,
    )
