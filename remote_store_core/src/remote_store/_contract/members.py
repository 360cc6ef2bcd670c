"""What a backend has to have, looked up by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import MethodType
from typing import Any, Final

from remote_store._contract.versions import brought_later

__all__ = [
    "MANDATORY",
    "is_async_backend",
    "member",
    "missing_members",
    "own_member",
    "refuse_incomplete",
]

#: The members that every backend has.
MANDATORY: Final = (
    "name",
    "capabilities",
    "exists",
    "is_file",
    "is_folder",
    "read",
    "read_bytes",
    "write",
    "write_atomic",
    "delete",
    "delete_folder",
    "list_files",
    "list_folders",
    "get_file_info",
    "get_folder_info",
    "move",
    "copy",
)

#: Optional members whose default is made of another one.
_MADE_OF: Final = {
    "iter_children": "list_files",
    "open_atomic": "write_atomic",
    "read_range": "read",
    "read_seekable": "read",
}

#: Optional members that do for many what another one does for one.
_BESIDE: Final = {"copy_many_from": "copy_from", "delete_many": "delete"}


def missing_members(backend: object) -> list[str]:
    """Return the mandatory members that *backend* lacks."""
    # Not isinstance: for wrappers that delegate attributes, the answer of a
    # runtime-checkable protocol differs between Python versions.
    missing = object()
    if isinstance(backend, type):  # it has the members, but for its instances
        return list(MANDATORY)
    return [name for name in MANDATORY if getattr(backend, name, missing) is missing]


def refuse_incomplete(backend: object) -> None:
    """
    Refuse an object that is not a backend, sync or async.

    Raises:
        TypeError: It lacks members of the protocols; the message names them.
    """
    if isinstance(backend, type):
        msg = f"{backend.__name__} is a class: a store needs an instance of it"
        raise TypeError(msg)
    if missing := missing_members(backend):
        msg = f"{type(backend).__name__} is no backend: it lacks {', '.join(missing)}"
        raise TypeError(msg)


def member(backend: object, name: str, protocol: type) -> Callable[..., Any]:
    """
    Return a member with a default; *protocol* itself serves a backend that lacks it.

    So it does one that was written before the protocol had the member: what it
    has under that name is something else. And so it does a wrapper that hands the
    member on, but has itself what the default is made of: the backend within
    would act past it.
    """
    found: Callable[..., Any] | None = None
    if not (brought_later(backend, name) or _acts_past(backend, name)):
        found = getattr(backend, name, None)
    return MethodType(getattr(protocol, name), backend) if found is None else found


def _acts_past(backend: object, name: str) -> bool:
    cls = type(backend)
    return (
        getattr(cls, name, None) is None
        and getattr(cls, _MADE_OF.get(name, ""), None) is not None
        and name not in getattr(backend, "__dict__", ())
    )


def own_member(backend: object, name: str) -> Callable[..., Any] | None:
    """
    Return an optional member that the backend's class has itself, else None.

    One that a wrapper only hands on, as what it does not know, is not its own: it
    would act on the backend within, past what the wrapper does to content. Nor is
    one that a class inherits beside an operation of its own that does the same.
    """
    if getattr(type(backend), name, None) is None or brought_later(backend, name):
        return None
    if name in _BESIDE and _is_outdone(backend, name, _BESIDE[name]):
        return None
    found: Callable[..., Any] = getattr(backend, name)
    return found


def _is_outdone(backend: object, name: str, other: str) -> bool:
    """Return True if the backend, or a class of it, has *other* anew and not *name*."""
    spaces = (getattr(backend, "__dict__", {}), *map(vars, type(backend).__mro__))
    nearest = next((space for space in spaces if name in space or other in space), {})
    return name not in nearest


def is_async_backend(backend: object) -> bool:
    """Return True for an async backend: its closing method shows it, else ``exists``."""
    if getattr(backend, "aclose", None) is not None:
        return True
    if getattr(backend, "close", None) is not None:
        return False
    return inspect.iscoroutinefunction(getattr(backend, "exists", None))
