"""The service of docs/ecosystem.md, tried as a client that does not behave."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docs.conftest import ROOT, blocks_of

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore", "error::ResourceWarning")]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of the service, whose store is a folder."""
    from fastapi.testclient import TestClient

    (block,) = (b for b in blocks_of(ROOT / "docs" / "ecosystem.md") if b.title == "shop.py")
    (tmp_path / "shop.py").write_text(block.text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("shop", None)
    with TestClient(importlib.import_module("shop").app) as client:
        yield client


def test_what_is_missing_is_a_404(client: Any) -> None:
    """Never an empty 200: neither a missing file, nor a folder, nor what is below a file."""
    assert client.put("/files/a/b.bin", content=b"1").status_code == 201
    for path in ("none", "a", "a/b.bin/c"):
        answer = client.get(f"/files/{path}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "no such file"})
    assert client.put("/files/a", content=b"1").status_code == 400
    empty = client.put("/files/empty", content=b"")
    assert (empty.status_code, empty.json()) == (201, {"size": 0})
    assert client.get("/files/empty").content == b""


@pytest.mark.parametrize("size", [10, 5_000_000])
def test_an_upload_that_breaks_off_stores_nothing(client: Any, tmp_path: Path, size: int) -> None:
    """The old file stays, and no temporary one is left."""
    client.put("/files/a.bin", content=b"old")
    messages = [
        {"type": "http.request", "body": b"x" * size, "more_body": True},
        {"type": "http.disconnect"},
    ]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "PUT",
        "scheme": "http", "path": "/files/a.bin", "raw_path": b"/files/a.bin", "root_path": "",
        "query_string": b"", "headers": [], "state": dict(client.app_state),
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def call() -> str:
        try:
            await client.app(scope, receive, send)
        except Exception as error:
            return type(error).__name__
        return "answered"

    outcome = client.portal.call(call)
    assert outcome == "ClientDisconnect" or sent[0]["status"] >= 400
    assert client.get("/files/a.bin").content == b"old"
    assert [path.name for path in (tmp_path / "shop-data").iterdir()] == ["a.bin"]
