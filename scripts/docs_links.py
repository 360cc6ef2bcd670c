"""
Links names in code to the reference, and clauses to the contract.

`NotFound` on any page leads to its section, and so does WRITE-006.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any, Final

from mkdocs.utils import get_relative_url

#: What is left as it is (links, code blocks, headings), a name in code, any other tag, a clause.
_TOKEN: Final = re.compile(
    r"<(a|pre|h[1-6]|title|script|style)\b.*?</\1>"
    r"|<code>((?:[A-Za-z]\w*\.)*[A-Za-z]\w*)</code>"
    r"|<[^>]*>"
    r"|\b([A-Z]+-\d{3})\b",
    re.S,
)
_CONTRACT: Final = "contract.html"
#: How the contract begins a clause.
_CLAUSE: Final = re.compile(r"<strong>([A-Z]+-\d{3})</strong>")
_DIRECTIVE: Final = re.compile(r"^::: (\S+)$", re.M)

_sections: dict[str, str] = {}
_clauses: set[str] = set()


def on_config(config: Any) -> None:
    """Called by mkdocs first: learn which names the reference has."""
    pages = Path(config.docs_dir, "api").glob("*.md")
    paths = [path for page in pages for path in _DIRECTIVE.findall(page.read_text("utf-8"))]
    contract = Path(config.docs_dir, "contract.md").read_text("utf-8")
    _clauses.clear()
    _clauses.update(re.findall(r"^\*\*([A-Z]+-\d{3})\*\*", contract, re.M))
    often = Counter(path.rpartition(".")[2] for path in paths)
    _sections.clear()
    for path in paths:
        _sections[path] = path
        name = path.rpartition(".")[2]
        # A word such as `info` means other things too, and `open_store` is there twice.
        if often[name] == 1 and (name != name.lower() or "_" in name):
            _sections[name] = path


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Called by mkdocs with each finished page."""
    references = config.plugins["autorefs"]
    if page.url == _CONTRACT:
        return _CLAUSE.sub(r'<strong id="\1">\1</strong>', output)

    def linked(match: re.Match[str]) -> str:
        text, name, clause = match[0], match[2], match[3]
        if clause in _clauses:
            return f'<a href="{get_relative_url(f"{_CONTRACT}#{clause}", page.url)}">{text}</a>'
        owner, _, member = (name or "").rpartition(".")
        section = _sections.get(name) or (owner in _sections and f"{_sections[owner]}.{member}")
        if not section:
            return text
        try:
            url = references.get_item_url(section, from_url=page.url)[0]
        except KeyError:  # a member that is not shown
            return text
        return f'<a href="{url}">{text}</a>'

    return _TOKEN.sub(linked, output)
