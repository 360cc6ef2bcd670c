"""The site builds without a warning, and needs nobody else."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


class Loaded(HTMLParser):
    """Collects what a browser would fetch to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "source") and given.get("src"):
            self.addresses.append(given["src"] or "")
        if tag == "link" and "canonical" not in (given.get("rel") or ""):
            self.addresses.append(given.get("href") or "")


def loaded(page: str) -> list[str]:
    parser = Loaded()
    parser.feed(page)
    return parser.addresses


@pytest.mark.long
def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    """Fonts, styles and scripts are in the site itself, so that it works offline."""
    pages = list(site.rglob("*.html"))
    found = {page: loaded(page.read_text()) for page in pages}

    assert len(pages) > 10
    # The matrix of the conformance kit is one file.
    assert [page.name for page in pages if not found[page]] == ["matrix.html"]
    assert not [a for addresses in found.values() for a in addresses if "//" in a]
    for page, addresses in found.items():
        if page.name != "404.html":  # its addresses begin at the site's root
            for address in addresses:
                assert (page.parent / address.partition("?")[0]).exists(), address


def test_the_search_for_addresses_finds_them() -> None:
    """A web font and a script from elsewhere would be noticed."""
    page = '<link rel="stylesheet" href="https://a.example/f.css"><script src="//b.example/x.js">'

    assert loaded(page) == ["https://a.example/f.css", "//b.example/x.js"]


def test_styles_load_nothing_from_elsewhere(site: Path) -> None:
    """No style sheet imports a font or an image from another host."""
    sheets = list(site.rglob("*.css"))

    assert sheets
    for sheet in sheets:
        text = sheet.read_text()
        assert "url(http" not in text
        assert "@import" not in text


def test_links_of_the_site_lead_to_a_section(site: Path) -> None:
    """Those that the build makes itself, from names in code, are checked by nobody else."""
    ids = {
        page: set(re.findall(r'\bid="([^"]+)"', page.read_text())) for page in site.rglob("*.html")
    }
    for page in ids:
        for target in re.findall(r'<a [^>]*?href="([^":]+)"', page.read_text()):
            path, _, section = unquote(html.unescape(target)).partition("#")
            other = (page.parent / path).resolve() if path else page
            if page.name != "404.html":  # its addresses begin at the site's root
                assert other.exists(), f"{page}: {target}"
                assert not section or section in ids[other], f"{page}: {target}"
