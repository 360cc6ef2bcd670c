"""
Completion for bash, zsh and fish, remote paths included.

The shells call a hidden command with the line so far and get whole words, one
a line; a word that ends in ``/`` goes on. Nothing that a store says is ever
evaluated by a shell, which rules the scripts of typer out. Where nothing is
found, the shell completes files of this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shlex
import sys
import tomllib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from remote_store import FolderEntry, list_backends
from remote_store_cli._opening import Opener
from remote_store_cli._options import Compare, Links
from remote_store_cli._output import emit
from remote_store_cli._settings import Stores

__all__ = ["complete", "completion"]

#: Seconds that a store has to answer a key press.
_PATIENCE: Final = 3.0
#: Names that are offered at most.
_MOST: Final = 500

_BASH: Final = r"""
_remote_store() {
    local word quote='' breaks=$COMP_WORDBREAKS
    case ${COMP_WORDS[COMP_CWORD]} in
        [\'\"]*) quote=${COMP_WORDS[COMP_CWORD]:0:1} breaks='' ;;
    esac
    COMPREPLY=()
    while IFS= read -r word; do
        case $quote in
            \') word=${word//\'/\'\\\'\'} ;;
            \") word=${word//\\/\\\\} word=${word//\"/\\\"} word=${word//\$/\\\$}
                word=${word//\`/\\\`} ;;
            *) printf -v word %q "$word" ;;
        esac
        COMPREPLY+=("$word")
    done < <(remote-store __complete "${COMP_LINE:0:COMP_POINT}" "$breaks" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} = 1 && $COMPREPLY != */ ]]; then
        compopt +o nospace
    fi
}
complete -o default -o nospace -F _remote_store remote-store
"""
_ZSH: Final = r"""#compdef remote-store
_remote_store() {
    local -a found open done
    found=("${(@f)$(remote-store __complete "${(j: :)words[1,CURRENT]}" 2>/dev/null)}")
    open=(${(M)found:#*/})
    done=(${found:#*/})
    if (( ${#open} + ${#done} )); then
        compadd -S '' -- $open
        compadd -- $done
    else
        _files
    fi
}
compdef _remote_store remote-store
"""
_FISH: Final = r"""
function __remote_store_complete
    set -l found (remote-store __complete (commandline -cp | string collect) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c remote-store -f -a '(__remote_store_complete)'
"""


class Shell(StrEnum):
    """A shell that can be taught."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


#: What options may be, where that is a choice.
_VALUES: Final = {"--compare": Compare, "--links": Links}
_SCRIPTS: Final = {Shell.bash: _BASH, Shell.zsh: _ZSH, Shell.fish: _FISH}


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """
    Print what teaches a shell to complete commands, options and remote paths.

    bash and zsh: eval "$(remote-store completion bash)" in ~/.bashrc or
    ~/.zshrc (there after compinit). fish: remote-store completion fish >
    ~/.config/fish/completions/remote-store.fish
    """
    sys.stdout.write(_SCRIPTS[shell].lstrip("\n"))


def complete(
    context: typer.Context,
    line: Annotated[str, typer.Argument()],
    breaks: Annotated[str, typer.Argument()] = "",
) -> None:
    """Print the words that the last one of a line may become."""
    *before, word = _words(line)
    # What bash takes for the end of a word, it leaves as it is; of "@" it begins another.
    start = max((word.rfind(c) + (c != "@") for c in ":=@" if c in breaks), default=0)
    with contextlib.suppress(Exception):  # a key press is no place for errors
        for found in sorted(set(_candidates(context.find_root().command, before[1:], word))):
            if found.startswith(word) and found.isprintable():
                emit(found[start:])


def _words(line: str) -> list[str]:
    """Take a line apart as a shell does; its last word may be empty or lack a closing quote."""
    for end in ("", '"', "'"):
        with contextlib.suppress(ValueError):
            # What is appended tells whether a blank at the end belongs to the last word.
            *words, last = shlex.split(f"{line}x{end}")
            return [*(words or [""]), last[:-1]]
    return ["", ""]


def _candidates(root: Any, before: list[str], word: str) -> Iterator[str]:
    command = root
    rest = iter(before)
    for name in rest:
        if name in getattr(command, "commands", {}):
            command = command.commands[name]
    if hasattr(command, "commands"):
        yield from (name for name, one in command.commands.items() if not one.hidden)
    options = {text: p for p in command.params for text in (*p.opts, *p.secondary_opts)}
    if word.startswith("-"):
        yield from (text for text in options if text.startswith("-"))
        yield from ("--help",)
        return
    last = options.get(before[-1]) if before else None
    if last is not None and before[-1].startswith("-") and not getattr(last, "is_flag", False):
        yield from _VALUES.get(before[-1], ())
        return
    if command.name == "completion":
        yield from Shell
    if any(p.name == "config" for p in command.params):
        yield from _locations(word, _given(before, "--config"), _all_given(before))


def _given(before: list[str], option: str) -> str | None:
    for name, value in itertools.pairwise(before):
        if name == option:
            return value
    return None


def _all_given(before: list[str]) -> list[str]:
    pairs = itertools.pairwise(before)
    return [value for name, value in pairs if name in ("-o", "--option")]


def _locations(word: str, config: str | None, options: list[str]) -> Iterable[str]:
    """Return what a location may become; nothing for a path of this machine."""
    config = config or os.environ.get("REMOTE_STORE_CONFIG")
    if word.startswith("@") and "/" not in word:
        return [f"@{name}/" for name in _stores(config)]
    if "://" not in word and not word.startswith("@"):
        return [] if not word or "/" in word else [f"{one.name}://" for one in list_backends()]
    folder, slash, _ = word.rpartition("/")
    if folder.endswith(":/"):  # the host is being written
        return []
    return asyncio.run(_children(folder + slash, Path(config) if config else None, options))


def _stores(config: str | None) -> list[str]:
    if not config:
        return []
    return list(tomllib.loads(Path(config).read_text("utf-8-sig")).get("stores", {}))


async def _children(folder: str, config: Path | None, options: list[str]) -> list[str]:
    found: list[str] = []
    async with asyncio.timeout(_PATIENCE):
        async with Opener([folder], Stores(config, options)) as opener:
            opened = await opener.open(opener.locations[0])
            async with contextlib.aclosing(opened.store.iter_children(opened.key)) as children:
                async for child in children:
                    name = folder + opened.location.below(child.name).rpartition("/")[2]
                    found.append(f"{name}/" if isinstance(child, FolderEntry) else name)
                    if len(found) >= _MOST:
                        break
    return found
