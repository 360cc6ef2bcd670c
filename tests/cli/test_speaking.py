"""What is said of errors: one line, to a program as JSON, and what to do next."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from remote_store import PermissionDenied
from remote_store_cli._app import app
from remote_store_cli._outcome import about
from remote_store_cli._output import columns, emit_table, printable

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli, Servers

COMMANDS = [
    *([name] for name, command in app.commands.items() if not command.hidden),
    ["config", "init"],
    [],
]


@pytest.fixture
def refusing(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Servers:
    """Serve a store that answers each question with 403."""
    servers.seed("s", {"in/a": b"1", "in/b": b"2", "in/c": b"3"})
    backend = servers.store("s")._backend

    async def refuse(path: str, *args: Any, **options: Any) -> Any:
        msg = "the key is wrong"
        raise PermissionDenied(msg, path=path, status=403, code="AuthenticationFailed")

    for name in ("is_file", "get_file_info", "delete"):
        monkeypatch.setattr(backend, name, refuse, raising=False)
    return servers


@pytest.mark.parametrize(
    "arguments",
    [
        ["ls", "--no-such"],
        ["nonsense"],
        ["cp", "one"],
        ["check", "a", "b", "c"],
        ["cp", "x", "y", "--jobs", "0"],
        ["sync", "a", "b", "--links", "no"],
    ],
)
def test_wrong_usage_is_one_line(cli: Cli, arguments: list[str]) -> None:
    """It names the command whose help is to be read; a program gets it as JSON."""
    text = cli(*arguments, code=2).stderr
    told = json.loads(cli(*arguments[:1], "--json", *arguments[1:], code=2).stderr)

    assert text.startswith("error: ")
    assert text.count("\n") == 1
    assert "--help" in text
    assert (told["level"], told["type"]) == ("error", "InvalidCommand")


def test_wrong_usage_repeats_no_credential(cli: Cli) -> None:
    """A word too many may be a URL with a password, or an option whose -o is missing."""
    told = cli("check", "a", "b", "memory://me:hunter22@h/x", "account_key=hunter33", code=2)

    assert "memory://***@h/x" in told.stderr
    assert "hunter" not in told.stderr


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["cp", "a", "b", "--jobs={}"], "https://***@h/x"),
        (["cp", "a", "b", "-rnj{}"], "https://***@h/x"),
        (["cp", "a", "b", "--compare={}"], "https://***@h/x"),
        (["cp", "-r", "a", "b", "--newer", "{}"], "https://***@h/x"),
        (["cp", "-r", "a", "b", "--include", "{}/["], "https://***@h/x"),
        (["cp", "a", "b", "--config", "{}"], "https://***@h/x"),
        (["config", "init", "{}"], "https://***@h/x"),
        (["signed-url", "a", "--expires", "{}"], "https://***@h/x"),
        (["cp", "a", "b", "--jobs=account_key=hunter22=="], "'account_key=***'"),
        (["backends", "account_key=a\nhunter22"], "(account_key=***)"),
        (["account_key=\\hunter22"], "'account_key=***'"),
        (["https://me:'\"hunter22@h/x"], "https://***@h/x"),
    ],
)
@pytest.mark.parametrize("password", ["hunter22", "back\\hunter22"])
def test_values_of_options_repeat_no_credential(
    cli: Cli, arguments: list[str], shown: str, password: str
) -> None:
    """Nor where a message quotes it, with escapes or without the option that it is the value of."""
    told = cli(*(word.format(f"https://me:{password}@h/x") for word in arguments), code=2)

    assert shown in told.stderr
    assert "hunter" not in told.stderr


def test_a_name_that_looks_like_a_secret_is_shown(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a URL around it, `key=5` is a folder of a partitioned table."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key=5").mkdir()

    assert "key=5 is a folder" in cli("rm", "key=5", code=2).stderr


@pytest.mark.parametrize("jobs", ["10001", "9" * 30])
def test_so_many_files_at_a_time_are_refused(cli: Cli, jobs: str) -> None:
    """Each of them took memory, until the machine had none."""
    assert "from 1 to 10000" in cli("cp", "a", "b", "--jobs", jobs, code=2).stderr


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_is_plain_and_fits(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, command: list[str], width: int
) -> None:
    """Each command has -h; no line is wider than the screen, and a pipe gets no escapes."""
    monkeypatch.setenv("COLUMNS", str(width))

    page = cli(*command, "-h").stdout

    assert cli(*command, "--help").stdout == page
    assert " ".join(page.split()).startswith(" ".join(["Usage:", "remote-store", *command]))
    assert max(map(len, page.splitlines())) <= width
    assert "\x1b" not in page


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["ls", "shared://s/no"], "NotFound"),
        (["rm", "shared://s/no"], "NotFound"),
        (["cp", "shared://s/no", "shared://s/to"], "NotFound"),
        (["rm", "-r", "shared://s"], "InvalidCommand"),
        (["ls", "nonesuch://x"], "PluginError"),
    ],
)
def test_a_program_is_told_errors_as_json(
    cli: Cli, servers: Servers, arguments: list[str], kind: str
) -> None:
    """One object a line on standard error, with the class of the error."""
    code = {"InvalidCommand": 2, "PluginError": 3}.get(kind, 1)
    result = cli(*arguments, "--json", code=code)

    told = [json.loads(line) for line in result.stderr.splitlines()]
    assert [(one["level"], one["type"]) for one in told] == [("error", kind)]
    assert told[0]["message"]


@pytest.mark.parametrize("command", ["find", "ls", "rm", "cp", "mv"])
def test_a_refusal_is_told_once(cli: Cli, refusing: Servers, command: str) -> None:
    """Who may not look at one may not look at the others; a program is told of each."""
    sources = [f"shared://s/in/{name}" for name in "abc"]
    target = ["shared://t/out/"] if command in ("cp", "mv") else []

    result = cli(command, *sources, *target, code=1)
    as_json = cli(command, "--json", *sources, *target, code=1)

    first, last = result.stderr.splitlines()[:2]
    assert first.startswith("error: shared://s/in/a: the key is wrong; ")
    assert last == "error: 2 more were refused in the same way (403); --json lists them"
    messages = [json.loads(line) for line in as_json.stderr.splitlines()]
    assert [one.get("status") for one in messages] == [403] * 3


def test_names_are_told_as_they_are(cli: Cli, servers: Servers) -> None:
    """Line breaks in names are escaped, and blanks stay."""
    servers.seed("s", {"x": b""})

    told = cli("cat", "shared://s/a%0Ab  c", code=1).stderr

    assert "a\\nb  c" in told or "a%0Ab  c" in told
    assert told.count("\n") == 1
    assert "no\\nfile  here" in cli("ls", "./no\nfile  here", code=1).stderr


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("日本　語.txt", "日本　語.txt"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("a\x85b\u2028", "a\\x85b\\u2028"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_steers_is_escaped_and_what_is_written_stays(name: str, shown: str) -> None:
    """Spaces of other scripts and joined emoji are parts of names; directions are not."""
    assert printable(name) == shown


@pytest.mark.parametrize("terminal", [True, False])
def test_tables_line_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    """Also beside wide characters; a terminal wraps the last column, a pipe gets it whole."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    words = "one two three four five six seven eight"

    emit_table(("NAME", "WORDS"), [("日本語", words), ("a", "x")])

    lines = capsys.readouterr().out.splitlines()
    starts = {columns(line[: line.index(line.split()[1])]) for line in (lines[0], lines[1])}
    assert starts == {8}
    assert all(columns(line) <= 40 for line in lines) == terminal
    assert " ".join(" ".join(lines).split()) == f"NAME WORDS 日本語 {words} a x"


def test_verbose_lines_are_json_for_a_program(cli: Cli, servers: Servers) -> None:
    """What is said besides the result is one object a line, too."""
    servers.seed("s", {"in/a": b"1"})

    result = cli("cp", "-r", "-v", "--json", "shared://s/in", "shared://t/out")

    (told,) = map(json.loads, result.stderr.splitlines())
    assert told["level"] == "info"
    assert "shared://s/in/a -> shared://t/out/a" in told["message"]
    assert json.loads(result.stdout)["copied"] == 1


def test_several_locations(cli: Cli, servers: Servers) -> None:
    """`ls` shows files first, then each folder under its name, and goes on after what fails."""
    servers.seed("s", {"in/a": b"1", "in/b": b"22", "x": b"333", "y.log": b""})

    result = cli("ls", "shared://s/in", "shared://s/no", "shared://s/x", code=1)
    facts = json.loads(cli("ls", "--json", "shared://s/in", "shared://s/x").stdout)
    chosen = cli("ls", "shared://s", "--exclude", "*.log")
    alone = cli("ls", "shared://s/in", "shared://s/no", code=1)

    assert result.stdout == "shared://s/x\n\nshared://s/in:\na\nb\n"
    assert result.stderr.startswith("error: no such file or folder: shared://s/no; ")
    assert [fact["location"] for fact in facts] == [
        f"shared://s/{path}" for path in ("x", "in/a", "in/b")
    ]
    assert chosen.stdout == "x\n"
    assert alone.stdout == "shared://s/in:\na\nb\n"


def test_a_source_that_stays_is_told_with_its_copy(
    cli: Cli, refusing: Servers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`mv` to another store that may read, but not delete: the copy is there, and said."""
    backend = refusing.store("s")._backend
    for name in ("is_file", "get_file_info"):
        monkeypatch.delattr(backend, name)

    told = cli("mv", "shared://s/in/a", str(tmp_path), code=1).stderr

    assert told.startswith(f"error: shared://s/in/a: its copy is {tmp_path}/a, but it cannot be ")
    assert "the key is wrong" in told
    assert told.count("\n") == 1
    assert (tmp_path / "a").read_bytes() == refusing.files("s")["in/a"]


@pytest.mark.parametrize(
    ("path", "message", "told"),
    [
        ("a", "no such file: a", "no such file: a"),
        ("a", "no such folder: /x/a/; look", "no such folder: /x/a/; look"),
        ("a", "it is in a/b", "a: it is in a/b"),
        ("a", "a-b is missing", "a: a-b is missing"),
        ("a\nb", "a\\nb: gone", "a\\nb: gone"),
    ],
)
def test_a_path_is_named_once(path: str, message: str, told: str) -> None:
    """Before the message, unless that names it."""
    assert about(path, message) == told
