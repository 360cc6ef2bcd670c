"""What importing the core costs, and which names it offers."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import remote_store
import remote_store.aio

HEAVY = ("aiofiles", "aiohttp", "azure", "click", "rich", "importlib.metadata", "tomllib")


@pytest.mark.parametrize("module", ["remote_store", "remote_store.aio"])
def test_import_is_light(module: str, run_python: Callable[..., str]) -> None:
    """Importing the core loads attrs and pluggy and nothing else that is not the standard's."""
    out = run_python(
        "import sys\n"
        "before = set(sys.modules)\n"
        f"import asyncio, attrs, pluggy\nallowed = set(sys.modules)\nimport {module}\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - allowed}\n"
        "print(sorted(new - set(sys.stdlib_module_names)))\n"
        f"print([name for name in {HEAVY!r} if name in set(sys.modules) - before])\n"
    )

    assert out.splitlines() == ["['remote_store']", "[]"]


#: What async programs have no use for.
SYNC = [
    "remote_store._bridge.to_async",
    "remote_store._contract.backend",
    "remote_store._store.store",
]
#: What few programs use: models, listeners, configurations, patterns.
SELDOM = [
    "pluggy",
    "remote_store._plugins.config",
    "remote_store._plugins.event",
    "remote_store._plugins.hooks",
    "remote_store._types.content",
    "remote_store._types.folder_info",
    "remote_store._types.glob",
    "remote_store._types.resolution",
]
#: What a copy between two folders has no use for.
ELSEWHERE = [
    "csv",
    "email",
    "hashlib",
    "importlib.metadata",
    "json",
    "pickle",
    "random",
    "tempfile",
    "uuid",
    "zipfile",
    "remote_store_transfer._cluster",
    "remote_store_transfer._files",
    "remote_store_transfer._progress",
    "remote_store_transfer._sync",
    "remote_store_transfer._verify_report",
]
COPY = """
import asyncio
from remote_store.aio import open_store
from remote_store_transfer.aio import copy_tree

async def main():
    async with open_store("local:source") as source:
        async with open_store("local:target") as target:
            assert (await copy_tree(source, target)).copied == 1

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        ("import remote_store", ["asyncio", *SYNC, *SELDOM]),
        ("import remote_store.aio", ["remote_store._plugins.entry_points", *SYNC, *SELDOM]),
        (
            "import remote_store_local",
            ["ctypes", "json", "pathlib", "random", "urllib.parse", "remote_store_local._sync"],
        ),
        ("import remote_store_memory", ["remote_store_memory._sync"]),
        ("import remote_store_transfer", ["remote_store.aio", *ELSEWHERE]),
        (COPY, [*SYNC, *SELDOM, *ELSEWHERE, "remote_store_local._sync"]),
    ],
    ids=["core", "aio", "local", "memory", "transfer", "copy"],
)
def test_what_is_not_used_is_not_loaded(
    program: str, absent: list[str], run_python: Callable[..., str], tmp_path: Path
) -> None:
    """A process loads no module of ours, and none that is slow, that it does not use."""
    assert all(importlib.util.find_spec(name) for name in absent)
    (tmp_path / "source").mkdir()
    (tmp_path / "target").mkdir()
    (tmp_path / "source" / "file").write_bytes(b"content")
    out = run_python(
        "import sys\n"
        "before = set(sys.modules)\n"
        f"{program}\n"
        f"print([name for name in {absent!r} if name in set(sys.modules) - before])\n"
    )

    assert out.strip() == "[]"


PACKAGES = [
    "remote_store",
    "remote_store.aio",
    "remote_store_local",
    "remote_store_memory",
    "remote_store_transfer",
    "remote_store_transfer.aio",
]


def test_what_comes_later_is_there(run_python: Callable[..., str]) -> None:
    """Each name of a package whose modules are loaded on demand can be had, and no other one."""
    out = run_python(
        "from importlib import import_module\n"
        f"for name in {PACKAGES}:\n"
        "    module = import_module(name)\n"
        "    assert all(hasattr(module, n) for n in module.__all__)\n"
        "    try: module.nothing\n"
        "    except AttributeError as e: print(e)\n"
    )

    assert out.count("has no attribute 'nothing'") == len(PACKAGES)


def test_loading_a_plugin_class_imports_no_library_of_its_own(
    run_python: Callable[..., str],
) -> None:
    """The classes of the installed plugins come without aiofiles or an SDK."""
    out = run_python(
        "import sys, remote_store\n"
        "from remote_store.aio import AsyncLocalBackend, AsyncMemoryBackend\n"
        "assert remote_store.load_backend('local') is AsyncLocalBackend\n"
        "assert remote_store.load_backend('file') is AsyncLocalBackend\n"
        "assert remote_store.load_backend('memory') is AsyncMemoryBackend\n"
        "print([name for name in ('aiofiles', 'aiohttp', 'azure') if name in sys.modules])\n"
    )

    assert out.strip() == "[]"


def _public_modules() -> list[str]:
    names = ["remote_store"]
    names += [
        module.name for module in pkgutil.walk_packages(remote_store.__path__, "remote_store.")
    ]
    return [name for name in names if "._" not in name]


@pytest.mark.parametrize("name", _public_modules())
def test_all_is_sorted_and_complete(name: str) -> None:
    """``__all__`` is sorted, names only what exists, and leaves out nothing public."""
    module = importlib.import_module(name)
    if not hasattr(module, "__all__"):
        assert name == "remote_store.aio.ext"
        return
    declared = list(module.__all__)
    plain = [n for n in declared if not n.startswith("__")]
    here = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and getattr(value, "__module__", name).startswith("remote_store")
    }
    modules = {key for key, value in vars(module).items() if isinstance(value, type(sys))}

    assert len(set(declared)) == len(declared)
    assert all(hasattr(module, n) for n in declared)
    if name in ("remote_store", "remote_store.aio"):
        assert here - modules <= set(plain) | {"TYPE_CHECKING", "Any"}


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("remote_store", "authoring.not_found"),
        ("remote_store", "ext.glob.glob_files"),
        ("remote_store.aio", "aio.ext.glob.glob_files"),
        ("remote_store.aio", "aio.workers.WorkerPool"),
    ],
)
def test_public_modules_are_attributes(
    module: str, name: str, run_python: Callable[..., str]
) -> None:
    """Who imported the package reaches its public modules by their names."""
    out = run_python(f"import {module}\nprint(remote_store.{name}.__name__)\n")

    assert out.strip() == name.rpartition(".")[2]


def test_missing_names() -> None:
    """A plugin of ours that is missing gives the install line, anything else AttributeError."""
    with pytest.raises(AttributeError, match=r"remote_store\.aio"):
        _ = getattr(remote_store.aio, "NoSuchBackend")  # noqa: B009
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = getattr(remote_store.aio, "nothing")  # noqa: B009
    with pytest.raises(AttributeError, match="no attribute 'NoSuch'"):
        _ = getattr(remote_store, "NoSuch")  # noqa: B009
    assert not hasattr(remote_store, "nothing")


def test_version_and_info() -> None:
    """The version is the distribution's."""
    from importlib.metadata import version

    assert remote_store.__version__ == version("remote-store-core")
    info = remote_store.info()
    assert info["version"] == remote_store.__version__
    assert {"memory", "local", "file"} <= set(info["backends"])
    assert info["extensions"] == []


def test_uninstalled_plugin_names_the_install_line(run_python: Callable[..., str]) -> None:
    """Where a plugin of ours is not installed, every way to it says how to install it."""
    out = run_python(
        "from remote_store._plugins import installed\n"
        "installed._in_folders = lambda path: []\n"
        "import remote_store, remote_store.aio\n"
        "for attempt in (lambda: remote_store.load_backend('file'),\n"
        "                lambda: remote_store.aio.AsyncMemoryBackend,\n"
        "                lambda: remote_store.load_backend('nobody')):\n"
        "    try: attempt()\n"
        "    except (remote_store.PluginError, ImportError) as e: print(type(e).__name__, e)\n"
    )

    assert out.splitlines() == [
        "PluginError backend 'file' is not installed; "
        "install it with: pip install 'remote-store-core[local]'",
        "ImportError AsyncMemoryBackend is not installed; "
        "install it with: pip install 'remote-store-core[memory]'",
        "PluginError no plugin serves backend 'nobody'; installed: none",
    ]
