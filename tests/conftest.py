"""The order of the tests, what coverage looks at, and the servers that tests share."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.azure.azurite import Azurite
    from tests.s3.moto import Moto

HERE = Path(__file__).parent
#: Tests of what coverage does not measure; tracing would only make them slow.
ELSEWHERE = {"docs", "packaging", "typing"}
#: The fixtures that start one.
SERVERS = {"azurite", "emulator", "moto"}


@pytest.hookimpl(tryfirst=True)  # the selection by `-m` comes after it
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files come first, so that no processor waits for one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    for item in items:
        if item.path.relative_to(HERE).parts[0] in ELSEWHERE:
            item.add_marker(pytest.mark.no_cover)
        if not SERVERS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.server)
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """
    Skip, with one line for all, what needs Azurite where nobody installed it.

    `make test` and `make test-all` install it first; a broken installation is an error.
    """
    asked = {name for mark in item.iter_markers("server") for name in mark.args}
    asked.update(getattr(item, "fixturenames", ()))
    if "azurite" in asked and not (HERE.parent / ".azurite").exists():
        pytest.skip("these need Azurite: run `scripts/azurite` once, or `make test`")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Let garbage collections pass by the thousands of collected tests, which never become any."""
    gc.collect()
    gc.freeze()


class Servers:
    """Azurite for this test process, replaced between modules when it is old."""

    #: Seconds after which it is: ten minutes after its start Azurite collects
    #: garbage, and was seen to stop answering then.
    OLD: Final = 300

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._started = 0.0
        self._current: Azurite | None = None

    def current(self) -> Azurite:
        from tests.azure import azurite

        if self._current is None or time.monotonic() - self._started > self.OLD:
            self._stack.close()
            self._current = self._stack.enter_context(azurite.running())
            self._started = time.monotonic()
        return self._current

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Where `azurite` comes from."""
    servers = Servers()
    yield servers
    servers.close()


@pytest.fixture(scope="module")
def azurite(servers: Servers) -> Azurite:
    """Azurite, one for all tests of this process."""
    return servers.current()


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    """The S3 server of this test process."""
    from tests.s3 import moto

    with moto.running() as found:
        yield found
