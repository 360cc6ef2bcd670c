"""The reference on the built site has every public name, filled in, readable and linked."""

from __future__ import annotations

import html
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import remote_store
import remote_store.aio

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

ROOT = Path(__file__).resolve().parents[2]
#: It has a command and no API.
NO_API = "remote_store_cli"


def _modules() -> list[ModuleType]:
    """Every package of a member, and all modules of the core that are public."""
    packages = [path.name for path in ROOT.glob("*/src/*") if (path / "py.typed").exists()]
    assert len(packages) == len(list(ROOT.glob("*/pyproject.toml")))
    inner = pkgutil.walk_packages(remote_store.__path__, "remote_store.")
    names = [name for name in packages if name != NO_API] + [module.name for module in inner]
    public = [name for name in names if not any(part[0] == "_" for part in name.split("."))]
    return [importlib.import_module(name) for name in public]


MODULES = [module for module in _modules() if hasattr(module, "__all__")]
NAMES = [(module.__name__, name) for module in MODULES for name in module.__all__]


@pytest.fixture(scope="module")
def sections(site: Path) -> dict[str, str]:
    """What the reference says of each thing, by its full name."""
    found: dict[str, str] = {}
    for page in (site / "api").glob("*.html"):
        parts = re.split(r'<h[1-6] id="([^"]+)" class="doc doc-heading">', page.read_text())
        found.update(zip(parts[1::2], parts[2::2], strict=True))
    return found


def _resolved(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _signature_of(section: str) -> str:
    (text,) = re.findall(r'<div class="doc-signature.*?<code>(.*?)</code>', section, re.S)[:1]
    return html.unescape(re.sub(r"<[^>]+>", "", text))


def test_the_list_of_names_is_whole() -> None:
    """Each member is looked at, and the parts of the core that are imported by their own name."""
    assert {
        "remote_store",
        "remote_store.aio",
        "remote_store.aio.ext.glob",
        "remote_store.aio.workers",
        "remote_store.ext.glob",
        "remote_store_memory",
        "remote_store_local",
        "remote_store_azure",
        "remote_store_s3",
        "remote_store_conformance",
        "hns_emulator",
    } <= {module.__name__ for module in MODULES}


@pytest.mark.long
@pytest.mark.parametrize(("module", "name"), NAMES, ids=[".".join(pair) for pair in NAMES])
def test_reference_has_each_public_name(module: str, name: str, sections: dict[str, str]) -> None:
    """What can be imported can be looked up, with its signature and some words about it."""
    path = f"{module}.{name}"
    thing = _resolved(path)
    if path not in sections and hasattr(thing, "__module__"):  # the same under another name
        same = [p for p in sections if p.endswith(f".{name}") and _is_module_level(p)]
        path = next((p for p in same if _resolved(p) is thing), path)
    assert path in sections

    section = sections[path]
    assert "<p>" in section
    own = inspect.isfunction(thing) or (
        inspect.isclass(thing)
        and inspect.isfunction(vars(thing).get("__init__"))
        and not getattr(thing, "_is_protocol", False)
    )
    if own:
        signature = _signature_of(section)
        for parameter in inspect.signature(thing).parameters:
            assert re.search(rf"\b{parameter}\b", signature), parameter


def _is_module_level(path: str) -> bool:
    return path.rpartition(".")[0] in {module.__name__ for module in MODULES}


def test_methods_of_stores_are_there(sections: dict[str, str]) -> None:
    """A class is shown with all that it can do."""
    for cls in (remote_store.Store, remote_store.aio.AsyncStore, remote_store.Backend):
        home = "remote_store.aio" if cls.__name__.startswith("Async") else "remote_store"
        for name, member in vars(cls).items():
            if name[0] != "_" and callable(member):
                assert f"{home}.{cls.__name__}.{name}" in sections


def test_a_return_value_is_one_text(sections: dict[str, str]) -> None:
    """The second line of a sentence is no value of its own."""
    for path, section in sections.items():
        for values in re.findall(r">Returns:</span></p>\s*<ul>(.*?)</ul>", section, re.S):
            assert values.count("<li") == 1, path


def test_names_in_code_are_links(site: Path, sections: dict[str, str]) -> None:
    """An error under Raises, a type in a signature, and a name in a guide lead to the reference."""
    raised = sections["remote_store.aio.AsyncStore.write"].partition(">Raises:<")[2]
    assert 'href="errors.html#remote_store.AlreadyExists"' in raised
    assert re.search(
        r'<div class="doc-signature[^$]*?href="models.html#remote_store.FileInfo"',
        sections["remote_store.aio.AsyncStore.get_file_info"],
    )
    assert 'href="../contract.html#PATH-002"' in sections["remote_store.aio.AsyncBackend"]
    guide = (site / "errors.html").read_text()
    assert 'href="api/errors.html#remote_store.NotFound"><code>NotFound</code></a>' in guide
