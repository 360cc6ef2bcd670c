"""`signed-url`: what it passes on, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from remote_store import Capability, CapabilitySet, register_backend, unregister_backend
from remote_store_memory import AsyncMemoryBackend

if TYPE_CHECKING:
    from tests.cli.conftest import Cli


class Signing(AsyncMemoryBackend):
    """``signing://``: its URLs say what they allow."""

    CONTRACT = "1.1"
    CAPABILITIES = capabilities = CapabilitySet(
        {Capability.READ, Capability.WRITE, Capability.SIGNED_URL}
    )

    @classmethod
    def from_url(cls, url: str, **options: Any) -> tuple[Signing, str]:
        return cls(), ""

    async def signed_url(self, path: str, *, expires: timedelta, method: str = "GET") -> str:
        return f"https://host/{path}?method={method}&seconds={expires.total_seconds():.0f}"


@pytest.fixture(autouse=True)
def _served() -> Iterator[None]:
    register_backend("signing", Signing)
    yield
    unregister_backend("signing")


def test_a_url_for_each_file(cli: Cli) -> None:
    """One a line, for an hour and for reading unless said otherwise."""
    out = cli("signed-url", "signing:///a", "signing:///b").stdout
    assert out == "".join(f"https://host/{n}?method=GET&seconds=3600\n" for n in "ab")
    (facts,) = json.loads(
        cli("signed-url", "--put", "--json", "--expires", "15m", "signing:///a").stdout
    )
    assert facts["url"] == "https://host/a?method=PUT&seconds=900"
    assert (facts["location"], facts["method"]) == ("signing:///a", "PUT")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("signing:///",), 2),
        (("signing:///a", "--expires", "soon"), 2),
        (("signing:///a", "--expires", "0.5s"), 1),
        (("memory:///a",), 1),
    ],
)
def test_what_cannot_be_signed(cli: Cli, arguments: tuple[str, ...], code: int) -> None:
    """A folder, no time, too short a time, and a store without such URLs: one line each."""
    result = cli("signed-url", *arguments, code=code)

    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert not result.stdout
