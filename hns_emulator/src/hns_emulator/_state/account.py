"""The account: its filesystems, its clock, and what every operation does to the tree."""

from __future__ import annotations

from hns_emulator._errors import ServiceError
from hns_emulator._state.clock import Clock
from hns_emulator._state.tree import Filesystem, Node, Path, find

__all__ = ["AccountState"]


class AccountState:
    """
    The state of one emulator; every method is one atomic step.

    Args:
        name: The account's name.
        page_cap: Entries of a listing's page at most, None for the service's 5000.
    """

    def __init__(
        self,
        name: str,
        *,
        page_cap: int | None,
    ) -> None:
        self.name = name
        self.page_cap = page_cap
        self.clock = Clock()
        self.filesystems: dict[str, Filesystem] = {}

    def create_filesystem(self, name: str, exists: str = "ContainerAlreadyExists") -> Filesystem:
        """
        Create an empty filesystem.

        Raises:
            ServiceError: With the code *exists* if it does.
        """
        if name in self.filesystems:
            raise ServiceError(code=exists)
        ticks = self.clock.tick()
        root = Node(is_directory=True, created=ticks, changed=ticks)
        self.filesystems[name] = Filesystem(name, root)
        return self.filesystems[name]

    def filesystem(self, name: str, missing: str = "FilesystemNotFound") -> Filesystem:
        """
        Return a filesystem.

        Raises:
            ServiceError: With the code *missing* if it does not exist.
        """
        if name not in self.filesystems:
            raise ServiceError(code=missing)
        return self.filesystems[name]

    def make_parents(self, fs: Filesystem, path: Path) -> Node:
        """
        Return the directory that holds *path*; missing ones are made, each with its own time.

        The caller has ruled out files on the way.
        """
        node = fs.root
        for segment in path[:-1]:
            below = node.children.get(segment)
            if below is None:
                ticks = self.clock.tick()
                below = Node(True, ticks, ticks, content_type=None)
                self.link(node, segment, below)
            node = below
        return node

    def link(self, parent: Node, name: str, node: Node) -> None:
        """Put a node under its name, over what is there; the parent's times stay."""
        parent.children[name] = node

    def unlink(self, fs: Filesystem, path: Path) -> None:
        """Remove a name with all that is below it, and the blocks staged for it."""
        parent = find(fs, path[:-1])
        if parent is not None:
            parent.children.pop(path[-1], None)
        for staged in [other for other in fs.staged if other[: len(path)] == path]:
            del fs.staged[staged]
