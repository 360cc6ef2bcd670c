"""`backends`, `capabilities` and `doctor`, with distributions made for the test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from remote_store import CONTRACT, Capability

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Installed, Servers

pytestmark = pytest.mark.slow

GOOD = """
from remote_store_memory import AsyncMemoryBackend

class Backend(AsyncMemoryBackend):
    pass
"""
NOISY = "import sys; sys.stderr.write('imported'); raise SystemError"


def test_backends_lists_without_importing(installed: Installed) -> None:
    """A plugin that cannot be imported is listed like any other."""
    installed.add("acme-store", "acme = acme_store:Backend", acme_store=NOISY)

    code, out, err = installed.run("backends")

    assert (code, err) == (0, "")
    assert b"acme    acme-store           1.2      acme_store:Backend\n" in out


@pytest.mark.long
def test_no_plugin_steers_the_terminal(installed: Installed) -> None:
    """Control characters in names, classes and messages are shown, not obeyed."""
    installed.add(
        "acme-store",
        "a\x1b[31mcme = acme_store:Back\x1b[5mend",
        acme_store="raise OSError('\x1b[2J')",
    )

    for command in (["backends"], ["backends", "--capabilities"], ["doctor"], ["doctor", "--json"]):
        _, out, err = installed.run(*command)
        assert b"\x1b" not in out
        assert "\x1b" not in err
        assert b"cme" in out


def test_backends_with_capabilities(installed: Installed) -> None:
    """What each class declares is shown; a broken plugin costs its own row, and the exit code."""
    installed.add("acme-store", "acme = acme_store:Backend", acme_store=NOISY)
    installed.add("good-store", "good = good_store:Backend", good_store=GOOD)

    code, out, err = installed.run("backends", "--capabilities", "--json")

    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 3
    assert "SystemError" in err
    assert "Traceback" not in err
    assert rows["acme"]["capabilities"] is None
    assert "user_metadata" in rows["good"]["capabilities"]
    assert "glob" not in rows["good"]["capabilities"]


def test_backends_shows_what_is_switched_off(installed: Installed) -> None:
    """A blocked plugin is marked and never imported."""
    installed.add("acme-store", "acme = acme_store:Backend", acme_store=NOISY)

    code, out, err = installed.run(
        "backends", "--capabilities", env={"REMOTE_STORE_PLUGINS": "memory"}
    )

    assert (code, err) == (0, "")
    assert b"acme (off)" in out


def test_capabilities_of_a_plugin_and_of_a_location(cli: Cli, servers: Servers) -> None:
    """Declared and missing ones are told apart, by name and by location."""
    by_name = json.loads(cli("capabilities", "--json", "memory").stdout)
    by_place = json.loads(cli("capabilities", "--json", "shared://s/x").stdout)

    assert by_name == by_place
    assert set(by_name) == {capability.value for capability in Capability}
    assert (by_name["read"], by_name["glob"]) == (True, False)
    assert "glob                 no\n" in cli("capabilities", "memory").stdout


def test_capabilities_of_an_unknown_scheme(cli: Cli) -> None:
    """An unknown plugin is a plugin problem that lists what is there."""
    result = cli("capabilities", "nonesuch://x", code=3)

    assert "no plugin serves backend 'nonesuch'; installed: " in result.stderr


def test_doctor_is_content_with_a_sound_installation(installed: Installed) -> None:
    """Nothing wrong: exit code 0, and the versions are told."""
    installed.add("good-store", "good = good_store:Backend", good_store=GOOD)

    code, out, err = installed.run("doctor")

    assert (code, err) == (0, ""), out
    assert out.startswith(b"Python 3.")
    assert b"remote-store-core " in out
    assert f"contract {CONTRACT}\n".encode() in out
    assert b"good    good-store           1.2      ok\n" in out
    assert out.endswith(b"all is well\n")


@pytest.mark.long
@pytest.mark.parametrize(
    ("entry_point", "source", "reason"),
    [
        ("acme = acme_store:Backend", "import no_such_sdk", "No module named 'no_such_sdk'"),
        ("acme = acme_store:Missing", GOOD, "has no attribute 'Missing'"),
        ("acme = acme_store:Backend", "Backend = 7", "7 is not a class"),
        ("acme = acme_store:Backend", "raise SystemError('boom')", "SystemError: boom"),
        ("acme = acme_store:Backend", "def broken(:", "SyntaxError"),
        ("acme = acme_store:Backend", "raise type('Panic', (BaseException,), {})", "Panic"),
        ("acme = acme_store:Backend", "class Backend: pass", "it lacks copy, delete, "),
        (
            "acme = acme_store:Backend",
            "from remote_store.aio import AsyncBackend\nclass Backend(AsyncBackend): pass",
            "it lacks capabilities, copy, ",
        ),
        (
            "acme = acme_store:Backend\n[remote_store.sync_backends]\nacme = acme_store:Sync",
            GOOD,
            "has no attribute 'Sync'",
        ),
    ],
)
def test_doctor_explains_a_broken_plugin(
    installed: Installed, entry_point: str, source: str, reason: str
) -> None:
    """The entry point, the distribution and the cause are named, once and without a traceback."""
    installed.add("acme-store", entry_point, acme_store=source)

    code, out, err = installed.run("doctor", "--json")

    findings = json.loads(out)
    (problem,) = findings["problems"]
    (state,) = [p for p in findings["plugins"] if p["name"] == "acme"]
    assert (code, err) == (3, "")
    assert ("broken", problem) == (state["status"], state["problem"])
    assert reason in problem
    assert "acme-store" in problem


DELEGATING = """
class Backend:
    def __getattr__(self, name): raise AttributeError(name)
"""


def test_doctor_does_not_judge_what_a_class_delegates(installed: Installed) -> None:
    """What a wrapper's instances hand on cannot be seen in the class."""
    installed.add("acme-store", "acme = acme_store:Backend", acme_store=DELEGATING)

    code, out, _ = installed.run("doctor")

    assert code == 0, out


@pytest.mark.long
@pytest.mark.parametrize(
    ("group", "source", "reason"),
    [
        ("remote_store.plugins", "1/0", "ZeroDivisionError"),
        (
            "remote_store.plugins",
            "from remote_store import hookimpl\n@hookimpl\ndef remote_store_typo(): ...",
            "remote_store_typo",
        ),
        ("remote_store.conformance", "1/0", "ZeroDivisionError"),
    ],
)
def test_doctor_tries_what_is_no_backend(
    installed: Installed, group: str, source: str, reason: str
) -> None:
    """A listener that stores would leave out, and a broken offer to the kit, are problems."""
    installed.add("acme-ears", f"\n[{group}]\nears = acme_ears", acme_ears=source)

    code, out, err = installed.run("doctor", "--json")
    off = installed.run("doctor", env={"REMOTE_STORE_DISABLE_PLUGINS": "ears"})

    (problem,) = json.loads(out)["problems"]
    assert (code, err) == (3, "")
    assert "ears" in problem
    assert reason in problem
    assert (off[0], off[2]) == (0, "")


def test_doctor_is_content_with_a_sound_listener(installed: Installed) -> None:
    """What can be imported and registered is no problem."""
    source = "from remote_store import hookimpl\n@hookimpl\ndef remote_store_operation(): ..."
    installed.add("acme-ears", "\n[remote_store.plugins]\nears = acme_ears", acme_ears=source)

    assert installed.run("doctor")[0] == 0


@pytest.mark.parametrize("damaged", ["entry_points.txt", "METADATA"])
def test_doctor_names_a_distribution_that_cannot_be_read(
    installed: Installed, damaged: str
) -> None:
    """Bad metadata is a finding, and neither a warning nor a traceback."""
    installed.add("bad-store", "bad = bad_store:Backend", bad_store=GOOD)
    (installed.site / "bad_store-1.2.dist-info" / damaged).write_bytes(
        b"[remote_store.backends]\nbad\xff = bad_store:Backend\n"
    )

    code, out, err = installed.run("doctor", "--json")

    problems = json.loads(out)["problems"]
    assert (code, err) == (3, "")
    assert f"in {installed.site} are left out: its metadata cannot be read" in problems[0]
    assert ("'bad-store'" in problems[0]) == (damaged != "METADATA")


def test_backends_of_a_distribution_without_a_name(installed: Installed) -> None:
    """Metadata that says nothing is shown as unknown."""
    installed.add("bad-store", "bad = bad_store:Backend")
    (installed.site / "bad_store-1.2.dist-info" / "METADATA").write_text("")

    code, out, err = installed.run("backends")

    assert (code, err) == (0, "")
    assert b"bad     unknown" in out


def test_doctor_names_both_sides_of_a_clash(installed: Installed) -> None:
    """A name that two distributions claim is one problem that names both."""
    installed.add("one-store", "acme = one_store:Backend", one_store=GOOD)
    installed.add("two-store", "acme = two_store:Backend", two_store=GOOD)

    code, out, _ = installed.run("doctor", "--json")

    findings = json.loads(out)
    (problem,) = findings["problems"]
    assert code == 3
    assert "one-store" in problem
    assert "two-store" in problem
    assert [p["status"] for p in findings["plugins"] if p["name"] == "acme"] == ["clash", "clash"]


@pytest.mark.parametrize("lists_files", [True, False])
def test_doctor_finds_the_other_owner_of_our_import_name(
    installed: Installed, lists_files: bool
) -> None:
    """The distribution ``remote-store`` owns the same package; both cannot be installed."""
    installed.add("remote-store")
    if lists_files:
        record = installed.site / "remote_store-1.2.dist-info" / "RECORD"
        record.write_text("remote_store/__init__.py,,\n")

    code, out, _ = installed.run("doctor")

    assert code == 3
    assert b"distribution 'remote-store' brings an import package 'remote_store'" in out
    assert b"pip uninstall remote-store" in out


def test_doctor_finds_any_other_owner(installed: Installed) -> None:
    """Whoever puts files into our import package is found by its files."""
    installed.add("squatter")
    record = installed.site / "squatter-1.2.dist-info" / "RECORD"
    record.write_text("remote_store/extra.py,,\n")

    code, out, _ = installed.run("doctor")

    assert code == 3
    assert b"'squatter'" in out


def test_doctor_notices_another_contract(installed: Installed) -> None:
    """A class that keeps another major version of the contract is a problem."""
    installed.add("old-store", "old = old_store:Backend", old_store=GOOD + "    CONTRACT = '2.0'\n")

    code, out, _ = installed.run("doctor")

    assert code == 3
    assert f"keeps contract 2.0, this core needs {CONTRACT}".encode() in out


def test_doctor_takes_a_switched_off_plugin_for_no_problem(installed: Installed) -> None:
    """What is off is said, is not imported, and is nobody's fault."""
    installed.add("acme-store", "acme = acme_store:Backend", acme_store=NOISY)

    code, out, err = installed.run("doctor", env={"REMOTE_STORE_DISABLE_PLUGINS": "acme"})

    assert (code, err) == (0, "")
    assert b"acme    acme-store           1.2      off\n" in out


def test_doctor_tells_how_to_install_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An extra whose distribution is absent comes with its line; bundles do not count."""
    from importlib import metadata

    from remote_store_cli import _doctor

    wanted = [
        "attrs>=23.2",
        "pluggy",
        'no-such-plugin<0.2,>=0.1; extra == "gone"',
        "remote-store-cli>=0.1; extra == 'cli'",
        'remote-store-core[gone,cli]; extra == "all"',
    ]
    monkeypatch.setattr(metadata, "requires", lambda name: wanted)

    missing = _doctor.examine().missing

    assert missing == {"gone": "pip install 'remote-store-core[gone]'"}
