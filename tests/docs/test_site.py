"""The site builds without a warning, and needs nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


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


def test_reference_is_filled_in(site: Path) -> None:
    """The docstrings arrived on the pages."""
    text = (site / "api.html").read_text()

    for anchor in ("remote_store.aio.AsyncStore.write", "remote_store.aio.AsyncBackend.read"):
        assert f'id="{anchor}"' in text
    assert "AsyncLocalBackend" in (site / "backends" / "local.html").read_text()
