"""Links the names in code to the reference: `NotFound` on any page leads to its section."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any, Final

#: What is left as it is, links, code blocks and headings, or a name in code.
_TOKEN: Final = re.compile(
    r"<(a|pre|h[1-6]|title)\b.*?</\1>|<code>((?:[A-Za-z]\w*\.)*[A-Za-z]\w*)</code>", re.S
)
_DIRECTIVE: Final = re.compile(r"^::: (\S+)$", re.M)

_sections: dict[str, str] = {}


def on_config(config: Any) -> None:
    """Called by mkdocs first: learn which names the reference has."""
    pages = Path(config.docs_dir, "api").glob("*.md")
    paths = [path for page in pages for path in _DIRECTIVE.findall(page.read_text("utf-8"))]
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

    def linked(match: re.Match[str]) -> str:
        name = match[2]
        if name is None:
            return match[0]
        owner, _, member = name.rpartition(".")
        section = _sections.get(name) or (owner in _sections and f"{_sections[owner]}.{member}")
        try:
            url = references.get_item_url(section, from_url=page.url)[0] if section else None
        except KeyError:
            url = None
        return f'<a href="{url}">{match[0]}</a>' if url else match[0]

    return _TOKEN.sub(linked, output)
