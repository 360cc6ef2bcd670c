"""Discovery, proved with distributions that the tests build and install."""

from __future__ import annotations

import ast
import sys
import textwrap
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from tests.core.plugins import BROKEN, GOOD, GROUP

from remote_store._plugins import entry_points

pytestmark = pytest.mark.slow


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


@pytest.mark.parametrize(
    "entry_points",
    [b"[remote_store.backends]\nno equals sign\n", b"[remote_store.backends]\nx\xff = y:Z\n"],
    ids=["no-equals", "not-utf-8"],
)
def test_bad_metadata_of_one_distribution_harms_no_other(
    lay: Callable[..., Path], run_python: Callable[..., str], entry_points: bytes
) -> None:
    """What cannot be read is left out with a warning that names it."""
    lay("acme-store", "[remote_store.backends]\nacme = acme_store:AcmeBackend\n", acme_store=GOOD)

    out = run_python(
        textwrap.dedent("""
        import warnings
        import remote_store
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            print("acme" in {p.name for p in remote_store.list_backends()})
            remote_store.open_store("memory://").close()
            remote_store.open_store("acme://").close()
        for warning in caught:
            print(warning.category.__name__, warning.message)
        """),
        site=lay("bad-store", entry_points),
    )

    listed, _, *warned = out.splitlines()
    assert listed == "True"
    assert len(warned) == 1
    assert warned[0].startswith("RuntimeWarning the plugins of distribution 'bad-store' in ")


def test_bad_metadata_that_is_not_about_us_is_not_our_business(
    lay: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """A distribution that offers us nothing may be as broken as it likes."""
    out = run_python(
        "import remote_store; print(bool(remote_store.list_backends()))",
        site=lay("bad-tool", "[console_scripts]\nno equals sign\n", metadata=""),
    )

    assert out == "True\n"


def test_a_distribution_without_a_name_can_clash(
    lay: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """The same entry point, once from metadata that says nothing, is an error that names both."""
    entry = "[remote_store.backends]\nacme = acme_store:AcmeBackend\n"
    lay("acme-store", entry, acme_store=GOOD)

    out = run_python(
        textwrap.dedent("""
        import remote_store
        print(*sorted((p.distribution, p.version) for p in remote_store.list_backends()
                      if p.name == "acme"))
        try:
            remote_store.load_backend("acme")
        except remote_store.PluginError as error:
            print(error)
        """),
        site=lay("nameless", entry, metadata=""),
    )

    first, second = out.splitlines()
    assert first == "('acme-store', '1.2.3') ('unknown', 'unknown')"
    assert "'acme-store'" in second
    assert "'unknown'" in second


def test_a_distribution_that_is_there_twice_is_the_first(
    lay: Callable[..., Path], run_python: Callable[..., str], tmp_path: Path
) -> None:
    """Two copies on the path that offer the same are no clash: the first is installed."""
    site = lay("acme-store", "[remote_store.backends]\nacme = acme_store:AcmeBackend\n")
    offer = next(site.glob("*.dist-info/entry_points.txt")).read_text()
    info = tmp_path / "old" / "acme_store-0.9.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Acme.Store\nVersion: 0.9\n")
    (info / "entry_points.txt").write_text(offer)

    out = run_python(
        f"import sys; sys.path.append({str(info.parent)!r})\n"
        "import remote_store\n"
        "print([p.version for p in remote_store.list_backends() if p.name == 'acme'] == ['0.9'])\n"
        "print(len([p for p in remote_store.list_backends() if p.name == 'acme']))\n",
        site=site,
    )

    assert out == "False\n1\n"


def test_a_hidden_version_of_a_distribution_offers_nothing(
    lay: Callable[..., Path], run_python: Callable[..., str], tmp_path: Path
) -> None:
    """Of two versions on the path, the first is the one that is installed."""
    site = lay("acme-store", "[remote_store.backends]\nnew = acme_store:AcmeBackend\n")
    old = tmp_path / "old"
    info = old / "acme_store-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Acme.Store\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[remote_store.backends]\nold = acme_store:Old\n")

    out = run_python(
        f"import sys; sys.path.append({str(old)!r})\n"
        "import remote_store\n"
        "print({p.name for p in remote_store.list_backends()} & {'old', 'new'})",
        site=site,
    )

    assert out == "{'new'}\n"


OTHERS = {
    "archive": """
import zipfile
with zipfile.ZipFile("acme.zip", "w") as archive:
    archive.write(info / "METADATA", f"{info.name}/METADATA")
    archive.write(info / "entry_points.txt", f"{info.name}/entry_points.txt")
sys.path.append("acme.zip")
""",
    "finder": """
from importlib.metadata import Distribution, DistributionFinder
class Finder(DistributionFinder):
    def find_spec(self, *_):
        return None
    def find_distributions(self, context):
        return [Distribution.at(info)] if context.name in (None, "acme-store") else []
sys.meta_path.append(Finder())
""",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_distributions_outside_of_folders_are_found(
    lay: Callable[..., Path], run_python: Callable[..., str], kind: str
) -> None:
    """What is in an archive or comes from a finder of its own is found, beside all others."""
    info = next(lay("acme-store", "[remote_store.backends]\nacme = acme_store:X\n").iterdir())

    out = run_python(
        "import pathlib, sys\n"
        f"info = pathlib.Path({str(info)!r})\n"
        f"{OTHERS[kind]}\n"
        "import remote_store\n"
        "print([p.version for p in remote_store.list_backends() if p.name in ('acme', 'memory')])\n"
    )

    assert len(ast.literal_eval(out)) == 2


def test_the_metadata_are_read_as_python_reads_them() -> None:
    """Of what is installed here, our own reading tells the same as `importlib.metadata`."""
    ours, problems = entry_points.scan(tuple(sys.path))
    standard = {
        (found.group, found.name, found.value, distribution.name, distribution.version)
        for distribution in metadata.distributions()
        for found in distribution.entry_points
        if found.group.startswith("remote_store.")
    }

    assert {(e.group, e.name, e.value, p.distribution, p.version) for p, e in ours} == standard
    assert len(standard) > 5
    assert not problems
    group = [e for _, e in ours if e.group == "remote_store.backends"]
    theirs = metadata.entry_points(group="remote_store.backends")
    assert {e.load() for e in group} == {e.load() for e in theirs}


def test_a_panic_is_a_broken_plugin_and_an_interrupt_is_not(
    lay: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """What compiled code raises need not be an Exception; Ctrl-C stays what it is."""
    site = lay(
        "panic-store",
        "[remote_store.backends]\npanic = panic_store:X\nctrlc = ctrlc_store:X\n",
        panic_store="class Panic(BaseException): pass\nraise Panic('at the wrong moment')\n",
        ctrlc_store="raise KeyboardInterrupt\n",
    )

    out = run_python(
        textwrap.dedent("""
        import remote_store
        for name in ("panic", "ctrlc"):
            try:
                remote_store.load_backend(name)
            except BaseException as error:
                print(type(error).__name__, error)
        """),
        site=site,
    )

    first, second = out.splitlines()
    assert first.startswith("PluginError plugin 'panic' (panic_store:X, from panic-store 1.2.3)")
    assert "Panic: at the wrong moment" in first
    assert second.strip() == "KeyboardInterrupt"


def test_the_case_of_a_name_does_not_matter(
    lay: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """A name with capitals is reached by a URL, whose scheme has none, and by a profile."""
    out = run_python(
        textwrap.dedent("""
        from remote_store import StoreProfile, hookimpl, list_backends, open_store, register_plugin

        class Names:
            @hookimpl
            def remote_store_wrap_backend(self, name):
                print(name)

        register_plugin(Names())
        print([p.name for p in list_backends() if "acme" in p.value])
        open_store("ACME:").close()
        open_store(StoreProfile("Acme")).close()
        """),
        site=lay(
            "acme-store",
            "[remote_store.backends]\nAcme = acme_store:AcmeBackend\n",
            acme_store=GOOD,
        ),
    )

    assert out.splitlines() == ["['acme']", "acme imported", "acme", "acme"]


@pytest.mark.parametrize(
    ("variable", "value", "open_to"),
    [
        ("REMOTE_STORE_PLUGINS", " ", set()),
        ("REMOTE_STORE_PLUGINS", "Local", {"local", "class"}),
        ("REMOTE_STORE_PLUGINS", "file", {"file", "class"}),
        ("REMOTE_STORE_DISABLE_PLUGINS", "local", set()),
        ("REMOTE_STORE_DISABLE_PLUGINS", "FILE", set()),
        ("REMOTE_STORE_DISABLE_PLUGINS", "memory", {"local", "file", "class"}),
    ],
)
def test_a_class_that_is_switched_off_has_no_other_door(
    run_python: Callable[..., str], variable: str, value: str, open_to: set[str]
) -> None:
    """Neither another name of the class nor its class name leads around the variables."""
    out = run_python(
        textwrap.dedent("""
        import remote_store, remote_store.aio, remote_store.backends
        doors = {
            "local": [lambda: remote_store.load_backend("local"),
                      lambda: remote_store.load_backend("local", sync=True)],
            "file": [lambda: remote_store.load_backend("file"),
                     lambda: remote_store.load_backend("file", sync=True)],
            "class": [lambda: remote_store.backends.LocalBackend,
                      lambda: remote_store.aio.AsyncLocalBackend],
        }
        for door, ways in doors.items():
            for way in ways:
                try:
                    way()
                    print(door)
                except remote_store.PluginError as error:
                    assert "is switched off by" in str(error), error
        """),
        **{variable: value},
    )

    assert sorted(out.split()) == sorted([*open_to, *open_to])
