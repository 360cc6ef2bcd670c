"""What callers pass to get in, and how the SDK is given it."""

from __future__ import annotations

import asyncio
import inspect
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal

from remote_store import BackendUnavailable, Secret
from remote_store_azure._connect.options import refuse_blank

__all__ = ["Opened", "kind_of", "opened", "refuse_pickling"]

_ACCEPTED: Final = (
    "pass credential= a token credential of azure.identity.aio, an AzureSasCredential, an "
    "AzureNamedKeyCredential, an account key or a SAS token"
)
_INSTALL: Final = 'pip install "remote-store-azure[identity]"'


def kind_of(credential: Any) -> tuple[Literal["key", "sas", "token", "object"], Any]:
    """
    Return what *credential* is, and it in the form that the rest of the plugin knows.

    Raises:
        ValueError: Nothing that the service can be asked with.
    """
    if isinstance(credential, Secret):
        credential = credential.reveal()
    if isinstance(credential, str):
        refuse_blank("credential", credential)
        if "sig=" in credential:
            return "sas", credential.lstrip("?")
        return "key", credential
    if isinstance(credential, dict):
        if {"account_name", "account_key"} <= set(credential):
            refuse_blank("the account_key of credential", credential["account_key"])
            return "key", dict(credential)
        msg = "a dict as credential needs account_name and account_key"
        raise ValueError(msg)
    # A program that holds one of the SDK's objects has imported its module already.
    core: Any = sys.modules.get("azure.core.credentials")
    if core is not None and isinstance(
        credential, (core.AzureNamedKeyCredential, core.AzureSasCredential)
    ):
        refuse_blank("credential", getattr(credential, "signature", None))
        refuse_blank("credential", getattr(credential, "named_key", (None, None))[1])
        return "object", credential
    if not isinstance(credential, type) and (
        callable(getattr(credential, "get_token", None))
        or callable(getattr(credential, "get_token_info", None))
    ):
        return "token", credential
    msg = f"credential of type {type(credential).__name__} cannot be used; {_ACCEPTED}"
    raise ValueError(msg)


def is_async(credential: Any) -> bool:
    """Return True if a token credential's methods are coroutine functions."""
    names = ("get_token", "get_token_info")
    methods = [m for m in (getattr(credential, n, None) for n in names) if callable(m)]
    return any(inspect.iscoroutinefunction(m) for m in methods)


class ThreadedCredential:
    """
    A sync token credential for an async client: it is asked in a thread.

    Args:
        credential: The caller's own; it is not closed here.
    """

    def __init__(self, credential: Any) -> None:
        self._credential = credential
        self._pool = ThreadPoolExecutor(1, "azure-credential")
        if callable(getattr(credential, "get_token_info", None)):
            # The SDK prefers this method where it exists.
            self.get_token_info = self._get_token_info

    async def get_token(self, *scopes: str, **options: Any) -> Any:
        """Return an access token."""
        return await self._ask(self._credential.get_token, *scopes, **options)

    async def _get_token_info(self, *scopes: str, options: Any = None) -> Any:
        return await self._ask(self._credential.get_token_info, *scopes, options=options)

    async def _ask(self, method: Any, *scopes: str, **options: Any) -> Any:
        loop = asyncio.get_running_loop()
        token = await loop.run_in_executor(self._pool, lambda: method(*scopes, **options))
        # A plain function may hand out an awaitable.
        return await token if inspect.isawaitable(token) else token

    async def close(self) -> None:
        """Let the thread go."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class Opened:
    """
    A credential for one client.

    Args:
        value: What the SDK is given.
        ours: Whether we made it, and so have to close it.
    """

    __slots__ = ("ours", "value")

    def __init__(self, value: Any, *, ours: bool = False) -> None:
        self.value = value
        self.ours = ours

    async def close(self) -> None:
        """Close the credential if it is ours; the caller's stay open."""
        if self.ours:
            await self.value.close()


def opened(kind: str, secret: Any, backend: str) -> Opened:
    """
    Return the credential for a new client.

    Args:
        kind: Of the account.
        secret: Of the account.
        backend: Name of the backend, for the error.

    Raises:
        BackendUnavailable: The default credential is wanted and
            ``azure-identity`` is not installed.
    """
    if kind == "token" and not is_async(secret):
        return Opened(ThreadedCredential(secret), ours=True)
    if kind == "sas":
        from azure.core.credentials import AzureSasCredential  # with the first client

        # As a str the SDK would take a token with a field it does not know for a key.
        return Opened(AzureSasCredential(secret))
    if kind != "default":
        return Opened(secret)
    try:
        from azure.identity.aio import DefaultAzureCredential
    except ImportError as error:
        msg = (
            "no credential was passed, and the default one needs azure-identity: "
            f"{_INSTALL}, or pass account_key, sas_token, connection_string or credential"
        )
        raise BackendUnavailable(msg, backend=backend) from error
    return Opened(DefaultAzureCredential(), ours=True)


def refuse_pickling(kind: str, secret: Any) -> None:
    """
    Refuse to pickle what only the caller can rebuild.

    Raises:
        TypeError: The caller passed a credential object.
    """
    if kind in ("token", "object"):
        msg = (
            f"a backend with a credential object ({type(secret).__name__}) cannot be pickled: "
            "build it in the worker, or pass account_key, sas_token or connection_string, or no "
            "credential for the default one"
        )
        raise TypeError(msg)
