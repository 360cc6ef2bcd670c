"""The commands `backends`, `capabilities` and `doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import click

from remote_store import Capability, CapabilitySet, PluginError, list_backends, load_backend
from remote_store_cli._codes import PLUGIN
from remote_store_cli._commands import Root, command
from remote_store_cli._console import complain
from remote_store_cli._opening import Opener
from remote_store_cli._options import JsonOutput
from remote_store_cli._outcome import describe, guarded, run, unread
from remote_store_cli._output import emit, emit_json, emit_table
from remote_store_cli._parameters import argument, flag
from remote_store_cli._settings import Stores

if TYPE_CHECKING:
    from remote_store_cli._doctor import Findings

__all__ = ["backends", "capabilities", "doctor"]


@command
def backends(
    with_capabilities: Annotated[
        bool,
        flag("--capabilities", help="Also what each declares; this imports the plugins."),
    ] = False,
    as_json: JsonOutput = False,
) -> None:
    """List the installed backend plugins."""
    with guarded():
        rows: list[dict[str, Any]] = []
        failed = False
        for plugin in list_backends():
            row: dict[str, Any] = {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "class": plugin.value,
                "blocked": plugin.blocked,
            }
            if with_capabilities and not plugin.blocked:
                try:
                    row["capabilities"] = _declared_by(plugin.name)
                except PluginError as error:
                    failed = True
                    row["capabilities"] = None
                    complain(describe(error))
            rows.append(row)
        with unread():
            _show_backends(rows, with_capabilities=with_capabilities, as_json=as_json)
        if failed:
            raise SystemExit(PLUGIN)


def _declared_by(name: str) -> list[str] | None:
    declared = getattr(load_backend(name), "CAPABILITIES", None)
    return None if declared is None else sorted(c.value for c in declared)


def _show_backends(rows: list[dict[str, Any]], *, with_capabilities: bool, as_json: bool) -> None:
    if as_json:
        emit_json(rows)
        return
    if not rows:
        emit("no backend plugin is installed; 'remote-store doctor' tells how to get one")
        return
    header = ["NAME", "DISTRIBUTION", "VERSION", "CLASS"]
    header += ["CAPABILITIES"] if with_capabilities else []
    table = []
    for row in rows:
        name = f"{row['name']} (off)" if row["blocked"] else row["name"]
        cells = [name, row["distribution"], row["version"], row["class"]]
        if with_capabilities:
            cells.append(" ".join(row.get("capabilities") or ["-"]))
        table.append(cells)
    emit_table(header, table)


@command
def capabilities(
    target: Annotated[str, argument("LOCATION|NAME", help="A location, or the name of a plugin.")],
    *,
    as_json: JsonOutput = False,
    stores: Stores,
) -> None:
    """Show what a backend declares, and what it does not."""

    async def work() -> None:
        if target in {plugin.name for plugin in list_backends()}:
            declared = getattr(load_backend(target), "CAPABILITIES", None)
            if declared is None:
                msg = f"the class of backend {target!r} does not say what it can do; ask a location"
                raise PluginError(msg)
        else:
            async with Opener([target], stores) as opener:
                store = (await opener.open(opener.locations[0])).store
                declared = CapabilitySet(c for c in Capability if store.supports(c))
        if as_json:
            emit_json({c.value: c in declared for c in Capability})
        else:
            rows = [(c.value, "yes" if c in declared else "no") for c in Capability]
            emit_table(("CAPABILITY", "DECLARED"), rows)

    run(work)


@command
def doctor(as_json: JsonOutput = False) -> None:
    """Check the installation: what is broken, clashes or is missing, and how to repair it."""
    import rich.progress  # noqa: F401 - to see that the only thing loaded so late is there

    from remote_store_cli._doctor import examine  # reads every distribution's metadata

    root = click.get_current_context().find_root().command
    assert isinstance(root, Root)
    root.load()
    with guarded():
        findings = examine()
        with unread():  # the exit code counts also where the output is not read
            if as_json:
                emit_json(findings.as_dict())
            else:
                _show_findings(findings)
        if findings.problems:
            raise SystemExit(PLUGIN)


def _show_findings(findings: Findings) -> None:
    emit(findings.versions_text())
    emit("")
    if findings.plugins:
        rows = [(p.name, p.distribution, p.version, p.status) for p in findings.plugins]
        emit_table(("PLUGIN", "DISTRIBUTION", "VERSION", "STATUS"), rows)
    else:
        emit("no backend plugin is installed")
    for extra, line in findings.missing.items():
        emit(f"not installed: {extra} ({line})")
    emit("")
    for problem in findings.problems:
        emit(f"problem: {problem}")
    emit(f"problems: {len(findings.problems)}" if findings.problems else "all is well")
