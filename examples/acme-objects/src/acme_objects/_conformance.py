"""
What the conformance kit checks of this plugin; imported by the kit alone.

The kit is no dependency: it hands over its own `Target` class.
"""

from __future__ import annotations

import atexit
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from acme_objects._backend import AcmeObjects
from remote_store_objects.conformance import object_target

__all__ = ["conformance_targets"]


def conformance_targets(target: Callable[..., Any]) -> Iterator[Any]:
    """Offer a server in a thread of this process; *target* is the kit's class of targets."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host, port = free.getsockname()
    yield object_target(
        target,
        "acme-objects",
        AcmeObjects,
        f"acme-objects://{host}:{port}",
        endpoint=(host, port),
        start=lambda: _start(port),
    )


def _start(port: int) -> None:
    from acme_objects.server import Running

    folder = tempfile.TemporaryDirectory()
    running = Running(Path(folder.name), port)
    atexit.register(folder.cleanup)
    atexit.register(running.stop)
