"""A target on a network: where the kit's proxy stands, and what it makes of it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from remote_store import RetryPolicy, register_backend, unregister_backend
from remote_store.aio import AsyncBackend
from remote_store_conformance.clauses import find
from remote_store_conformance.cli import main
from remote_store_conformance.engine.session import Session
from remote_store_conformance.front.choosing import choose
from remote_store_conformance.plugins.lookup import target_of_url
from remote_store_conformance.plugins.manager import Kit
from remote_store_conformance.results.result import Status
from remote_store_conformance.results.run import Run, Verdict
from remote_store_conformance.targets.recording import as_backend
from remote_store_conformance.targets.target import Scratch, Target
from remote_store_conformance_selftest.reference_client import WireBackend
from remote_store_conformance_selftest.served import ServedStandIn

ROOT = Path(__file__).parents[2]

#: Clauses that only a network can break, and quick ones.
WIRED = ["FAULT-*", "LAZY-001", "LIFE-001", "LIFE-008"]


@pytest.fixture(scope="module")
def served() -> Iterator[Target]:
    """An installed plugin and its service."""
    with ServedStandIn(name="served").offered() as target:
        yield target


def endpoint_of(target: Target) -> tuple[str, int]:
    assert target.endpoint is not None
    return target.endpoint


def url_of(target: Target) -> str:
    assert target.url is not None
    url, options = target.url(Scratch("", Path()))
    assert options == {}
    return url


def run(target: Target) -> Run:
    with Session(target) as session:
        return session.run_all(choose(WIRED))


def passed(done: Run) -> set[Status]:
    """Return the statuses, but of FAULT-012: the reference removes a folder in one request."""
    return {r.status for r in done.results if r.clause.id != "FAULT-012"}


@pytest.mark.long
def test_a_target_gets_the_address_of_the_proxy(served: Target) -> None:
    """With *endpoint* stated, *open* is told another address, and every fault can happen there."""
    service, told = endpoint_of(served), set()

    @contextlib.asynccontextmanager
    async def opened(scratch: Scratch) -> AsyncGenerator[AsyncBackend, None]:
        assert scratch.endpoint is not None
        told.add(scratch.endpoint)
        backend = as_backend(WireBackend(scratch.endpoint))
        try:
            yield backend
        finally:
            await backend.aclose()

    done = run(Target("acme:emulator", opened, "emulator", plugin="", endpoint=service))

    assert passed(done) == {Status.PASS, Status.UNTESTED}
    assert [r.clause.id for r in done.results if r.status is Status.UNTESTED] == ["FAULT-090"]
    assert len(told) == 1
    assert service not in told


def test_a_target_that_goes_past_the_proxy_is_not_believed(served: Target) -> None:
    """Where the proxy sees no traffic nothing is proven, and nothing passes."""
    service = endpoint_of(served)

    @contextlib.asynccontextmanager
    async def opened(scratch: Scratch) -> AsyncGenerator[AsyncBackend, None]:
        yield as_backend(WireBackend(service))

    done = run(Target("acme:past", opened, "emulator", plugin="", endpoint=service))

    assert {r.status for r in done.results} == {Status.UNVERIFIED, Status.UNTESTED}
    assert done.verdict is Verdict.INCONCLUSIVE
    assert any("Scratch.endpoint" in r.message for r in done.results)


@pytest.mark.long
def test_the_proxy_is_put_into_url_and_options(served: Target) -> None:
    """A backend that is only described by a URL can be checked on the wire as well."""
    host, port = endpoint_of(served)
    target = target_of_url(
        served.plugin, url_of(served), {}, environment="emulator", endpoint=(host, port)
    )
    assert target.url is not None
    url, _ = target.url(Scratch("", Path(), ("127.0.0.1", 1)))

    assert url == f"{served.plugin}://127.0.0.1:1"
    assert passed(run(target)) == {Status.PASS, Status.UNTESTED}


@pytest.mark.long
def test_the_command_takes_an_endpoint(served: Target, capsys: pytest.CaptureFixture[str]) -> None:
    """It is HOST:PORT, as in the URL; anything else is a mistake that is told."""
    host, port = endpoint_of(served)
    command = ["run", served.plugin, "--url", url_of(served), "-k", "FAULT-007"]

    assert main([*command, "--strict", "--endpoint", f"{host}:{port}"]) == 0
    assert main([*command, "--strict"]) == 4
    assert main([*command, "--endpoint", f"{host}:1"]) == 2
    assert "neither in the URL" in capsys.readouterr().err
    assert main([*command, "--endpoint", "localhost"]) == 2
    assert "HOST:PORT" in capsys.readouterr().err
    assert main(["run", "memory", "--endpoint", f"{host}:{port}"]) == 2
    assert "belongs to --url" in capsys.readouterr().err


def test_a_url_may_stand_for_one_loop(served: Target) -> None:
    """A backend that refuses a second event loop is described by a URL, too."""
    used: list[asyncio.AbstractEventLoop] = []

    class OneLoop(WireBackend):
        """Serves the loop that used it first."""

        async def exists(self, path: str) -> bool:
            loop = self.__dict__.setdefault("_loop", asyncio.get_running_loop())
            used.append(loop)
            if loop is not asyncio.get_running_loop():
                msg = "this object belongs to another event loop"
                raise RuntimeError(msg)
            return await super().exists(path)

    register_backend("one-loop", OneLoop)
    try:
        address = url_of(served).partition("://")[2]
        found = []
        for loops in (True, False):
            target = target_of_url("one-loop", f"one-loop://{address}", {}, loops=loops)
            with Session(target) as session:
                found.append(session.run(find("CONC-004")))
        assert [r.status for r in found] == [Status.FAIL, Status.PASS]
        assert "the command --one-loop" in (found[0].expected or "")
    finally:
        unregister_backend("one-loop")
    assert used


@pytest.mark.long
def test_the_target_of_the_page_works(served: Target) -> None:
    """The example of the documentation, around another backend, is checked on the wire."""
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    block = re.search(r"```python[^\n]*\n(.*?)```", page, re.DOTALL)
    assert block is not None
    made = []

    def acme_backend(endpoint: str, key: str, retry: RetryPolicy, timeout: float) -> WireBackend:
        made.append((endpoint, key, retry.max_attempts, timeout))
        parts = urlsplit(endpoint)
        assert parts.hostname is not None
        assert parts.port is not None
        return WireBackend((parts.hostname, parts.port))

    namespace: dict[str, Any] = {"AcmeBackend": acme_backend}
    exec(block[1], namespace)
    kit = Kit()
    kit.register(namespace["Targets"]())
    host, port = endpoint_of(served)
    (target,) = kit.targets({"service": f"{host}:{port}"})
    with Session(target, kit=kit) as session:
        results = session.run_all(choose(["FAULT-003", "FAULT-007", "LAZY-001"])).results

    assert [r.status for r in results] == [Status.PASS] * 3, [r.message for r in results]
    assert {key for _, key, _, _ in made} == {"the-account-key"}
    assert all(endpoint != f"http://{host}:{port}" for endpoint, *_ in made)
