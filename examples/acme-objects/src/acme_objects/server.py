"""
A tiny object server over HTTP: objects as files in a directory.

Just enough of a service for `acme_objects` to be one: versions, conditions,
ranges, pages, uploads in parts. ``python -m acme_objects.server FOLDER`` runs it.

Each request is a step of one event loop, which is what makes its conditions
hold. A file has a line of JSON, what the server knows of the object, and then
the object's bytes; its name is a hash of the key.

====================================  ==========================================
Request                               What it does
====================================  ==========================================
GET, HEAD /object?key=                an object; Range, If-Match
PUT /object?key=                      makes one; If-None-Match: *, Acme-Meta-*
PUT /object?key=&source=              copies one; Acme-Source-If-Match
DELETE /object?key=                   deletes one; If-Match
GET /list?prefix=&delimiter=&after=   a page, after a name
POST /delete                          deletes all keys of a JSON list
POST /upload?key=                     begins an upload; Acme-Meta-*
PUT /upload?id=&number=               a part
POST /upload?id=&commit=              makes the object; If-None-Match: *
DELETE /upload?id=                    forgets an upload
GET /uploads?prefix=                  what is not committed
====================================  ==========================================

Every answer has the header ``Acme-Server``, errors a word in ``Acme-Error``.
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import contextlib
import hashlib
import json
import secrets
import shutil
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from aiohttp import web

META = "Acme-Meta-"
PAGE = 1000
_CHUNK = 1 << 18


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, word: str) -> None:
        super().__init__(word)
        self.status = status
        self.word = word


class Server:
    """
    The objects, and the answers about them.

    Args:
        folder: Where they are kept; made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._objects: dict[str, dict[str, Any]] = {}
        self._uploads: dict[str, dict[str, Any]] = {}
        for name in ("objects", "parts"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for file in (folder / "objects").iterdir():
            with file.open("rb") as opened:
                found = json.loads(opened.readline())
            self._objects[found["key"]] = found
        self._keys = sorted(self._objects, key=str.encode)
        #: Beside the application, for tests: how many requests of each kind came.
        self.requests: list[str] = []

    def application(self) -> web.Application:
        """Return what a runner of aiohttp serves."""
        app = web.Application(middlewares=[self._marked], client_max_size=1 << 40)
        app.router.add_get("/object", self.get)  # and HEAD
        app.router.add_put("/object", self.put)
        app.router.add_delete("/object", self.delete)
        app.router.add_get("/list", self.list)
        app.router.add_post("/delete", self.delete_many)
        app.router.add_post("/upload", self.upload)
        app.router.add_put("/upload", self.part)
        app.router.add_delete("/upload", self.abort)
        app.router.add_get("/uploads", self.uploads)
        return app

    @web.middleware
    async def _marked(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        try:
            response = await handler(request)
        except Refused as error:
            headers = {"Acme-Error": error.word}
            response = web.Response(status=error.status, headers=headers)
        response.headers["Acme-Server"] = "1"
        return response

    # Objects -----------------------------------------------------------------

    def _file(self, key: str) -> Path:
        return self._folder / "objects" / hashlib.sha256(key.encode()).hexdigest()

    def _found(self, key: str) -> dict[str, Any]:
        try:
            return self._objects[key]
        except KeyError:
            raise Refused(404, "NoSuchObject") from None

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Send an object, or a range of it."""
        found = self._found(request.query["key"])
        if request.headers.get("If-Match", found["etag"]) != found["etag"]:
            raise Refused(412, "OtherVersion")
        headers = _headers(found)
        start, stop, status = 0, found["size"], 200
        if "Range" in request.headers:
            first, _, last = request.headers["Range"].removeprefix("bytes=").partition("-")
            start, status = int(first), 206
            if start >= stop:
                raise Refused(416, "NoSuchRange")
            stop = min(stop, int(last) + 1) if last else stop
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{found['size']}"
        headers["Content-Length"] = str(stop - start)
        response = web.StreamResponse(status=status, headers=headers)
        response.headers["Acme-Server"] = "1"
        with self._file(found["key"]).open("rb") as file:  # stays readable when it is replaced
            await response.prepare(request)
            if request.method != "HEAD":
                file.readline()
                file.seek(start, 1)
                while start < stop:
                    piece = file.read(min(_CHUNK, stop - start))
                    start += len(piece)
                    await response.write(piece)
        return response

    async def put(self, request: web.Request) -> web.Response:
        """Make an object of the body, or of another object."""
        key = request.query["key"]
        source = request.query.get("source")
        if source is not None:
            found = self._found(source)
            if request.headers.get("Acme-Source-If-Match", found["etag"]) != found["etag"]:
                raise Refused(412, "OtherVersion")
            with self._file(source).open("rb") as file:
                file.readline()
                return self._make(key, found, file, request)
        with self._received() as file:
            await _receive(request, file)
            file.seek(0)
            return self._make(key, _given(request), file, request)

    def _make(
        self, key: str, given: dict[str, Any], file: Any, request: web.Request
    ) -> web.Response:
        """Publish an object; from the condition to the end nothing else runs."""
        if request.headers.get("If-None-Match") == "*" and key in self._objects:
            raise Refused(412, "ObjectExists")
        there = self._objects.get(key, {}).get("etag")
        if request.headers.get("If-Match", there) != there:
            raise Refused(412, "OtherVersion")
        start = file.tell()
        made = {
            "key": key,
            "size": file.seek(0, 2) - start,
            "etag": f'"{secrets.token_hex(16)}"',
            "modified": format_datetime(datetime.now(UTC), usegmt=True),
            "type": given["type"],
            "meta": given["meta"],
            "upload": given.get("id"),
        }
        file.seek(start)
        written = self._folder / "parts" / secrets.token_hex(16)
        with written.open("wb") as target:
            target.write(json.dumps(made).encode() + b"\n")
            shutil.copyfileobj(file, target)
        written.replace(self._file(key))
        if key not in self._objects:
            bisect.insort(self._keys, key, key=str.encode)
        self._objects[key] = made
        return web.Response(status=201, headers=_version(made))

    @contextlib.contextmanager
    def _received(self) -> Iterator[Any]:
        path = self._folder / "parts" / secrets.token_hex(16)
        try:
            with path.open("w+b") as file:
                yield file
        finally:
            path.unlink()

    async def delete(self, request: web.Request) -> web.Response:
        """Delete an object."""
        found = self._found(request.query["key"])
        if request.headers.get("If-Match", found["etag"]) != found["etag"]:
            raise Refused(412, "OtherVersion")
        self._remove(found["key"])
        return web.Response(status=204)

    def _remove(self, key: str) -> None:
        del self._objects[key]
        del self._keys[bisect.bisect_left(self._keys, key.encode(), key=str.encode)]
        self._file(key).unlink()

    async def delete_many(self, request: web.Request) -> web.Response:
        """Delete the objects of a list; those that are absent are fine."""
        for key in await request.json():
            if key in self._objects:
                self._remove(key)
        return web.json_response({"refused": {}})

    async def list(self, request: web.Request) -> web.Response:
        """Send a page in the order of the keys' bytes, and where the next one begins."""
        prefix, delimiter = request.query["prefix"], request.query.get("delimiter", "")
        after = request.query.get("after", "")
        limit = min(int(request.query.get("limit", PAGE)), PAGE)
        objects: list[dict[str, Any]] = []
        prefixes: list[str] = []
        index = bisect.bisect_left(self._keys, prefix.encode(), key=str.encode)
        if after:
            below = delimiter and len(after) > len(prefix) and after.endswith(delimiter)
            index = max(index, self._past(after) if below else self._after(after))
        more = ""
        while index < len(self._keys) and (key := self._keys[index]).startswith(prefix):
            if len(objects) + len(prefixes) == limit:
                more = after
                break
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut < 0:
                objects.append(self._objects[key])
                after = key
                index += 1
                continue
            after = key[: cut + 1]
            prefixes.append(after)
            index = self._past(after)
        return web.json_response({"objects": objects, "prefixes": prefixes, "after": more})

    def _after(self, key: str) -> int:
        return bisect.bisect_right(self._keys, key.encode(), key=str.encode)

    def _past(self, prefix: str) -> int:
        """Return the index behind all keys with a prefix; no byte of UTF-8 is 0xff."""
        return bisect.bisect_left(self._keys, prefix.encode() + b"\xff", key=str.encode)

    # Uploads -------------------------------------------------------------------

    async def upload(self, request: web.Request) -> web.Response:
        """Begin an upload, or commit one."""
        if "id" in request.query:
            return await self._commit(request)
        upload = secrets.token_hex(16)
        self._uploads[upload] = {
            **_given(request),
            "id": upload,
            "key": request.query["key"],
            "started": datetime.now(UTC).isoformat(),
            "parts": {},
        }
        return web.json_response({"id": upload}, status=201)

    def _begun(self, request: web.Request) -> dict[str, Any]:
        try:
            return self._uploads[request.query["id"]]
        except KeyError:
            raise Refused(404, "NoSuchUpload") from None

    async def part(self, request: web.Request) -> web.Response:
        """Keep a part."""
        upload = self._begun(request)
        path = self._folder / "parts" / secrets.token_hex(16)
        with path.open("wb") as file:
            await _receive(request, file)
        if upload["id"] not in self._uploads:
            path.unlink()
            raise Refused(404, "NoSuchUpload")
        number = int(request.query["number"])
        if number in upload["parts"]:
            upload["parts"][number].unlink()
        upload["parts"][number] = path
        return web.Response(status=201)

    async def _commit(self, request: web.Request) -> web.Response:
        upload = self._begun(request)
        numbers = await request.json()
        if sorted(upload["parts"]) != numbers:
            raise Refused(400, "OtherParts")
        with self._received() as file:
            for number in numbers:
                with upload["parts"][number].open("rb") as part:
                    shutil.copyfileobj(part, file)
            file.seek(0)
            response = self._make(upload["key"], upload, file, request)
        self._forget(upload)
        return response

    def _forget(self, upload: dict[str, Any]) -> None:
        del self._uploads[upload["id"]]
        for path in upload["parts"].values():
            path.unlink()

    async def abort(self, request: web.Request) -> web.Response:
        """Forget an upload."""
        self._forget(self._begun(request))
        return web.Response(status=204)

    async def uploads(self, request: web.Request) -> web.Response:
        """Send what is not committed."""
        found = [
            {name: upload[name] for name in ("id", "key", "started")}
            for upload in self._uploads.values()
            if upload["key"].startswith(request.query["prefix"])
        ]
        return web.json_response({"uploads": found})


def _given(request: web.Request) -> dict[str, Any]:
    """Return what an object keeps beside its bytes, as a request gives it."""
    names = [name for name in request.headers if name.startswith(META)]
    meta = {name.removeprefix(META).lower(): request.headers[name] for name in names}
    return {"type": request.headers.get("Content-Type", "application/octet-stream"), "meta": meta}


def _version(made: dict[str, Any]) -> dict[str, str]:
    headers = {"ETag": made["etag"], "Last-Modified": made["modified"]}
    return headers | ({"Acme-Upload": made["upload"]} if made["upload"] else {})


def _headers(found: dict[str, Any]) -> dict[str, str]:
    meta = {f"{META}{name}": value for name, value in found["meta"].items()}
    return {"Content-Type": found["type"], **_version(found), **meta}


async def _receive(request: web.Request, file: Any) -> None:
    """Write the body to a file; one that breaks off is none."""
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
        file.write(piece)
    if request.content_length not in (None, size):
        raise Refused(400, "ShortBody")


class Running:
    """
    A server in a thread of this process.

    Args:
        folder: See `Server`.
        port: Where it listens, on loopback; 0 for any.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.server = Server(folder)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runner = web.AppRunner(self.server.application(), shutdown_timeout=0.1)
        self.address: tuple[str, int] = self._do(self._listen(port))

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self, port: int) -> tuple[str, int]:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return host, port

    def stop(self) -> None:
        """Close the connections and end the thread."""
        self._do(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def main() -> None:
    """Run a server until it is interrupted."""
    parser = argparse.ArgumentParser(description="A tiny object server on loopback.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=9090)
    options = parser.parse_args()
    application = Server(options.folder).application()
    web.run_app(application, host="127.0.0.1", port=options.port)


if __name__ == "__main__":
    main()
