"""The recipes are carried out, and no page shows a command line that there is not."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from remote_store_cli._app import app

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "docs" / "guides" / "recipes.md"
STORES = ["backup", "logs", "new", "old"]
#: Stands for the database of a recipe.
FAKES = {
    "pg_dump": "#!/bin/sh\necho dump of $1\n",
    "psql": "#!/bin/sh\ncat > psql.$1\n",
    # The recipe reads the dump of a day in the past.
    "date": "#!/bin/sh\necho 2026-01-31\n",
}


def recipes() -> Iterator[Any]:
    """Yield each recipe with its heading as its id."""
    for part in re.split(r"^## ", RECIPES.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"```sh\n(.*?)```", part, re.DOTALL)
        if blocks:
            yield pytest.param("".join(blocks), id=part.partition("\n")[0])


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.parametrize("recipe", [*recipes()])
def test_every_recipe_works(tmp_path: Path, recipe: str) -> None:
    """With folders for the stores, and a database that says one word."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in FAKES.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    config = tmp_path / "stores.toml"
    for name in STORES:
        files = ["data/a.txt", "2024/x.log"] if name in ("logs", "old") else []
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).parent.mkdir()
            (tmp_path / name / file).write_text(file)
        with config.open("a") as toml:
            toml.write(f'[backends.{name}]\ntype = "local"\noptions = {{ root = ')
            toml.write(f'"{tmp_path}/{name}" }}\n[stores.{name}]\nbackend = "{name}"\n')
    for name in ("data", "project"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f.txt").write_text("f")
    if "check" in recipe and "sync" not in recipe:  # there is a backup to be verified
        recipe = f"remote-store sync -q /srv/data @backup/data\n{recipe}"
    script = re.sub(r"/etc/backup/stores\.toml|\bstores\.toml\b", str(config), recipe)
    script = script.replace("/srv/data", str(tmp_path / "data"))
    env = {k: v for k, v in os.environ.items() if not k.startswith(("REMOTE_STORE_", "PYTHON"))}
    env["REMOTE_STORE_CONFIG"] = str(config)
    env["PATH"] = f"{programs}:{Path(sys.executable).parent}:{env['PATH']}"

    done = subprocess.run(
        ["bash", "-euc", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr
    if "psql" in recipe:
        assert (tmp_path / "psql.db").read_text() == "dump of db\n"


def command_lines() -> Iterator[Any]:
    """Yield the words of each command line of ours that a page shows."""
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    pages += (ROOT / "remote_store_cli").glob("*.md")
    for page in sorted(pages):
        text = page.read_text(encoding="utf-8")
        for kind, block in re.findall(r"```(sh|console)\n(.*?)```", text, re.DOTALL):
            joined = block.replace("\\\n", " ")
            if kind == "console":
                joined = "\n".join(re.findall(r"^\$ (.*)", joined, re.MULTILINE))
            for line in re.findall(r"\bremote-store (?!\.\.\.)([^|\n]*)", joined):
                words = line.partition("#")[0].strip().removesuffix(')"')
                if line.strip() and "-core" not in line:
                    yield pytest.param(words, id=f"{page.stem}: {words}"[:90])


@pytest.mark.parametrize("line", [*command_lines()])
def test_every_line_is_understood(line: str) -> None:
    """Commands, options and numbers of arguments are those of the program."""
    command: Any = app
    words = shlex.split(re.sub(r"[<>].*", "", line))
    context = app.make_context("remote-store", list(words), resilient_parsing=True)
    while isinstance(command, click.Group) and words:
        command, words = command.get_command(context, words[0]), words[1:]
    if not {"--help", "-h", "--version"} & set(words):
        command.make_context(command.name, [w for w in words if w != "..."], parent=context)
