"""
Signed URLs: a shared access signature for one blob and one method.

With an account key it is made here. With a token credential the service hands out a key for
it, which is kept until a URL outlives it. A signature cannot make others.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import fromstring

from attrs import evolve

from remote_store import RemoteStoreError
from remote_store_azure._connect.account import Account
from remote_store_azure._rest.operations import DELEGATION_KEY
from remote_store_azure._rest.urls import blob_url

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session

__all__ = ["UrlSigner", "longest_url", "named_key"]

_QUERY: Final = "restype=service&comp=userdelegationkey"
#: The longest life of a key that the service hands out.
_WEEK: Final = timedelta(days=7)
#: Beyond every plan: an account's own key sets no limit.
_CENTURY: Final = timedelta(days=36_500)
#: How much longer than the URL that asks for it such a key lives, so that others can use it.
_SPARE: Final = timedelta(hours=1)
#: By how much clocks may differ.
_SKEW: Final = timedelta(minutes=15)
_PERMISSIONS: Final = {"GET": "r", "PUT": "w"}


def longest_url(account: Account) -> timedelta | None:
    """Return how long a URL may work; None where the credentials cannot sign. No I/O."""
    if account.kind in ("token", "default"):
        return None if account.name is None else _WEEK  # the name is signed
    return None if named_key(account) is None else _CENTURY


def named_key(account: Account) -> tuple[str, str] | None:
    """Return the name and the key of an account of which a key was given."""
    if account.kind == "key":
        return account.secret["account_name"], account.secret["account_key"]
    # The SDK's AzureNamedKeyCredential, as against its AzureSasCredential.
    name, key = getattr(account.secret, "named_key", (None, None))
    return (name, key) if name and key else None


class UrlSigner:
    """
    Makes the signed URLs of one backend in one event loop.

    Args:
        account: Where the container is, and a secret that can sign.
        session: To ask for a key, where there is none.
    """

    def __init__(self, account: Account, session: Session) -> None:
        self._account = account
        self._session = session
        self._key: Any = None
        #: When that ends.
        self._until = datetime.min.replace(tzinfo=UTC)
        self._asking = asyncio.Lock()

    async def url(self, key: str, method: str, expires: timedelta) -> str:
        """
        Return a URL of a blob that works without credentials.

        Args:
            key: Name of the blob.
            method: ``"GET"`` or ``"PUT"``.
            expires: From now on.

        Raises:
            PermissionDenied, BackendUnavailable: The service hands out no key.
            RemoteStoreError: What it hands out is none.
        """
        from azure.storage.blob import generate_blob_sas  # with the first client

        account, end = self._account, datetime.now(UTC) + expires
        named = named_key(account)
        signs: dict[str, Any]
        if named is None:
            signs = {"user_delegation_key": await self._delegated(key, end)}
        else:
            signs = {"account_key": named[1]}
        token = generate_blob_sas(
            str(named[0] if named else account.name),
            account.container,
            key,
            permission=_PERMISSIONS[method],
            expiry=end,
            protocol="https" if account.blob_url.startswith("https:") else None,
            **signs,
        )
        return f"{blob_url(account, key)}?{token}"

    async def _delegated(self, path: str, end: datetime) -> Any:
        """Return the service's key for signatures: that at hand, if it lives long enough."""
        async with self._asking:  # several that ask at once get the same
            if end > self._until:
                latest = datetime.now(UTC) + _WEEK
                until = max(end, min(end + _SPARE, latest))
                start = max(datetime.now(UTC) - _SKEW, until - _WEEK)
                self._key, self._until = await self._ask(path, start, until), until
            return self._key

    async def _ask(self, path: str, start: datetime, until: datetime) -> Any:
        from azure.storage.blob import UserDelegationKey

        times = f"<Start>{_text(start)}</Start><Expiry>{_text(until)}</Expiry>"
        body = f'<?xml version="1.0" encoding="utf-8"?><KeyInfo>{times}</KeyInfo>'.encode()
        http, headers = self._session, {"Content-Type": "application/xml"}
        try:
            response = await http.send(
                DELEGATION_KEY, http.account_url(_QUERY), path=path, headers=headers, body=body
            )
        except RemoteStoreError as error:
            error.outcome_unknown = False  # nothing was to be changed
            raise
        try:
            root = fromstring(response.body)  # noqa: S314 - of the service
            found = {name: root.findtext(field) for name, field in _FIELDS.items()}
            b64decode(found["value"] or "", validate=True)
        except (SyntaxError, LookupError, ValueError):
            found = {"value": None}
        if not all(found.values()):
            msg = "The service's answer has no key for signatures that could be read"
            # Without its body, which may hold one.
            raise http.error(evolve(response, body=b""), msg, outcome_unknown=False)
        key: Any = UserDelegationKey()  # type: ignore[no-untyped-call]
        for name, text in found.items():
            setattr(key, name, text)
        return key


#: Of the SDK's key, and of the service's document.
_FIELDS: Final = {
    "signed_oid": "SignedOid",
    "signed_tid": "SignedTid",
    "signed_start": "SignedStart",
    "signed_expiry": "SignedExpiry",
    "signed_service": "SignedService",
    "signed_version": "SignedVersion",
    "value": "Value",
}


def _text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
