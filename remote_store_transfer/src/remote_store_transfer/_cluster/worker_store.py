"""How a store gets to the workers of a cluster: as its configuration, and no secret by value."""

from __future__ import annotations

import contextlib
import io
import pickle
import re
from collections.abc import AsyncGenerator, Mapping
from functools import cache
from typing import Any, Final

from attrs import Attribute, field, frozen

from remote_store import RegistryConfig, Secret, redact_url, resolve_env
from remote_store.aio import AsyncRegistry, AsyncStore, open_store

__all__ = ["WorkerStore", "carried", "opened"]

#: What says where a secret is: a whole value, or a part of a URL.
_REFERENCE: Final = re.compile(r"\$\{(secret:[^{}]+|[^{}:]+)\}")


def _refuse_values(instance: object, attribute: Attribute[Any], value: object) -> None:
    name = _secret_in(value)
    if name:
        msg = (
            f"{name} of a WorkerStore would travel by value: name the variable of the "
            "workers that holds it, as in {'account_key': '${ACCOUNT_KEY}'}"
        )
        raise ValueError(msg)


@frozen
class WorkerStore:
    """
    How the workers of a cluster open a store.

    Args:
        target: URL of the store, as for `remote_store.open_store`; with
            *config* the name of a store in that file.
        options: Keyword arguments of the backend. Texts in them and in
            *target* may name variables of the worker (``"${ACCOUNT_KEY}"``);
            what is secret has to, or to be a ``"${secret:REFERENCE}"``.
        config: Path of a TOML file on the workers; None without one.

    Raises:
        ValueError: A secret is there by value, or *options* beside *config*.
    """

    target: str = field(validator=_refuse_values)
    options: Mapping[str, Any] = field(factory=dict, validator=_refuse_values)
    config: str | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse options that nobody would read."""
        if self.config is not None and self.options:
            msg = "options of a WorkerStore belong into its config"
            raise ValueError(msg)

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncGenerator[AsyncStore, None]:
        """Open the store, and close it at the end."""
        target: str = resolve_env(self.target)
        if self.config is None:
            async with open_store(target, **resolve_env(dict(self.options))) as store:
                yield store
            return
        config = RegistryConfig.from_toml(self.config, resolve_env_vars=True, stores=[target])
        async with AsyncRegistry(config) as registry:
            yield await registry.get_store(target)


def carried(store: AsyncStore, side: str) -> bytes:
    """
    Return a store as it goes to the workers by itself: pickled, without secrets.

    Args:
        store: The store.
        side: ``"source"`` or ``"target"``, for messages.

    Raises:
        ValueError: It holds a secret, or cannot be pickled.
    """
    buffer = io.BytesIO()
    how = f"say how workers open it: execute(..., worker_{side}=WorkerStore(...))"
    try:
        _Careful(buffer, protocol=5).dump(store)
    except _SecretFound as found:
        msg = f"{found} of the {side} would go to the workers by value; {how}"
    except Exception as error:  # noqa: BLE001 - whatever a backend's own pickling raises
        msg = f"the {side} cannot go to the workers ({error}); {how}"
    else:
        return buffer.getvalue()
    raise ValueError(msg)


@contextlib.asynccontextmanager
async def opened(store: WorkerStore | bytes) -> AsyncGenerator[AsyncStore, None]:
    """Open what `carried` returned, or a `WorkerStore`; close it at the end."""
    if isinstance(store, WorkerStore):
        async with store.opened() as found:
            yield found
        return
    # Made by the program that submits the task, which could run any code here anyhow.
    rebuilt: AsyncStore = pickle.loads(store)  # noqa: S301
    async with rebuilt:
        yield rebuilt


class _SecretFound(Exception):
    """Raised with the name of what holds a secret."""


class _Careful(pickle.Pickler):
    """A pickler that refuses secrets: objects, and texts that are so by the names of options."""

    def reducer_override(self, obj: Any) -> Any:
        """Return how an object pickles, once nothing in that is secret."""
        if isinstance(obj, Secret):
            msg = "a Secret"
            raise _SecretFound(msg)
        if isinstance(obj, type) or not hasattr(obj, "__reduce_ex__"):
            return NotImplemented
        if type(obj).__module__ == "builtins":  # functions
            return NotImplemented
        reduced = obj.__reduce_ex__(5)
        if isinstance(reduced, tuple):
            declared = frozenset(getattr(type(obj), "SECRET_OPTIONS", ()))
            name = _secret_in(reduced[1:3], declared)
            if name:
                raise _SecretFound(name)
        return reduced


def _secret_in(value: object, declared: frozenset[str] = frozenset()) -> str:
    """Return what holds a secret by value, ``""`` if nothing does."""
    if isinstance(value, Secret):
        return "a Secret"
    if isinstance(value, str):
        text = _REFERENCE.sub("", value)
        return "" if redact_url(text) == text else "the credentials in a URL"
    if isinstance(value, Mapping):
        for key, inner in value.items():
            text = inner.reveal() if isinstance(inner, Secret) else inner
            secret = str(key) in declared or _is_secret(str(key))
            if secret and isinstance(text, (str, bytes, bytearray)):
                if not (isinstance(text, str) and _REFERENCE.fullmatch(text)):
                    return f"the option {key!r}"
            elif found := _secret_in(inner, declared):
                return found
    elif isinstance(value, (list, tuple, set, frozenset)):
        return next(filter(None, (_secret_in(inner, declared) for inner in value)), "")
    return ""


@cache
def _is_secret(name: str) -> bool:
    """Return True if an option is secret by its name."""
    config = RegistryConfig.from_dict({"backends": {"x": {"type": "x", "options": {name: "x"}}}})
    return isinstance(config.backends["x"].options[name], Secret)
