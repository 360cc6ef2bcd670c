"""Locations: what the text means, and how it becomes an open store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from remote_store import (
    RemoteStoreError,
    ResolutionPlan,
    Secret,
    register_backend,
    unregister_backend,
)
from remote_store.aio import AsyncStore
from remote_store_cli._console import redacted
from remote_store_cli._location import Location, Origin, parse
from remote_store_cli._opening import OpenedPath, Opener, is_within
from remote_store_cli._outcome import InvalidCommand
from remote_store_cli._settings import BackendOptions
from remote_store_memory import AsyncMemoryBackend

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Servers


@pytest.mark.parametrize(
    ("text", "segments", "base", "folder"),
    [
        ("shared://h/a/b.txt", ("a", "b.txt"), 1, False),
        ("shared://h/a/b/", ("a", "b"), 2, True),
        ("shared://h", (), 0, False),
        ("shared://h/", (), 0, True),
        ("shared://h/a%20b/c%23d", ("a b", "c#d"), 1, False),
        ("shared:///a//./b", ("a", "b"), 1, False),
        ("@reports", (), 0, False),
        ("@reports/2024/x.csv", ("2024", "x.csv"), 0, False),
        ("@reports/2024/", ("2024",), 0, True),
    ],
)
def test_parse(text: str, segments: tuple[str, ...], base: int, folder: bool) -> None:
    """The last segment of a URL is the key, unless it ends in a slash; names have no base."""
    location = parse(text)

    assert (segments, base, folder) == (location.segments, location.base, location.folder)


@pytest.mark.parametrize(
    "text",
    ["", "a\0b", "shared://h/../x", "shared://h/a%2Fb", "local:data", "@", "@/x", "my_acme://h"],
)
def test_parse_refuses(text: str) -> None:
    """What could mean two things, or leave its folder, is refused."""
    with pytest.raises(InvalidCommand):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "azure:acct/c?sv=1&sig=TOPSECRET",
        "user:TOPSECRET@host/x",
        "my_acme://user:TOPSECRET@host/x",
        " acme://user:TOPSECRET@host/x",
        "://user:TOPSECRET@host/x",
        "a://user:TOPSECRET@host/x",
    ],
)
def test_a_mistyped_url_is_not_repeated(text: str) -> None:
    """What is no URL, but looks like one, is neither printed nor taken for a path."""
    with pytest.raises(InvalidCommand) as caught:
        parse(text)

    assert "TOPSECRET" not in str(caught.value)
    assert "TOPSECRET" in "/".join(parse(f"./{text}").segments)


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


def test_a_path_is_a_local_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain path means the local plugin, whatever characters it has."""
    monkeypatch.chdir(tmp_path)
    here = os.path.realpath(tmp_path).strip("/").split("/")

    location = parse("./50% off?#1")

    assert Origin("local", "", "") == location.origin
    assert (*here, "50% off?#1") == location.segments
    assert tuple(here) == parse(".").segments
    assert parse("./x/").folder
    assert not parse("./x").folder


def test_a_path_goes_through_links_as_the_system_does(tmp_path: Path) -> None:
    """``link/../x`` is next to the link's target; the last segment stays what it is."""
    (tmp_path / "far" / "dir").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "dir")

    assert parse(f"{tmp_path}/link/../x").segments[-2:] == ("far", "x")
    assert parse(f"{tmp_path}/link").name == "link"


def test_a_backslash_never_becomes_another_path(cli: Cli, servers: Servers) -> None:
    """A store would read a backslash as a slash, and remove another file."""
    servers.seed("s", {"a/b": b"precious"})

    result = cli("rm", "shared://s/a\\b", code=2)

    assert "backslash" in result.stderr
    assert servers.files("s") == {"a/b": b"precious"}


def _opened(*texts: str) -> tuple[Opener, list[Location]]:
    opener = Opener(texts, None, None)
    return opener, opener.locations


@pytest.mark.asyncio
async def test_two_urls_of_one_origin_share_a_store(servers: Servers) -> None:
    """They meet at the closest common folder, so that the backend itself can move."""
    opener, (a, b) = _opened("shared://h/x/in/a", "shared://h/x/out/deep/b")
    async with opener:
        first, second = await opener.open(a), await opener.open(b)

    assert first.store is second.store
    assert (first.key, second.key) == ("in/a", "out/deep/b")


@pytest.mark.asyncio
async def test_a_chosen_root_is_not_left(servers: Servers) -> None:
    """A URL that ends in a slash is opened there, not above: there may be nothing to open."""
    opener, (a, b) = _opened("shared://h/x/in/", "shared://h/x/out/b")
    async with opener:
        first, second = await opener.open(a), await opener.open(b)

    assert first.store is not second.store
    assert (first.key, second.key) == ("", "b")


@pytest.mark.asyncio
async def test_other_hosts_do_not_share(servers: Servers) -> None:
    """Two servers are two stores."""
    opener, (a, b) = _opened("shared://h1/x/a", "shared://h2/x/a")
    async with opener:
        assert (await opener.open(a)).store is not (await opener.open(b)).store


class Creating(AsyncMemoryBackend):
    """A backend with a root that its constructor may create."""

    asked: ClassVar[list[bool]] = []

    def __init__(self, create_root: bool = True) -> None:
        super().__init__()
        self.asked.append(create_root)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> tuple[Creating, str]:
        return cls(**options), ""


@pytest.fixture
def creating() -> Iterator[list[bool]]:
    register_backend("creating", Creating)
    Creating.asked.clear()
    yield Creating.asked
    unregister_backend("creating")


def test_reading_creates_no_root(cli: Cli, creating: list[bool]) -> None:
    """Where a backend can be told not to create its root, reading tells it so."""
    cli("ls", "creating:///")
    cli("cat", "creating:///no/such", code=1)

    assert creating == [False, False]


def test_writing_may_create_the_root(cli: Cli, servers: Servers, creating: list[bool]) -> None:
    """The store of a destination is opened for writing."""
    servers.seed("s", {"x": b""})

    cli("cp", "shared://s/x", "creating:///new/y")

    assert creating == [True]


def test_named_stores_come_from_the_configuration(
    cli: Cli, servers: Servers, tmp_path: Path, creating: list[bool]
) -> None:
    """@NAME/path is a path in a store of the file; reading does not create its root either."""
    config = tmp_path / "stores.toml"
    config.write_text(
        '[backends.b]\ntype = "creating"\n[stores.reports]\nbackend = "b"\nroot_path = "r"\n'
    )
    servers.seed("s", {"x": b""})

    cli("cat", "@reports/x", "--config", str(config), code=1)
    cli("cp", "shared://s/x", "@reports/y", "--config", str(config))

    assert creating == [False, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@missing/x", "no store 'missing' in the configuration; known: reports"),
        ("@reports/x", "no plugin serves backend 'nonesuch'"),
    ],
)
def test_named_stores_that_cannot_be_opened(
    cli: Cli, tmp_path: Path, text: str, message: str
) -> None:
    """What is wrong with a name or its plugin is said in one line."""
    config = tmp_path / "stores.toml"
    config.write_text('[backends.b]\ntype = "nonesuch"\n[stores.reports]\nbackend = "b"\n')

    result = cli("cat", text, "--config", str(config), code=2 if "missing" in text else 3)

    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["ls"], ["ls", "-r"], ["tree"], ["info"], ["rm", "-r", "--yes"], ["cp", "-r", "", "out"]],
)
def test_a_root_that_does_not_exist_is_not_an_empty_folder(
    cli: Cli, tmp_path: Path, arguments: list[str]
) -> None:
    """A mistyped root_path is an error of whatever looks at it, as a mistyped path is."""
    config = tmp_path / "stores.toml"
    config.write_text(
        '[backends.b]\ntype = "memory"\n[stores.reports]\nbackend = "b"\nroot_path = "typo"\n'
    )
    arguments = [a or "@reports" for a in arguments]
    arguments += [] if "@reports" in arguments else ["@reports"]

    result = cli(*arguments, "--config", str(config), code=1)

    assert result.stderr == "error: no such folder: @reports\n"
    if arguments[0] == "rm":
        cli(*arguments, "--missing-ok", "--config", str(config))


def test_a_root_path_that_cannot_be_is_wrong_usage(cli: Cli, tmp_path: Path) -> None:
    """Nothing was done: the configuration is to be repaired."""
    config = tmp_path / "stores.toml"
    config.write_text(
        '[backends.b]\ntype = "memory"\n[stores.reports]\nbackend = "b"\nroot_path = "../x"\n'
    )

    result = cli("ls", "@reports", "--config", str(config), code=2)

    assert "the root of @reports cannot be used: " in result.stderr


def test_the_configuration_may_come_from_the_environment(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, creating: list[bool]
) -> None:
    """REMOTE_STORE_CONFIG stands in for --config."""
    config = tmp_path / "stores.toml"
    config.write_text('[backends.b]\ntype = "creating"\n[stores.reports]\nbackend = "b"\n')
    monkeypatch.setenv("REMOTE_STORE_CONFIG", str(config))

    cli("ls", "@reports")

    assert creating == [False]


def test_a_name_needs_a_configuration(cli: Cli, tmp_path: Path) -> None:
    """Without a file, with a missing or a malformed one, the command is not carried out."""
    bad = tmp_path / "bad.toml"
    bad.write_text("[[[")

    assert "--config" in cli("ls", "@x", code=2).stderr
    assert "No such file" in cli("ls", "@x", "--config", str(tmp_path / "no"), code=2).stderr
    assert "bad.toml" in cli("ls", "@x", "--config", str(bad), code=2).stderr


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


def test_a_named_store_needs_nothing_of_the_others(cli: Cli, tmp_path: Path) -> None:
    """A variable that only another backend names need not be set."""
    config = tmp_path / "c.toml"
    config.write_text(
        "[backends.m]\ntype = 'memory'\n[backends.a]\ntype = 'azure'\n"
        "options = { account_key = '${SURELY_NOT_SET}' }\n"
        "[stores.s]\nbackend = 'm'\n[stores.a]\nbackend = 'a'\n"
    )

    cli("ls", "@s", "--config", str(config))
    result = cli("ls", "@a", "--config", str(config), code=2)
    assert (
        "'SURELY_NOT_SET' is not set (needed at $.backends.a.options.account_key)" in result.stderr
    )


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


class Plans(AsyncMemoryBackend):
    """A backend that says where its files are."""

    def __init__(self, root: str, host: str | None) -> None:
        super().__init__()
        self._root, self._host = root, host

    def resolve(self, path: str) -> ResolutionPlan:
        plan = super().resolve(path)
        details: dict[str, object] = {"root": self._root, "host": self._host}
        details = details if self._host else {}
        native = f"{self._root}/{path}" if path else self._root
        return type(plan)(plan.kind, plan.backend, path, native, details)


@pytest.mark.parametrize(
    ("root", "host", "key", "expected"),
    [
        ("/srv/data", "h1", "x/y", True),
        ("/srv", "h1", "data/x", True),
        ("/srv", "h1", "data/xy", False),
        ("/srv/data", "h2", "x/y", False),
        ("/srv/data", None, "x/y", None),
    ],
)
def test_overlap_of_two_stores_is_told_by_their_plans(
    root: str, host: str | None, key: str, expected: bool | None
) -> None:
    """Native paths and the rest of the plan decide; without details nothing is claimed."""
    outer = OpenedPath(AsyncStore(Plans("/srv/data", "h1")), "x", parse("shared://s"))
    inner = OpenedPath(AsyncStore(Plans(root, host)), key, parse("@s"))

    assert expected is is_within(inner, outer)


@pytest.mark.parametrize("schemes", [("local", "local"), ("file", "local")])
@pytest.mark.parametrize("slash", ["/", ""])
def test_a_link_in_a_url_hides_no_overlap(
    cli: Cli, tmp_path: Path, schemes: tuple[str, str], slash: str
) -> None:
    """A folder is not copied into itself, nor a file moved over itself, by way of a link."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("content")
    (tmp_path / "link").symlink_to("d")
    real, linked = f"{schemes[0]}://{tmp_path}/d", f"{schemes[1]}://{tmp_path}/link"

    result = cli("cp", "-r", real + slash, f"{linked}/sub", code=2)
    assert "itself or lies in it" in result.stderr
    cli("mv", "--overwrite", f"{real}/f", f"{linked}/f", code=2)
    cli("cp", "-r", real, f"{linked}-not/sub")

    assert (tmp_path / "d" / "f").read_text() == "content"
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["f"]
    assert (tmp_path / "link-not" / "sub" / "f").exists()
