"""URLs of one container and of what is in it, with the token where there is one."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit

from remote_store_azure._connect.account import Account
from remote_store_azure._rest.redact import Signed

__all__ = ["Urls", "blob_url"]

#: How the SDK quotes the name of a blob.
_SAFE: Final = "~/"


class Urls:
    """
    The URLs that requests go to.

    Args:
        account: Where the container is; a SAS token of it stands in each URL.
    """

    def __init__(self, account: Account) -> None:
        #: Where it is.
        self.account = account
        self._sas: str = account.secret if account.kind == "sas" else ""
        self._dfs_url = f"{account.dfs_url}/{quote(account.container)}"
        self._container_url = f"{account.blob_url}/{quote(account.container)}"
        self._host_end = len(account.blob_url) - len(urlsplit(account.blob_url).path)

    def url(self, name: str | None = None, query: str = "") -> str:
        """
        Return the URL of a blob, or of the container.

        Args:
            name: Name of the blob, unquoted; None for the container.
            query: Quoted already, without the question mark.
        """
        return self._signed(_joined(self._container_url, name), query)

    def account_url(self, query: str = "") -> str:
        """Return the URL of the Blob service."""
        return self._signed(f"{self.account.blob_url}/", query)

    def dfs_url(self, name: str | None = None, query: str = "") -> str:
        """Return the URL of a path, or of the container, at the Data Lake service."""
        return self._signed(_joined(self._dfs_url, name), query)

    def source_url(self, name: str) -> str:
        """Return the URL of a blob as the source of a copy, with the SAS token if there is one."""
        url = self.url(name)
        signature = getattr(self.account.secret, "signature", None)
        if self.account.kind == "object" and isinstance(signature, str):
            return Signed(f"{url}?{signature.lstrip('?')}")
        return url

    def target(self, name: str) -> str:
        """Return path and query of a blob's URL with the SAS token, as a request line has them."""
        return self.source_url(name)[self._host_end :]

    def rename_source(self, name: str) -> str:
        """Return a path as the source of a rename, with the SAS token if there is one."""
        path = f"/{quote(self.account.container)}/{quote(name, safe=_SAFE)}"
        _, question, signature = self.source_url(name).partition("?")
        return Signed(f"{path}{question}{signature}") if question else path

    def _signed(self, url: str, query: str) -> str:
        if self._sas:
            return Signed(f"{url}?{query}&{self._sas}" if query else f"{url}?{self._sas}")
        return f"{url}?{query}" if query else url


def blob_url(account: Account, name: str) -> str:
    """Return the URL of a blob, without a token."""
    return _joined(f"{account.blob_url}/{quote(account.container)}", name)


def _joined(base: str, name: str | None) -> str:
    return base if name is None else f"{base}/{quote(name, safe=_SAFE)}"
