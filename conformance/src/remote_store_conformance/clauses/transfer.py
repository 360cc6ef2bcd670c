"""MOVE and COPY: the rules that hold for both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from attrs import frozen

from remote_store import Capability
from remote_store_conformance.clauses import _transfers as transfers
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.kinds import Level, Need
from remote_store_conformance.contract.trial import Trial

_Check: TypeAlias = Callable[[Trial, transfers.Kind], Awaitable[None]]


@frozen
class _Rule:
    """
    A rule of both families, under one number.

    Args:
        number: The second half of the ids.
        check: Takes the trial, and the name of the call.
        text: The sentence; *call* and *done* stand for "move" and "moved", or "copy" and "copied".
        move: Why it is there in MOVE.
        copy: Why it is there in COPY.
        level: How binding it is.
        text_of_copy: The sentence in COPY, where it is another one.
    """

    number: str
    check: _Check
    text: str
    move: str
    copy: str
    level: Level = Level.MUST
    text_of_copy: str = ""


_RULES: Final = (
    _Rule(
        "001",
        transfers.arrives,
        "A {done} file is under its new name with the same bytes and the same user metadata; the "
        "folders above it are made.",
        "A rename is no change of the data.",
        "What describes the data belongs to the data.",
    ),
    _Rule(
        "002",
        transfers.missing_source,
        "A {call} of a missing file raises NotFound with the source's path and leaves the "
        "destination alone, whatever is there and whatever overwrite says.",
        "A retried rename must not destroy what the first one has brought.",
        "Nothing is replaced by what does not exist.",
    ),
    _Rule(
        "003",
        transfers.existing_target,
        "A {call} to an existing file raises AlreadyExists and changes nothing; with "
        "overwrite=True it replaces the file as a whole.",
        "Overwriting is a decision of the caller's.",
        "Overwriting is a decision of the caller's.",
    ),
    _Rule(
        "005",
        transfers.onto_itself,
        "A {call} of a file onto itself changes nothing, by a store and by the backend alone; onto "
        "itself a folder is InvalidPath and a missing file NotFound.",
        "Replace, then remove the source, would remove the file.",
        "Truncate the destination, then read the source, would empty the file.",
    ),
    _Rule(
        "006",
        transfers.wrong_kinds,
        "A {call} raises InvalidPath and changes nothing where the source is a folder, or the "
        "destination is the root, a reserved name, a folder or a path under a file.",
        "Only files are moved, and never over something that is not a file.",
        "Only files are copied, and never over something that is not a file.",
    ),
    _Rule(
        "007",
        transfers.complete_on_return,
        "At every moment of a move its content is whole under one of the two names, and when the "
        "move returns, under the new one.",
        "A copy that is still pending when the source is removed is lost data.",
        "Services copy in the background, and a reader of a pending copy gets a part.",
        text_of_copy="A copy returns only when its destination is complete, and until then shows "
        "nothing of it.",
    ),
    _Rule(
        "008",
        transfers.one_winner,
        "Of several moves to one name with overwrite=False exactly one succeeds; the others get "
        "AlreadyExists and keep their source.",
        "A look before the rename decides nothing, for others look at the same moment.",
        "A look before the copy decides nothing, for others look at the same moment.",
        level=Level.STOCHASTIC,
        text_of_copy="Of several copies to one name with overwrite=False exactly one succeeds; the "
        "others get AlreadyExists.",
    ),
)


def _of(check: _Check, kind: transfers.Kind) -> Callable[[Trial], Awaitable[None]]:
    async def checked(t: Trial) -> None:
        await check(t, kind)

    return checked


_KINDS: Final[tuple[tuple[transfers.Kind, str], ...]] = (("move", "moved"), ("copy", "copied"))

for _rule in _RULES:
    for _kind, _done in _KINDS:
        _text = _rule.text_of_copy if _kind == "copy" and _rule.text_of_copy else _rule.text
        clause(
            f"{_kind.upper()}-{_rule.number}",
            _text.format(call=_kind, done=_done),
            intent=getattr(_rule, _kind),
            level=_rule.level,
            requires=[Capability[_kind.upper()]],
            needs=(Need.SEED, Need.PEEK),
        )(_of(_rule.check, _kind))
