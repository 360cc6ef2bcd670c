"""The command line on S3: nothing of it is particular to a service."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.s3.moto import Moto

from remote_store_cli._app import app


@pytest.mark.timeout(60)
def test_files_go_up_are_listed_opened_to_others_and_come_back(
    moto: Moto, bucket: str, tmp_path: Path
) -> None:
    """`cp`, `ls`, `signed-url` and `du`; a second copy leaves equal files alone."""
    options = [part for name, value in moto.options.items() for part in ("-o", f"{name}={value}")]

    def cli(*arguments: str) -> tuple[str, str]:
        result = CliRunner().invoke(app, [*arguments, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout, result.stderr

    source, there = tmp_path / "in", f"s3://{bucket}/out"
    (source / "d").mkdir(parents=True)
    (source / "a b.txt").write_bytes(b"content")
    (source / "d" / "é").write_bytes(b"2")
    cli("cp", "-r", str(source), there)
    assert "skipped 2 equal files" in cli("cp", "-r", str(source), there)[1]

    assert cli("ls", there)[0].split("\n") == ["a b.txt", "d/", ""]
    url = cli("signed-url", f"{there}/a b.txt", "--expires", "5m")[0].strip()
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"content"
    cli("cp", "-r", there, str(tmp_path / "back"))
    assert (tmp_path / "back" / "d" / "é").read_bytes() == b"2"
    assert cli("du", "-s", there)[0] == f"       8 B  {there}\n"
