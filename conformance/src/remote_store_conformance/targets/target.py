"""What a vendor says about a thing to check: how it is opened, and what may be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal, Protocol

from attrs import Attribute, Factory, field, frozen

from remote_store.aio import AsyncBackend

__all__ = ["Meter", "NotOpen", "Probe", "Scratch", "Target", "Traffic", "Waiver"]


class NotOpen(Exception):
    """Raised when a target cannot be opened at all."""


@frozen
class Scratch:
    """
    The place of one clause run: nothing outside of it may be touched.

    Args:
        prefix: Folder of the backend that is the root of the run's store;
            fresh for each run.
        folder: An empty local folder of the run's own.
        endpoint: Host and port to connect to: the kit's proxy where it stands
            in front of the target's endpoint, else that endpoint, else None.
    """

    prefix: str
    folder: Path
    endpoint: tuple[str, int] | None = None


class Probe(Protocol):
    """
    A way to the storage that does not lead through the plugin.

    Keys are the backend's keys. It makes the checks of writes honest, and it
    shows what a plugin hides, such as temporary files.

    Where a storage takes keys that are no paths, such as ``a//b``, a probe has
    one method more: ``async def plant(self, key, content)`` puts a file under a
    key exactly as it is given.
    """

    async def put(self, key: str, content: bytes) -> None:
        """Write a file, creating its folders."""
        ...

    async def get(self, key: str) -> bytes | None:
        """Return a file's content, None if the file is missing."""
        ...

    async def names(self, prefix: str) -> list[str]:
        """Return the keys of all files below a folder, temporary ones included."""
        ...

    async def remove(self, prefix: str) -> None:
        """Remove a folder with everything in it; one that is missing is no error."""
        ...


@frozen
class Traffic:
    """
    What went over the wire.

    Args:
        sent: Bytes from the backend to its service.
        received: Bytes from the service to the backend.
        requests: Requests sent; None where the meter cannot count them.
    """

    sent: int = 0
    received: int = 0
    requests: int | None = None

    def __sub__(self, earlier: Traffic) -> Traffic:
        if self.requests is None or earlier.requests is None:
            requests = None
        else:
            requests = self.requests - earlier.requests
        return Traffic(self.sent - earlier.sent, self.received - earlier.received, requests)


class Meter(Protocol):
    """Counts what a backend sends and receives."""

    def read(self) -> Traffic:
        """Return the totals so far."""
        ...


def _is_target_name(instance: object, attribute: Attribute[str], value: str) -> None:
    if not value or value != value.strip() or any(c in value for c in "[]\n"):
        msg = f"a target's name is one line without brackets, got {value!r}"
        raise ValueError(msg)


def _is_possible(instance: Target, attribute: Attribute[bool], value: bool) -> None:
    if value and instance.hierarchical:
        msg = "where folders are real, a file and a folder cannot share a name"
        raise ValueError(msg)


Opener = Callable[[Scratch], AbstractAsyncContextManager[AsyncBackend]]


def _plugin_of_name(target: Target) -> str:
    return target.name.partition(":")[0]


@frozen
class Target:
    """
    One thing to check: a backend, opened in one way, on one kind of storage.

    Args:
        name: ``"backend:variant"``, such as ``"azure:azurite"``.
        open: Called with a `Scratch`; returns an async context manager whose
            value is the open backend. With the same scratch it must lead to
            the same storage each time, if *persistent*.
        environment: ``"in-process"``, ``"local"`` (this machine's disk),
            ``"emulator"`` or ``"live"``.
        plugin: Name of the backend's entry point; by default the part of
            *name* before the colon. ``""`` where there is none.
        root: Folder of the backend below which scratch folders are made.
        hierarchical: Folders are real; False where they are prefixes of keys.
        shared_names: A file and a folder may share a name; only where folders
            are prefixes. False where the backend refuses such a write all the
            same.
        persistent: A second `open` with the same scratch sees the same files.
        loops: One backend object serves several event loops and threads; False
            where it refuses a second loop with RuntimeError.
        endpoint: Host and port of the service; the kit then stands a proxy in
            front of it and hands its address out as `Scratch.endpoint`.
        url: Called with a `Scratch`; returns the URL and the options with
            which another process opens the same storage. None: no other can.
        probe: Called with the open backend and its scratch; see `Probe`.
        meter: Called with the open backend; by default the kit's proxy counts.
        waivers: Deviations that are known and explained.
        secrets: Values that no error, repr or log record may contain; in
            reports they are ``***``.
        consistency: Seconds until a write must be visible.
        max_object: Bytes of the largest file that a check may write.
        part_size: Bytes of the largest file that is written in one piece;
            checks also write more, so that it takes a second part.
        max_list: Files that a check may put in one folder.
        read_ahead: Bytes that a lazy read may take beyond what was asked for.
        error_headers: Header lines that each error of the service has, such
            as ``"x-ms-error-code: Forbidden"``: by them a backend may distinguish
            the service from what is between. The proxy's answer 403 carries them.
    """

    name: str = field(validator=_is_target_name)
    open: Opener = field(eq=False, repr=False)
    environment: Literal["in-process", "local", "emulator", "live"] = "in-process"
    plugin: str = field(default=Factory(_plugin_of_name, takes_self=True))
    root: str = ""
    hierarchical: bool = True
    shared_names: bool = field(
        default=Factory(lambda self: not self.hierarchical, takes_self=True),
        validator=_is_possible,
    )
    persistent: bool = True
    loops: bool = True
    endpoint: tuple[str, int] | None = None
    url: Callable[[Scratch], tuple[str, Mapping[str, Any]]] | None = field(
        default=None, eq=False, repr=False
    )
    probe: Callable[[AsyncBackend, Scratch], Probe] | None = field(
        default=None, eq=False, repr=False
    )
    meter: Callable[[AsyncBackend], Meter] | None = field(default=None, eq=False, repr=False)
    waivers: tuple[Waiver, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    consistency: float = 0.0
    max_object: int = 64 << 20
    part_size: int = 8 << 20
    max_list: int = 5_100
    read_ahead: int = 8 << 20
    error_headers: tuple[str, ...] = ()

    @property
    def local(self) -> bool:
        """True if the storage is in this process or on this machine's disk."""
        return self.environment in ("in-process", "local")


@frozen
class Waiver:
    """
    A clause that a target is known to break, and why.

    Args:
        clause: Exact id.
        reason: Why, in more than ten characters.
        targets: Names of the targets that it holds for; empty for all.
        link: Where the matter is tracked; required for clauses that gate.
        until: ISO date after which the waiver is a failure.
        until_plugin: Last version of the plugin for which it holds, such as
            ``"1.2"``, which stands for every 1.2.x.
        until_kit: Last version of the kit for which it holds.
    """

    clause: str
    reason: str
    targets: tuple[str, ...] = ()
    link: str = ""
    until: str = ""
    until_plugin: str = ""
    until_kit: str = ""
