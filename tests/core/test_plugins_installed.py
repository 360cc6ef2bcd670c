"""Discovery, proved with distributions that the tests build and install."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

GOOD = '''
from remote_store import CapabilitySet, FileInfo, NotFound

print("acme imported")


class AcmeBackend:
    """Matches the protocol by its members alone."""

    CAPABILITIES = CapabilitySet()
    name = "acme"
    capabilities = CapabilitySet()

    def __init__(self, *, size=1):
        self.size = size

    async def exists(self, path):
        return path in ("", "here")

    is_file = is_folder = exists

    async def read(self, path):
        yield b""

    async def _no(self, *args, **kwargs):
        raise NotFound("nothing", path=args[0], backend=self.name)

    read_bytes = write = write_atomic = delete = delete_folder = _no
    get_file_info = get_folder_info = move = copy = _no
    list_files = list_folders = read
'''

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

BROKEN = "import a_module_that_nobody_has\n"

GROUP = "remote_store.backends"


def test_good_plugin_is_listed_without_import_and_opened_by_url(
    install: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """A third party's plugin has the rights of ours: listed from metadata, loaded by its name."""
    site = install("acme-store", "acme_store", GOOD, {GROUP: {"acme": "acme_store:AcmeBackend"}})

    out = run_python(
        textwrap.dedent("""
        import asyncio, sys
        import remote_store
        from remote_store.aio import open_store

        (plugin,) = [p for p in remote_store.list_backends() if p.name == "acme"]
        print(plugin.distribution, plugin.version, plugin.value, plugin.blocked)
        print("acme_store" in sys.modules)

        async def main():
            async with open_store("acme:", size=5) as store:
                print(store, await store.exists("here"), store._backend.size)

        asyncio.run(main())
        import remote_store.backends, remote_store.aio.backends, remote_store.aio
        import acme_store
        for module in (remote_store.backends, remote_store.aio.backends, remote_store.aio):
            assert module.AcmeBackend is acme_store.AcmeBackend
        assert "acme" in remote_store.info()["backends"]
        """),
        site=site,
    )

    assert out.splitlines() == [
        "acme-store 1.2.3 acme_store:AcmeBackend False",
        "False",
        "acme imported",
        "AsyncStore(backend='acme', root_path='') True 5",
    ]


def test_broken_plugin_is_explained_and_isolated(
    install: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """A plugin that cannot be imported is named with its distribution, and harms no other."""
    install("acme-store", "acme_store", GOOD, {GROUP: {"acme": "acme_store:AcmeBackend"}})
    site = install(
        "broken-store", "broken_store", BROKEN, {GROUP: {"broken": "broken_store:Backend"}}
    )

    out = run_python(
        textwrap.dedent("""
        import remote_store

        print(sorted(p.name for p in remote_store.list_backends() if 'remote' not in p.value))
        try:
            remote_store.load_backend("broken")
        except remote_store.PluginError as error:
            print(error)
            print(repr(error.__cause__))
        print(remote_store.load_backend("acme").__name__)
        """),
        site=site,
    )

    assert "['acme', 'broken']" in out
    assert "'broken' (broken_store:Backend, from broken-store 1.2.3) is broken" in out
    assert "ModuleNotFoundError" in out
    assert "REMOTE_STORE_DISABLE_PLUGINS" in out
    assert out.splitlines()[-1] == "AcmeBackend"


def test_two_distributions_with_one_name_are_refused(
    install: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """A name that two distributions claim is an error that names both; others still load."""
    install("acme-store", "acme_store", GOOD, {GROUP: {"acme": "acme_store:AcmeBackend"}})
    site = install(
        "other-store",
        "other_store",
        GOOD,
        {GROUP: {"acme": "other_store:AcmeBackend", "other": "other_store:AcmeBackend"}},
    )

    out = run_python(
        textwrap.dedent("""
        import remote_store, remote_store.aio

        print(sum(p.name == "acme" for p in remote_store.list_backends()))
        for attempt in (
            lambda: remote_store.load_backend("acme"), lambda: remote_store.aio.AcmeBackend
        ):
            try:
                attempt()
            except remote_store.PluginError as error:
                print(error)
        print(remote_store.load_backend("other").__module__)
        """),
        site=site,
    )

    lines = out.splitlines()
    assert lines[0] == "2"
    for line in lines[1:3]:
        assert "'acme-store' (acme_store:AcmeBackend)" in line
        assert "'other-store' (other_store:AcmeBackend)" in line
    assert lines[-1] == "other_store"


def test_environment_switches_plugins_off(
    install: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """The allow list and the deny list decide without an import, and the error says so."""
    site = install("acme-store", "acme_store", GOOD, {GROUP: {"acme": "acme_store:AcmeBackend"}})
    code = textwrap.dedent("""
        import remote_store

        (plugin,) = [p for p in remote_store.list_backends() if p.name == "acme"]
        print(plugin.blocked)
        try:
            print(remote_store.load_backend("acme").__name__)
        except remote_store.PluginError as error:
            print(error)
        """)

    assert "True\n'" not in run_python(code, site=site, REMOTE_STORE_PLUGINS="acme, memory")
    for variables in (
        {"REMOTE_STORE_PLUGINS": "memory"},
        {"REMOTE_STORE_PLUGINS": ""},
        {"REMOTE_STORE_DISABLE_PLUGINS": "x,acme"},
        {"REMOTE_STORE_PLUGINS": "acme", "REMOTE_STORE_DISABLE_PLUGINS": "acme"},
    ):
        out = run_python(code, site=site, **variables)
        assert out.startswith("True\n"), variables
        assert "switched off by REMOTE_STORE_PLUGINS or REMOTE_STORE_DISABLE_PLUGINS" in out


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


def test_plugin_installed_while_the_program_runs_is_found(
    install: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """Metadata is read once, and again before a name is declared unknown."""
    site = install("acme-store", "acme_store", GOOD, {GROUP: {"acme": "acme_store:AcmeBackend"}})
    hidden = site.with_name("hidden")
    out = run_python(
        textwrap.dedent(f"""
        import pathlib
        site, hidden = pathlib.Path({str(site)!r}), pathlib.Path({str(hidden)!r})
        hidden.mkdir()
        for entry in list(site.iterdir()):
            entry.rename(hidden / entry.name)
        import remote_store
        try:
            remote_store.load_backend("acme")
        except remote_store.PluginError as error:
            print(error)
        for entry in list(hidden.iterdir()):
            entry.rename(site / entry.name)
        import importlib; importlib.invalidate_caches()
        print(remote_store.load_backend("acme").__name__)
        """),
        site=site,
    )

    lines = out.splitlines()
    assert lines[0].startswith("no plugin serves backend 'acme'; installed: ")
    assert lines[-1] == "AcmeBackend"
