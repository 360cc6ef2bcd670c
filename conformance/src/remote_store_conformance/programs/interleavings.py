"""
What two calls at the same time may come to: each is a chain of moments, and the
other one's moments may fall between them.

A write, a delete and an atomic move have one moment. A copy takes its source at
one moment and puts it at another; a move without ATOMIC_MOVE removes its source
at a third.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import TypeAlias

from attrs import frozen

from remote_store import NotFound, PreconditionFailed
from remote_store_conformance.programs.model import Answer, Model
from remote_store_conformance.programs.steps import Step, delete, transfer, write

__all__ = ["End", "Interleaved", "copying", "deleting", "ends", "moving", "writing"]

#: The answers that a call may give where its last moment has come.
Answers: TypeAlias = tuple[Answer, ...]

#: Plays a call on a model; each yield lets the other call have its moments.
Play: TypeAlias = Callable[[Model], Generator[None, None, Answers]]


@frozen
class Interleaved:
    """
    A call that meets another one.

    Args:
        step: What it is called, and how to make it.
        plays: Every way in which it may go.
    """

    step: Step
    plays: tuple[Play, ...]


@frozen
class End:
    """What two calls may have come to: the answers that each may give, and what is there then."""

    answers: tuple[Answers, Answers]
    model: Model


def ends(start: Model, calls: Sequence[Interleaved]) -> list[End]:
    """Return everything that two calls may come to that begin at the same time."""
    first, second = calls
    return [
        end for one in first.plays for other in second.plays for end in _ends(start, (one, other))
    ]


def _ends(start: Model, plays: tuple[Play, Play]) -> Iterator[End]:
    """Yield the end of each order of the moments of two plays."""
    orders: list[tuple[int, ...]] = [()]
    while orders:
        order = orders.pop()
        model = start.copy()
        running = [play(model) for play in plays]
        answers: dict[int, Answers] = {}
        for which in order:
            try:
                next(running[which])
            except StopIteration as stop:
                answers[which] = stop.value
        if len(answers) == 2:
            yield End((answers[0], answers[1]), model)
        orders += [(*order, which) for which in (0, 1) if which not in answers]


def _at_once(step: Step) -> Play:
    """Return the play that has one moment."""

    def play(model: Model) -> Generator[None, None, Answers]:
        return (step.play(model),)
        yield  # never reached; it makes this a generator

    return play


def deleting(path: str, *, missing_ok: bool) -> Interleaved:
    """Return a delete."""
    step = delete(path, missing_ok)
    return Interleaved(step, (_at_once(step),))


def writing(path: str, content: bytes, *, overwrite: bool, chunked: bool) -> Interleaved:
    """Return a write."""
    step = write(path, content, overwrite, atomic=False, chunked=chunked)

    def lost(model: Model) -> Generator[None, None, Answers]:
        # A service may drop the blocks of a stream that another writer has overtaken.
        before = model.files.get(path)
        yield
        after = model.files.get(path)
        return (PreconditionFailed,) if after not in (None, before) else (step.play(model),)

    plays = (_at_once(step), lost) if chunked and overwrite else (_at_once(step),)
    return Interleaved(step, plays)


def _refusals(model: Model, src: str, dst: str, overwrite: bool) -> Answers:
    """Return every reason to refuse a transfer; beside another call either may be told."""
    reasons = (model.no_source(src), model.no_target(dst, overwrite))
    return tuple(reason for reason in reasons if reason is not None)


def copying(src: str, dst: str, *, overwrite: bool) -> Interleaved:
    """Return a copy."""
    return Interleaved(
        transfer("copy", src, dst, overwrite), tuple(_in_parts(src, dst, overwrite, keep=True))
    )


def moving(src: str, dst: str, *, overwrite: bool, atomic: bool) -> Interleaved:
    """Return a move; *atomic* if ATOMIC_MOVE is declared."""
    step = transfer("move", src, dst, overwrite)

    def at_once(model: Model) -> Generator[None, None, Answers]:
        return _refusals(model, src, dst, overwrite) or (step.play(model),)
        yield

    def exact(model: Model) -> Generator[None, None, Answers]:
        # It looks at its source, and then moves that very version or nothing.
        before = model.files.get(src)
        yield
        refusals = _refusals(model, src, dst, overwrite)
        if model.files.get(src) not in (None, before):
            return (*refusals, PreconditionFailed)
        return refusals or (step.play(model),)

    if atomic:
        return Interleaved(step, (at_once, exact))
    return Interleaved(step, (at_once, *_in_parts(src, dst, overwrite, keep=False)))


def _in_parts(src: str, dst: str, overwrite: bool, *, keep: bool) -> Iterator[Play]:
    """
    Yield the plays of a transfer that takes, puts and removes one after the other.

    It may look at its target when it takes its source, or leave that to the
    moment when it puts; and it may put nothing if the source has changed by then.
    """
    for looks, exact in itertools.product((False, True), repeat=2):
        yield partial(
            _transferred, src, dst, overwrite=overwrite, keep=keep, looks=looks, exact=exact
        )


def _transferred(
    src: str, dst: str, model: Model, *, overwrite: bool, keep: bool, looks: bool, exact: bool
) -> Generator[None, None, Answers]:
    refusals = _refusals(model, src, dst, overwrite)
    if model.no_source(src) or (looks and refusals):
        return refusals
    content = model.files[src]
    yield
    refusals = _refusals(model, src, dst, overwrite)
    if exact and model.files.get(src) != content:
        return (*refusals, PreconditionFailed)
    if model.no_target(dst, overwrite):
        return refusals
    model.put(dst, content)
    if keep:
        return (None,)
    yield
    if src not in model.files:
        return (None, NotFound, PreconditionFailed)
    if model.files[src] != content:
        # What somebody wrote meanwhile must not be removed.
        return (PreconditionFailed,)
    del model.files[src]
    return (None,)
