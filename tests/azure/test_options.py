"""What the constructor refuses before any I/O: wrong types, empty secrets, unusable options."""

from __future__ import annotations

import gc
import warnings
from typing import Any

import pytest
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from tests.azure.scripted import KEY

from remote_store import RetryPolicy, Secret
from remote_store_azure import AsyncAzureBackend


def built(**options: Any) -> AsyncAzureBackend:
    """Return a backend of an account by name."""
    return AsyncAzureBackend(**{"container": "box", "account_name": "me", **options})


@pytest.mark.parametrize("blank", ["", "  ", "\n", Secret(""), Secret(" ")])
@pytest.mark.parametrize("name", ["account_key", "sas_token", "connection_string", "credential"])
def test_an_empty_secret_is_no_other_credential(name: str, blank: object) -> None:
    """The message names the option and the usual cause; nothing else takes its place."""
    with pytest.raises(ValueError, match=f"^{name} is empty.*environment variable"):
        built(**{name: blank})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"connection_string": "AccountName=me;AccountKey="}, "the AccountKey of connection_str"),
        ({"connection_string": "AccountName=me;accountkey= ;"}, "the accountkey of connection_st"),
        (
            {"connection_string": "BlobEndpoint=https://me.blob.x/;SharedAccessSignature=;"},
            "the SharedAccessSignature of connection_string is empty",
        ),
        (
            {"connection_string": "BlobEndpoint=https://x/;SharedAccessSignature=sv=1&sig="},
            "connection_string has an empty signature",
        ),
        ({"sas_token": "?"}, "sas_token is empty"),
        ({"sas_token": "sv=2022-11-02&sig=&sp=r"}, "sas_token has an empty signature"),
        ({"sas_token": Secret("?sig=")}, "sas_token has an empty signature"),
        ({"account_url": "https://me.blob.x?sv=1&sig="}, "account_url has an empty signature"),
        ({"credential": "sv=1&sig=&sp=r"}, "credential has an empty signature"),
        ({"credential": {"account_name": "me", "account_key": ""}}, "the account_key of credent"),
        ({"credential": AzureSasCredential("sv=1&sig=")}, "credential has an empty signature"),
        ({"credential": AzureNamedKeyCredential("me", " ")}, "credential is empty"),
        ({"account_key": "", "connection_string": f"AccountName=a;AccountKey={KEY}"}, "account_k"),
    ],
)
def test_an_empty_secret_inside_of_another_value(options: dict[str, Any], says: str) -> None:
    """Wherever a secret can stand, an empty one is refused, and the message says where."""
    with pytest.raises(ValueError, match=says):
        built(**options)


def test_the_secret_options_are_declared() -> None:
    """Whoever shows options knows from the class which of them are secrets."""
    assert AsyncAzureBackend.SECRET_OPTIONS == {
        "account_key",
        "sas_token",
        "connection_string",
        "credential",
    }


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"account_name": 5}, "account_name must be of type str, got int"),
        ({"account_name": b"me"}, "account_name must be of type str, got bytes"),
        ({"account_url": 5}, "account_url must be of type str, got int"),
        ({"account_key": b"secret"}, "account_key must be of type str or Secret, got bytes"),
        ({"account_key": ["secret"]}, "account_key must be of type str or Secret, got list"),
        ({"sas_token": 5}, "sas_token must be of type str or Secret, got int"),
        ({"connection_string": b"secret"}, "connection_string must be of type str or Secret"),
        ({"max_concurrency": "4"}, "max_concurrency must be of type int, got str"),
        ({"max_concurrency": True}, "max_concurrency must be of type int, got bool"),
        ({"max_concurrency": None}, "max_concurrency must be of type int, got NoneType"),
        ({"client_options": [("a", 1)]}, "client_options must be of type Mapping, got list"),
        ({"client_options": {5: 1}}, "names of options as keys, got int"),
        ({"retry": 5}, "retry must be of type RetryPolicy, got int"),
        ({"retry": {"max_attempts": 3}}, "retry must be of type RetryPolicy, got dict"),
        ({"reject_write_under_file_ancestor": "no"}, "must be of type bool, got str"),
        ({"delete_snapshots": "include"}, "must be of type bool, got str"),
    ],
)
def test_wrong_types(options: dict[str, Any], says: str) -> None:
    """A wrong type is a TypeError at once, which shows no value."""
    with pytest.raises(TypeError, match=says) as caught:
        built(**options)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_version", 5),
        ("api_version", "newest"),
        ("connection_timeout", "long"),
        ("connection_timeout", float("inf")),
        ("read_timeout", -1),
        ("read_timeout", True),
        ("connection_data_block_size", 0),
        ("max_block_size", 1.5),
        ("connection_verify", 5),
        ("proxies", "http://proxy"),
        ("transport", 5),
        ("retry_policy", "often"),
        ("permit_redirects", True),
    ],
)
def test_unusable_client_options(name: str, value: object) -> None:
    """Options that the SDK would stumble over while it connects are refused at once."""
    with pytest.raises(ValueError, match=rf"client_options\['{name}'\] must be "):
        built(client_options={name: value})


@pytest.mark.asyncio
async def test_an_option_that_the_sdk_refuses_leaves_no_session() -> None:
    """What only the SDK can judge is its ValueError at the first use, and nothing stays open."""
    backend = built(account_key=KEY, client_options={"api_version": "1999-01-01"}, hns=False)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(ValueError, match="1999-01-01"):
            await backend.exists("a")
        await backend.aclose()
        del backend
        gc.collect()
    assert [str(w.message) for w in warned] == []


def test_whatever_is_right_is_taken() -> None:
    """Each kind of option is accepted as it is documented."""
    built(
        account_key=Secret(KEY),
        client_options={"api_version": "2024-11-04", "connection_timeout": 2.5, "proxies": None},
        retry=RetryPolicy(),
        reject_write_under_file_ancestor=True,
        delete_snapshots=True,
        max_concurrency=4,
    )
    built(sas_token="?sv=2022-11-02&sig=abc%3D&se=2030")
    built(connection_string="AccountName=me;EndpointSuffix=core.windows.net")
