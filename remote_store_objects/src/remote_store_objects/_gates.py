"""What is refused before any request, since the service cannot do it, and what is declared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

from remote_store import Capability, CapabilityNotSupported, CapabilitySet, ContentHeaders
from remote_store.aio import AsyncWritableContent
from remote_store_objects._protocol.description import Condition, Description
from remote_store_objects._protocol.values import Attributes
from remote_store_objects._session.session import Session

__all__ = [
    "gate_attributes",
    "gate_content",
    "gate_match",
    "gate_url",
    "refuse_unexclusive",
    "refuse_unmatched",
    "undeclared",
]


def undeclared(description: Description) -> set[Capability]:
    """Return the capabilities that the service lacks something for."""
    has = {
        Capability.USER_METADATA: description.metadata is not None,
        Capability.WRITE_RESULT_NATIVE: description.written_tells,
        Capability.MOVE: description.etags,
        Capability.CONDITIONAL_WRITE: description.compares,
        Capability.CONTENT_HEADERS: description.content_headers,
        Capability.SIGNED_URL: description.signs is not None,
        Capability.RESUMABLE_WRITE: description.resumes,
    }
    return {capability for capability, declared in has.items() if not declared}


def gate_content(content: AsyncWritableContent) -> bytes | AsyncIterator[bytes]:
    """
    Return what is to be written, or its iterator.

    Raises:
        TypeError: It is neither bytes nor an async iterator.
    """
    if isinstance(content, bytes):
        return content
    if not hasattr(content, "__aiter__"):
        kind = type(content).__name__
        msg = f"content must be bytes or an async iterator of bytes, got {kind}"
        raise TypeError(msg)
    return aiter(content)


def gate_match(
    capabilities: CapabilitySet, if_match: str | None, key: str, backend: str
) -> dict[str, Any]:
    """
    Return the keyword of an operation on one version; none where any will do.

    Raises:
        CapabilityNotSupported: It would be no condition.
    """
    if if_match is None:
        return {}
    if Capability.CONDITIONAL_WRITE not in capabilities:
        msg = (
            "the service does not decide what becomes of one version alone; a look before the "
            "change would lose what others do in between"
        )
        raise _cannot(msg, key, backend, Capability.CONDITIONAL_WRITE)
    return {"if_match": if_match}


def gate_attributes(
    session: Session, metadata: Mapping[str, str] | None, headers: ContentHeaders | None, key: str
) -> Attributes:
    """
    Return what an object is to keep beside its bytes.

    Raises:
        CapabilityNotSupported: The service keeps no metadata, or no headers.
        ValueError: It would not keep the metadata unchanged.
    """
    description = session.description
    kept = dict(metadata or {})
    if kept and description.metadata is None:
        msg = "the service keeps no user metadata"
        raise _cannot(msg, key, session.name, Capability.USER_METADATA)
    if kept and description.metadata is not None:
        description.metadata.refuse(kept)
    if headers is not None and not description.content_headers:
        msg = "the service keeps no content headers"
        raise _cannot(msg, key, session.name, Capability.CONTENT_HEADERS)
    return Attributes.of(kept, headers)


def gate_url(session: Session, expires: timedelta, key: str) -> None:
    """
    Refuse to sign a URL that would not work as long as it is to.

    Raises:
        CapabilityNotSupported: The service or the credentials cannot sign.
        ValueError: It is longer than the service allows.
    """
    longest = session.description.signs
    if longest is None:
        msg = "the service, or the kind of credentials, cannot sign URLs"
        raise _cannot(msg, key, session.name, Capability.SIGNED_URL)
    if expires > longest:
        msg = f"expires must be at most {longest}, which the service allows, got {expires}"
        raise ValueError(msg)


def refuse_unexclusive(session: Session, key: str) -> None:
    """
    Refuse an exclusive change where the service cannot decide it.

    Raises:
        CapabilityNotSupported: It cannot.
    """
    if Condition.PUT_IF_ABSENT not in session.description.conditions:
        msg = (
            "the service has no conditional writes, so that overwrite=False cannot be decided: "
            "a check before the write would exclude nobody; pass overwrite=True"
        )
        raise _cannot(msg, key, session.name, Capability.CONDITIONAL_WRITE)


def refuse_unmatched(session: Session, key: str) -> None:
    """
    Refuse to replace one version where the service cannot decide it.

    Raises:
        CapabilityNotSupported: It cannot.
    """
    description = session.description
    if not description.etags or Condition.PUT_IF_MATCH not in description.conditions:
        msg = (
            "the service does not look at versions when it writes, so that if_match cannot be "
            "decided: a check before the write would lose a change made in between"
        )
        raise _cannot(msg, key, session.name, Capability.CONDITIONAL_WRITE)


def _cannot(message: str, key: str, backend: str, capability: Capability) -> CapabilityNotSupported:
    return CapabilityNotSupported(message, path=key, backend=backend, capability=capability.value)
