"""Installed hook plugins: found, imported once, and waited for by every store."""

from __future__ import annotations

import os
import signal
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.core.plugins import BROKEN, GOOD, GROUP

from remote_store import BackendPlugin, PluginError
from remote_store._plugins import loading

pytestmark = pytest.mark.slow

LISTENER = """
from remote_store import hookimpl

events = []


@hookimpl
def remote_store_operation(event):
    events.append(event.name)


@hookimpl
def remote_store_resolve_secret(reference):
    return {"vault/size": "7"}.get(reference)
"""


@pytest.mark.long
def test_installed_listener_hears_and_resolves_secrets(
    install: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """A pluggy plugin of the other group is registered when a store is opened."""
    install("acme-store", "acme_store", GOOD, {GROUP: {"acme": "acme_store:AcmeBackend"}})
    site = install(
        "acme-ears", "acme_ears", LISTENER, {"remote_store.plugins": {"ears": "acme_ears"}}
    )

    out = run_python(
        textwrap.dedent("""
        import asyncio, sys
        from remote_store.aio import open_store

        assert "acme_ears" not in sys.modules

        async def main():
            async with open_store("acme:", size="${secret:vault/size}") as store:
                await store.exists("here")
                print(repr(store._backend.size), store._backend.size.reveal())
            async with open_store("acme:") as store:
                pass

        asyncio.run(main())
        import acme_ears, remote_store
        print(acme_ears.events, remote_store.info()["extensions"])
        """),
        site=site,
    )

    assert out.splitlines()[1:] == ["Secret('***') 7", "['exists'] ['ears']"]


@pytest.mark.long
def test_broken_listener_warns_and_keeps_nobody_from_opening(
    install: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """A pluggy plugin that cannot be imported, or has a wrong hook, is a warning, once."""
    install("acme-store", "acme_store", GOOD, {GROUP: {"acme": "acme_store:AcmeBackend"}})
    install("deaf", "deaf", BROKEN, {"remote_store.plugins": {"deaf": "deaf"}})
    wrong = "from remote_store import hookimpl\n\n\n@hookimpl\ndef remote_store_typo(): ...\n"
    site = install("typo", "typo", wrong, {"remote_store.plugins": {"typo": "typo"}})

    out = run_python(
        textwrap.dedent("""
        import asyncio, warnings
        from remote_store.aio import open_store

        async def main():
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                for _ in range(2):
                    async with open_store("acme:") as store:
                        assert await store.exists("here")
            for warning in caught:
                print(warning.category.__name__, warning.message)

        asyncio.run(main())
        """),
        site=site,
    )

    _, first, second = out.splitlines()
    assert first.startswith("RuntimeWarning plugin 'deaf' (deaf, from deaf 1.2.3) is broken")
    assert second.startswith("RuntimeWarning")
    assert "remote_store_typo" in second


WRAPPER = """
import builtins
from remote_store import hookimpl

builtins.on_import()


@hookimpl
def remote_store_wrap_backend(backend, name):
    builtins.wrapped.append(name)
"""
WRAPS = "[remote_store.plugins]\nwrapper = wrapper\n"


@pytest.mark.long
def test_no_store_is_opened_without_a_listener_that_is_being_imported(
    lay: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """A thread that opens a store while another imports the listeners waits for them."""
    out = run_python(
        textwrap.dedent("""
        import builtins, threading
        from remote_store import open_store

        builtins.wrapped = []
        begun, opened = threading.Event(), threading.Event()

        def on_import():
            begun.set()
            opened.wait(1)  # which it will not be, unless somebody did not wait

        def second():
            begun.wait()
            open_store("memory://").close()
            opened.set()

        builtins.on_import = on_import
        thread = threading.Thread(target=second)
        thread.start()
        open_store("memory://").close()
        thread.join()
        print(builtins.wrapped)
        """),
        site=lay("wrap-store", WRAPS, wrapper=WRAPPER),
    )

    assert out == "['memory', 'memory']\n"


def test_a_listener_whose_import_was_interrupted_is_imported_by_the_next_store(
    lay: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """Ctrl-C during the import opens no store, and the listener is not lost."""
    out = run_python(
        textwrap.dedent("""
        import builtins
        from remote_store import open_store

        def interrupt():
            builtins.on_import = lambda: None
            raise KeyboardInterrupt

        builtins.wrapped = []
        builtins.on_import = interrupt
        try:
            open_store("memory://")
        except KeyboardInterrupt:
            print("interrupted")
        open_store("memory://").close()
        print(builtins.wrapped)
        """),
        site=lay("wrap-store", WRAPS, wrapper=WRAPPER),
    )

    assert out.splitlines() == ["interrupted", "['memory']"]


def test_a_listener_may_open_a_store_when_it_is_imported(
    lay: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """Its import neither waits for itself nor begins anew."""
    out = run_python(
        textwrap.dedent("""
        import builtins
        from remote_store import open_store

        builtins.wrapped = []
        builtins.on_import = lambda: open_store("memory://").close()
        open_store("memory://").close()
        print(builtins.wrapped)
        """),
        site=lay("wrap-store", WRAPS, wrapper=WRAPPER),
    )

    assert out == "['memory']\n"


def test_no_store_is_opened_without_a_listener_where_warnings_are_errors(
    lay: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """A broken listener then keeps every store from being opened, not only the first."""
    out = run_python(  # with -W error
        textwrap.dedent("""
        from remote_store import open_store

        for _ in range(2):
            try:
                open_store("memory://")
            except RuntimeWarning as warning:
                print(warning)
        """),
        site=lay("deaf", "[remote_store.plugins]\ndeaf = deaf\n", deaf=BROKEN),
    )

    first, second = out.splitlines()
    assert first == second
    assert first.startswith("plugin 'deaf' (deaf, from deaf 1.2.3) is broken")


def test_an_import_of_listeners_that_does_not_end_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two imports that wait for each other must not hang the program."""
    monkeypatch.setattr(loading, "_PATIENCE", 0.05)
    held, done = threading.Event(), threading.Event()

    def load() -> None:
        with loading._loading:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        assert held.wait(30)
        with pytest.raises(PluginError, match="still being imported"):
            loading.load_listeners()
    finally:
        done.set()
        thread.join()
    loading.load_listeners()


def test_fork_while_listeners_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forked child waits for no thread of its parent, and imports what that had begun."""
    plugin, imported = _fake_listener(monkeypatch)
    held, done = threading.Event(), threading.Event()

    def slowly(*_: object) -> None:
        imported.append(os.getpid())
        if len(imported) == 1 and os.getpid() == parent:
            held.set()
            done.wait(30)

    parent = os.getpid()
    monkeypatch.setattr(loading, "_listen", slowly)
    thread = threading.Thread(target=loading.load_listeners)
    thread.start()
    try:
        assert held.wait(30)
        child = os.fork()
        if child == 0:  # pragma: no cover - measured in the parent
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(10)
            right = False
            try:
                loading.load_listeners()
                right = imported == [parent, os.getpid()]
            finally:
                os._exit(0 if right else 1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        done.set()
        thread.join()
        loading._listening.discard(plugin)
    assert status == 0


def test_fork_by_a_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener that forks in its import goes on with it in the child."""
    plugin, _ = _fake_listener(monkeypatch)
    child = -1

    def forks(*_: object) -> None:
        nonlocal child
        child = os.fork()

    monkeypatch.setattr(loading, "_listen", forks)
    right = False
    try:
        loading.load_listeners()
        right = plugin in loading._listening
    finally:
        if child == 0:  # pragma: no cover - measured in the parent
            os._exit(0 if right else 1)
        loading._listening.discard(plugin)
    assert right
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _fake_listener(monkeypatch: pytest.MonkeyPatch) -> tuple[BackendPlugin, list[int]]:
    plugin = BackendPlugin("slow", "slow", "slow", "1", blocked=False)
    monkeypatch.setattr(loading, "_entries", lambda group: [(plugin, None)])
    return plugin, []
