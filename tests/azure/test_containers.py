"""Names of containers, and URLs that have one in them."""

from __future__ import annotations

import pytest
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.flat import flat, gathered

from remote_store_azure import AsyncAzureBackend
from remote_store_azure._connect.account import Account, account_of

SAS = "sv=1&sr=c&sig=secret-signature"


@pytest.mark.parametrize(
    "name", ["$root", "$web", "$logs", "$blobchangefeed", "box", "0-9", "a" * 63, "a-b-c", "123"]
)
def test_names(name: str) -> None:
    """What the service takes, its own containers included."""
    assert AsyncAzureBackend(name, account_name="me").native_path("a") == f"{name}/a"


@pytest.mark.parametrize(
    "name",
    [
        *("UPPER", "ab", "a" * 64, "-box", "box-", "a--b", "a_b", "a.b", "a b", " box", "box\n"),
        *("\u00e4bc", "$other", "$root/a", "name/sub", "/box", "box/", "a\\b", "box?x", "..."),
    ],
)
def test_no_names(name: str) -> None:
    """What the service refuses is refused before anything is sent, with the rule and the value."""
    with pytest.raises(ValueError, match=r"^container ") as caught:
        AsyncAzureBackend(name, account_name="me")
    assert repr(name) in str(caught.value)
    assert type(caught.value) is ValueError


def test_a_folder_is_no_container() -> None:
    """Who passes a folder with the container is told where it belongs."""
    with pytest.raises(ValueError, match="root of a store, as in azure://"):
        AsyncAzureBackend("name/sub", account_name="me")


def made(url: str, container: str = "box", name: str | None = None) -> Account:
    return account_of(
        container=container, account_url=f"{url}?{SAS}", account_name=name, account_key=None
    )


@pytest.mark.parametrize(
    ("url", "account"),
    [
        ("https://me.blob.core.windows.net/box", "https://me.blob.core.windows.net"),
        ("https://me.blob.core.windows.net/box/", "https://me.blob.core.windows.net"),
        ("https://me.dfs.core.windows.net/box", "https://me.blob.core.windows.net"),
        ("https://me.z1.blob.storage.azure.net/box", "https://me.z1.blob.storage.azure.net"),
        ("http://127.0.0.1:10000/acct/box", "http://127.0.0.1:10000/acct"),
        ("http://[::1]:10000/acct/box", "http://[::1]:10000/acct"),
        ("http://localhost/acct/box", "http://localhost/acct"),
        ("http://azurite:10000/acct/box", "http://azurite:10000/acct"),
        ("http://azurite:10000/box", "http://azurite:10000/box"),
        ("https://files.example.org/box", "https://files.example.org"),
        ("https://files.example.org/acct/box", "https://files.example.org/acct"),
        ("https://files.example.org/acct", "https://files.example.org/acct"),
        ("https://files.example.org/gate/acct", "https://files.example.org/gate/acct"),
    ],
)
def test_a_url_that_names_the_container(url: str, account: str) -> None:
    """The URL of the container that is meant stands for that of its account."""
    found = made(url)
    dfs = account.replace(".blob.", ".dfs.")
    assert (found.blob_url, found.dfs_url) == (account, dfs)
    assert found.given_url == (dfs if ".dfs." in url else account)
    assert (found.kind, found.secret) == ("sas", SAS)
    text = f"BlobEndpoint={url};SharedAccessSignature={SAS};DfsEndpoint={url}"
    other = account_of(container="box", connection_string=text)
    assert (other.blob_url, other.dfs_url) == (account, found.given_url)


def test_a_quoted_name() -> None:
    """A name may be quoted in a URL."""
    found = made("https://me.blob.core.windows.net/%24web", "$web")
    assert found.blob_url == "https://me.blob.core.windows.net"


def test_an_account_of_the_containers_name() -> None:
    """On a domain of one's own the account's name tells which of the two is meant."""
    url = "https://files.example.org/box"
    assert made(url, name="box").blob_url == url
    assert made(url + "/box", name="box").blob_url == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://me.blob.core.windows.net/other", "names the container 'other', but .* 'box'"),
        ("https://me.blob.core.windows.net/box/sub", "something in a container, 'box/sub'"),
        ("https://me.dfs.core.windows.net/Box", "names the container 'Box'"),
        ("http://127.0.0.1:10000/acct/other", "names the container 'other'"),
        ("http://127.0.0.1:10000/acct/box/sub/f", "something in a container, 'box/sub/f'"),
    ],
)
def test_a_url_that_does_not_agree(url: str, says: str) -> None:
    """Another container, or a folder or blob in one, is refused with the reason, not the token."""
    with pytest.raises(ValueError, match=f"account_url .*{says}") as caught:
        made(url)
    assert "secret" not in str(caught.value)
    text = f"BlobEndpoint={url};SharedAccessSignature={SAS}"
    with pytest.raises(ValueError, match=f"BlobEndpoint of connection_string .*{says}"):
        account_of(container="box", connection_string=text)


@pytest.mark.asyncio
async def test_the_url_that_the_portal_shows(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """A container's URL with its token writes and lists in that container."""
    url = f"{azurite.blob_url}/{container}?{azurite.sas(container, 'rwdlac')}"
    async with flat(azurite, service, container, connection_string=None, account_url=url) as box:
        await box.backend.write("d/u.txt", b"x")
        assert box.names() == ["d/u.txt"]
        (found,) = await gathered(box.backend.list_files("", recursive=True))
        assert found.path.as_posix() == "d/u.txt"
        assert box.backend.resolve("").details["account_url"] == azurite.blob_url


@pytest.mark.asyncio
async def test_containers_of_the_service(azurite: Azurite, service: BlobServiceClient) -> None:
    """Their names work on the wire too."""
    for name in ("$root", "$web"):
        client = service.create_container(name)
        async with flat(azurite, service, name) as box:
            await box.backend.write("index.html", b"x")
            await box.backend.copy("index.html", "copy.html")
            assert box.names() == ["copy.html", "index.html"]
        client.delete_container()


@pytest.mark.parametrize(
    ("proxy", "url"),
    [
        ("", "http://127.0.0.1:10000/devstoreaccount1"),
        (";DevelopmentStorageProxyUri=http://proxy", "http://proxy:10000/devstoreaccount1"),
        (";developmentstorageproxyuri=http://proxy/;", "http://proxy:10000/devstoreaccount1"),
        (";DevelopmentStorageProxyUri=https://[::1]:7", "https://[::1]:7/devstoreaccount1"),
    ],
)
def test_an_emulator_behind_a_proxy(proxy: str, url: str) -> None:
    """The development storage is where its proxy is, at the port of its Blob service."""
    found = account_of(container="box", connection_string=f"UseDevelopmentStorage=true{proxy}")
    assert (found.blob_url, found.name, found.kind) == (url, "devstoreaccount1", "key")


def test_a_proxy_that_is_no_url() -> None:
    """It is refused by its name."""
    text = "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=ftp://x"
    with pytest.raises(ValueError, match="the DevelopmentStorageProxyUri of connection_string"):
        account_of(container="box", connection_string=text)
