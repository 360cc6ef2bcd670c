"""The reference as a service and an installed plugin: another process can open it by its URL."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from attrs import define, evolve

from remote_store_conformance.targets.recording import as_backend
from remote_store_conformance.targets.target import Scratch, Target
from remote_store_conformance_selftest.installed import PackagedStandIn
from remote_store_conformance_selftest.reference_client import WireBackend
from remote_store_conformance_selftest.service import PAGE, Service
from remote_store_conformance_selftest.tree import Tree

__all__ = ["ServedStandIn"]


@define(eq=False)
class ServedStandIn(PackagedStandIn):
    """A `WireBackend`, or a mutant of it, that is installed, before a service of its own."""

    backend: Callable[..., Any] = WireBackend

    def __attrs_post_init__(self) -> None:
        made: Any = self.backend
        self.source = f"from {made.__module__} import {made.__name__} as Backend\n"

    @contextlib.contextmanager
    def offered(self) -> Iterator[Target]:
        """Start the service and install the plugin for the time of a block."""
        tree = Tree(flat=self.flat)
        service = Service(tree)
        try:
            # Not super(): attrs makes a class of its own, and this is a function inside another.
            with PackagedStandIn.offered(self) as installed:
                scheme = installed.plugin

                def url(scratch: Scratch) -> tuple[str, dict[str, Any]]:
                    host, port = scratch.endpoint or service.address
                    return f"{scheme}://{host}:{port}", {}

                yield evolve(
                    self.over(tree),
                    plugin=scheme,
                    endpoint=service.address,
                    environment="emulator",
                    url=url,
                    max_list=PAGE + PAGE // 5,
                )
        finally:
            service.close()

    def build(self, tree: Tree, scratch: Scratch) -> Any:
        """Return a backend that speaks to the service, through the kit's proxy."""
        return as_backend(self.backend(scratch.endpoint, self.capabilities))
