"""URLs of containers."""

from __future__ import annotations

from typing import Any

import pytest

from remote_store_azure._connect.url import place_of


@pytest.mark.parametrize(
    ("url", "container", "root", "options"),
    [
        ("azure://box", "box", "", {}),
        ("az://box/", "box", "", {}),
        ("AZ://box/a/b/", "box", "a/b", {}),
        ("azure://box/a%20b/%C3%A9", "box", "a b/é", {}),
        ("azure://$root/x", "$root", "x", {}),
        (
            "azure://box/a?account_url=https%3A%2F%2Fme.blob.core.windows.net%2F",
            "box",
            "a",
            {"account_url": "https://me.blob.core.windows.net/"},
        ),
        ("azure://box?account_url=https://me/x", "box", "", {"account_url": "https://me/x"}),
        ("azure://box?account_key=a+b%2B%3D", "box", "", {"account_key": "a+b+="}),
        (
            "azure://box?sas_token=sv%3D1%26sig%3Da%252B",
            "box",
            "",
            {"sas_token": "sv=1&sig=a%2B"},
        ),
        (
            "azure://box?delete_snapshots=yes",
            "box",
            "",
            {"delete_snapshots": True},
        ),
        (
            "azure://box?hns=true&reject_write_under_file_ancestor=0&max_concurrency=4",
            "box",
            "",
            {"hns": True, "reject_write_under_file_ancestor": False, "max_concurrency": 4},
        ),
    ],
)
def test_place(url: str, container: str, root: str, options: dict[str, Any]) -> None:
    """Host, path and query are the container, the root and options of their kind."""
    assert place_of(url) == (container, root, options)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("s3://hidden", "scheme"),
        ("hidden", "scheme"),
        ("azure:///hidden", "no container"),
        ("azure:hidden", "no container"),
        ("azure://user:hidden@box", "no user"),
        ("azure://user:hidden@b\u2100x", "malformed"),
        ("azure://box:80/hidden", "port"),
        ("azure://box/hidden#x", "fragment"),
        ("azure://box/hidden#", "fragment"),
        ("azure://box/%FFhidden", "UTF-8"),
        ("azure://box?nonsense=hidden", "unknown option 'nonsense'"),
        ("azure://box?hns=hidden", "'hns' must be true or false"),
        ("azure://box?max_concurrency=hidden", "'max_concurrency' must be a number"),
        ("azure://box?account_key=hidden&account_key=x", "twice"),
    ],
)
def test_refused(url: str, says: str) -> None:
    """A malformed URL is refused, and not repeated: it may hold a secret."""
    with pytest.raises(ValueError, match=says) as caught:
        place_of(url)
    assert "hidden" not in str(caught.value)
