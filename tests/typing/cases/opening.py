"""Opening stores, configuration, hooks and errors."""

from __future__ import annotations

from typing import assert_type

from remote_store import (
    AlreadyExists,
    BackendPlugin,
    CapabilityNotSupported,
    OperationEvent,
    RegistryConfig,
    RetryPolicy,
    Secret,
    StoreProfile,
    hookimpl,
    list_backends,
    load_backend,
    register_backend,
    register_plugin,
)
from remote_store.aio import AsyncRegistry, AsyncStore, open_store


async def opens() -> None:
    async with open_store("local:///srv/data", create_root=False) as store:
        assert_type(store, AsyncStore)
    assert_type(await open_store(StoreProfile("memory", root_path="a")), AsyncStore)
    config = RegistryConfig.from_toml("stores.toml", resolve_env_vars=True)
    async with AsyncRegistry(config) as registry:
        assert_type(await registry.get_store("reports"), AsyncStore)

    async with open_store(b"memory://") as other:  # expect-error: a URL is a str
        print(other)
    await open_store("memory://").read_bytes("a")  # expect-error: not opened yet
    await registry.get_store()  # expect-error: a store has a name


def configures() -> None:
    assert_type(RetryPolicy(max_attempts=5).timeout, float | None)
    assert_type(Secret("x").reveal(), str)
    assert_type(list_backends(), list[BackendPlugin])
    register_backend("mine", load_backend("memory"))

    RetryPolicy(max_attempts="5")  # expect-error: a number
    RetryPolicy(attempts=5)  # expect-error: no such argument
    RetryPolicy().max_attempts = 2  # expect-error: frozen
    StoreProfile(root_path="a")  # expect-error: a profile names its backend


class Listener:
    @hookimpl
    def remote_store_operation(self, event: OperationEvent) -> None:
        assert_type(event.bytes, int | None)
        event.seconds = 0.0  # expect-error: frozen


register_plugin(Listener())


async def handles(store: AsyncStore) -> None:
    try:
        await store.write("a", b"x")
    except AlreadyExists as error:
        assert_type(error.path, str | None)
        assert_type(error.outcome_unknown, bool)
        assert_type(error.capability, str)  # expect-error: only CapabilityNotSupported has it
    except FileNotFoundError as builtin:
        print(builtin.filename)
    except CapabilityNotSupported as error:
        assert_type(error.capability, str)
