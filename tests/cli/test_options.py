"""Options of backends, and what is secret in them and in URLs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from remote_store import (
    PermissionDenied,
    RemoteStoreError,
    Secret,
    register_backend,
    unregister_backend,
)
from remote_store_cli._console import redacted
from remote_store_cli._outcome import InvalidCommand
from remote_store_cli._settings import BackendOptions
from remote_store_memory import AsyncMemoryBackend

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Servers


def test_options_reach_the_plugin(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text stays text, ``:=`` is JSON, a scheme limits, a variable is resolved, a key is secret."""
    monkeypatch.setenv("THE_KEY", "s3cr3t-value")
    cli(
        *("ls", "shared://s", "-o", "number=7", "-o", "limit:=7", "-o", "shared:flag:=true"),
        *("-o", "account_key=${THE_KEY}"),
    )

    expected = {
        "number": "7",
        "limit": 7,
        "flag": True,
        "account_key": Secret("s3cr3t-value"),
    }
    assert [expected] == servers.seen_options


@pytest.mark.parametrize(
    "option",
    [
        "novalue",
        "=x",
        "a:=nojson",
        pytest.param("a:=" + "[" * 100_000, id="too deep"),
        pytest.param("a:=" + "9" * 5_000, id="too many digits"),
        "az:key=1",
        "x=${SURELY_NOT_SET_ANYWHERE}",
        "x=${A:nothing}",
    ],
)
def test_wrong_options_are_refused(cli: Cli, servers: Servers, option: str) -> None:
    """An option that is malformed or meant for nobody is a mistake, not ignored."""
    cli("ls", "shared://s", "-o", option, code=2)


def test_options_a_plugin_refuses(cli: Cli, creating: list[bool]) -> None:
    """A constructor's refusal is the user's mistake, in one line."""
    result = cli("ls", "creating:///", "-o", "colour=red", code=2)

    assert "refuses its options" in result.stderr
    assert result.stderr.count("\n") == 1


class Leaking(AsyncMemoryBackend):
    """A backend that repeats what it was given, as a careless one would."""

    @classmethod
    def from_url(cls, url: str, **options: Any) -> tuple[Leaking, str]:
        revealed = [v.reveal() if isinstance(v, Secret) else v for v in options.values()]
        raise ValueError(f"cannot connect to {url} with {revealed}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("leaking://host/x#TOPSECRET", "leaking://host/#***"),
        ("leaking://host/x#TOP%20SECRET", "leaking://host/#***"),
        ("leaking://host/x?sig=TOP%2FSECRET", "leaking://host/?sig=***"),
        ("leaking://u:TOP%2FSECRET@host/x", "leaking://***@host/"),
    ],
)
def test_no_part_of_a_url_shows_a_credential(cli: Cli, text: str, shown: str) -> None:
    """Fragments and escaped values are masked, too."""
    register_backend("leaking", Leaking)
    try:
        result = cli("cat", text, code=2)
    finally:
        unregister_backend("leaking")

    assert f"cannot connect to {shown} with" in result.stderr
    assert "SECRET" not in result.output


def test_a_short_password_is_not_repeated_either(cli: Cli, servers: Servers) -> None:
    """It is too short to be masked wherever it appears: messages name the location without it."""
    servers.seed("s", {"d/x": b""})

    for arguments in (
        ["rm", "shared://u:pw1@s/"],
        ["cat", "shared://u:pw1@s/"],
        ["cp", "shared://u:pw1@s/d", "./x"],
        ["mv", "shared://u:pw1@s/d", "./x"],
    ):
        assert "pw1" not in cli(*arguments, code=2).output


def test_secrets_are_never_printed(cli: Cli) -> None:
    """Passwords, query values and credential options are masked even in a plugin's message."""
    register_backend("leaking", Leaking)
    try:
        result = cli(
            *("cat", "leaking://user:hunter22@host/x?sig=abcdefgh", "-o", "sas_token=verysecret"),
            code=2,
        )
    finally:
        unregister_backend("leaking")

    assert "cannot connect to leaking://***@host/?sig=***" in result.stderr
    for secret in ("hunter22", "abcdefgh", "verysecret"):
        assert secret not in result.output


class Pinned(AsyncMemoryBackend):
    """A backend with a secret that only its class knows, which its operations repeat."""

    SECRET_OPTIONS: ClassVar[frozenset[str]] = frozenset({"pin"})

    def __init__(self, pin: Any) -> None:
        super().__init__()
        self._pin = pin.reveal()

    async def is_file(self, path: str) -> bool:
        raise RemoteStoreError(f"pin {self._pin} was refused")

    is_folder = is_file


def test_what_a_class_declares_to_be_secret_is_not_printed(cli: Cli, tmp_path: Path) -> None:
    """Neither when it was given as an option, nor from a configuration."""
    config = tmp_path / "c.toml"
    config.write_text(
        "[backends.p]\ntype = 'pinned'\noptions = { pin = '12345678' }\n[stores.s]\nbackend = 'p'\n"
    )
    register_backend("pinned", Pinned)
    try:
        for args in (["pinned:///x", "-o", "pin=12345678"], ["@s/x", "--config", str(config)]):
            assert "pin *** was refused" in cli("ls", *args, code=1).stderr
    finally:
        unregister_backend("pinned")


@pytest.mark.parametrize("location", ["file://SECRET@host/x", "local:///x?account_key=SECRET"])
def test_a_refused_url_shows_no_credential(cli: Cli, location: str) -> None:
    """Our own plugins refuse it, and nothing of it is printed."""
    assert "SECRET" not in cli("ls", location, code=2).output
    assert "pw" not in cli("ls", "memory://u:pw@h/x", code=2).output
    assert "w@h" not in cli("ls", "memory://u:p/w@h/x", code=2).output


def test_redaction_takes_the_longest_secret_first() -> None:
    """A secret inside another leaves no rest of the longer one."""
    BackendOptions.parse(["key=abcd1234", "secret=abcd1234-and-more"]).of("any")

    assert redacted("abcd1234-and-more abcd1234") == "*** ***"


def test_an_option_for_no_location() -> None:
    """Options are for URLs: a command that only names stores has no use for them."""
    with pytest.raises(InvalidCommand):
        BackendOptions.parse(["a=b"]).check_used([])


def test_a_plain_path_beside_a_url_gets_options_for_local_only(
    cli: Cli, servers: Servers, tmp_path: Path
) -> None:
    """What is meant for a service is not refused by this machine's files."""
    servers.seed("s", {"a": b"1"})

    cli("cp", "shared://s/a", str(tmp_path), "-o", "account_key=abcd")
    refused = cli("cp", "shared://s/a", str(tmp_path), "-o", "local:account_key=abcd", code=2)

    assert (tmp_path / "a").read_bytes() == b"1"
    assert "'local' refuses its options" in refused.stderr


@pytest.mark.parametrize("command", ["cp", "mv", "rm"])
def test_json_shows_no_secret_of_an_error(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """A service may repeat what it was given; standard output hides it, as standard error does."""
    servers.seed("s", {"a": b"1", "b": b"1"})
    backend = servers.store("s")._backend

    async def refuse(path: str, *args: Any, **options: Any) -> Any:
        msg = "the key hunter22 is refused"
        raise PermissionDenied(msg, path=path)

    for name in ("read_bytes", "delete", "move"):
        monkeypatch.setattr(backend, name, refuse, raising=False)
    sides = ["shared://me:hunter22@s/a", "shared://me:hunter22@s/b"]
    target = [] if command == "rm" else ["shared://t/out/"]

    result = cli(command, "--json", *sides, *target, code=1)

    assert "the key *** is refused" in result.stdout
    assert "the key *** is refused" in result.stderr
    assert "hunter22" not in result.output
