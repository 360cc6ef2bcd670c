"""Which targets a name stands for: those that plugins ship, or one that a URL describes."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

from remote_store import PluginError, RegistryConfig, Secret, load_backend, redact_url
from remote_store.aio import AsyncBackend, SyncBackendAdapter
from remote_store_conformance.plugins.manager import Kit
from remote_store_conformance.results.waivers import UsageError
from remote_store_conformance.targets.target import NotOpen, Scratch, Target

__all__ = ["find_targets", "target_of_url"]

#: Length from which on a secret is looked for in what a backend says.
_TELLING: Final = 8


def find_targets(kit: Kit, name: str, config: Mapping[str, str]) -> list[Target]:
    """
    Return the targets that a name stands for.

    Args:
        kit: Where targets come from.
        name: Name of a target, or of a plugin for all of its targets.
        config: Options for the plugins that make the targets.

    Raises:
        UsageError: No target has that name, or two have.
    """
    offered = kit.targets(config)
    found = [t for t in offered if t.name == name] or [t for t in offered if t.plugin == name]
    if not found:
        known = ", ".join(t.name for t in offered) or "none"
        msg = (
            f"no target {name!r}; known: {known}. A plugin without targets of its own "
            f"is checked with --url, for example: run {name} --url {name}:///folder"
        )
        raise UsageError(msg)
    names = [t.name for t in found]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        msg = f"two targets are called {twice[0]!r}"
        raise UsageError(msg)
    return found


def target_of_url(
    name: str,
    url: str,
    options: Mapping[str, Any],
    *,
    flat: bool = False,
    shared_names: bool | None = None,
    volatile: bool = False,
    loops: bool = True,
    environment: Literal["in-process", "local", "emulator", "live"] = "live",
    endpoint: tuple[str, int] | None = None,
    secrets: Iterable[str] = (),
    **fields: Any,
) -> Target:
    """
    Return a target for a backend that nobody prepared one for.

    Args:
        name: Name of the backend's entry point.
        url: URL of the storage.
        options: Arguments of the backend.
        flat: Folders are prefixes of keys.
        shared_names: See `Target`; None for what *flat* says.
        volatile: Files die with the backend object.
        loops: See `Target`.
        environment: See `Target`.
        endpoint: Host and port of the service, as they stand in *url* or
            *options*; there the address of the kit's proxy takes their place.
        secrets: Options whose values are secret, beside those that are by their names.
        fields: More fields of `Target`, such as ``part_size``; a
            ``root`` takes the place of the folder in *url*.

    Raises:
        UsageError: No plugin serves *name*, it refuses the URL or the options,
            or *endpoint* stands in neither.
        NotOpen: It fails in another way.
    """
    try:
        load_backend(name)
        root = asyncio.run(_root(name, url, options))
    except (PluginError, ValueError, TypeError) as error:
        msg = f"{name}: {redact_url(str(error))}"
        raise UsageError(msg) from error
    except Exception as error:
        msg = (
            f"{name} does not open {redact_url(url)!r}: {type(error).__name__}: "
            f"{redact_url(str(error))}"
        )
        raise NotOpen(msg) from error

    def through_proxy(scratch: Scratch) -> tuple[str, dict[str, Any]]:
        def rewritten(value: Any) -> Any:
            if endpoint is None or scratch.endpoint is None or not isinstance(value, str):
                return value
            return value.replace(_address(endpoint), _address(scratch.endpoint))

        return rewritten(url), {key: rewritten(value) for key, value in options.items()}

    if endpoint is not None:
        place = _address(endpoint)
        if not any(place in str(value) for value in (url, *options.values())):
            msg = f"{place} stands neither in the URL nor in an option, so nothing can be rewritten"
            raise UsageError(msg)

    @contextlib.asynccontextmanager
    async def opened(scratch: Scratch) -> AsyncGenerator[AsyncBackend, None]:
        backend, _ = await _open(name, *through_proxy(scratch))
        try:
            yield backend
        finally:
            await _close(backend)

    if unknown := sorted(set(secrets) - set(options)):
        msg = f"{unknown[0]!r} is said to be secret, and is no option that was given"
        raise UsageError(msg)
    return Target(
        name=f"{name}:url",
        open=opened,
        environment=environment,
        plugin=name,
        hierarchical=not flat,
        shared_names=flat if shared_names is None else shared_names,
        persistent=not volatile,
        loops=loops,
        endpoint=endpoint,
        url=None if volatile else through_proxy,
        secrets=(*_secrets_of(options), *(str(options[name]) for name in secrets)),
        **{"root": root, **fields},
    )


def _secrets_of(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the options that are secret by their names; very short ones occur by chance."""
    # The core knows which options are credentials; this is its public door.
    given = {"backends": {"b": {"type": "b", "options": dict(options)}}}
    found = RegistryConfig.from_dict(given).backends["b"].options.values()
    return tuple(v.reveal() for v in found if isinstance(v, Secret) and len(v.reveal()) >= _TELLING)


def _address(endpoint: tuple[str, int]) -> str:
    return f"{endpoint[0]}:{endpoint[1]}"


async def _root(name: str, url: str, options: Mapping[str, Any]) -> str:
    backend, root = await _open(name, url, options)
    await _close(backend)
    return root


async def _open(name: str, url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    cls = load_backend(name)
    from_url = getattr(cls, "from_url", None)
    if from_url is None:
        parts = urlsplit(url)
        return _as_async(cls(**options)), unquote(parts.path).strip("/")
    opened = from_url(url, **options)
    backend, root = await opened if inspect.isawaitable(opened) else opened
    return _as_async(backend), root


def _as_async(backend: Any) -> Any:
    """Put the core's bridge around a sync backend, as the async openers do."""
    try:
        return SyncBackendAdapter(backend)
    except TypeError:  # it is async, or none: the clauses find out
        return backend


async def _close(backend: Any) -> None:
    close = getattr(backend, "aclose", None)
    if close is not None:
        await close()
