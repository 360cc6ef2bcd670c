"""The reference backend, and every mutant of it, as a target."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from attrs import Factory, define, field

from remote_store import CapabilitySet
from remote_store.aio import AsyncBackend
from remote_store_conformance.targets.recording import Recorder, as_backend
from remote_store_conformance.targets.target import Scratch, Target
from remote_store_conformance_selftest.reference import ALL, ReferenceBackend
from remote_store_conformance_selftest.tree import File, Tree

__all__ = ["StandIn", "TreeProbe"]


@define(eq=False)
class TreeProbe:
    """The way to a tree that does not lead through a backend."""

    tree: Tree

    async def put(self, key: str, content: bytes) -> None:
        """Write a file."""
        with self.tree.lock:
            self.tree.put(key, File(content, datetime.now(UTC), self.tree.new_etag()))

    async def plant(self, key: str, content: bytes) -> None:
        """Put a file under a key as it is, without folders."""
        with self.tree.lock:
            made = File(content, datetime.now(UTC), self.tree.new_etag())
            self.tree.files[key] = made

    async def get(self, key: str) -> bytes | None:
        """Return a file's content."""
        with self.tree.lock:
            file = self.tree.files.get(key)
        return None if file is None else file.content

    async def names(self, prefix: str) -> list[str]:
        """Return all keys below a folder."""
        with self.tree.lock:
            return [key for key in self.tree.files if key.startswith(f"{prefix}/")]

    async def remove(self, prefix: str) -> None:
        """Remove a folder."""
        with self.tree.lock:
            for key in await self.names(prefix):
                del self.tree.files[key]
            gone = {f for f in self.tree.folders if f"{f}/".startswith(f"{prefix}/")}
            self.tree.folders -= gone


@define(eq=False)
class StandIn:
    """
    A way to run a subclass of the reference backend as a target.

    Args:
        backend: The class.
        name: Name of the target.
        flat: The tree has no real folders.
        shared_names: A file and a folder may share a name; as *flat* by default.
        terminal: Closing is final.
        capabilities: What is declared.
        probe: Offer a probe; False for a target that has none.
        wrapped: Put a wrapper around it that only delegates attributes.
        plugin: Name of the entry point that the target claims to come from.
        target: More fields of `Target`.
    """

    backend: Callable[..., Any] = ReferenceBackend
    name: str = "reference"
    flat: bool = False
    shared_names: bool = field(default=Factory(lambda self: self.flat, takes_self=True))
    terminal: bool = True
    capabilities: CapabilitySet = ALL
    probe: bool = True
    wrapped: bool = False
    plugin: str = ""
    target: dict[str, Any] = field(factory=dict)

    @contextlib.contextmanager
    def offered(self) -> Iterator[Target]:
        """Offer a target over a new, empty tree for the time of a block."""
        yield self.make()

    def make(self) -> Target:
        """Return a target over a new, empty tree."""
        return self.over(Tree(self.flat, self.shared_names, self.terminal))

    def build(self, tree: Tree, scratch: Scratch) -> Any:
        """Return a new backend over a tree."""
        return self.backend(tree, self.capabilities)

    def over(self, tree: Tree) -> Target:
        """Return a target over a tree."""

        @contextlib.asynccontextmanager
        async def opened(scratch: Scratch) -> AsyncGenerator[AsyncBackend, None]:
            backend = self.build(tree, scratch)
            try:
                yield as_backend(Recorder(backend) if self.wrapped else backend)
            finally:
                await backend.aclose()

        return Target(
            name=self.name,
            open=opened,
            plugin=self.plugin,
            hierarchical=not self.flat,
            shared_names=self.shared_names,
            probe=(lambda backend, scratch: TreeProbe(tree)) if self.probe else None,
            **self.target,
        )
