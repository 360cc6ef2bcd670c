"""What is secret, and that nothing shows it."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

import remote_store
from remote_store import (
    BackendConfig,
    PluginError,
    RegistryConfig,
    ResolutionPlan,
    Secret,
    StoreProfile,
    hookimpl,
    load_backend,
    open_store,
    redact_url,
    register_backend,
    register_plugin,
    resolve_env,
    unregister_backend,
    unregister_plugin,
)
from remote_store._types.secrets import is_secret_name
from remote_store.aio import AsyncRegistry
from remote_store.aio import open_store as open_async
from remote_store_memory import MemoryBackend


class Vendor(MemoryBackend):
    """A backend with options of its own; it shows what it got when it is told to complain."""

    SECRET_OPTIONS: ClassVar[Any] = frozenset({"pin_of_vendor"})
    public_options: ClassVar[Any] = frozenset({"partition_key"})
    got: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, complain: type[Exception] | None = None, **options: Any) -> None:
        super().__init__()
        self.got.append(options)
        if complain:
            plain = {k: v.reveal() if isinstance(v, Secret) else v for k, v in options.items()}
            msg = f"cannot use {plain}"
            raise complain(msg) from RuntimeError(msg)


class FromUrl(Vendor):
    """The same, reading a whole URL."""

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Any:
        if "later" in url:
            return cls._later(url)
        msg = f"cannot use {url}"
        raise ValueError(msg)

    @classmethod
    async def _later(cls, url: str) -> Any:
        msg = f"cannot use {url}"
        raise ValueError(msg)


@pytest.fixture(autouse=True)
def _vendor() -> Iterator[None]:
    register_backend("vendor", Vendor)
    register_backend("fromurl", FromUrl)
    Vendor.got.clear()
    yield
    unregister_backend("vendor")
    unregister_backend("fromurl")


def chain(error: BaseException | None) -> str:
    """Return all that a traceback would show of an error."""
    texts = []
    while error is not None:
        texts += [str(error), repr(error)]
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


SECRET_NAMES = [
    "key",
    "secret_access_key",
    "session_token",
    "api_token",
    "apiKey",
    "API-KEY",
    "db_password",
    "passphrase",
    "credential",
    "aws_credentials",
    "sas",
    "containerSas",
    "x-amz-signature",
    "connection_string",
    "ConnectionString",
    "client_certificate",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_an_option_is_secret_by_its_name(name: str) -> None:
    """Any plugin's option with such a name is a Secret once it is read, and shown by no repr."""
    config = RegistryConfig.from_dict(
        {
            "backends": {"b": {"type": "nobody", "options": {name: "TOPSECRET"}}},
            "stores": {"s": {"backend": "b", "options": {name: "TOPSECRET"}}},
        }
    )

    assert Secret("TOPSECRET") == config.backends["b"].options[name]
    assert "TOPSECRET" not in repr(config)
    assert "TOPSECRET" not in repr(BackendConfig("x", {name: "TOPSECRET"}))
    assert "TOPSECRET" not in repr(StoreProfile("x", options={"deep": [{name: ["TOPSECRET"]}]}))


@pytest.mark.parametrize("name", ["root", "container", "keys_of", "token_count", "tokenizer", ""])
def test_an_ordinary_name_is_not_secret(name: str) -> None:
    """What has such a word elsewhere in it is shown."""
    assert not is_secret_name(name)
    assert "visible" in repr(BackendConfig("x", {name: "visible", "key": None, "token": True}))
    assert "'key': None, 'token': True" in repr(BackendConfig("x", {"key": None, "token": True}))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://acct.blob.core/c?sv=1&sig=TOPSECRET", "https://acct.blob.core/c?sv=1&sig=***"),
        ("https://user:TOPSECRET@host/x", "https://***@host/x"),
        ("file://TOPSECRET@host/x", "file://***@host/x"),
        ("a+b://u:TOP@SECRET@host:80/x@y", "a+b://***@host:80/x@y"),
        ("s3://u:TOP/SECRET@host/x", "s3://***@host/x"),
        ("s3://u:TOP#SECRET@host/x", "s3://***@host/x"),
        ("x:///p?account_key=TOPSECRET&a=1#token=TOPSECRET", None),
        ("x:///p?X-Amz-Credential=TOPSECRET", "x:///p?X-Amz-Credential=***"),
        ("x:///p?%73ig=TOPSECRET", "x:///p?%73ig=***"),
        ("az://c?account_url=https%3A%2F%2Fh%2F%3Fsig%3DTOPSECRET", None),
        ("az://c?account_url=https://h/?sig=TOPSECRET", None),
        ("az://c?u=https%253A%252F%252Fh%252F%253Fsig%253DTOPSECRET", None),
        ("AccountName=n;AccountKey=TOPSECRET==;EndpointSuffix=e", None),
        ("a=" * 5000 + "sig=TOPSECRET", None),
        ("see https://h/?sig=TOPSECRET or ftp://u:TOPSECRET@h", None),
        ("az://c?account_url=https://u:TOPSECRET@h/", "az://c?account_url=https://***@h/"),
        ("az://c?account_url=https%3A%2F%2Fu%3ATOPSECRET%40h%2F", None),
        ("http://h/,http://u:TOPSECRET@h/", "http://h/,http://***@h/"),
        ("http://https://u:TOPSECRET@h/", "http://https://***@h/"),
    ],
)
def test_a_url_is_shown_without_its_credentials(url: str, shown: str | None) -> None:
    """Neither a user, nor a secret value of the query, however deep or escaped."""
    assert shown in (None, redact_url(url))
    assert "SECRET" not in redact_url(url)
    assert "SECRET" not in repr(BackendConfig("azure", {"account_url": url}))
    if "://" in url:
        assert "SECRET" not in repr(ResolutionPlan("k", "b", "x", url, {"url": url}))


@pytest.mark.parametrize(
    "text",
    [
        "https://host:80/a@b?x=1",
        "https://[::1]:80/a@b",
        "local:///me@home/x:1/y@z",
        "local:///C:/me@home",
        "a=" * 5000 + "b",
        "%" + "25" * 5000,
        "local:///srv/a%20b",
        "50%25 of a=b",
        "/srv/data",
        "",
    ],
)
def test_what_holds_no_credential_is_shown_as_it_is(text: str) -> None:
    """Nothing else of a text changes."""
    assert text == redact_url(text)


def test_a_class_declares_what_is_secret() -> None:
    """Its declared options reach it as Secret and are shown nowhere, from the loading on."""
    config = RegistryConfig.from_dict(
        {
            "backends": {
                "b": {"type": "vendor", "options": {"pin_of_vendor": "1234", "partition_key": "id"}}
            },
            "stores": {"s": {"backend": "b"}},
        }
    )
    load_backend("vendor")

    assert "1234" not in repr(config)
    with remote_store.Registry(config) as registry:
        registry.get_store("s")
    open_store("vendor:", pin_of_vendor="1234", partition_key=Secret("id")).close()

    wanted = {"pin_of_vendor": Secret("1234"), "partition_key": "id"}
    assert [wanted, wanted] == Vendor.got


@pytest.mark.parametrize("declared", ["pin", [1], 7])
def test_a_wrong_declaration_is_refused(declared: Any) -> None:
    """A text would be taken for a set of letters."""
    cls = type("Wrong", (Vendor,), {"SECRET_OPTIONS": declared})
    register_backend("wrong", cls)
    try:
        with pytest.raises(PluginError, match=r"SECRET_OPTIONS of Wrong must be a frozenset"):
            open_store("wrong:")
    finally:
        unregister_backend("wrong")


@pytest.mark.parametrize("blank", ["", "  \n", Secret(""), Secret(" ")])
@pytest.mark.parametrize("name", ["account_key", "pin_of_vendor", "password"])
@pytest.mark.asyncio
async def test_an_empty_secret_is_refused(name: str, blank: Any) -> None:
    """By every opener, before the backend is built: it must not become another credential."""
    config = RegistryConfig({"b": BackendConfig("vendor", {name: blank})}, {"s": StoreProfile("b")})
    message = rf"option '{name}' of backend 'vendor' is empty; .*environment variable"

    with pytest.raises(ValueError, match=message):
        open_store("vendor:", **{name: blank})
    with pytest.raises(ValueError, match=message):
        await open_async(StoreProfile("vendor", options={name: blank}))
    with remote_store.Registry(config) as registry, pytest.raises(ValueError, match=message):
        registry.get_store("s")
    async with AsyncRegistry(config) as shared:
        with pytest.raises(ValueError, match=message):
            await shared.get_store("s")
    assert [] == Vendor.got


def test_an_absent_or_public_option_may_be_empty() -> None:
    """None says that there is none; what the class calls public is its own business."""
    open_store("vendor:", password=None, partition_key="").close()

    assert [{"password": None, "partition_key": ""}] == Vendor.got


@pytest.mark.parametrize("complain", [ValueError, TypeError, OSError])
def test_a_plugin_that_shows_a_secret_is_not_repeated(complain: type[Exception]) -> None:
    """Secrets are taken out of what a constructor raises, and of its causes."""
    url = "https://host/?sig=TOPSECRET"

    with pytest.raises((ValueError, OSError)) as caught:
        open_store(
            "vendor:",
            complain=complain,
            password="TOPSECRET-1",
            pin_of_vendor="TOPSECRET-2",
            account_url=url,
            connection_string="AccountKey=TOPSECRET-3",
        )

    assert "cannot use" in chain(caught.value)
    assert "SECRET" not in chain(caught.value)


@pytest.mark.parametrize(
    "target", ["fromurl://user:TOPSECRET@host/x?a=1", "fromurl://h/?sig=TOP%2FSECRET"]
)
@pytest.mark.parametrize("later", ["", "&later"])
@pytest.mark.asyncio
async def test_a_url_that_is_refused_is_not_repeated(target: str, later: str) -> None:
    """Whether from_url raises at once or when it is awaited."""
    with pytest.raises(ValueError, match="cannot use") as caught:
        await open_async(target + later)
    with pytest.raises(ValueError, match="cannot use") as again:
        await asyncio.to_thread(open_store, target + later)

    assert "SECRET" not in chain(caught.value) + chain(again.value)


@pytest.mark.parametrize(
    "url",
    [
        "file://SECRET@host/x",
        "local://u:pw@host/x",
        "local:///x?account_key=SECRET",
        "memory://u:pw@host/x",
        "memory:///x?account_key=SECRET",
    ],
)
def test_our_plugins_repeat_no_credential(url: str) -> None:
    """Not even a short one."""
    name = url.partition(":")[0]
    with pytest.raises(ValueError, match=r"URL|memory") as caught:
        open_store(url)
    with pytest.raises(ValueError, match=r"URL|memory") as direct:
        load_backend(name).from_url(url)

    for shown in (chain(caught.value), chain(direct.value)):
        assert "SECRET" not in shown
        assert "pw" not in shown


class Vault:
    """Knows everything, and remembers what it was asked."""

    def __init__(self, answer: Any = "opened") -> None:
        self.answer = answer
        self.asked: list[str] = []

    @hookimpl
    def remote_store_resolve_secret(self, reference: str) -> Any:
        self.asked.append(reference)
        return self.answer


@pytest.fixture
def vault() -> Iterator[Vault]:
    plugin = Vault()
    register_plugin(plugin)
    yield plugin
    unregister_plugin(plugin)


@pytest.mark.parametrize("value", ["${secret:root}", "$${secret:root}", "${HOME}", "$${x}"])
@pytest.mark.parametrize(
    ("text", "environ"),
    [("${A}", "{}"), ("${A}", "{}{}"), ("$${secret:${A}}", None), ("${A:-x}", "{}")],
)
def test_a_variable_is_text(vault: Vault, value: str, text: str, environ: str | None) -> None:
    """What it holds is neither looked up nor resolved or unescaped again, copied or pickled."""
    if environ is None:
        value, wanted = "root", "${secret:root}"
    else:
        value = wanted = environ.replace("{}", value)
    data = {"backends": {"b": {"type": "vendor", "options": {"password": text, "note": text}}}}

    resolved = resolve_env(resolve_env(data, environ={"A": value}), environ={})
    for given in (resolved, copy.deepcopy(resolved), pickle.loads(pickle.dumps(resolved))):
        options = RegistryConfig.from_dict(given).backends["b"].options
        open_store(StoreProfile("vendor", options=options)).close()
        assert {"password": Secret(wanted), "note": wanted} == Vendor.got.pop()
    assert [] == vault.asked


@pytest.mark.parametrize("answer", ["", " ", 7])
def test_an_answer_that_is_no_secret_is_refused(vault: Vault, answer: Any) -> None:
    """The reference is named, not what came back."""
    vault.answer = answer

    with pytest.raises(ValueError, match=r"secret 'a/b' of option 'note' must be a text"):
        open_store("vendor:", note="${secret:a/b}")


def test_a_variable_is_text_for_open_store_too(vault: Vault) -> None:
    """A program hands it over by `resolve_env`; what it writes itself is looked up."""
    text = resolve_env("${A}", environ={"A": "${secret:root}"})
    open_store("vendor:", note=text).close()
    open_store("vendor:", note="${secret:mine}").close()

    assert [{"note": "${secret:root}"}, {"note": Secret("opened")}] == Vendor.got
    assert ["mine"] == vault.asked
