"""What a copy costs on a real service, in requests of its access log."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from click.testing import CliRunner
from tests.azure.azurite import API_VERSION, Azurite
from tests.transfer.test_azurite import since

from remote_store_cli._app import app


def cli(*arguments: str) -> tuple[str, str]:
    """Run a command in this process; return its output and what it said."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


@pytest.mark.timeout(120)
def test_a_second_copy_asks_for_listings_only(azurite: Azurite, tmp_path: Path) -> None:
    """Whatever the number of files: no request and no byte for one that is equal."""
    box = f"cli-{uuid.uuid4().hex}"
    with BlobServiceClient.from_connection_string(
        azurite.connection_string, api_version=API_VERSION
    ) as client:
        client.create_container(box)
    options = (
        *("-o", f"connection_string={azurite.connection_string}", "-o", "hns:=false"),
        *("-o", f"client_options:={json.dumps({'api_version': API_VERSION})}"),
    )
    copy = ("cp", "-r", str(tmp_path / "in"), f"azure://{box}/out", *options)
    counts = []
    for number in (5, 40):
        for i in range(number):
            path = tmp_path / "in" / f"d{i % 5}" / f"f{i}"
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():  # one that is written anew has another time
                path.write_bytes(b"x" * i)
        cli(*copy)
        # The log may be late: what the first copy wrote shall not count for the second.
        while asyncio.run(since(azurite, box, 0, 0))["PUT"] < number:
            time.sleep(0.05)
        start = len(azurite.requests())

        summary = cli(*copy)[1]

        assert summary == f"copied 0 files (0 B); skipped {number} equal files\n"
        counts.append(asyncio.run(since(azurite, box, start, 3)))
    few, many = counts
    assert few == many
    assert not {"PUT", "GET"} & set(many)
    assert many.total() <= 3, many
    assert cli("check", *copy[2:])[1] == "40 equal files\n"
    assert cli("du", "-s", copy[3], *options)[0] == "     780 B  " + f"{copy[3]}\n"
