"""The fault knobs, request counting, and the emulator's own life."""

from __future__ import annotations

import asyncio
import base64
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.emulator.conftest import Raw

from hns_emulator import HnsEmulator, Seen
from hns_emulator._state.tree import Filesystem, Node, check

CREATE = "/f?resource=file"


@pytest.fixture(autouse=True)
def disarmed(emulator: HnsEmulator) -> Iterator[None]:
    """Forget requests and faults before and after each test."""
    emulator.clear()
    yield
    emulator.clear()


async def create(raw: Raw) -> int | None:
    """Create a file; None if the connection was dropped, also for aiohttp's own repetition."""
    try:
        return (await raw("PUT", "dfs", CREATE)).status
    except aiohttp.ClientError:
        return None


@pytest.mark.asyncio
async def test_dropped_before_it_took_effect(raw: Raw) -> None:
    """Both attempts that aiohttp makes are dropped, nothing is there."""
    raw.emulator.fault("drop_before", method="PUT", times=2)
    assert await create(raw) is None
    assert (await raw.head("f")).status == 404
    assert [seen.status for seen in raw.emulator.requests if seen.method == "PUT"] in ([0], [0, 0])


@pytest.mark.asyncio
async def test_dropped_after_it_took_effect(raw: Raw) -> None:
    """The client learns nothing, the file is there."""
    raw.emulator.fault("drop_after", method="PUT", times=2)
    assert await create(raw) is None
    assert (await raw.head("f")).status == 200


@pytest.mark.asyncio
async def test_busy(raw: Raw) -> None:
    """503 ServerBusy, once, in the endpoint's shape, and nothing happened."""
    raw.emulator.fault("busy", query="resource=file")
    reply = await raw("PUT", "dfs", CREATE)
    assert (reply.status, reply.code) == (503, "ServerBusy")
    assert (await raw.head("f")).status == 404
    assert await create(raw) == 201


@pytest.mark.asyncio
async def test_a_stall(raw: Raw) -> None:
    """It takes that long, and then happens."""
    raw.emulator.fault("stall", seconds=0.3)
    started = time.monotonic()
    assert await create(raw) == 201
    assert time.monotonic() - started >= 0.3


@pytest.mark.asyncio
async def test_a_stall_that_the_client_gives_up(raw: Raw) -> None:
    """What was not begun when the client left does not happen later."""
    raw.emulator.fault("stall", seconds=0.3)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(raw("PUT", "dfs", CREATE), 0.1)
    await asyncio.sleep(0.4)
    assert (await raw.head("f")).status == 404


@pytest.mark.asyncio
async def test_which_requests_are_hit(raw: Raw) -> None:
    """Method, query and path select; *nth* and *times* count the matching ones."""
    raw.emulator.fault("busy", method="HEAD", path="/hit", nth=2, times=2)
    heads = [(await raw.head("hit")).status for _ in range(2)]
    heads += [(await raw.head("other")).status]
    heads += [(await raw.head("hit")).status for _ in range(2)]
    assert heads == [404, 503, 404, 503, 404]


@pytest.mark.asyncio
async def test_clear_disarms(raw: Raw) -> None:
    """After `clear` nothing is hit, and the requests are forgotten."""
    await raw.head("f")
    raw.emulator.fault("busy")
    raw.emulator.clear()
    assert not raw.emulator.requests
    assert (await raw.head("f")).status == 404


@pytest.mark.asyncio
async def test_faults_that_could_never_hit(emulator: HnsEmulator) -> None:
    """They are refused when they are armed."""
    wrong: list[dict[str, Any]] = [{"nth": 0}, {"times": 0}, {"seconds": -1}]
    for more in wrong:
        with pytest.raises(ValueError, match="start at"):
            emulator.fault("busy", **more)
    with pytest.raises(ValueError, match="no such fault"):
        emulator.fault("explode")  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_requests_are_remembered(raw: Raw) -> None:
    """Method, endpoint, raw path and query, status."""
    await raw("PUT", "dfs", "/a%20b?resource=file")
    await raw.head("no")
    assert list(raw.emulator.requests) == [
        Seen("PUT", "dfs", f"/{raw.fs}/a%20b", "resource=file", 201),
        Seen("HEAD", "blob", f"/{raw.fs}/no", "", 404),
    ]


def test_start_and_stop() -> None:
    """No thread, socket or port is left; the state survives, the port is given anew."""
    before = threading.active_count()
    emulator = HnsEmulator()
    emulator.create_filesystem("kept")
    for _ in range(3):
        emulator.start()
        with pytest.raises(RuntimeError, match="already"):
            emulator.start()
        socket.create_connection(("127.0.0.1", emulator.port)).close()
        emulator.stop()
        emulator.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", emulator.port))
    assert threading.active_count() == before
    with pytest.raises(ValueError, match="exists"):
        emulator.create_filesystem("kept")


@pytest.mark.asyncio
async def test_stop_does_not_wait_for_a_stall() -> None:
    """A request in flight is dropped."""
    emulator = HnsEmulator()
    emulator.create_filesystem("fs")
    emulator.start()
    async with emulator.transport() as session:
        emulator.fault("stall", seconds=60)
        task = asyncio.create_task(Raw(emulator, session, "fs").head("f"))
        while emulator._faults.armed:  # noqa: ASYNC110 it is another loop's
            await asyncio.sleep(0.01)
        started = time.monotonic()
        await asyncio.to_thread(emulator.stop)
        assert time.monotonic() - started < 5
        with pytest.raises(aiohttp.ClientError):
            await task


@pytest.mark.asyncio
async def test_serving_in_the_tests_own_loop() -> None:
    """`serve` says when it is ready, and ends by cancellation with its socket closed."""
    emulator = HnsEmulator()
    emulator.create_filesystem("fs")
    ready = asyncio.Event()
    serving = asyncio.create_task(emulator.serve(ready.set))
    await ready.wait()
    async with emulator.transport() as session:
        assert (await Raw(emulator, session, "fs").create("f")).status == 201
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", emulator.port))


def test_a_taken_port() -> None:
    """`start` raises what the system says, and can be called again."""
    with HnsEmulator() as first:
        second = HnsEmulator(port=first.port)
        with pytest.raises(OSError, match="in use"):
            second.start()
    second.start()
    second.stop()


@pytest.mark.parametrize(
    "wrong",
    [
        {"account": "Not Valid"},
        {"page_cap": 0},
        {"host": "0.0.0.0"},
    ],
)
def test_arguments_that_no_account_can_have(wrong: dict[str, Any]) -> None:
    """They are refused at once."""
    with pytest.raises(ValueError, match=r"account|127"):
        HnsEmulator(**wrong)


def test_keys_are_random() -> None:
    """64 bytes each, never the same."""
    keys = {HnsEmulator().key for _ in range(5)}
    assert len(keys) == 5
    assert {len(base64.b64decode(key)) for key in keys} == {64}


def test_the_command_line() -> None:
    """It prints the connection string, serves, and ends on SIGTERM without a trace."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "hns_emulator", "--port", "0", "--account", "cli0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.search(r"AccountName=cli0;.*EndpointSuffix=core\.localhost:(\d+)$", line.strip())
        assert match
        socket.create_connection(("127.0.0.1", int(match[1]))).close()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
        assert (process.returncode, errors) == (0, "")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_the_plugin_imports_nothing_heavy() -> None:
    """Loading it must not cost every pytest run the import of aiohttp."""
    code = "import sys, hns_emulator.pytest_plugin; print('aiohttp' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_the_plugins_fixture(hns_account: Any, hns_session_emulator: HnsEmulator) -> None:
    """A running emulator, and a filesystem name that nobody uses."""
    assert hns_account.emulator is hns_session_emulator
    socket.create_connection(("127.0.0.1", hns_session_emulator.port)).close()
    hns_session_emulator.create_filesystem(hns_account.filesystem)


def test_the_plugin_tells_what_a_test_relied_on(tmp_path: Path) -> None:
    """A request that is refused or unverified fails the test that made it, and no other."""
    (tmp_path / "test_them.py").write_text(
        "import urllib.request, urllib.error, pytest\n"
        "def ask(account, more=''):\n"
        "    url = account.emulator.path_style_url + '/fs' + more\n"
        "    with pytest.raises(urllib.error.HTTPError):\n"
        "        urllib.request.urlopen(url)\n"
        "def test_sas(hns_account): ask(hns_account, '?sig=x')\n"
        "def test_fine(hns_account): ask(hns_account)\n"
        "def test_twice(hns_account): ask(hns_account, '?a=b&a=b')\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_them.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed, 2 errors" in done.stdout
    assert "unverified: {'SAS': 1}" in done.stdout
    assert "UnsupportedQueryParameter: a twice" in done.stdout


@pytest.mark.asyncio
async def test_the_session_stays_on_this_machine(emulator: HnsEmulator) -> None:
    """Other names than localhost and what is below do not resolve."""
    async with emulator.transport() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("http://localhost.example/")
        async with session.get(f"http://localhost:{emulator.port}/") as response:
            assert response.status == 400


def test_the_tree_is_held_to_its_invariant() -> None:
    """A file with children, a directory with content and a node with two names are found."""
    root = Node(True, 1, 1)
    fs = Filesystem("fs", root)
    root.children["d"] = Node(True, 2, 2)
    root.children["f"] = Node(False, 3, 3)
    check(fs)
    root.children["f"].children["x"] = Node(False, 4, 4)
    with pytest.raises(AssertionError, match="a file has children"):
        check(fs)
    root.children["f"].children.clear()
    root.children["d"].pieces[0] = b"x"
    with pytest.raises(AssertionError, match="a directory has content"):
        check(fs)
    root.children["d"].pieces.clear()
    for name, node in (("again", root.children["f"]), ("a/b", Node(False, 5, 5))):
        root.children["d"].children[name] = node
        with pytest.raises(AssertionError, match="is not a name, or the second name of a node"):
            check(fs)
        del root.children["d"].children[name]
    check(fs)


@pytest.mark.asyncio
async def test_debug_tells_of_a_broken_tree(raw: Raw, caplog: pytest.LogCaptureFixture) -> None:
    """A request that leaves one is answered 500 instead of as if nothing were."""
    await raw.create("f")
    file = raw.emulator._state.filesystems[raw.fs].root.children["f"]
    file.children["x"] = file
    assert (await raw.head("f")).status == 500
    assert "a file has children" in caplog.text
    file.children.clear()
