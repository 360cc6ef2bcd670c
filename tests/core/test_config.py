"""Configuration: TOML and dicts, variables, secrets, retry policies."""

from __future__ import annotations

import copy
import logging
import pickle
import tomllib
from pathlib import Path
from typing import Any

import pytest
from attrs.exceptions import FrozenInstanceError

from remote_store import (
    BackendConfig,
    RegistryConfig,
    RetryPolicy,
    Secret,
    SecretRedactionFilter,
    StoreProfile,
    resolve_env,
)
from remote_store._plugins.references import resolve_secrets

TOML = """
[tool.stores.backends.main]
type = "azure"
options = { container = "c", account_key = "${KEY}", port = 7, note = "$${KEY} ${NOTE:-none}" }
retry = { max_attempts = 5, jitter = 0.4 }

[tool.stores.backends.scratch]
type = "memory"

[tool.stores.stores.reports]
backend = "main"
root_path = "reports/${YEAR:-2026}"

[tool.stores.stores.all]
backend = "scratch"
options = { password = "p" }
"""


def test_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TOML table becomes a configuration; variables are resolved, credentials are hidden."""
    monkeypatch.setenv("KEY", "s3cret")
    monkeypatch.delenv("YEAR", raising=False)
    monkeypatch.delenv("NOTE", raising=False)
    path = tmp_path / "pyproject.toml"
    path.write_text(TOML)

    config = RegistryConfig.from_toml(path, table=("tool", "stores"), resolve_env_vars=True)

    config.validate()
    assert config == RegistryConfig(
        backends={
            "main": BackendConfig(
                "azure",
                {
                    "container": "c",
                    "account_key": Secret("s3cret"),
                    "port": 7,
                    "note": "${KEY} none",
                },
                RetryPolicy(max_attempts=5, jitter=0.4),
            ),
            "scratch": BackendConfig("memory"),
        },
        stores={
            "reports": StoreProfile("main", "reports/2026"),
            "all": StoreProfile("scratch", options={"password": Secret("p")}),
        },
    )
    assert "s3cret" not in repr(config)


def test_toml_without_resolution_keeps_text(tmp_path: Path) -> None:
    """Variables are left alone unless asked for; a missing table is a KeyError."""
    path = tmp_path / "stores.toml"
    path.write_text('[backends.a]\ntype = "${TYPE}"\n')

    assert "${TYPE}" == RegistryConfig.from_toml(path).backends["a"].type
    with pytest.raises(KeyError, match="the file has no table 'nowhere'"):
        RegistryConfig.from_toml(path, table=("nowhere",))
    with pytest.raises(KeyError, match=r"backends\.a has no table 'b'"):
        RegistryConfig.from_toml(path, table=("backends", "a", "b", "c"))
    for beyond in ((), ("x",)):
        with pytest.raises(TypeError, match=r"backends\.a\.type must be a table"):
            RegistryConfig.from_toml(path, table=("backends", "a", "type", *beyond))


def test_toml_of_some_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other stores need, be it a variable or a correction, does not matter."""
    monkeypatch.setenv("MAIN", "a")
    monkeypatch.delenv("UNSET", raising=False)
    path = tmp_path / "stores.toml"
    path.write_text(
        '[backends.a]\ntype = "memory"\n[backends.b]\ntype = "x"\noptions = { k = "${UNSET}" }\n'
        '[backends.c]\n[stores.s]\nbackend = "${MAIN}"\noptions = { t = "$${MAIN}" }\n'
        '[stores.other]\nbackend = "b"\n[stores.lost]\nbackend = "${UNSET}"\n'
    )

    def read(*stores: str) -> RegistryConfig:
        return RegistryConfig.from_toml(path, resolve_env_vars=True, stores=stores)

    assert read("s") == RegistryConfig(
        {"a": BackendConfig("memory")}, {"s": StoreProfile("a", options={"t": "${MAIN}"})}
    )
    with pytest.raises(KeyError, match=r"needed at \$\.backends\.b\.options\.k\); set it"):
        read("s", "other")
    with pytest.raises(KeyError, match=r"needed at \$\.stores\.lost\.backend"):
        read("lost")
    with pytest.raises(
        KeyError, match="no store 'gone' in the configuration; known: lost, other, s"
    ):
        read("gone")
    with pytest.raises(ValueError, match=r"unknown backend '\$\{MAIN\}'"):
        RegistryConfig.from_toml(path, stores=["s"]).validate()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_toml_of_other_editors(tmp_path: Path, newline: str) -> None:
    """A byte order mark is no part of the text; what is no UTF-8 is told so."""
    path = tmp_path / "stores.toml"
    text = newline.join(["[backends.a]", 'type = "ä"', ""])
    path.write_bytes(text.encode("utf-8-sig"))

    assert "ä" == RegistryConfig.from_toml(path).backends["a"].type
    for encoding in ("utf-16", "latin-1"):
        path.write_bytes(text.encode(encoding))
        with pytest.raises(tomllib.TOMLDecodeError, match="save it as UTF-8"):
            RegistryConfig.from_toml(path)


def test_toml_without_end(tmp_path: Path) -> None:
    """What the parser cannot follow is an error of the file."""
    path = tmp_path / "stores.toml"
    path.write_text("a=" + "[" * 20_000)

    with pytest.raises(tomllib.TOMLDecodeError, match="nests"):
        RegistryConfig.from_toml(path)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ([], TypeError, "the configuration must be a table, got list"),
        (None, TypeError, "the configuration is null"),
        ({"backends": None}, TypeError, "backends is null; leave it out"),
        ({"backends": {"a": None}}, TypeError, r"backends\.a is null"),
        (
            {"backends": {"a": {"type": "m", "options": None}}},
            TypeError,
            r"backends\.a\.options is null; leave it out, or give it a table",
        ),
        ({"stores": {"s": {"backend": "a", "options": None}}}, TypeError, "options is null"),
        ({"backends": []}, TypeError, "backends must be a table, got list"),
        ({"stores": "x"}, TypeError, "stores must be a table, got str"),
        ({"backends": {"a": 1}}, TypeError, r"backends\.a must be a table"),
        ({"backends": {"a": {}}}, KeyError, r"backends\.a has no 'type'"),
        ({"backends": {"a": {"type": 1}}}, TypeError, r"backends\.a\.type must be a str"),
        ({"backends": {"a": {"type": "m", "options": 1}}}, TypeError, r"options must be a table"),
        ({"backends": {"a": {"type": "m", "retry": 1}}}, TypeError, r"retry must be a table"),
        (
            {"backends": {"a": {"type": "m", "retry": {"tries": 1}}}},
            ValueError,
            r"'tries' in backends\.a\.retry; known: max_attempts",
        ),
        *(
            (
                {"backends": {"a": {"type": "m", "retry": {"max_attempts": attempts}}}},
                ValueError,
                r"backends\.a\.retry: 'max_attempts'",
            )
            for attempts in (0, "3", None)
        ),
        ({"backends": {"a": {"type": "m", "kind": 1}}}, ValueError, r"'kind' in backends\.a"),
        ({"stores": {"s": {}}}, KeyError, r"stores\.s has no 'backend'"),
        ({"stores": {"s": {"backend": "a", "root_path": 1}}}, TypeError, "root_path must be a str"),
        ({"stores": {"s": {"backend": "a", "root": ""}}}, ValueError, r"'root' in stores\.s"),
    ],
)
def test_wrong_data_is_named(data: Any, error: type[Exception], words: str) -> None:
    """Each mistake is an error that names its place."""
    with pytest.raises(error, match=words):
        RegistryConfig.from_dict(data)


def test_unknown_top_level_key_warns() -> None:
    """A key that is no section is ignored with a warning."""
    with pytest.warns(UserWarning, match="unknown key 'backend'"):
        config = RegistryConfig.from_dict({"backend": {}})

    assert RegistryConfig() == config


def test_null_root_path_is_the_root() -> None:
    """A root_path of None is the backend's root."""
    data = {"stores": {"s": {"backend": "a", "root_path": None}}}

    assert "" == RegistryConfig.from_dict(data).stores["s"].root_path


def test_validate_names_store_and_backend() -> None:
    """A store on an unknown backend is refused."""
    config = RegistryConfig(stores={"s": StoreProfile("gone")})

    with pytest.raises(ValueError, match=r"store 's' names unknown backend 'gone'; known: none"):
        config.validate()


def test_resolve_env() -> None:
    """Values and items are resolved in a copy; keys, numbers and secrets references are not."""
    data = {"${A}": ["${A}", {"x": "a${A}b${B:-}c${C:-d:e}"}, 3, None], "s": "${secret:v/${x"}

    resolved = resolve_env(data, environ={"A": "1"})

    assert {"${A}": ["1", {"x": "a1bcd:e"}, 3, None], "s": "${secret:v/${x"} == resolved
    assert "${A}" == data["${A}"][0]
    assert "${A} ${" == resolve_env("$${A} $${", environ={})


@pytest.mark.parametrize(
    "text", ["${A:hunter2}", "${hunter2", "${}", "x${A:-${hunter2}}", "${hunter2 ${A}"]
)
def test_resolve_env_refuses_what_is_malformed(text: str) -> None:
    """It is not passed on as text; the place is told, and nothing of what may be a credential."""
    with pytest.raises(ValueError, match=r"malformed variable at \$\.a\[0\]") as caught:
        resolve_env({"a": [text]}, environ={"A": "1"})

    assert "hunter2" not in str(caught.value)


def test_a_secret_reference_can_be_escaped() -> None:
    """``$${secret:x}`` reaches the backend as text, whether or not variables were resolved."""
    given = {
        "plain": "$${secret:x}",
        "hidden": Secret("$${secret:x}"),
        "inside": "a$${secret:x}",
    }
    wanted = {"plain": "${secret:x}", "hidden": Secret("${secret:x}")}

    resolved = resolve_env(given, environ={})

    assert {**wanted, "inside": "a${secret:x}"} == resolve_secrets(resolved)
    assert {**wanted, "inside": "a$${secret:x}"} == resolve_secrets(given)


def test_resolve_env_names_variable_and_place() -> None:
    """A variable that is not set, without a default, is an error that says where and what to do."""
    message = r"'NOPE' is not set \(needed at \$\.a\.b\[1\]\); set it, or write \$\{NOPE:-default\}"
    with pytest.raises(KeyError, match=message):
        resolve_env({"a": {"b": ["", "${NOPE}"]}}, environ={})


def test_secret_shows_nothing() -> None:
    """A secret is compared by value, copied and pickled with it, and never shown."""
    secret = Secret("hunter2")

    assert "hunter2" == secret.reveal()
    assert "Secret('***') *** ***" == f"{secret!r} {secret} {secret!s}"
    assert Secret("hunter2") == secret != Secret("x")
    assert secret != "hunter2"
    assert hash(Secret("hunter2")) == hash(secret)
    assert secret
    assert not Secret("")
    for twin in (copy.copy(secret), copy.deepcopy(secret), pickle.loads(pickle.dumps(secret))):
        assert secret == twin
    with pytest.raises(AttributeError, match="immutable"):
        secret._value = "x"
    with pytest.raises(AttributeError, match="immutable"):
        del secret._value
    with pytest.raises(TypeError, match="got bytes"):
        Secret(b"x")  # type: ignore[arg-type]


def test_redaction_filter() -> None:
    """Secrets among a record's arguments are replaced, in both forms of arguments."""
    redact = SecretRedactionFilter()

    def shown(*args: object) -> str:
        record = logging.LogRecord("n", logging.INFO, "f", 1, "%s", args, None)
        if isinstance(record.args, dict):
            record.msg = "%(k)s"
        assert redact.filter(record) is True
        return record.getMessage()

    assert "***" == shown(Secret("x"))
    assert "***" == shown({"k": Secret("x")})
    assert "plain" == shown("plain")
    record = logging.LogRecord("n", logging.INFO, "f", 1, "text", None, None)
    assert redact.filter(record) is True


@pytest.mark.parametrize(
    "fields",
    [
        {"max_attempts": 0},
        {"backoff_base": -1},
        {"backoff_max": -0.1},
        {"jitter": -1},
        {"timeout": 0},
        {"timeout": -1},
        {"max_attempts": 2.5},
        {"max_attempts": True},
        {"max_attempts": "3"},
        {"backoff_base": float("inf")},
        {"timeout": 10**400},
        {"backoff_max": float("nan")},
        {"jitter": None},
        {"timeout": "5"},
        {"timeout": float("inf")},
    ],
)
def test_retry_policy_refuses(fields: dict[str, Any]) -> None:
    """Values that make no sense are refused by name."""
    with pytest.raises(ValueError, match=next(iter(fields))):
        RetryPolicy(**fields)


def test_retry_policy() -> None:
    """The defaults are the documented ones, and a policy is frozen."""
    policy = RetryPolicy()

    assert RetryPolicy(3, 1.0, 60.0, 1.0, None) == policy
    assert RetryPolicy(max_attempts=1) == RetryPolicy.disabled()
    with pytest.raises(FrozenInstanceError):
        policy.jitter = 2  # type: ignore[misc]
