"""Who signs: the keys that were given, or what botocore finds in the usual places."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Final

from remote_store import BackendUnavailable, PermissionDenied, Secret

__all__ = ["Credentials"]

_HINT: Final = (
    "Looked at environment variables, the profiles of ~/.aws, web identity, container and "
    "instance metadata; pass access_key_id and secret_access_key, a profile, or anonymous=True"
)


class Credentials:
    """
    The credentials of one backend, shared by its event loops.

    What botocore does may wait for files, commands and services, so that it is
    done in a thread; only what is at hand is taken on the loop. Keys that were
    given need no botocore.

    Args:
        key_id: Access key id, None for the chain.
        secret: Its secret.
        token: Its session token.
        profile: Of the configuration files, for the chain.
    """

    def __init__(
        self, key_id: str | None, secret: Secret | None, token: Secret | None, profile: str | None
    ) -> None:
        self._given = (key_id, secret, token)
        self._profile = profile
        self._lock = threading.Lock()
        self._found: Any = None
        #: There may be others, once these are over.
        self.renewable = key_id is None
        #: The region of the profile, once the chain was asked.
        self.region: str | None = None

    async def current(self, *, anew: bool = False) -> tuple[str, str, str | None]:
        """
        Return key id, secret and session token.

        Args:
            anew: Those at hand were refused; look for others.

        Raises:
            PermissionDenied: There are none.
            BackendUnavailable: What hands them out does not answer.
        """
        key_id, secret, token = self._given
        if key_id is not None and secret is not None:
            return key_id, secret.reveal(), token.reveal() if token else None
        found = self._found
        if anew:
            self._found = None
        if anew or found is None or getattr(found, "refresh_needed", bool)():
            return await asyncio.to_thread(self._look)
        return self._frozen(found)

    def _look(self) -> tuple[str, str, str | None]:
        from botocore.exceptions import BotoCoreError, HTTPClientError
        from botocore.session import Session

        try:
            with self._lock:
                if self._found is None:
                    session = Session(profile=self._profile)
                    self.region = session.get_config_variable("region")
                    self._found = session.get_credentials()
                if self._found is not None:
                    return self._frozen(self._found)
        except BotoCoreError as error:
            # Its message may repeat what a command of the profile printed.
            msg = f"The credentials could not be fetched ({type(error).__name__})"
            kind = BackendUnavailable if isinstance(error, HTTPClientError) else PermissionDenied
            raise kind(msg) from error
        msg = f"There are no credentials. {_HINT}"
        raise PermissionDenied(msg)

    @staticmethod
    def _frozen(found: Any) -> tuple[str, str, str | None]:
        frozen = found.get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token
