"""`python -m hns_emulator`, for programs of any kind."""

from __future__ import annotations

import base64
import subprocess
import sys

import pytest

from hns_emulator import HnsEmulator
from hns_emulator.__main__ import main
from hns_emulator.replay._send import RawClient


def test_the_command_line_says_what_is_wrong(
    emulator: HnsEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """A taken port is status 1, a name that no account can have 2."""
    assert main(["--port", str(emulator.port)]) == 1
    assert "cannot serve" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        main(["--account", "No"])
    assert caught.value.code == 2


def test_the_command_line_takes_a_key_and_makes_filesystems() -> None:
    """It prints a line for each request that it refuses; with --log for all."""
    key = base64.b64encode(b"k" * 64).decode()
    lines: dict[str, list[str]] = {}
    for more in ([], ["--log"]):
        command = [sys.executable, "-P", "-m", "hns_emulator", "--port", "0", "--key", key]
        command += ["--filesystem", "one", "--filesystem", "two", *more]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            announced = process.stdout.readline()
            assert f"AccountKey={key};" in announced
            port = int(announced.rpartition(":")[2])
            with RawClient(port, "hnsaccount", key) as client:
                statuses = [
                    client.send("GET", "dfs", "/two?resource=filesystem&recursive=true").status,
                    client.send("HEAD", "blob", "/three/f").status,
                    client.send("PUT", "blob", "/one/f?comp=tags").status,
                    client.send("PUT", "blob", "/one/f?comp=seal").status,
                ]
            process.terminate()
            lines["".join(more)] = process.stderr.read().splitlines()
        assert statuses == [200, 404, 501, 501]
        assert process.returncode == 0
    refused, logged = lines[""], lines["--log"]
    assert [line.partition(" 501 ")[0] for line in refused] == [
        "PUT /one/f?comp=tags:",
        "PUT /one/f?comp=seal:",
    ]
    assert [line.endswith(text) for line, text in zip(refused, ("tags", "comp=seal"), strict=True)]
    assert logged[0] == "GET /two?resource=filesystem&recursive=true: 200"
    assert logged[1].startswith("HEAD /three/f: 404 ContainerNotFound: ")
    assert logged[2:] == refused


def test_a_key_is_base64(capsys: pytest.CaptureFixture[str]) -> None:
    """Another one is refused before anything is served."""
    with pytest.raises(SystemExit):
        main(["--key", "no key"])
    assert "key" in capsys.readouterr().err
