"""Clients of the SDK, one for each event loop, and their end."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Mapping
from typing import Any

from remote_store import RetryPolicy
from remote_store_azure._connect.account import Account
from remote_store_azure._connect.credentials import opened, refuse_pickling
from remote_store_azure._connect.options import tuning_of
from remote_store_azure._http.session import Session
from remote_store_azure._keys import NAME
from remote_store_objects.authoring import Calls

__all__ = ["Clients", "LoopClients"]


class LoopClients:
    """
    The clients of one event loop, which belong together.

    Args:
        session: Sends requests.
        file_system: Makes a FileSystemClient.
        resources: What is closed, last first.
    """

    def __init__(
        self, session: Session, file_system: Callable[[], Any], resources: list[Any]
    ) -> None:
        self.session = session
        self._file_system = file_system
        self._made: Any = None
        self._resources = resources

    def file_system(self) -> Any:
        """Return the SDK's FileSystemClient of the container, the same one at each call."""
        if self._made is None:
            self._made = self._file_system()
            self._resources.append(self._made)
        return self._made

    async def aclose(self) -> None:
        """Close all of them."""
        for resource in reversed(self._resources):
            with contextlib.suppress(Exception):  # one that fails must not keep the others open
                await resource.close()


class Clients:
    """
    Makes the clients of a backend, for each event loop. Pickles as the configuration.

    Args:
        account: Where the container is, and the secret.
        retry: How patiently failures are met.
        client_options: For the SDK's clients.
        max_concurrency: Parallel requests of one upload or download.
        name: Of the backend, for errors.

    Raises:
        TypeError, ValueError: See `tuning_of`.
    """

    def __init__(
        self,
        account: Account,
        *,
        retry: RetryPolicy | None = None,
        client_options: Mapping[str, Any] | None = None,
        max_concurrency: int = 1,
        name: str = NAME,
    ) -> None:
        self.account = account
        self.name = name
        self.tuning = tuning_of(client_options or {}, retry)
        self._retry = retry
        self._options = dict(client_options or {})
        self._max_concurrency = max_concurrency

    def connect(self, calls: Calls) -> LoopClients:
        """
        Make those of the running loop; nothing is sent.

        Args:
            calls: Of this loop.

        Raises:
            BackendUnavailable: The default credential cannot be had, or the
                SDK is not a version that works here.
            RuntimeError: The caller's transport serves another loop.
        """
        from remote_store_azure._http import sdk  # half a second: not before it is needed

        credential = opened(self.account.kind, self.account.secret, self.name)
        # One for each pipeline: it holds its successor in the chain.
        retry = copy.copy(sdk.retry_of(self._retry, self._options))
        client = sdk.build_client(self.account, credential.value, self._options, retry)
        bearer = None
        if self.account.kind in ("token", "default"):
            bearer = sdk.bearer_of(credential.value, self._options)
        session = Session(
            self.account,
            client,
            calls,
            retry=retry,
            bearer=bearer,
            options=self.tuning,
            max_concurrency=self._max_concurrency,
            name=self.name,
        )

        def file_system() -> Any:
            retry = copy.copy(sdk.retry_of(self._retry, self._options))
            return sdk.build_file_system_client(
                self.account, credential.value, self._options, retry
            )

        return LoopClients(session, file_system, [credential, client])

    def __reduce__(self) -> tuple[Any, ...]:
        refuse_pickling(self.account.kind, self.account.secret)
        for name in ("transport", "retry_policy"):
            if name in self._options and not isinstance(self._options[name], type):
                msg = f"a backend with client_options[{name!r}] cannot be pickled: pass a class"
                raise TypeError(msg)
        settings = (self.account, self._retry, self._options, self._max_concurrency, self.name)
        return _rebuilt, settings


def _rebuilt(
    account: Account,
    retry: RetryPolicy | None,
    client_options: dict[str, Any],
    max_concurrency: int,
    name: str,
) -> Clients:
    return Clients(
        account,
        retry=retry,
        client_options=client_options,
        max_concurrency=max_concurrency,
        name=name,
    )
