"""
A target of the conformance kit for any `ObjectBackend`; imported by the kit's plugins alone.

The kit is no dependency: it hands over its own ``Target`` class.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Protocol

from attrs import define, field

from remote_store import NotFound, RetryPolicy
from remote_store.aio import AsyncBackend
from remote_store_objects._backend import ObjectBackend
from remote_store_objects._protocol.body import Body
from remote_store_objects._protocol.service import ObjectService
from remote_store_objects._protocol.values import Attributes

__all__ = ["object_target"]


class _Scratch(Protocol):
    """The place that the kit gives to one run."""

    @property
    def endpoint(self) -> tuple[str, int] | None:
        """Where to connect to."""
        ...


def object_target(
    target: Callable[..., Any],
    name: str,
    backend: type[ObjectBackend],
    url: str,
    *,
    endpoint: tuple[str, int],
    options: Mapping[str, Any] | None = None,
    start: Callable[[], object] | None = None,
    **more: Any,
) -> Any:
    """
    Return a target for a bucket that is there, opened by its URL.

    Its storage is looked at through the verbs of the service, past everything
    that the toolkit does over them.

    Args:
        target: The kit's class of targets.
        name: Of the target.
        backend: Class of the backend; it needs a ``from_url``.
        url: Of the bucket, without a folder.
        endpoint: Host and port of the service, as they stand in *url* or in
            *options*; the kit stands a proxy in front of it.
        options: For ``from_url``.
        start: Called once, before the first backend is opened: makes what is
            not there yet, the server or the bucket.
        more: Further fields of the target: *secrets*, *error_headers*, *waivers*.
    """
    place = _Place(backend, url, dict(options or {}), endpoint, start)
    page = place.build(None).description.page
    return target(
        name=name,
        open=place.opened,
        hierarchical=False,
        endpoint=endpoint,
        url=lambda scratch: place.through(scratch.endpoint),
        probe=lambda _, scratch: _Objects(place),
        # Two pages and a bit more show whether they are put together.
        **{"environment": "emulator", "max_list": min(5_100, 2 * page + 100), **more},
    )


@define
class _Place:
    """A bucket, and how it is opened."""

    backend: Any
    url: str
    options: dict[str, Any] = field(repr=False)
    endpoint: tuple[str, int]
    start: Callable[[], object] | None

    def through(self, endpoint: tuple[str, int] | None) -> tuple[str, dict[str, Any]]:
        """Return the URL and the options that lead through a proxy."""
        there, here = (
            f"{host}:{port}" for host, port in (self.endpoint, endpoint or self.endpoint)
        )

        def led(value: Any) -> Any:
            return value.replace(there, here) if isinstance(value, str) else value

        return led(self.url), {name: led(value) for name, value in self.options.items()}

    def build(self, endpoint: tuple[str, int] | None) -> ObjectBackend:
        """Return a backend; those of the kit do not wait long before they try again."""
        url, options = self.through(endpoint)
        retry = RetryPolicy(backoff_base=0.05, jitter=0)
        made: ObjectBackend = self.backend.from_url(url, **{"retry": retry, **options})[0]
        return made

    @contextlib.asynccontextmanager
    async def opened(self, scratch: _Scratch) -> AsyncGenerator[AsyncBackend, None]:
        """Open a backend for one run."""
        if self.start is not None:
            self.start()
            self.start = None
        backend = self.build(scratch.endpoint)
        try:
            yield backend
        finally:
            await backend.aclose()


@define
class _Objects:
    """The way to the objects that does not lead through the backend: the service's own verbs."""

    place: _Place

    @contextlib.asynccontextmanager
    async def _service(self) -> AsyncGenerator[ObjectService, None]:
        service = self.place.build(None).connect()
        try:
            yield service
        finally:
            await service.aclose()

    async def put(self, key: str, content: bytes) -> None:
        """Write an object."""
        async with self._service() as service:
            await service.put(key, Body([content]), attributes=Attributes(), if_absent=False)

    async def plant(self, key: str, content: bytes) -> None:
        """Write an object whose key need not be a path."""
        await self.put(key, content)

    async def get(self, key: str) -> bytes | None:
        """Return an object's content, None where there is none."""
        async with self._service() as service:
            try:
                stream = await service.get(key)
            except NotFound:
                return None
            try:
                content = b""
                while piece := await stream.receive():
                    content += piece
                return content
            finally:
                await stream.aclose()

    async def names(self, prefix: str) -> list[str]:
        """Return the keys of all objects below a folder."""
        async with self._service() as service:
            return await self._names(service, prefix)

    async def _names(self, service: ObjectService, prefix: str) -> list[str]:
        names: list[str] = []
        token, first = "", True
        limit = self.place.build(None).description.page
        while first or token:
            page = await service.list_page(f"{prefix}/", token=token, limit=limit)
            names += [info.key for info in page.objects]
            token, first = page.token, False
        return names

    async def remove(self, prefix: str) -> None:
        """Remove a folder with everything in it."""
        batch = self.place.build(None).description.batch
        async with self._service() as service:
            names = await self._names(service, prefix)
            for start in range(0, len(names), batch or 1):
                if batch:
                    await service.delete_many(names[start : start + batch])
                else:
                    with contextlib.suppress(NotFound):
                        await service.delete(names[start])
