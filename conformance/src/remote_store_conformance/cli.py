"""
``remote-store-conform``: check a backend, and read the reports.

Exit codes: 0 no violation (CONFORMANT, also with waivers; PARTLY CHECKED; and
without ``--strict`` INCONCLUSIVE, when something could not be verified or a
budget was used up), 1 violations, stale or expired waivers, regressions or a
self-test that fails, 2 wrong usage, 3 the target did not open, 4 inconclusive:
the kit itself failed somewhere, or with ``--strict`` something is unverified.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from attrs import evolve

from remote_store_conformance.clauses import find
from remote_store_conformance.contract.clause import Clause
from remote_store_conformance.contract.kinds import FAMILIES
from remote_store_conformance.engine.child import Child, serve
from remote_store_conformance.engine.session import Session
from remote_store_conformance.front.arguments import REPORTS, parser
from remote_store_conformance.front.choosing import choose, session_for, targets_of
from remote_store_conformance.plugins.manager import Kit
from remote_store_conformance.report import badge, data, html, markdown, terminal
from remote_store_conformance.results.result import Status
from remote_store_conformance.results.run import Run, Verdict, part_of
from remote_store_conformance.results.waivers import UsageError
from remote_store_conformance.targets.target import NotOpen

__all__ = ["main"]

_OK: Final = 0
_VIOLATED: Final = 1
_USAGE: Final = 2
_NOT_OPEN: Final = 3
_INCONCLUSIVE: Final = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    raw = list(sys.argv[1:] if arguments is None else arguments)
    given = parser(__doc__).parse_args(raw)
    given.raw = raw
    try:
        return _COMMANDS[given.command](given)
    except UsageError as error:
        _say(f"remote-store-conform: {error}", error=True)
        return _USAGE
    except NotOpen as error:
        _say(f"remote-store-conform: {error}", error=True)
        return _NOT_OPEN


def _say(text: str, *, error: bool = False) -> None:
    # What plugins and services say is in it: it must not steer the terminal.
    if not text.replace("\n", "").isprintable():
        text = "".join(
            c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
        )
    print(text, file=sys.stderr if error else sys.stdout, flush=True)


def _kit(plugins: Sequence[str]) -> Kit:
    kit = Kit()
    for problem in kit.load_shipped():
        _say(f"warning: targets of {problem} are left out", error=True)
    for plugin in plugins:
        kit.load(plugin)
    return kit


def _run(given: argparse.Namespace) -> int:
    clauses = choose(given.clause)
    _check_places(given)
    if given.badge and (part := part_of(c.id for c in clauses)):
        msg = f"--badge is about the whole contract, and -k chooses a part of it: {part}"
        raise UsageError(msg)
    kit = _kit(given.plugin)
    targets = targets_of(kit, given)
    runs = []
    for target in targets:
        live = terminal.Live(_say, verbose=given.verbose)
        with session_for(kit, target, given) as session:
            child = Child(
                target.name,
                {"arguments": given.raw},
                session,
                on_about=partial(live.begin, target.name),
                on_result=live.take,
            )
            run = child.run(clauses)
        kit.report(run)
        runs.append(run)
        live.end(data.as_report(run))
    _write(given, [data.as_report(run) for run in runs])
    return max(_code(run, strict=given.strict) for run in runs)


def _check_places(given: argparse.Namespace) -> None:
    """Refuse a report that could not be written, before the run that would make it."""
    for name in REPORTS:
        path: Path | None = getattr(given, name)
        if path is None:
            continue
        if not path.absolute().parent.is_dir():
            msg = f"--{name}: there is no folder {str(path.parent)!r}; make it first"
            raise UsageError(msg)
        if path.is_dir():
            msg = f"--{name}: is a folder: {str(path)!r}; name a file"
            raise UsageError(msg)


def _child(given: argparse.Namespace) -> int:
    # What backends and their SDKs log about faults that we make is not the report.
    logging.getLogger().addHandler(logging.NullHandler())
    kit = Kit()
    kit.load_shipped()

    def open_session(order: Mapping[str, Any]) -> Session:
        asked = parser(None).parse_args(order["arguments"])
        for plugin in asked.plugin:
            kit.load(plugin)
        (target,) = [t for t in targets_of(kit, asked) if t.name == order["target"]]
        return evolve(session_for(kit, target, asked), folder=Path(order["folder"]))

    return serve(open_session)


def _write(given: argparse.Namespace, reports: Sequence[data.Report]) -> None:
    if given.json:
        _each(given.json, reports, lambda r: json.dumps(r, indent=1, ensure_ascii=False) + "\n")
    if given.badge:
        _each(given.badge, reports, lambda r: json.dumps(badge.render(r)) + "\n")
    if given.markdown:
        given.markdown.write_text(markdown.render(reports), encoding="utf-8")
    if given.html:
        given.html.write_text(html.render(reports), encoding="utf-8")


def _each(path: Path, reports: Sequence[data.Report], text: Callable[[data.Report], str]) -> None:
    """Write one file, or with several targets one for each, named after it."""
    for report in reports:
        label = report["target"].replace(":", "-").replace("/", "-")
        name = path if len(reports) == 1 else path.with_stem(f"{path.stem}-{label}")
        name.write_text(text(report), encoding="utf-8")


def _code(run: Run, *, strict: bool) -> int:
    if run.verdict is Verdict.NOT_CONFORMANT:
        return _VIOLATED
    if any(r.status is Status.ERROR for r in run.results) or not run.results:
        return _INCONCLUSIVE
    return _INCONCLUSIVE if strict and run.verdict is Verdict.INCONCLUSIVE else _OK


def _list(given: argparse.Namespace) -> int:
    if given.targets:
        for target in _kit(given.plugin).targets():
            _say(f"{target.name:<30} {target.environment}")
        return _OK
    if given.capabilities:
        _say(markdown.registry_table())
        return _OK
    for clause in choose(given.clause):
        _say(f"{clause.id:<11} {clause.level.value:<10} {clause.text}")
    return _OK


def _explain(given: argparse.Namespace) -> int:
    try:
        clause = find(given.clause)
    except KeyError as error:
        raise UsageError(error.args[0]) from None
    needs = [c.name for c in clause.requires]
    lines = {
        "rule": clause.text,
        "why": clause.intent,
        "level": f"{clause.level.value}, since contract {clause.since}",
        "family": FAMILIES[clause.family],
        "about": ", ".join(sorted(needs)) or "no capability",
        "needs": ", ".join(sorted(n.value for n in clause.needs)) or "nothing else",
        "only if": ", ".join(sorted(t.value for t in clause.only)) or "always",
        "catches": _caught_by(clause),
    }
    _say(clause.id)
    for name, text in lines.items():
        _say(textwrap.fill(f"{name:<8} {text}", 100, subsequent_indent=" " * 9))
    return _OK


def _caught_by(clause: Clause) -> str:
    try:
        mutants = _selftest("mutants")
    except UsageError:
        return "mutants that the self-test knows, which is not installed"
    return ", ".join(m.name for m in mutants.mutants_of(clause.id)) or "no mutant"


def _matrix(given: argparse.Namespace) -> int:
    reports = [data.load(path) for path in given.reports]
    if given.html:
        given.html.write_text(html.render(reports, given.title), encoding="utf-8")
    if given.markdown:
        given.markdown.write_text(markdown.render(reports), encoding="utf-8")
    if not given.html and not given.markdown:
        _say(markdown.render(reports))
    return _OK


def _diff(given: argparse.Namespace) -> int:
    worse, other = data.differences(data.load(given.old), data.load(given.new))
    for line in worse:
        _say(f"worse  {line}")
    for line in other:
        _say(f"       {line}")
    if not worse:
        _say("no regression")
    return _VIOLATED if worse else _OK


def _badge(given: argparse.Namespace) -> int:
    _say(json.dumps(badge.render(data.load(given.report))))
    return _OK


def _self_test(given: argparse.Namespace) -> int:
    if given.jobs < 1:
        msg = f"--jobs takes 1 or more, got {given.jobs}"
        raise UsageError(msg)
    run = _selftest("run")
    report = run.self_test([c.id for c in choose(given.clause)], _say, given.jobs)
    for problem in report.problems:
        _say(f"PROBLEM {problem}")
    if report.late:
        _say(f"caught, if at all, only after the first try: {', '.join(report.late)}")
    _say(
        f"{report.runs} runs on {len(report.counts)} correct backends, {report.mutants} mutants, "
        f"{len(report.problems)} problems"
    )
    return _VIOLATED if report.problems else _OK


def _selftest(module: str) -> Any:
    """
    Return a module of the self-test, which is a distribution of its own.

    Raises:
        UsageError: It is not installed.
    """
    package = "remote_store_conformance_selftest"
    try:
        importlib.import_module(package)
    except ModuleNotFoundError:
        msg = f"the self-test is not installed: pip install {package.replace('_', '-')}"
        raise UsageError(msg) from None
    return importlib.import_module(f"{package}.{module}")


#: What each command does; it returns the exit code.
_COMMANDS: Final[dict[str, Callable[[argparse.Namespace], int]]] = {
    "run": _run,
    "child": _child,
    "list": _list,
    "explain": _explain,
    "matrix": _matrix,
    "diff": _diff,
    "badge": _badge,
    "self-test": _self_test,
}
