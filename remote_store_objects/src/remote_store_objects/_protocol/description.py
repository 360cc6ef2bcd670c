"""What a service can do: limits, conditions, and what it tells."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from attrs import Attribute, field, frozen

__all__ = ["EVERY_CONDITION", "Condition", "Description", "MetadataRules"]

_MIB: Final = 1 << 20


class Condition(enum.Enum):
    """A condition that the service itself decides, together with the change."""

    #: `put` makes no object where there is one.
    PUT_IF_ABSENT = "put if absent"
    #: `commit` makes no object where there is one.
    COMMIT_IF_ABSENT = "commit if absent"
    #: `put` replaces one version or makes nothing.
    PUT_IF_MATCH = "put if match"
    #: `commit` replaces one version or makes nothing.
    COMMIT_IF_MATCH = "commit if match"
    #: `copy` makes no object where there is one.
    COPY_IF_ABSENT = "copy if absent"
    #: `copy` and `copy_part` copy one version or nothing.
    COPY_IF_MATCH = "copy if match"
    #: `get` reads one version or nothing.
    GET_IF_MATCH = "get if match"
    #: `delete` removes one version or nothing.
    DELETE_IF_MATCH = "delete if match"


#: All of them.
EVERY_CONDITION: Final = frozenset(Condition)


@frozen(kw_only=True)
class MetadataRules:
    """
    Which user metadata come back as they were given; others are refused before anything is sent.

    Args:
        key: What each key must match as a whole. The default is for services
            that hand them over as HTTP headers and write them in lower case.
        value: What each value must match as a whole. The default is printable
            ASCII without blanks at its ends.
        words: What the two patterns allow, for a person.
        most: Bytes of all keys and values together.
        ignores_case: Keys that differ only in case are one key.
    """

    key: re.Pattern[str] = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?")
    value: re.Pattern[str] = re.compile(r"([!-~]([ -~]*[!-~])?)?")
    words: str = (
        "keys consist of lower-case letters, digits, '-' and '_' between them, "
        "values of printable ASCII without blanks around them"
    )
    most: int = 2048
    ignores_case: bool = True

    def refuse(self, metadata: Mapping[str, str]) -> None:
        """
        Refuse what would not come back as it is.

        Raises:
            ValueError: It would not. The message has no value, which may be a secret.
        """
        for key, value in metadata.items():
            if not self.key.fullmatch(key):
                msg = f"metadata key {key!r} would not be kept unchanged: {self.words}"
                raise ValueError(msg)
            if not self.value.fullmatch(value):
                msg = f"the metadata value of {key!r} would not be kept unchanged: {self.words}"
                raise ValueError(msg)
        if self.ignores_case and len({key.lower() for key in metadata}) < len(metadata):
            msg = "metadata keys that differ only in case would become one"
            raise ValueError(msg)
        size = sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items())
        if size > self.most:
            msg = f"metadata of {size} bytes, the service keeps at most {self.most}"
            raise ValueError(msg)


def _is_positive(instance: object, attribute: Attribute[int], value: int) -> None:
    if value < 1:
        msg = f"{attribute.name} must be at least 1, got {value!r}"
        raise ValueError(msg)


def _follows(instance: Description, attribute: Attribute[bool], value: bool) -> None:
    if value and not instance.uploads:
        msg = f"{attribute.name} needs a service that has uploads"
        raise ValueError(msg)


@frozen(kw_only=True)
class Description:
    """
    What the backend must know of a service before it asks it anything.

    The defaults describe a service that has everything, within the limits
    that most have. What is missing makes the backend send more requests, or
    not declare a capability, or refuse; each field says which.

    Args:
        name: Of the backend, for errors: ``"async-acme"``.
        location: Where the bucket is, for a person, without secrets:
            ``"acme://bucket"``; it begins what `native_path` returns.
        details: More about where it is, for `ResolutionPlan.details`.
        max_key: Bytes of the UTF-8 form of the longest key.
        forbidden: What no key may contain, since the service would change it
            or could not list it; None if it takes every text. Targets with it
            are refused with InvalidPath.
        max_put: Bytes of the largest body of one `put`.
        uploads: There are uploads in parts. Without them a stream is gathered
            in memory up to *max_put*, and a longer one is refused.
        min_part: Bytes of the smallest part that is not the last.
        max_part: Bytes of the largest part.
        max_parts: Parts of one upload.
        equal_parts: All parts but the last need one size. It cannot grow
            then, and *max_parts* of the backend's part size are the most that
            a stream may have.
        max_copy: Bytes of the largest object that one `copy` copies; None
            without a limit. Larger ones are copied by parts, see *copy_parts*.
        copies: There is a `copy`. Without it the bytes pass through the client.
        copy_parts: There is a `copy_part`. Without it what `copy` cannot copy
            passes through the client.
        page: Entries of the largest page of a listing.
        delimiter: `list_page` takes a delimiter. Without it whatever looks at one
            folder lists everything below.
        any_prefix: `list_page` takes every prefix. Without it only ``""`` and
            those that end in a slash, and a glob lists its whole folder.
        batch: Keys of the largest `delete_many`; 0 if there is none, and
            objects are deleted one by one, side by side.
        batch_tells: `delete_many` tells of each object what `delete` would:
            NotFound of one that is absent, and else why it stays; and it takes
            *etags*, where `delete` takes *if_match*. Without it files that are
            named are only deleted in batches where a short listing shows them,
            what stays is tried again alone, and so is what is to be deleted in
            one version.
        lists_uploads: There is a `list_uploads`. Without it `sweep` is refused.
        resumes: There is an `unfinished`. Without it RESUMABLE_WRITE is not
            declared, and an upload that broke off begins from zero.
        signs: For how long a URL of `sign` works at most; None where there is
            no `sign`, or credentials that cannot, and SIGNED_URL is not declared.
        metadata: Which user metadata are kept; None for none, and
            USER_METADATA is not declared.
        conditions: What the service decides itself. Without PUT_IF_ABSENT the
            backend refuses every write, copy and move with
            ``overwrite=False``: a check before the write would be no
            exclusion. Without COMMIT_IF_ABSENT it refuses so what one `put`
            cannot hold. Without PUT_IF_MATCH the backend refuses every write
            that is to replace one version, and without COMMIT_IF_MATCH such a
            write of what one `put` cannot hold. Without COPY_IF_ABSENT an exclusive copy is made by
            parts, or its bytes pass through the client. Without COPY_IF_MATCH
            a move reads one version and writes it. Without GET_IF_MATCH a
            read that broke off is an error. Without DELETE_IF_MATCH a move
            looks at the source right before it removes it, and a change in
            that moment is lost. CONDITIONAL_WRITE needs *etags* and every
            condition on a version that its changes have, see `compares`.
        etags: Each change of an object gives it another ETag, unless the
            content is the same. Without that no condition of the service is
            used which compares versions, `FileInfo.etag` is None and MOVE is
            not declared.
        delete_tells: `delete` raises NotFound where nothing is. Without it
            the backend looks first.
        written_tells: `put` and `commit` return an ETag. Without it
            WRITE_RESULT_NATIVE is not declared.
        folder_marks: Other clients make objects that stand for a folder and
            have its name without a slash; `ObjectInfo.is_folder` tells.
            Deleting a folder with content then looks for one.
        content_headers: The service keeps `Attributes.content_type`, and of
            `Attributes.headers` what `ContentHeaders` has, and `head` tells
            them. Without it CONTENT_HEADERS is not declared.
        real_folders: What stands for a folder is always there: where no object
            is, nothing is looked for below.
        repeats: The service repeats failed attempts by itself, and limits their
            time, so that the backend does not; its errors are still marked, see `ObjectService`.

    Raises:
        ValueError: A limit is below 1, or a verb needs another that is missing.
    """

    name: str
    location: str
    details: Mapping[str, object] = field(factory=dict)
    max_key: int = field(default=1024, validator=_is_positive)
    forbidden: re.Pattern[str] | None = None
    max_put: int = field(default=5 << 30, validator=_is_positive)
    uploads: bool = True
    min_part: int = field(default=5 * _MIB, validator=_is_positive)
    max_part: int = field(default=5 << 30, validator=_is_positive)
    max_parts: int = field(default=10_000, validator=_is_positive)
    equal_parts: bool = False
    max_copy: int | None = None
    copies: bool = True
    copy_parts: bool = field(default=False, validator=_follows)
    page: int = field(default=1000, validator=_is_positive)
    delimiter: bool = True
    any_prefix: bool = True
    batch: int = 0
    batch_tells: bool = False
    lists_uploads: bool = field(default=False, validator=_follows)
    resumes: bool = field(default=False, validator=_follows)
    signs: timedelta | None = None
    metadata: MetadataRules | None = field(factory=MetadataRules)
    conditions: frozenset[Condition] = EVERY_CONDITION
    etags: bool = True
    delete_tells: bool = True
    written_tells: bool = True
    folder_marks: bool = False
    content_headers: bool = True
    real_folders: bool = False
    repeats: bool = False

    @property
    def compares(self) -> bool:
        """Whether the service decides every change that is to be of one version alone."""
        needed = {Condition.PUT_IF_MATCH, Condition.DELETE_IF_MATCH, Condition.COPY_IF_MATCH}
        if self.uploads:
            needed.add(Condition.COMMIT_IF_MATCH)
        return self.etags and needed <= self.conditions
