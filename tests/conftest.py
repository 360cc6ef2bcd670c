"""The order of the tests, what coverage looks at, and which of them need a server."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
AZURITE = HERE.parent / ".azurite"
#: Tests of what coverage does not measure; tracing would only make them slow.
ELSEWHERE = {"cli", "docs", "emulator", "packaging", "typing"}
#: The fixtures that start one.
SERVERS = {"azurite", "emulator"}


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
    if "azurite" in getattr(item, "fixturenames", ()) and not AZURITE.exists():
        pytest.skip("these need Azurite: run `scripts/azurite` once, or `make test`")
