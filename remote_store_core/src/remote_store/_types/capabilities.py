"""What a backend can do: the capabilities and the set that declares them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from remote_store._types.errors import CapabilityNotSupported

__all__ = ["Capability", "CapabilitySet"]


@enum.unique
class Capability(enum.Enum):
    """
    One thing that a backend declares it can do.

    Gates decide whether a store calls the backend at all; quality flags gate
    nothing and promise how well an operation is done.
    """

    #: Gate of ``read``, ``read_bytes`` and ``read_text``.
    READ = "read"
    #: Gate of ``write`` and ``write_text``.
    WRITE = "write"
    #: Gate of ``delete`` and ``delete_folder``.
    DELETE = "delete"
    #: Gate of ``list_files``, ``list_folders``, ``iter_children`` and the
    #: depth-limited ``get_folder_info``.
    LIST = "list"
    #: Gate of ``glob``.
    GLOB = "glob"
    #: Gate of ``move``.
    MOVE = "move"
    #: Gate of ``copy``.
    COPY = "copy"
    #: Gate of ``write_atomic``, together with WRITE.
    ATOMIC_WRITE = "atomic_write"
    #: Quality flag: at every moment a moved file is under exactly one name.
    ATOMIC_MOVE = "atomic_move"
    #: Gate of ``get_file_info``, ``head`` and ``get_folder_info`` without a depth.
    METADATA = "metadata"
    #: Gate of a non-empty ``metadata=`` argument.
    USER_METADATA = "user_metadata"
    #: Quality flag: read streams can seek (sync API).
    SEEKABLE_READ = "seekable_read"
    #: Quality flag: a partly consumed read does not load the whole file.
    LAZY_READ = "lazy_read"
    #: Quality flag: write results carry what the backend itself answered.
    WRITE_RESULT_NATIVE = "write_result_native"
    # Since contract 1.1.
    #: Quality flag: a range of a file costs what it returns, not the file.
    RANGE_READ = "range_read"
    #: Gate of a given ``if_match=`` of ``write``, ``write_atomic``, ``delete``,
    #: ``move`` and ``copy``.
    CONDITIONAL_WRITE = "conditional_write"
    #: Gate of given content headers, such as a content type, of the write methods.
    CONTENT_HEADERS = "content_headers"
    #: Gate of ``signed_url``.
    SIGNED_URL = "signed_url"
    #: Gate of ``create_folder``, together with WRITE: folders are real, and are there
    #: without a file.
    CREATE_FOLDER = "create_folder"
    #: Gate of ``resume=True`` of ``write``: a large file that did not arrive goes on by parts.
    RESUMABLE_WRITE = "resumable_write"

    # Members are singletons, also after unpickling, so identity is a correct
    # hash; enum's own is a Python function on the path of every store call.
    if not TYPE_CHECKING:
        __hash__ = object.__hash__


class CapabilitySet(AbstractSet[Capability]):
    """
    An immutable set of capabilities.

    Compares and combines like a set: ``==``, ``<=``, ``|``, ``&``, ``-``.

    Args:
        capabilities: Members of `Capability`.

    Raises:
        TypeError: An item is not a `Capability`.
    """

    __slots__ = ("_members",)

    _members: frozenset[Capability]

    def __init__(self, capabilities: Iterable[Capability] = ()) -> None:
        members = frozenset(capabilities)
        for item in members:
            if not isinstance(item, Capability):
                msg = f"CapabilitySet takes Capability members, got {item!r}"
                raise TypeError(msg)
        object.__setattr__(self, "_members", members)

    def supports(self, capability: Capability) -> bool:
        """Return True if *capability* is declared."""
        return capability in self._members

    def require(self, capability: Capability, *, backend: str = "") -> None:
        """
        Refuse an operation whose capability is not declared.

        Args:
            capability: What the operation needs.
            backend: Name of the backend, for the error.

        Raises:
            CapabilityNotSupported: *capability* is not in the set.
        """
        if capability in self._members:
            return
        supported = ", ".join(sorted(c.value for c in self._members)) or "nothing"
        msg = f"{capability.value!r} is not supported; supported: {supported}"
        raise CapabilityNotSupported(msg, backend=backend or None, capability=capability.value)

    def __contains__(self, item: object) -> bool:
        return isinstance(item, Capability) and item in self._members

    def __iter__(self) -> Iterator[Capability]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __hash__(self) -> int:
        return hash(self._members)

    def __repr__(self) -> str:
        return f"CapabilitySet({{{', '.join(sorted(c.name for c in self._members))}}})"

    def __setattr__(self, name: str, value: object) -> None:
        msg = "CapabilitySet is immutable"
        raise AttributeError(msg)

    def __reduce__(self) -> tuple[Any, ...]:
        return CapabilitySet, (tuple(self._members),)
