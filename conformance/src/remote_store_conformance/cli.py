"""
``remote-store-conform``: check a backend, and read the reports.

Exit codes: 0 conformant (also with waivers, and without ``--strict`` when
something could not be verified), 1 violations, stale or expired waivers,
regressions or a self-test that fails, 2 wrong usage, 3 the target did not
open, 4 inconclusive: the kit itself failed somewhere, or with ``--strict``
something could not be verified.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import logging
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from remote_store_conformance.child import Child, serve
from remote_store_conformance.contract import FAMILIES, Clause, all_clauses, find
from remote_store_conformance.engine import NotOpen, Session
from remote_store_conformance.hookspecs import Target
from remote_store_conformance.manager import Kit
from remote_store_conformance.report import badge, data, html, markdown, terminal
from remote_store_conformance.results import Run, Status, Verdict, part_of
from remote_store_conformance.targets import find_targets, target_of_url
from remote_store_conformance.waivers import UsageError, Waivers, load_waivers

__all__ = ["choose", "main", "options_of", "session_for"]

#: What a run can write, by option.
_REPORTS: Final = {
    "json": "the report",
    "markdown": "the report as Markdown",
    "html": "the matrix",
    "badge": "a badge for shields.io",
}

#: Fields of a target that are numbers: how they are read, in what unit, and what they are.
_SIZES: Final[dict[str, tuple[type, str, str]]] = {
    "consistency": (float, "SECONDS", "until a write must be visible"),
    "max_object": (int, "BYTES", "of the largest file that a check may write"),
    "part_size": (int, "BYTES", "of the largest file that is written in one piece"),
    "max_list": (int, "NUMBER", "of files that a check may put in one folder"),
    "read_ahead": (int, "BYTES", "that a lazy read may take beyond what was asked for"),
}

_OK: Final = 0
_VIOLATED: Final = 1
_USAGE: Final = 2
_NOT_OPEN: Final = 3
_INCONCLUSIVE: Final = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    raw = list(sys.argv[1:] if arguments is None else arguments)
    given = _parser().parse_args(raw)
    given.raw = raw
    try:
        code: int = given.command(given)
    except UsageError as error:
        _say(f"remote-store-conform: {error}", error=True)
        return _USAGE
    except NotOpen as error:
        _say(f"remote-store-conform: {error}", error=True)
        return _NOT_OPEN
    return code


def _say(text: str, *, error: bool = False) -> None:
    # What plugins and services say is in it: it must not steer the terminal.
    if not text.replace("\n", "").isprintable():
        text = "".join(
            c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
        )
    print(text, file=sys.stderr if error else sys.stdout, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("remote-store-conform", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="check a backend")
    run.set_defaults(command=_run)
    run.add_argument(
        "names", nargs="+", metavar="NAME", help="a target, or a plugin for all of its targets"
    )
    run.add_argument("--url", help="check the storage at this URL instead of shipped targets")
    run.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="option of the backend; NAME:=VALUE for a number, a list or anything else in JSON",
    )
    run.add_argument("--flat", action="store_true", help="with --url: folders are only prefixes")
    run.add_argument(
        "--exclusive-names",
        action="store_true",
        help="with --flat: a write is refused where a file and a folder would share a name",
    )
    run.add_argument(
        "--volatile", action="store_true", help="with --url: files die with the backend object"
    )
    run.add_argument(
        "--one-loop",
        action="store_true",
        help="with --url: one backend object serves one event loop only",
    )
    run.add_argument(
        "--environment",
        choices=["in-process", "local", "emulator", "live"],
        default="live",
        help="with --url: what kind of storage it is (default: live)",
    )
    run.add_argument(
        "--endpoint",
        metavar="HOST:PORT",
        help="with --url: where the service is, as in the URL or an option; the kit stands a proxy "
        "in front of it (plain HTTP)",
    )
    run.add_argument("--root", metavar="FOLDER", help="with --url: where the kit works")
    run.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="NAME",
        help="with --url: an option whose value no report may show",
    )
    for name, (of, metavar, what) in _SIZES.items():
        run.add_argument(
            f"--{name.replace('_', '-')}", type=of, metavar=metavar, help=f"with --url: {what}"
        )
    _shared_options(run)
    run.add_argument("--strict", action="store_true", help="what is unverified gives exit code 4")
    for name, what in _REPORTS.items():
        run.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"write {what}")
    run.add_argument("-v", "--verbose", action="store_true", help="show every clause")

    # For `run`: see the module `child`. It reads what to do from standard input.
    commands.add_parser("child").set_defaults(command=_child)

    listing = commands.add_parser("list", help="list clauses, targets, or capabilities")
    listing.set_defaults(command=_list)
    listing.add_argument("--targets", action="store_true", help="list targets")
    listing.add_argument(
        "--capabilities", action="store_true", help="list what is checked of each capability"
    )
    listing.add_argument("-k", "--clause", default="*", metavar="PATTERN")

    explain = commands.add_parser("explain", help="explain a clause")
    explain.set_defaults(command=_explain)
    explain.add_argument("clause", metavar="ID")

    matrix = commands.add_parser("matrix", help="draw reports side by side")
    matrix.set_defaults(command=_matrix)
    matrix.add_argument("reports", nargs="+", type=Path, metavar="REPORT.json")
    matrix.add_argument("--html", type=Path, metavar="FILE")
    matrix.add_argument("--markdown", type=Path, metavar="FILE")
    matrix.add_argument("--title", default="Storage conformance")

    diff = commands.add_parser("diff", help="show what became worse between two reports")
    diff.set_defaults(command=_diff)
    diff.add_argument("old", type=Path)
    diff.add_argument("new", type=Path)

    shield = commands.add_parser("badge", help="print the badge of a report")
    shield.set_defaults(command=_badge)
    shield.add_argument("report", type=Path)

    own = commands.add_parser("self-test", help="prove that the kit's checks can fail")
    own.set_defaults(command=_self_test)
    own.add_argument("-k", "--clause", default="*", metavar="PATTERN")
    own.add_argument(
        "-j", "--jobs", type=int, default=2, metavar="N", help="processes (default: 2)"
    )
    return parser


def _shared_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-k", "--clause", action="append", default=[], metavar="PATTERN", help="id, or WRITE-*"
    )
    parser.add_argument("--waivers", type=Path, metavar="FILE", help="TOML file with waivers")
    parser.add_argument("--seed", type=int, default=0, help="seed of every random choice")
    parser.add_argument("--budget", type=float, metavar="SECONDS", help="start no clause after it")
    parser.add_argument(
        "--patience",
        type=float,
        default=2.0,
        metavar="SECONDS",
        help="wait at least so long for what should happen (default: 2)",
    )


def choose(patterns: Sequence[str]) -> list[Clause]:
    """
    Return the clauses that match one of the patterns, all without any.

    Raises:
        UsageError: A pattern matches none.
    """
    clauses = all_clauses()
    for pattern in patterns:
        if not any(fnmatch.fnmatch(c.id, pattern) for c in clauses):
            msg = f"no clause matches {pattern!r}"
            raise UsageError(msg)
    if not patterns:
        return clauses
    return [c for c in clauses if any(fnmatch.fnmatch(c.id, p) for p in patterns)]


def session_for(kit: Kit, target: Target, given: argparse.Namespace) -> Session:
    """
    Return a session with the options that both front-ends share.

    Raises:
        UsageError: A waiver may not be used.
    """
    extra = load_waivers(given.waivers) if given.waivers else []
    return Session(
        target,
        kit=kit,
        waivers=Waivers.of(
            [*extra, *kit.waivers(target)],
            plugin=data.plugin_of(target.plugin).get("version", ""),
            kit=data.version_of("remote-store-conformance"),
        ),
        seed=given.seed,
        budget=given.budget,
        patience=given.patience,
    )


def options_of(pairs: Sequence[str]) -> dict[str, Any]:
    """
    Return what was given as NAME=VALUE, or as NAME:=VALUE in JSON.

    Raises:
        UsageError: Something else was given.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name.removesuffix(":") or not equals:
            # The value may be a secret.
            msg = f"--option takes NAME=VALUE, or NAME:=VALUE in JSON; got one for {name!r}"
            raise UsageError(msg)
        if not name.endswith(":"):
            options[name] = value
            continue
        try:
            options[name.removesuffix(":")] = json.loads(value)
        except ValueError as error:
            msg = f"--option {name}= takes JSON: {error}"
            raise UsageError(msg) from None
    return options


def _endpoint(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not host or not colon or not port.isdigit():
        msg = f"--endpoint takes HOST:PORT, got {text!r}"
        raise UsageError(msg)
    return host, int(port)


def _kit() -> Kit:
    kit = Kit()
    for problem in kit.load_shipped():
        _say(f"warning: targets of {problem} are left out", error=True)
    return kit


def _run(given: argparse.Namespace) -> int:
    clauses = choose(given.clause)
    _check_places(given)
    if given.badge and (part := part_of(c.id for c in clauses)):
        msg = f"--badge is about the whole contract, and -k chooses a part of it: {part}"
        raise UsageError(msg)
    kit = _kit()
    targets = _targets(kit, given)
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
    for name in _REPORTS:
        path: Path | None = getattr(given, name)
        if path is not None and not path.absolute().parent.is_dir():
            msg = f"--{name}: there is no folder {str(path.parent)!r}; make it first"
            raise UsageError(msg)


def _child(given: argparse.Namespace) -> int:
    # What backends and their SDKs log about faults that we make is not the report.
    logging.getLogger().addHandler(logging.NullHandler())
    kit = Kit()
    kit.load_shipped()

    def open_session(order: Mapping[str, Any]) -> Session:
        asked = _parser().parse_args(order["arguments"])
        (target,) = [t for t in _targets(kit, asked) if t.name == order["target"]]
        return session_for(kit, target, asked)

    return serve(open_session)


def _targets(kit: Kit, given: argparse.Namespace) -> list[Target]:
    options = options_of(given.option)
    if given.url:
        if len(given.names) > 1:
            msg = "--url describes the storage of one backend; give one name"
            raise UsageError(msg)
        target = target_of_url(
            given.names[0],
            given.url,
            options,
            flat=given.flat,
            shared_names=given.flat and not given.exclusive_names,
            volatile=given.volatile,
            loops=not given.one_loop,
            environment=given.environment,
            endpoint=_endpoint(given.endpoint) if given.endpoint else None,
            secrets=given.secret,
            **_given(given, "root", *_SIZES),
        )
        return [target]
    about = _given(given, "endpoint", "one_loop", "root", "secret", "flat", "volatile", *_SIZES)
    for name in about:
        msg = f"--{name.replace('_', '-')} belongs to --url; targets that plugins ship state it"
        raise UsageError(msg)
    found = [t for name in given.names for t in find_targets(kit, name, options)]
    return list({t.name: t for t in found}.values())


def _given(given: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return the options of those names that were given."""
    return {
        name: value for name in names if (value := getattr(given, name)) not in (None, [], False)
    }


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
        for target in _kit().targets():
            _say(f"{target.name:<30} {target.environment}")
        return _OK
    if given.capabilities:
        _say(markdown.registry_table())
        return _OK
    for clause in choose([given.clause]):
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
        "catches": ", ".join(clause.mutants) or "no mutant",
    }
    _say(clause.id)
    for name, text in lines.items():
        _say(textwrap.fill(f"{name:<8} {text}", 100, subsequent_indent=" " * 9))
    return _OK


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
    from remote_store_conformance.selftest import self_test

    report = self_test(given.clause, _say, given.jobs)
    for problem in report.problems:
        _say(f"PROBLEM {problem}")
    if report.late:
        _say(f"caught, if at all, only after the first try: {', '.join(report.late)}")
    _say(
        f"{report.runs} runs on {len(report.counts)} correct backends, {report.mutants} mutants, "
        f"{len(report.problems)} problems"
    )
    return _VIOLATED if report.problems else _OK
