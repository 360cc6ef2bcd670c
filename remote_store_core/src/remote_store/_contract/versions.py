"""
Versions of the contract: what each brought, and what a backend of an older one has.

A backend states the version that it was written for. What came later is not
asked of it, whatever its set of capabilities holds (``set(Capability)`` grows
with the core) and whatever else it has under the name of a newer member.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from remote_store._types.capabilities import Capability, CapabilitySet

__all__ = ["CONTRACT", "brought_later", "declared", "given"]

#: Version of the contract that the protocols of this core state.
CONTRACT: Final = "1.1"

_Version: TypeAlias = tuple[int, ...]

_FIRST: Final[_Version] = (1, 0)
#: Operations that a later version gave keywords, or made other members of.
_CHANGED: Final = ("read", "write", "write_atomic", "delete", "move", "copy")
#: Capabilities and optional members that came after the first version.
_CAPABILITIES: Final[dict[Capability, _Version]] = {
    Capability.RANGE_READ: (1, 1),
    Capability.CONDITIONAL_WRITE: (1, 1),
    Capability.CONTENT_HEADERS: (1, 1),
    Capability.SIGNED_URL: (1, 1),
    Capability.CREATE_FOLDER: (1, 1),
    Capability.RESUMABLE_WRITE: (1, 1),
}
_MEMBERS: Final[dict[str, _Version]] = {
    "copy_from": (1, 1),
    "copy_many_from": (1, 1),
    "create_folder": (1, 1),
    "delete_many": (1, 1),
    "read_range": (1, 1),
    "signed_url": (1, 1),
}
#: Keywords of operations that a backend has to declare.
_KEYWORDS: Final[dict[str, Capability]] = {
    "if_match": Capability.CONDITIONAL_WRITE,
    "headers": Capability.CONTENT_HEADERS,
    "resume": Capability.RESUMABLE_WRITE,
}


def _stated(backend: object) -> _Version:
    """
    Return the version that a backend states; what states none was written for the first.

    A wrapper that hands on what it does not know speaks for itself where it has an
    operation of its own: what the backend within takes says nothing of that.
    """
    cls = type(backend)
    if (
        getattr(cls, "CONTRACT", None) is None
        and any(getattr(cls, name, None) is not None for name in _CHANGED)
        and "CONTRACT" not in getattr(backend, "__dict__", ())
    ):
        return _FIRST
    try:
        return tuple(int(part) for part in backend.CONTRACT.split("."))  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        return _FIRST


def brought_later(backend: object, name: str) -> bool:
    """Return True if the protocol has the member *name* only since a later version."""
    since = _MEMBERS.get(name)
    return since is not None and since > _stated(backend)


def declared(backend: object) -> CapabilitySet:
    """
    Return what a backend declares, without what came after the version that it states.

    Raises:
        TypeError: What it declares is not a set of capabilities.
    """
    found = CapabilitySet(backend.capabilities)  # type: ignore[attr-defined]
    version = _stated(backend)
    later = {c for c, since in _CAPABILITIES.items() if since > version}
    return found if found.isdisjoint(later) else CapabilitySet(set(found) - later)


def given(backend: object, **later: object) -> dict[str, Any]:
    """
    Return the arguments that are not None: a backend that declares nothing knows none of them.

    Raises:
        CapabilityNotSupported: One is given, and *backend* does not declare it.
    """
    found = {name: value for name, value in later.items() if value is not None}
    for name in found:
        declared(backend).require(_KEYWORDS[name], backend=backend.name)  # type: ignore[attr-defined]
    return found
