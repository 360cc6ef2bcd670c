"""Where an account is, and which secret opens it."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.credentials import AccessToken, AzureNamedKeyCredential, AzureSasCredential

from remote_store import Secret
from remote_store_azure._connect.account import Account, account_of

KEY = "c2VjcmV0LWtleQ=="


class Token:
    """An async token credential."""

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        pytest.fail("a credential is not asked while an account is described")


def made(**options: Any) -> Account:
    return account_of(container="box", **options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"container": "", "account_name": "a"}, "container"),
        ({"container": "  ", "account_name": "a"}, "container"),
        ({"container": "", "max_concurrency": 0}, "container"),
        ({"container": "box"}, "account_name"),
        ({"container": "box", "max_concurrency": 0}, "account_name"),
        ({"container": "box", "account_name": "a", "max_concurrency": 0}, "max_concurrency"),
        ({"container": "box", "connection_string": "nonsense"}, "Name=value"),
        ({"container": "box", "connection_string": "a=b;nonsense"}, "Name=value"),
        ({"container": "box", "connection_string": "AccountKey=x"}, "BlobEndpoint nor"),
        (
            {"container": "box", "connection_string": "BlobEndpoint=https://x/;AccountKey=k"},
            "AccountName",
        ),
        ({"container": "box", "connection_string": "BlobEndpoint=ftp://x"}, "BlobEndpoint"),
        ({"container": "box", "account_url": "ftp://x"}, "account_url must be"),
        ({"container": "box", "account_url": "https://"}, "account_url must be"),
        ({"container": "box", "account_url": "https://a:bc"}, "account_url must be"),
        ({"container": "box", "account_url": "https://a?x=y"}, "query"),
        ({"container": "box", "account_url": "https://a#b"}, "account_url must be"),
        (
            {"container": "box", "account_url": "https://a.example", "account_key": KEY},
            "account_name",
        ),
        ({"container": "box", "account_name": "a" * 64}, "account_name"),
        ({"container": "box", "account_name": "x/../y"}, "account_name"),
        ({"container": "box", "account_name": "a b"}, "account_name"),
        ({"container": "box", "account_name": "me.blob.core.windows.net"}, "account_name"),
        ({"container": "box", "account_name": "-a"}, "account_name"),
        ({"container": "box", "account_name": "\u00fc"}, "account_name"),
        ({"container": "box", "connection_string": "AccountName=x/../y"}, "AccountName"),
        ({"container": "box", "account_url": "http://..blob.x/acct"}, "account_url must be"),
        ({"container": "box", "account_url": f"https://{'a' * 64}.org"}, "account_url must be"),
        ({"container": "box", "account_url": "https://me.blob.core.windows.net/box?"}, "token"),
        ({"container": "box", "connection_string": "BlobEndpoint=https://a.org/?"}, "token"),
        ({"container": "box", "account_url": "http://a/b"}, "https://"),
        ({"container": "box", "account_url": "http://a/b", "credential": Token()}, "https://"),
        ({"container": "box", "account_name": "a", "credential": object()}, "azure.identity.aio"),
        ({"container": "box", "account_name": "a", "credential": Token}, "azure.identity.aio"),
        ({"container": "box", "account_name": "a", "credential": 17}, "azure.identity.aio"),
        ({"container": "box", "account_name": "a", "credential": " "}, "empty"),
        ({"container": "box", "account_name": "a", "credential": {"key": "x"}}, "account_key"),
    ],
)
def test_refused(options: dict[str, Any], says: str) -> None:
    """What cannot work is refused at once, in a fixed order, with a word on what to pass."""
    with pytest.raises(ValueError, match=says):
        account_of(**options)


def test_name_gives_public_hosts() -> None:
    """An account name alone stands for the public cloud's hosts."""
    account = made(account_name="me")
    assert account.blob_url == "https://me.blob.core.windows.net"
    assert account.dfs_url == "https://me.dfs.core.windows.net"
    assert (account.name, account.given_url, account.kind) == ("me", None, "default")


@pytest.mark.parametrize(
    ("url", "blob", "dfs", "name"),
    [
        (
            "https://me.dfs.core.windows.net/",
            "https://me.blob.core.windows.net",
            "https://me.dfs.core.windows.net",
            "me",
        ),
        (
            "https://me.blob.core.chinacloudapi.cn",
            "https://me.blob.core.chinacloudapi.cn",
            "https://me.dfs.core.chinacloudapi.cn",
            "me",
        ),
        (
            "https://me.z13.dfs.storage.azure.net",
            "https://me.z13.blob.storage.azure.net",
            "https://me.z13.dfs.storage.azure.net",
            "me",
        ),
        (
            "https://me-secondary.blob.core.windows.net",
            "https://me-secondary.blob.core.windows.net",
            "https://me-secondary.dfs.core.windows.net",
            "me",
        ),
        (
            "http://127.0.0.1:10000/devstoreaccount1",
            "http://127.0.0.1:10000/devstoreaccount1",
            "http://127.0.0.1:10000/devstoreaccount1",
            "devstoreaccount1",
        ),
        (
            "https://storage.example.org",
            "https://storage.example.org",
            "https://storage.example.org",
            None,
        ),
        (
            "me.blob.core.windows.net",
            "https://me.blob.core.windows.net",
            "https://me.dfs.core.windows.net",
            "me",
        ),
        (
            "https://Me.DFS.core.windows.net",
            "https://me.blob.core.windows.net",
            "https://me.dfs.core.windows.net",
            "me",
        ),
    ],
)
def test_url_gives_both_hosts(url: str, blob: str, dfs: str, name: str | None) -> None:
    """Either service's URL tells both; a host of one's own stays as it is."""
    account = made(account_url=url, sas_token="sv=1&sig=x")
    assert (account.blob_url, account.dfs_url, account.name) == (blob, dfs, name)


@pytest.mark.parametrize("name", ["me", "devstoreaccount1", "me-secondary", "1", "a" * 63])
def test_names_of_hosts(name: str) -> None:
    """Whatever can be a host's name may be an account's; the service knows which exist."""
    assert made(account_name=name).blob_url == f"https://{name}.blob.core.windows.net"
    text = f"AccountName={name};AccountKey={KEY}"
    assert made(connection_string=text).blob_url == f"https://{name}.blob.core.windows.net"


def test_a_name_beside_a_url_is_free() -> None:
    """It is no host then: emulators have names of their own, as have hosts."""
    for url in ("http://127.0.0.1:10000/my_account", "http://[::1]:1/x", "https://blob.example."):
        account = made(account_url=url, account_name="my_account", account_key=KEY)
        assert (account.blob_url, account.name) == (url, "my_account")


def test_user_and_query_leave_the_url() -> None:
    """What is shown of the URL has no user, no password and no token."""
    account = made(account_url="https://user:secret@me.blob.core.windows.net/?sv=1&sig=hidden")
    assert account.given_url == account.blob_url == "https://me.blob.core.windows.net"
    assert (account.kind, account.secret) == ("sas", "sv=1&sig=hidden")
    assert "secret" not in repr(account).replace("secret='***'", "")
    assert "hidden" not in repr(account)


def test_connection_string_wins() -> None:
    """A connection string wins over every other argument, even one that would be refused."""
    account = made(
        connection_string=f"DefaultEndpointsProtocol=http;AccountName=x;AccountKey={KEY}",
        account_name="other",
        account_url="https://other.blob.core.windows.net",
        account_key="other",
        sas_token="other",
        credential=object(),
    )
    assert account.blob_url == "http://x.blob.core.windows.net"
    assert account.secret == {"account_name": "x", "account_key": KEY}
    assert account.given_url is None


@pytest.mark.parametrize(
    ("text", "blob", "kind"),
    [
        (f"AccountName=x;AccountKey={KEY};", "https://x.blob.core.windows.net", "key"),
        (
            f"accountname=x;ACCOUNTKEY={KEY};EndpointSuffix=core.usgovcloudapi.net",
            "https://x.blob.core.usgovcloudapi.net",
            "key",
        ),
        (
            "BlobEndpoint=https://x.blob.core.windows.net/;SharedAccessSignature=?sv=1&sig=a%3D",
            "https://x.blob.core.windows.net",
            "sas",
        ),
        ("BlobEndpoint=https://x.org/?sv=1&sig=a", "https://x.org", "sas"),
        ("AccountName=public", "https://public.blob.core.windows.net", "anonymous"),
        ("UseDevelopmentStorage=true", "http://127.0.0.1:10000/devstoreaccount1", "key"),
    ],
)
def test_connection_strings(text: str, blob: str, kind: str) -> None:
    """All usual forms of connection strings are read; names of settings in any case."""
    account = made(connection_string=Secret(text))
    assert (account.blob_url, account.kind) == (blob, kind)


def test_connection_string_with_dfs_endpoint() -> None:
    """A DfsEndpoint is used where it cannot be told from the other."""
    text = f"AccountName=x;AccountKey={KEY};BlobEndpoint=https://b.org;DfsEndpoint=https://d.org/"
    account = made(connection_string=text)
    assert (account.blob_url, account.dfs_url) == ("https://b.org", "https://d.org")


def test_precedence_of_secrets() -> None:
    """The credential wins over the key, the key over the token, the token over the URL's."""
    token, url = Token(), "https://me.blob.core.windows.net?sv=1&sig=url"
    options: dict[str, Any] = {"account_url": url}
    assert made(**options).secret == "sv=1&sig=url"
    options["sas_token"] = Secret("?sv=1&sig=sas")
    assert made(**options).secret == "sv=1&sig=sas"
    options["account_key"] = Secret(KEY)
    assert made(**options).secret == {"account_name": "me", "account_key": KEY}
    options["credential"] = token
    account = made(**options)
    assert (account.kind, account.secret) == ("token", token)


def test_credential_kinds() -> None:
    """A credential can be a key, a token string or an object of the SDK."""
    sas, key = AzureSasCredential("sig=x"), AzureNamedKeyCredential("n", KEY)
    assert made(account_name="me", credential="?sv=1&sig=x").secret == "sv=1&sig=x"
    assert made(account_name="me", credential=Secret(KEY)).secret["account_key"] == KEY
    assert made(account_name="me", credential=sas).secret is sas
    assert made(account_name="me", credential=key).kind == "object"
    both = {"account_name": "other", "account_key": KEY}
    assert made(account_name="me", credential=both).secret == both


@pytest.mark.parametrize(
    "options",
    [
        {"connection_string": "AccountName=x;AccountKey=hidden-value"},
        {"account_name": "me", "account_key": "hidden-value"},
        {"account_name": "me", "sas_token": "sv=1&sig=hidden-value"},
        {"account_name": "me", "credential": "hidden-value"},
        {"account_url": "https://u:hidden-value@me.blob.core.windows.net?sig=hidden-value"},
    ],
)
def test_secrets_are_not_shown(options: dict[str, Any]) -> None:
    """The repr of an account masks its secret."""
    account = made(**options)
    assert "hidden-value" not in repr(account)
    assert "'***'" in repr(account)


@pytest.mark.parametrize(
    "options",
    [
        {"connection_string": "AccountKey=hidden-value"},
        {"connection_string": "hidden-value"},
        {"connection_string": "BlobEndpoint=ftp://hidden-value"},
        {"account_url": "ftp://u:hidden-value@me?sig=hidden-value"},
        {"account_url": "https://me?hidden-value"},
        {"account_url": "https://u:hidden-value@m\u2100.blob.core.windows.net"},
        {"account_name": "me", "credential": {"hidden-value": "hidden-value"}},
    ],
)
def test_refusals_hold_no_secret(options: dict[str, Any]) -> None:
    """What is refused is not repeated."""
    with pytest.raises(ValueError) as caught:
        made(**options)
    assert "hidden-value" not in str(caught.value)
