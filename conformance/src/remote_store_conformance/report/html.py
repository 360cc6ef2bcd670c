"""The matrix: one HTML file without scripts, rows are clauses, columns are targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any, Final

from remote_store_conformance.contract.kinds import FAMILIES
from remote_store_conformance.report.data import Report, counts, label_of

__all__ = ["render"]

#: Glyph and meaning of each status. The glyph is not the only sign: every
#: cell carries the word as well, for readers and for screen readers.
STATUSES: Final = {
    "pass": ("✓", "kept"),
    "refused": ("⊘", "not declared; the refusal is proven"),
    "unclaimed": ("·", "a promise of quality that is not made"),
    "inapplicable": ("·", "speaks about another kind of storage"),
    "waived": ("≈", "broken, known and explained"),
    "unverified": ("?", "cannot be measured here"),
    "upcoming": ("↑", "broken, but newer than the contract aimed at"),
    "untested": ("∅", "binding, but no check can show it"),
    "error": ("!", "the kit or the environment failed"),
    "stale-waiver": ("✗", "waived, but kept"),
    "fail": ("✗", "broken"),
}

#: Statuses that nobody has to do anything about.
_EXPECTED: Final = {"pass", "refused", "unclaimed", "inapplicable", "untested"}

#: Columns that fit beside the rules; with more the table scrolls sideways.
_FITTING: Final = 6

_CAPABILITY_STATES: Final = {
    "kept": ("✓", "pass"),
    "refused": ("⊘", "refused"),
    "not claimed": ("·", "unclaimed"),
    "unverified": ("?", "unverified"),
    "not checked": ("?", "unverified"),
    "broken": ("✗", "fail"),
}


def render(reports: Sequence[Report], title: str = "Storage conformance") -> str:
    """Return reports, one for each target, as one page."""
    body = [
        f"<header><h1>{escape(title)}</h1>{_intro(reports)}</header>",
        f'<section class="cards">{"".join(map(_card, reports))}</section>',
        _capabilities(reports),
        _matrix(reports),
        _footer(reports),
    ]
    style = files("remote_store_conformance.report").joinpath("matrix.css").read_text("utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n"
        f"<body>{''.join(body)}</body></html>\n"
    )


def _intro(reports: Sequence[Report]) -> str:
    clauses = {e["id"] for r in reports for e in r["clauses"]}
    contract = ", ".join(sorted({r["contract"] for r in reports}))
    return (
        f"<p>{len(clauses)} clauses of the storage contract {escape(contract)}, checked against "
        f"{len(reports)} target{'s' if len(reports) != 1 else ''}. A capability that is declared "
        "must work; one that is not must be refused, and change nothing. "
        "Click on a cell to see why.</p>"
    )


def _verdict_class(report: Report) -> str:
    return f"v-{report['verdict'].lower().replace(' ', '-')}"


def _card(report: Report) -> str:
    found = counts(report)
    total = max(1, sum(found.values()))
    bar = "".join(
        f'<i class="s-{status}" style="width:{100 * number / total:.2f}%" '
        f'title="{number} {status}"></i>'
        for status, number in found.items()
    )
    told = "".join(f'<li class="s-{s}"><b>{number}</b> {s}</li>' for s, number in found.items())
    plugin = report["plugin"]
    made = (
        f"{plugin['distribution']} {plugin['version']}" if plugin else report["about"].get("class")
    )
    about = report["about"]
    return (
        f'<article class="card {_verdict_class(report)}"><h2>{escape(report["target"])}</h2>'
        f'<p class="verdict">{escape(report["verdict"])}</p>'
        f"{_part(report)}"
        f'<div class="bar">{bar}</div><ul class="told">{told}</ul>{_odd(report)}'
        f"<p class=made>{escape(str(made))}<br>{escape(str(about.get('environment', '')))} · "
        f"{_folders(about)} · "
        f"Python {escape(report['python'])}</p></article>"
    )


def _part(report: Report) -> str:
    """Return what was checked, if it is not the whole contract."""
    part = report.get("part")
    return f"<p class=made>checked only: {escape(part)}</p>" if part else ""


def _folders(about: Mapping[str, Any]) -> str:
    """Return in words what folders are on a target."""
    if about.get("hierarchical", True):
        return "real folders"
    return "flat keys" if about.get("shared_names", True) else "flat keys, exclusive names"


def _odd(report: Report) -> str:
    """Return links to the clauses that somebody should look at: nobody searches 170 rows."""
    links = [
        f'<a class="s-{label_of(entry)}" href="#{entry["id"]}">{entry["id"]}</a>'
        for status in reversed(STATUSES)
        if status not in _EXPECTED
        for entry in report["clauses"]
        if entry["status"] == status
    ]
    return f'<p class="odd">{"".join(links)}</p>' if links else ""


def _scroll(reports: Sequence[Report]) -> str:
    return f'<div class="scroll{" wide" if len(reports) > _FITTING else ""}">'


def _heads(reports: Sequence[Report]) -> str:
    return "".join(
        f'<th scope="col" class="target {_verdict_class(r)}">{escape(r["target"])}</th>'
        for r in reports
    )


def _capabilities(reports: Sequence[Report]) -> str:
    names = list(reports[0]["capabilities"]) if reports else []
    rows = []
    for name in names:
        cells = []
        for report in reports:
            state = report["capabilities"].get(name, "not checked")
            glyph, css = _CAPABILITY_STATES[state]
            cells.append(f'<td class="cap s-{css}"><b>{glyph}</b> {escape(state)}</td>')
        rows.append(f'<tr><th scope="row"><code>{escape(name)}</code></th>{"".join(cells)}</tr>')
    return (
        f"<section><h2>Capabilities</h2>{_scroll(reports)}<table class=capabilities><thead><tr>"
        f"<th>capability</th>{_heads(reports)}</tr></thead><tbody>{''.join(rows)}</tbody>"
        "</table></div></section>"
    )


def _matrix(reports: Sequence[Report]) -> str:
    by_target = [{e["id"]: e for e in r["clauses"]} for r in reports]
    entries: dict[str, dict[str, Any]] = {}
    for found in by_target:
        for name, entry in found.items():
            entries.setdefault(name, entry)
    bodies, popovers = [], []
    for family, title in FAMILIES.items():
        rows = []
        for entry in entries.values():
            if entry["family"] == family:
                rows.append(_row(entry, by_target))
                popovers.append(_popover(entry, reports, by_target))
        if rows:
            head = (
                f'<tr class="family" id="{family}"><th colspan="{2 + len(reports)}">'
                f"{escape(title)} <small>{family}</small></th></tr>"
            )
            bodies.append(f"<tbody>{head}{''.join(rows)}</tbody>")
    return (
        f"<section><h2>Clauses</h2>{_legend(reports)}{_scroll(reports)}<table class=matrix><thead>"
        f"<tr><th>clause</th><th class=rule>rule</th>{_heads(reports)}</tr></thead>"
        f"{''.join(bodies)}</table></div>{''.join(popovers)}</section>"
    )


def _legend(reports: Sequence[Report]) -> str:
    present = {e["status"] for r in reports for e in r["clauses"]}
    items = "".join(
        f'<li class="s-{status}"><b>{glyph}</b> {status} <span>{meaning}</span></li>'
        for status, (glyph, meaning) in STATUSES.items()
        if status in present
    )
    return f'<ul class="legend">{items}</ul>'


def _row(entry: dict[str, Any], by_target: Sequence[dict[str, dict[str, Any]]]) -> str:
    name = entry["id"]
    cells = []
    for found in by_target:
        status = found[name]["status"] if name in found else ""
        if not status:
            cells.append("<td></td>")
            continue
        glyph, meaning = STATUSES[status]
        word = label_of(found[name])
        cells.append(
            f'<td class="s-{word}">'
            f'<button popovertarget="d-{name}" title="{name}: {meaning}">'
            f"<b>{glyph}</b><span>{word}</span></button></td>"
        )
    level = "" if entry["level"] == "MUST" else f' <small class="level">{entry["level"]}</small>'
    return (
        f'<tr id="{name}"><th scope="row"><a href="#{name}">{name}</a></th>'
        f'<td class="rule">{escape(entry["text"])}{level}</td>{"".join(cells)}</tr>'
    )


def _popover(
    entry: dict[str, Any],
    reports: Sequence[Report],
    by_target: Sequence[dict[str, dict[str, Any]]],
) -> str:
    name = entry["id"]
    needs = ", ".join(entry["requires"]) or "no single capability"
    outcomes = "".join(
        _outcome(report["target"], found[name])
        for report, found in zip(reports, by_target, strict=True)
        if name in found
    )
    return (
        f'<div popover id="d-{name}"><h3>{name} <small>{entry["level"]}, since contract '
        f"{escape(entry['since'])}</small></h3><p>{escape(entry['text'])}</p>"
        f'<p class="intent">{escape(entry["intent"])}</p>'
        f"<p class=made>about: {escape(needs)}</p><dl>{outcomes}</dl></div>"
    )


def _outcome(target: str, entry: dict[str, Any]) -> str:
    glyph, meaning = STATUSES[entry["status"]]
    lines = "".join(_facts(entry))
    return (
        f"<dt>{escape(target)}</dt><dd class='s-{entry['status']}'><b>{glyph}</b> "
        f"{entry['status']}: {meaning} <small>{entry['seconds']:.2f} s</small>{lines}</dd>"
    )


def _facts(entry: dict[str, Any]) -> Iterator[str]:
    facts = [(n, entry[n]) for n in ("message", "observed", "expected", "waiver")]
    facts += list(entry["evidence"].items())
    facts += [("remark", text) for text in entry["advice"]]
    for name, value in facts:
        if value not in (None, ""):
            yield f"<p><i>{escape(name)}</i> {escape(str(value))}</p>"


def _footer(reports: Sequence[Report]) -> str:
    kits = ", ".join(sorted({r["kit"] for r in reports}))
    cores = ", ".join(sorted({r["core"] for r in reports}))
    made = max((r["made"] for r in reports), default="")
    return (
        f"<footer>remote-store-conformance {escape(kits)}, remote-store-core {escape(cores)}, "
        f"made {escape(made)}</footer>"
    )
