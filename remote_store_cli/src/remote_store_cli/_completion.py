"""
Completion for bash, zsh and fish, remote paths included.

The shells call a hidden command with the line so far and get whole words, one
a line; a word that ends in ``/`` goes on. Nothing that a store says is ever
evaluated by a shell, which rules the scripts of click out. Where nothing is
found, the shell completes files of this machine.
"""

from __future__ import annotations

import contextlib
import itertools
import shlex
import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final

import click

from remote_store_cli._commands import command
from remote_store_cli._output import emit
from remote_store_cli._parameters import argument

__all__ = ["complete", "completion"]

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


_SCRIPTS: Final = {Shell.bash: _BASH, Shell.zsh: _ZSH, Shell.fish: _FISH}


@command
def completion(
    shell: Annotated[Shell, argument("SHELL", type=click.Choice(Shell), help="bash, zsh or fish.")],
) -> None:
    """
    Print what teaches a shell to complete commands, options and remote paths.

    bash and zsh: eval "$(remote-store completion bash)" in ~/.bashrc or
    ~/.zshrc (there after compinit). fish: remote-store completion fish >
    ~/.config/fish/completions/remote-store.fish
    """
    sys.stdout.write(_SCRIPTS[shell].lstrip("\n"))


@command
def complete(
    line: Annotated[str, argument("LINE", help="The line so far.")],
    breaks: Annotated[str, argument("BREAKS", help="What ends a word besides blanks.")] = "",
) -> None:
    """Print the words that the last one of a line may become."""
    *before, word = _words(line)
    # What bash takes for the end of a word, it leaves as it is; of "@" it begins another.
    start = max((word.rfind(c) + (c != "@") for c in ":=@" if c in breaks), default=0)
    with contextlib.suppress(Exception):  # a key press is no place for errors
        root = click.get_current_context().find_root()
        for found in sorted(set(_candidates(root, before[1:], word))):
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


def _candidates(root: click.Context, before: list[str], word: str) -> Iterator[str]:
    command = root.command
    for name in before:
        if isinstance(command, click.Group):
            command = command.get_command(root, name) or command
    if isinstance(command, click.Group):
        yield from (name for name, one in command.commands.items() if not one.hidden)
    before = [part for one in before for part in (one.split("=", 1) if one[:2] == "--" else [one])]
    options = {text: p for p in command.params for text in (*p.opts, *p.secondary_opts)}
    if word.startswith("-"):
        yield from (text for text in options if text.startswith("-"))
        yield from ("--help",)
        return
    last = options.get(before[-1]) if before else None
    if isinstance(last, click.Option) and not last.is_flag:
        yield from _choices(last)
        return
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            yield from _choices(parameter)
    if any(p.name == "config" for p in command.params):
        from remote_store_cli._suggesting import locations  # a key press waits for the core

        yield from locations(word, _given(before, "--config"), _all_given(before))


def _choices(parameter: click.Parameter) -> Iterator[str]:
    if isinstance(parameter.type, click.Choice):
        yield from parameter.type.choices


def _given(before: list[str], option: str) -> str | None:
    for name, value in itertools.pairwise(before):
        if name == option:
            return value
    return None


def _all_given(before: list[str]) -> list[str]:
    pairs = itertools.pairwise(before)
    return [value for name, value in pairs if name in ("-o", "--option")]
