"""Who signs: the keys that were given, or what botocore finds in the usual places."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any, Final

from attrs import field, frozen

from remote_store import BackendUnavailable, PermissionDenied, Secret

__all__ = ["Credentials", "Keys"]

_HINT: Final = (
    "Looked at environment variables, the profiles of ~/.aws, web identity, container and "
    "instance metadata; pass access_key_id and secret_access_key, a profile, or anonymous=True"
)


@frozen
class Keys:
    """
    What signs.

    Args:
        key_id: The access key's id.
        secret: The access key's secret.
        token: Of temporary credentials, else None.
    """

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


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
        self._given = (
            Keys(key_id, secret.reveal(), token.reveal() if token else None)
            if key_id is not None and secret is not None
            else None
        )
        self._profile = profile
        #: One for each process: another one's thread might hold it for ever after a fork.
        self._locks: dict[int, threading.Lock] = {}
        self._found: Any = None
        #: There may be others, once these are over.
        self.renewable = self._given is None
        #: The region of the profile, once the chain was asked.
        self.region: str | None = None

    def are(self, other: Credentials) -> bool:
        """Return whether another backend's are these: the same keys, or the same places of them."""
        if self._given is not None or other._given is not None:
            return self._given == other._given
        return self._profile == other._profile

    async def current(self, *, refused: Keys | None = None) -> Keys:
        """
        Return those to sign with.

        Args:
            refused: Not these: if they are still those at hand, look for others.

        Raises:
            PermissionDenied: There are none.
            BackendUnavailable: What hands them out does not answer.
        """
        if self._given is not None:
            return self._given
        found = self._found
        if found is not None and not getattr(found, "refresh_needed", bool)():
            keys = self._frozen(found)
            if keys != refused:
                return keys
        return await asyncio.to_thread(self._look, refused)

    def _look(self, refused: Keys | None) -> Keys:
        from botocore.exceptions import BotoCoreError, HTTPClientError
        from botocore.session import Session

        try:
            with self._locks.setdefault(os.getpid(), threading.Lock()):
                if self._found is not None and refused is not None:
                    keys = self._frozen(self._found)
                    if keys != refused:  # somebody else was faster
                        return keys
                    self._found = None
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
    def _frozen(found: Any) -> Keys:
        at_hand = found.get_frozen_credentials()
        return Keys(at_hand.access_key, at_hand.secret_key, at_hand.token)
