"""The order of the tests, and which of them coverage looks at."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: Tests of what coverage does not measure; tracing would only make them slow.
ELSEWHERE = {"cli", "docs", "emulator", "packaging", "typing"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files come first, so that no processor waits for one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    for item in items:
        if item.path.relative_to(HERE).parts[0] in ELSEWHERE:
            item.add_marker(pytest.mark.no_cover)
    items.sort(key=lambda item: item.path not in slow)
