"""The reference with signed URLs, which a small server of its own answers."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from remote_store import Capability, CapabilitySet
from remote_store_conformance_selftest.reference import ALL, File, ReferenceBackend
from remote_store_conformance_selftest.tree import Tree

__all__ = ["NO_URLS", "SigningBackend"]

#: What it does not have of version 1.1 of the contract.
NO_URLS: Final = (
    Capability.RANGE_READ,
    Capability.CONTENT_HEADERS,
    Capability.CONDITIONAL_WRITE,
    Capability.CREATE_FOLDER,
    Capability.RESUMABLE_WRITE,
)


class SigningBackend(ReferenceBackend):
    """A backend whose files may be asked for by HTTP, with a signature in the query."""

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(ALL - set(NO_URLS))
    CONTRACT: ClassVar[str] = "1.1"

    def __init__(self, tree: Tree | None = None, capabilities: CapabilitySet = ALL) -> None:
        super().__init__(tree, capabilities)
        self._secret = secrets.token_bytes(16)
        self._server: ThreadingHTTPServer | None = None
        self._serving: threading.Thread | None = None

    async def signed_url(self, path: str, *, expires: timedelta, method: str = "GET") -> str:
        self.require(Capability.SIGNED_URL, path)
        key = self.check_target(path, overwrite=True) if method == "PUT" else self.key(path)
        end = int(time.time() + self.seconds(expires))
        host, port = self.address()
        return (
            f"http://{host}:{port}/{self.quoted(key)}?end={end}&sig={self.sign(method, key, end)}"
        )

    def seconds(self, expires: timedelta) -> float:
        """Return for how long a URL works."""
        return expires.total_seconds()

    def quoted(self, key: str) -> str:
        """Return a key as it stands in a URL."""
        return quote(key)

    def sign(self, method: str, key: str, end: int) -> str:
        """Return what proves that the backend made a URL."""
        text = f"{method}\n{key}\n{end}"
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()

    def is_over(self, end: int) -> bool:
        """Return whether a URL has expired."""
        return time.time() >= end

    def upload(self, key: str, content: bytes) -> None:
        """Take what was sent to a URL."""
        with self.tree.lock:
            self.tree.put(key, File(content, datetime.now(UTC), self.tree.new_etag()))

    def answer(self, method: str, target: str, content: bytes) -> tuple[int, bytes]:
        """Return status and body for a request."""
        parts = urlsplit(target)
        key = unquote(parts.path.removeprefix("/"))
        query = parse_qs(parts.query)
        end = int(query.get("end", ["0"])[0])
        signature = query.get("sig", [""])[0]
        if not hmac.compare_digest(signature, self.sign(method, key, end)) or self.is_over(end):
            return 403, b""
        if method == "PUT":
            self.upload(key, content)
            return 201, b""
        with self.tree.lock:
            file = self.tree.files.get(key)
        return (404, b"") if file is None else (200, file.content)

    def address(self) -> tuple[str, int]:
        """Return where the server listens; it is started with the first URL."""
        if self._server is None:
            backend = self

            class Handler(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    self.reply()

                def do_PUT(self) -> None:
                    self.reply()

                def do_DELETE(self) -> None:
                    self.reply()

                def reply(self) -> None:
                    content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                    status, body = backend.answer(self.command, self.path, content)
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

                def log_message(self, *args: Any) -> None:
                    """Say nothing: the line of a request has the signature."""

            self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            serve = self._server.serve_forever
            self._serving = threading.Thread(target=serve, args=(0.01,), daemon=True)
            self._serving.start()
        return "127.0.0.1", self._server.server_port

    async def aclose(self) -> None:
        await super().aclose()
        server, self._server = self._server, None
        if server is not None and self._serving is not None:
            server.shutdown()
            self._serving.join()
            server.server_close()
