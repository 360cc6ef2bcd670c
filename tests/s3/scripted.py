"""A server that answers what a test tells it, for what moto never says."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from aiohttp import web
from attrs import define, field, frozen

from remote_store import RetryPolicy
from remote_store_s3 import AsyncS3Backend

__all__ = ["Answer", "Scripted", "error", "scripted"]


@frozen
class Answer:
    """What is said once."""

    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(factory=dict)


def error(status: int, code: str, more: str = "", **headers: str) -> Answer:
    """Return an answer that is an error document of the service."""
    body = f'<?xml version="1.0"?>\n<Error><Code>{code}</Code><Message>Why.</Message>{more}</Error>'
    return Answer(status, body, {"x-amz-request-id": "REQUEST", **headers})


@define
class Scripted:
    """The server, and what it was asked."""

    url: str = ""
    answers: list[Answer] = field(factory=list)
    requests: list[web.BaseRequest] = field(factory=list)
    bodies: list[bytes] = field(factory=list)

    @property
    def lines(self) -> list[str]:
        """Method and path with query of each request."""
        return [f"{request.method} {request.raw_path}" for request in self.requests]

    def backend(self, **options: Any) -> AsyncS3Backend:
        """Return a backend that asks it."""
        given = {
            "endpoint_url": self.url,
            "region": "eu-west-1",
            "access_key_id": "AKIATESTTESTTESTTEST",
            "secret_access_key": "s3cret/of+the+test",
            "conditional_replace": True,
            "conditional_copy": True,
            "conditional_delete": True,
            "retry": RetryPolicy(max_attempts=2, backoff_base=0, jitter=0),
        }
        return AsyncS3Backend("bucket", **{**given, **options})

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.content.read())
        answer = self.answers.pop(0)
        if answer.status == 0:
            assert request.transport is not None
            request.transport.close()
        return web.Response(status=answer.status or 200, text=answer.body, headers=answer.headers)


@contextlib.asynccontextmanager
async def scripted(*answers: Answer) -> AsyncGenerator[Scripted, None]:
    """
    Run a server that gives *answers*, one after the other.

    At the end all of them must have been asked for.
    """
    server = Scripted(answers=list(answers))
    runner = web.ServerRunner(web.Server(server._answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
    assert not server.answers, server.lines
