"""Where an account is, and which secret opens it (validated without any I/O)."""

from __future__ import annotations

import re
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import SplitResult, parse_qs, urlsplit

from attrs import field, frozen

from remote_store import Secret
from remote_store_azure._connect.containers import refuse_name, without_container
from remote_store_azure._connect.credentials import kind_of
from remote_store_azure._connect.options import refuse_blank

__all__ = ["Account", "Kind", "account_of"]

Kind: TypeAlias = Literal["key", "sas", "token", "object", "default", "anonymous"]

_SUFFIX: Final = "core.windows.net"
#: What can be the first part of a host; the service's own rule is stricter.
_LABEL: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
#: The published key and account of the storage emulators: no secret.
_DEVELOPMENT: Final = (
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
)

#: Names in a connection string, in lower case, whose values are secrets.
_SECRET_SETTINGS: Final = ("accountkey", "sharedaccesssignature")


def _masked(secret: object) -> str:
    return "None" if secret is None else "'***'"


@frozen
class Account:
    """
    One container of one account, and how to get in.

    Args:
        container: Name of the container.
        blob_url: URL of the Blob service, without query and final slash.
        dfs_url: URL of the Data Lake service, likewise.
        name: Name of the account; None where only the service knows it.
        given_url: The caller's ``account_url`` without user, password and
            query; None if there was none.
        kind: What *secret* is: an account key, a SAS token, a token
            credential, another credential object of the SDK; or nothing, for
            the default credential or for anonymous access.
        secret: It. Never shown.
    """

    container: str
    blob_url: str
    dfs_url: str
    name: str | None
    given_url: str | None
    kind: Kind
    secret: Any = field(default=None, repr=_masked)

    def opens(self, other: Account) -> bool:
        """
        Return whether the secret of this container surely is one of another's, too.

        A key and a token are for a whole account. So is a SAS with the field
        ``srt``, which an account SAS alone has ("Create an account SAS" in the
        REST reference); any other one is for a container, or something in it.
        """
        mine, theirs = self.secret, other.secret
        same = mine is theirs or (self.kind in ("key", "sas") and mine == theirs)
        if (self.blob_url, self.kind) != (other.blob_url, other.kind) or not same:
            return False
        token = getattr(mine, "signature", None) if self.kind == "object" else mine
        if isinstance(token, str):
            return "srt" in parse_qs(token.lstrip("?"))
        return self.kind != "anonymous"


def account_of(
    *,
    container: str,
    account_name: str | None = None,
    account_url: str | None = None,
    account_key: str | Secret | None = None,
    sas_token: str | Secret | None = None,
    connection_string: str | Secret | None = None,
    credential: Any | None = None,
    max_concurrency: int = 1,
) -> Account:
    """
    Return the account that the arguments of the backend describe.

    A connection string wins over everything else. Otherwise *account_url*
    wins over *account_name*, and *credential* over *account_key* over
    *sas_token* over a SAS token in the URL; with none of them the default
    credential of ``azure-identity`` is used.

    Args:
        container: Name of the container.
        account_name: Name of the account.
        account_url: URL of its Blob or Data Lake service; also with the same
            container in it.
        account_key: Its key.
        sas_token: A SAS token, with or without the question mark.
        connection_string: As the portal shows it.
        credential: A key, a SAS token, or a credential object.
        max_concurrency: Parallel requests of one upload or download.

    Raises:
        ValueError: No container, or what cannot be the name of one, no
            account, an empty secret, *max_concurrency* below 1, or something
            that cannot work. No message holds a secret.
    """
    refuse_name(container)
    secrets = {
        "connection_string": connection_string,
        "credential": credential,
        "account_key": account_key,
        "sas_token": sas_token,
    }
    for name, secret in secrets.items():
        refuse_blank(name, secret)
    if not (account_name or account_url or _text(connection_string)):
        msg = "pass one of account_name, account_url or connection_string: where the account is"
        raise ValueError(msg)
    if max_concurrency < 1:
        msg = f"max_concurrency must be at least 1, got {max_concurrency}"
        raise ValueError(msg)
    text = _text(connection_string)
    if text:
        return _from_connection_string(container, text)
    return _from_parts(container, account_name, account_url, account_key, sas_token, credential)


def _text(value: str | Secret | None) -> str | None:
    return value.reveal() if isinstance(value, Secret) else value


def _from_parts(
    container: str,
    account_name: str | None,
    account_url: str | None,
    account_key: str | Secret | None,
    sas_token: str | Secret | None,
    credential: Any | None,
) -> Account:
    url_sas = None
    given = None
    if account_url:
        url, url_sas = _service_url(account_url, "account_url")
        given = url = without_container(url, container, "account_url", account_name)
    else:
        url = f"https://{_label(account_name, 'account_name')}.blob.{_SUFFIX}"
    kind: Kind
    secret: Any = None
    if credential is not None:
        kind, secret = kind_of(credential)
        if kind == "token" and not url.lower().startswith("https:"):
            msg = "token credentials need an account_url that starts with https://"
            raise ValueError(msg)
    elif _text(account_key):
        kind, secret = "key", _text(account_key)
    elif _text(sas_token):
        kind, secret = "sas", _sas(_text(sas_token))
    elif url_sas:
        kind, secret = "sas", url_sas
    else:
        kind = "default"
        if not url.lower().startswith("https:"):
            msg = (
                "an account_url without https:// needs account_key, sas_token or "
                "connection_string: the default credential sends tokens only over https"
            )
            raise ValueError(msg)
    return _account(container, url, None, account_name, given, kind, secret)


def _account(
    container: str,
    blob_url: str,
    dfs_url: str | None,
    name: str | None,
    given_url: str | None,
    kind: Kind,
    secret: Any,
) -> Account:
    blob, dfs = _hosts(blob_url)
    if name is None:
        name = _name_in(blob)
    if kind == "key" and not isinstance(secret, dict) and name is None:
        msg = "pass account_name too: this account_url does not tell it, and account_key needs it"
        raise ValueError(msg)
    if kind == "key" and not isinstance(secret, dict):
        secret = {"account_name": name, "account_key": secret}
    return Account(container, blob, dfs_url or dfs, name, given_url, kind, secret)


def _label(name: str | None, what: str) -> str:
    """Return *name*, which becomes part of a host."""
    if not isinstance(name, str) or _LABEL.fullmatch(name) is None:
        msg = f"{what} must be the name of a storage account: 3 to 24 lower-case letters and digits"
        raise ValueError(msg)
    return name


def _service_url(url: str, what: str) -> tuple[str, str | None]:
    """Return *url* without user, query and final slash, and the SAS token of its query."""
    parts, host = SplitResult("", "", "", "", ""), None
    try:
        parts = urlsplit(url)
        if not parts.scheme:
            parts = urlsplit(f"https://{url}")
        host, _ = parts.hostname, parts.port
        (host or "").encode("idna")  # as connecting does, with an error of its own
    except ValueError:
        host = None
    # No message of theirs, which repeat a user and a password.
    if not host or parts.scheme.lower() not in ("http", "https") or parts.fragment:
        msg = f"{what} must be a URL such as https://myaccount.blob.{_SUFFIX}"
        raise ValueError(msg)
    if "?" in url:  # with nothing after it, too: that was to be a token
        refuse_blank(f"the SAS token of {what}", parts.query)
    if parts.query and "sig=" not in parts.query:
        msg = f"{what} has a query that is no SAS token; only a token can stand there"
        raise ValueError(msg)
    netloc = parts.netloc.rpartition("@")[2].lower()  # a host has no case, and we look for parts
    plain = SplitResult(parts.scheme, netloc, parts.path.rstrip("/"), "", "").geturl()
    return plain, parts.query or None


def _hosts(url: str) -> tuple[str, str]:
    """Return the Blob and the Data Lake URL of an account, given either."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if ".dfs." in host:
        blob, dfs = host.replace(".dfs.", ".blob.", 1), host
    else:
        blob, dfs = host, host.replace(".blob.", ".dfs.", 1)
    return f"{scheme}://{blob}{slash}{path}", f"{scheme}://{dfs}{slash}{path}"


def _name_in(blob_url: str) -> str | None:
    parts = urlsplit(blob_url)
    host = parts.hostname or ""
    name, dot, _ = host.partition(".blob.")
    if dot:
        name = name.partition(".")[0]  # a zone may follow
        for suffix in ("-secondary", "-ipv6", "-dualstack"):
            name = name.removesuffix(suffix)
        return name
    # Emulators have the account in the path.
    return parts.path.strip("/") or None


def _sas(token: str | None) -> str:
    return (token or "").strip().lstrip("?")


def _from_connection_string(container: str, text: str) -> Account:
    settings: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in text.split(";"))):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            msg = (
                "connection_string is malformed: it must be a list of Name=value pairs, separated "
                "by semicolons, as the portal shows it"
            )
            raise ValueError(msg)
        if key.strip().lower() in _SECRET_SETTINGS:
            refuse_blank(f"the {key.strip()} of connection_string", value)
        settings[key.strip().lower()] = value.strip()
    if settings.get("usedevelopmentstorage", "").lower() == "true":
        name, key = _DEVELOPMENT
        settings = {
            "blobendpoint": f"{_emulator(settings)}/{name}",
            "accountname": name,
            "accountkey": key,
        }
    name_, key_ = settings.get("accountname") or None, settings.get("accountkey") or None
    url, url_sas = _endpoint(settings, name_)
    url = without_container(url, container, "the BlobEndpoint of connection_string", name_)
    dfs_url = None
    if dfs := settings.get("dfsendpoint"):
        what = "the DfsEndpoint of connection_string"
        dfs_url = without_container(_service_url(dfs, what)[0], container, what, name_)
    sas = _sas(settings.get("sharedaccesssignature")) or url_sas
    if key_ and not name_:
        msg = "connection_string has an AccountKey but no AccountName; add it"
        raise ValueError(msg)
    if key_:
        return _account(container, url, dfs_url, name_, None, "key", key_)
    if sas:
        return _account(container, url, dfs_url, name_, None, "sas", sas)
    return _account(container, url, dfs_url, name_, None, "anonymous", None)


def _emulator(settings: dict[str, str]) -> str:
    """Return where the Blob service of a local emulator is: here, or behind a proxy."""
    proxy = settings.get("developmentstorageproxyuri")
    if not proxy:
        return "http://127.0.0.1:10000"
    url, _ = _service_url(proxy, "the DevelopmentStorageProxyUri of connection_string")
    parts = urlsplit(url)
    # The usual value has no port: the SDKs add that of each service.
    return f"{parts.scheme}://{parts.netloc}" + ("" if parts.port else ":10000")


def _endpoint(settings: dict[str, str], name: str | None) -> tuple[str, str | None]:
    endpoint = settings.get("blobendpoint")
    if endpoint:
        return _service_url(endpoint, "the BlobEndpoint of connection_string")
    if not name:
        msg = "connection_string is malformed: it has neither a BlobEndpoint nor an AccountName"
        raise ValueError(msg)
    scheme = settings.get("defaultendpointsprotocol") or "https"
    suffix = settings.get("endpointsuffix") or _SUFFIX
    host = f"{_label(name, 'the AccountName of connection_string')}.blob.{suffix}"
    return _service_url(f"{scheme}://{host}", "the endpoint of connection_string")
