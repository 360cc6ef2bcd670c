"""A server that speaks S3 on loopback: moto behind the guard of `guarded_moto`."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from attrs import frozen

__all__ = ["KEY", "SECRET", "Moto", "remove_bucket", "running"]

#: Moto takes any key; the guard knows the secret of all.
KEY: Final = "AKIATESTTESTTESTTEST"
SECRET: Final = "throw-away/secret+of+the+local+server"

_ACCESS: Final = re.compile(r'"(?P<method>[A-Z]+) (?P<target>\S+)" (?P<status>\d+)')


@frozen
class Moto:
    """
    A server that runs.

    Args:
        port: Where it listens, on 127.0.0.1.
        log: The file that it prints to.
    """

    port: int
    log: Path

    @property
    def url(self) -> str:
        """Its endpoint."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def options(self) -> dict[str, Any]:
        """What the backend takes."""
        return {
            "endpoint_url": self.url,
            "region": "us-east-1",
            "access_key_id": KEY,
            "secret_access_key": SECRET,
        }

    def make_bucket(self, name: str) -> None:
        """Make a bucket; moto asks for no signature."""
        request = urllib.request.Request(f"{self.url}/{name}", method="PUT")
        request.add_header("Authorization", _SCOPE)
        urllib.request.urlopen(request).close()

    def remove_bucket(self, name: str) -> None:
        """Remove a bucket with all that is in it, at once."""
        remove_bucket(self.url, name)

    def requests(self) -> list[tuple[str, str, int]]:
        """Return what it was asked: method, path with query, status."""
        found = _ACCESS.finditer(self.log.read_text(errors="replace"))
        return [(m["method"], m["target"], int(m["status"])) for m in found]


#: Moto reads from it that S3 is meant.
_SCOPE: Final = f"AWS4-HMAC-SHA256 Credential={KEY}/20260101/us-east-1/s3/aws4_request"


def remove_bucket(url: str, name: str) -> None:
    """Remove a bucket of the server at *url* with all that is in it: the guard's own verb."""
    request = urllib.request.Request(f"{url}/{name}?guard-remove", method="DELETE")
    urllib.request.urlopen(request).close()


@contextlib.contextmanager
def running() -> Iterator[Moto]:
    """
    Start a server of one's own on a free port, and stop it at the end.

    Raises:
        RuntimeError: It does not get ready.
    """
    with tempfile.TemporaryDirectory(prefix="moto-") as folder:
        log = Path(folder) / "log"
        program = Path(__file__).with_name("guarded_moto.py")
        with log.open("wb") as output:
            server = subprocess.Popen(
                [sys.executable, "-P", str(program)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                cwd=folder,
            )
        assert server.stdout is not None
        try:
            port = server.stdout.readline()
            if not port:
                msg = f"moto did not get ready:\n{log.read_text(errors='replace')[-2000:]}"
                raise RuntimeError(msg)
            yield Moto(int(port), log)
        finally:
            server.stdout.close()
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
