"""The pages name everything that there is, and nothing that there is not."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from attrs import NOTHING

import remote_store
from remote_store import Capability, RemoteStoreError
from remote_store._plugins.hooks import _Hooks
from remote_store_conformance import Target

HOOKS = {
    name: hook for name, hook in inspect.getmembers(_Hooks, inspect.isfunction) if name[0] != "_"
}


def rows(text: str, header: str) -> dict[str, list[str]]:
    """Return the rows of the table whose header begins so, by their first cell."""
    table = text[text.index(header) :].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return {row[0].strip("`"): row[1:] for row in cells}


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_has_a_heading_with_its_arguments(name: str, root: Path) -> None:
    """The heading is the signature, and each argument is explained below it."""
    arguments = [p for p in inspect.signature(HOOKS[name]).parameters if p != "self"]
    text = (root / "docs" / "hooks.md").read_text()
    heading = f"\n## {name}({', '.join(arguments)})\n"

    assert heading in text
    section = text[text.index(heading) + len(heading) :].split("\n## ")[0]
    for argument in arguments:
        assert f"- **{argument}**" in section
    assert f"def {name}(self" in section, "an example"


def test_the_page_invents_no_hook(root: Path) -> None:
    """What the page describes can be implemented."""
    text = (root / "docs" / "hooks.md").read_text()

    assert set(HOOKS) == set(re.findall(r"^## (remote_store_\w+)\(", text, re.M))


def test_the_page_names_every_field_of_an_event(root: Path) -> None:
    """A listener's author finds all there is to know about an operation."""
    fields = rows((root / "docs" / "hooks.md").read_text(), "| Field |")

    assert [a.name for a in remote_store.OperationEvent.__attrs_attrs__] == list(fields)


@pytest.mark.parametrize("page", ["README.md", "docs/capabilities.md"])
def test_capability_tables_are_complete(page: str, root: Path) -> None:
    """Every one, each once."""
    table = rows((root / page).read_text(), "| Capability |")

    assert {capability.name for capability in Capability} == set(table)
    assert {row[0] for row in table.values()} == {"gate", "flag"}


def test_capability_table_of_the_readme_is_true(root: Path) -> None:
    """What it says of the backends is what they declare."""
    from remote_store_azure import AsyncAzureBackend
    from remote_store_local import AsyncLocalBackend, LocalBackend
    from remote_store_memory import AsyncMemoryBackend, MemoryBackend
    from remote_store_s3 import AsyncS3Backend

    table = rows((root / "README.md").read_text(), "| Capability |")
    classes: dict[tuple[int, str], Any] = {
        (-4, "async"): AsyncMemoryBackend,
        (-4, "sync"): MemoryBackend,
        (-3, "async"): AsyncLocalBackend,
        (-3, "sync"): LocalBackend,
        (-2, "async"): AsyncAzureBackend,
        (-1, "async"): AsyncS3Backend,
    }
    for (column, side), cls in classes.items():
        other = "async" if side == "sync" else "sync"
        said = {name for name, row in table.items() if row[column] not in ("no", other)}
        assert said == {capability.name for capability in cls.CAPABILITIES}, cls


def test_error_table_is_the_tree(root: Path) -> None:
    """Every error is listed, with the builtin that it also is."""
    table = rows((root / "docs" / "errors.md").read_text(), "| Error |")
    errors = {
        name: value
        for name in remote_store.__all__
        if isinstance(value := getattr(remote_store, name), type)
        and issubclass(value, RemoteStoreError)
        and value is not RemoteStoreError
    }

    assert set(errors) == set(table)
    for name, row in table.items():
        others = [
            base.__name__
            for base in errors[name].__mro__
            if getattr(builtins, base.__name__, None) is base
            and base not in (BaseException, Exception, object)
        ]
        assert row[0].strip("`") == (others[0] if others else "")


def test_the_table_of_targets_is_the_class(root: Path) -> None:
    """An author finds each field of a target, in order, with its default, on both pages."""
    text = (root / "conformance" / "README.md").read_text()
    assert '--8<-- "conformance/README.md:fields"' in (root / "docs/conformance.md").read_text()
    table = rows(text[text.index("## The fields of a target") :], "| Field |")
    fields = {field.name: field.default for field in Target.__attrs_attrs__}

    assert list(fields) == list(table)
    for name, default in fields.items():
        if default is NOTHING:
            assert table[name][0] == "required"
        elif not hasattr(default, "factory"):  # those are told in words
            said = table[name][0].strip("`")
            assert ast.literal_eval(said) == default, name


def test_what_is_said_to_be_missing_is(root: Path) -> None:
    """A name that comes to be here leaves the page for those who look for it."""
    text = (root / "docs" / "coming-from-remote-store.md").read_text()
    table = text[text.index("| 0.33 | Here |") : text.index("## What is silently different")]
    first = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")][2:]
    names = {name for cell in first for name in re.findall(r"`(\w+)`", cell)}

    assert {"ProxyStore", "S3Backend", "batch_copy"} <= names
    assert names.isdisjoint(remote_store.__all__)
    assert names.isdisjoint(plugin.class_name for plugin in remote_store.list_backends())


def test_links_between_files_lead_somewhere(page: Path) -> None:
    """Relative links of every page exist; those inside docs are checked by the site too."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path = target.partition("#")[0]
        if path and "://" not in target:
            assert (page.parent / path).exists(), target
