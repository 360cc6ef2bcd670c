"""A run that is killed in the middle of a large file, and the next one, which goes on there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import frozen
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import API_VERSION, Azurite
from tests.s3.moto import Moto

from hns_emulator import HnsEmulator
from remote_store import BackendUnavailable, RetryPolicy
from remote_store.aio import AsyncStore
from remote_store_azure import AsyncAzureBackend
from remote_store_conformance.targets.proxy import Fault, Wire
from remote_store_local import AsyncLocalBackend
from remote_store_memory import AsyncMemoryBackend
from remote_store_s3 import AsyncS3Backend
from remote_store_transfer.aio import copy_between, sync_tree, verify_tree

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

_MIB: Final = 1 << 20
_SIZE: Final = 64 * _MIB

RUN = """
import asyncio, json, sys
from remote_store.aio import AsyncStore
from remote_store_local import AsyncLocalBackend
from remote_store_transfer.aio import sync_tree
module, name, place, options, source = sys.argv[1:]
backend = getattr(__import__(module), name)(place, **json.loads(options))
asyncio.run(sync_tree(AsyncStore(AsyncLocalBackend(source)), AsyncStore(backend)))
"""


@frozen
class There:
    """
    A storage behind a proxy.

    Args:
        backend: Class of its backend.
        place: What that is given first.
        options: Its keywords, which lead through the proxy.
        wire: The proxy.
    """

    backend: type[Any]
    place: str
    options: dict[str, Any]
    wire: Wire

    def store(self, **options: Any) -> AsyncStore:
        retry = RetryPolicy(max_attempts=2, backoff_base=0.01, jitter=0)
        return AsyncStore(self.backend(self.place, **{"retry": retry, **self.options, **options}))

    def sent(self, since: int = 0) -> int:
        """Return how many bytes went through the proxy to the service."""
        return self.wire.read().sent - since


@contextlib.contextmanager
def _on_azurite(request: pytest.FixtureRequest) -> Iterator[There]:
    azurite: Azurite = request.getfixturevalue("azurite")
    box = f"resumed-{uuid.uuid4().hex}"
    with BlobServiceClient.from_connection_string(
        azurite.connection_string, api_version=API_VERSION
    ) as client:
        client.create_container(box)
    with _wire("127.0.0.1", azurite.port) as wire:
        options = {
            "connection_string": azurite.connection_string_through(wire.address[1]),
            "hns": False,
            "client_options": {"api_version": API_VERSION},
        }
        yield There(AsyncAzureBackend, box, options, wire)


@contextlib.contextmanager
def _on_a_lake(request: pytest.FixtureRequest) -> Iterator[There]:
    with HnsEmulator() as emulator:
        emulator.create_filesystem("lake")
        text = emulator.path_style_connection_string
        with _wire("127.0.0.1", emulator.port) as wire:
            through = text.replace(f":{emulator.port}", f":{wire.address[1]}")
            yield There(
                AsyncAzureBackend, "lake", {"connection_string": through, "hns": True}, wire
            )


@contextlib.contextmanager
def _on_moto(request: pytest.FixtureRequest) -> Iterator[There]:
    moto: Moto = request.getfixturevalue("moto")
    name = f"resumed-{uuid.uuid4().hex}"
    moto.make_bucket(name)
    with _wire("127.0.0.1", moto.port) as wire:
        url = f"http://127.0.0.1:{wire.address[1]}"
        yield There(AsyncS3Backend, name, {**moto.options, "endpoint_url": url}, wire)
    moto.remove_bucket(name)


@contextlib.contextmanager
def _wire(host: str, port: int) -> Iterator[Wire]:
    wire = Wire((host, port))
    try:
        yield wire
    finally:
        wire.close()


PLACES: Final = {"azurite": _on_azurite, "lake": _on_a_lake, "s3": _on_moto}
#: What may go again of a file: the first part, the one under way, and what sockets hold.
_AGAIN: Final = 20 * _MIB


@pytest.fixture(params=PLACES)
def there(request: pytest.FixtureRequest) -> Iterator[There]:
    with PLACES[request.param](request) as found:
        yield found


def killed(there: There, source: Path, after: int, *command: str) -> None:
    """Run a program until so many bytes went through the proxy, and kill it then."""
    with subprocess.Popen(command) as child:
        there.wire.when_passed(after, child.kill)
        assert child.wait(120) == -9
    there.wire.clear()


def sync_command(there: There, source: Path) -> list[str]:
    module, name = there.backend.__module__.partition(".")[0], there.backend.__name__
    options = json.dumps(there.options)
    return [sys.executable, "-P", "-c", RUN, module, name, there.place, options, str(source)]


def test_a_killed_run_goes_on(there: There, tmp_path: Path) -> None:
    """Half of the file went the first time; of it only what was under way goes again."""
    (tmp_path / "large").write_bytes(os.urandom(_SIZE))
    killed(there, tmp_path, _SIZE // 2, *sync_command(there, tmp_path))
    before = there.sent()

    async def again() -> None:
        here = AsyncStore(AsyncLocalBackend(tmp_path))
        async with there.store() as store:
            assert not await store.exists("large")
            report = await sync_tree(here, store)
            assert (report.ok, report.copied) == (True, 1), report
            assert (await verify_tree(here, store)).ok
            assert (await sync_tree(here, store)).skipped == 1

    asyncio.run(again())
    sent = there.sent(before)
    print(f"{there.backend.__name__}: {sent / _MIB:.1f} MiB in the second run")
    assert sent < _SIZE // 2 + _AGAIN


def test_a_source_that_changed_since_arrives_as_it_is_now(there: There, tmp_path: Path) -> None:
    """Byte for byte, with the time that it has now."""
    content = bytearray(os.urandom(_SIZE))
    file = tmp_path / "large"
    file.write_bytes(content)
    killed(there, tmp_path, _SIZE // 2, *sync_command(there, tmp_path))
    content[_SIZE // 4] ^= 1
    file.write_bytes(content)

    async def again() -> None:
        here = AsyncStore(AsyncLocalBackend(tmp_path))
        async with there.store() as store:
            assert (await sync_tree(here, store)).copied == 1
            assert (await verify_tree(here, store)).ok
            assert await store.read_bytes("large") == bytes(content)
            assert (await sync_tree(here, store)).skipped == 1

    asyncio.run(again())


def test_a_copy_whose_network_fails_says_how_to_go_on(there: There) -> None:
    """And does: `copy_between` of the same file sends the rest."""
    content = os.urandom(_SIZE // 2)

    async def both() -> None:
        here = AsyncStore(AsyncMemoryBackend())
        await here.write("large", content)
        async with there.store() as store:
            down = Fault("reset", "up", times=1_000_000)
            there.wire.when_passed(_SIZE // 4, lambda: there.wire.break_with(down))
            with pytest.raises(BackendUnavailable, match="what arrived is kept"):
                await copy_between(here, "large", store, "large")
            there.wire.clear()
            before = there.sent()
            await copy_between(here, "large", store, "large")
            assert there.sent(before) < _SIZE // 4 + _AGAIN
            assert await store.read_bytes("large") == content

    asyncio.run(both())


def test_the_command_line_goes_on(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """`cp` of one file, killed and given again."""
    (tmp_path / "large").write_bytes(os.urandom(_SIZE))
    with _on_moto(request) as there:
        options = [
            part for name, value in there.options.items() for part in ("-o", f"{name}={value}")
        ]
        target = f"s3://{there.place}/large"
        program = "from remote_store_cli._app import app; app()"
        command = [
            sys.executable,
            "-P",
            "-c",
            program,
            "cp",
            str(tmp_path / "large"),
            target,
            *options,
        ]
        killed(there, tmp_path, _SIZE // 2, *command)
        before = there.sent()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert there.sent(before) < _SIZE // 2 + _AGAIN

        async def content() -> bytes:
            async with there.store() as store:
                return await store.read_bytes("large")

        assert asyncio.run(content()) == (tmp_path / "large").read_bytes()
