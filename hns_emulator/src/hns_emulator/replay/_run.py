"""Play recordings against a fresh emulator each, and count what came of every exchange."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal

from hns_emulator import HnsEmulator
from hns_emulator.replay._bind import Bindings, Unresolvable, second_of
from hns_emulator.replay._compare import compare
from hns_emulator.replay._operation import CHANGES, RequestedOperation, operation
from hns_emulator.replay._read import RecordedExchange, Recording, read_folder
from hns_emulator.replay._send import RawClient, ReceivedAnswer
from hns_emulator.replay._setup import SetupFailed, make, starting_state, unmade

__all__ = ["Outcome", "Report", "replay", "replay_recording"]

Verdict = Literal["equal", "differs", "not verified"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one exchange; `lines` say how it differs, or why it was not verified."""

    recording: str
    title: str
    verdict: Verdict
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What came of all exchanges of a folder."""

    outcomes: tuple[Outcome, ...]

    def of(self, verdict: Verdict) -> list[Outcome]:
        """Select the outcomes with one verdict."""
        return [outcome for outcome in self.outcomes if outcome.verdict == verdict]

    def passed(self, *, strict: bool = False) -> bool:
        """
        Return True if the emulator answered as recorded.

        Args:
            strict: Count what was not verified as failed.

        Returns:
            False also if nothing was compared at all.
        """
        failed = self.of("differs") or (strict and self.of("not verified"))
        return bool(self.of("equal")) and not failed


def replay(folder: Path, **options: Any) -> Report:
    """
    Replay every recording below a folder.

    Args:
        folder: Where the recordings are.
        options: For `HnsEmulator`.
    """
    outcomes: list[Outcome] = []
    for found in read_folder(folder):
        if isinstance(found, Recording):
            try:
                outcomes += replay_recording(found, **options)
            except (KeyError, TypeError, ValueError) as error:
                lines = (f"cannot be followed: {error!r}",)
                outcomes.append(Outcome(found.name, "the recording", "differs", lines))
        else:
            name, unreadable = found
            lines = (f"cannot be read: {unreadable}",)
            outcomes.append(Outcome(name, "the file", "differs", lines))
    return Report(tuple(outcomes))


def replay_recording(recording: Recording, **options: Any) -> list[Outcome]:
    """Replay one recording against an emulator that is started for it."""
    with (
        HnsEmulator(old_versions=True, **options) as emulator,
        RawClient(emulator.port, emulator.account, emulator.key) as client,
    ):
        try:
            make(client, starting_state(recording))
        except (SetupFailed, OSError, HTTPException) as error:
            lines = (f"the starting state cannot be made: {error!r}",)
            return [Outcome(recording.name, "set-up", "differs", lines)]
        return list(_play(recording, client))


def _play(recording: Recording, client: RawClient) -> Iterator[Outcome]:
    bindings = Bindings()
    doubtful: list[str] = []
    absent = unmade(recording)
    pace = _Pace(recording)
    for exchange in recording.exchanges:
        op = operation(exchange.request)
        reason: str | None = None
        lines: list[str] = []
        pace.wait(exchange)
        try:
            reason, lines = _exchange(exchange, client, bindings)
        except (OSError, HTTPException) as error:
            lines = [f"no answer: {error!r}"]
        if lines and op.path in absent:
            reason = f"{op.path} was made by a request that was not written down"
        elif lines and reason is None:
            after = next((path for path in doubtful if _touches(op, path)), None)
            if after is not None:
                reason = f"depends on a change to {after} that was not verified"
        if reason is not None:
            if op.name in CHANGES and exchange.answer.status < 300:
                doubtful += filter(None, (op.path, op.source))
            yield Outcome(recording.name, exchange.title, "not verified", (reason, *lines))
        else:
            verdict: Verdict = "differs" if lines else "equal"
            yield Outcome(recording.name, exchange.title, verdict, tuple(lines))


def _exchange(
    exchange: RecordedExchange, client: RawClient, bindings: Bindings
) -> tuple[str | None, list[str]]:
    """Send one request; give why it proves nothing, or the differences."""
    if exchange.request.host not in {"blob", "dfs"}:
        return f"sent to {exchange.request.host}", []
    try:
        request = bindings.request(exchange, client)
    except Unresolvable as error:
        return str(error), []
    got = client.send(request.method, request.host, request.target, request.headers, request.body)
    reason = _refusal(exchange, got)
    return (reason, []) if reason is not None else (None, compare(exchange, request, got, bindings))


def _refusal(exchange: RecordedExchange, got: ReceivedAnswer) -> str | None:
    """Return why the emulator refused the request on purpose; None if it did not."""
    if got.status == 501 and exchange.answer.status != 501:
        return f"refused: {got.code}: {got.reason}"
    if exchange.answer.status in {401, 403}:
        return "refused there because of its signature, which a replay makes anew"
    return None


def _touches(op: RequestedOperation, path: str) -> bool:
    """Return True if an operation can see a path: itself, or something above or below it."""
    for own in filter(None, (op.path, op.source)):
        if own == path or own.startswith(f"{path}/") or path.startswith(f"{own}/"):
            return True
    return False


class _Pace:
    """
    Let a second pass where one passed between recorded changes.

    Conditions on time count whole seconds: without the pause, changes that were
    told apart there would have the same time here. Only for recordings that have
    such conditions.
    """

    def __init__(self, recording: Recording) -> None:
        self._last: int | None = None
        self._on = any(
            name.lower().endswith("modified-since")
            for exchange in recording.exchanges
            for name in exchange.request.headers
        )

    def wait(self, exchange: RecordedExchange) -> None:
        """Wait, at most a second, if this exchange changed something in a later second."""
        second = second_of(exchange.answer.headers.get("last-modified"))
        if not self._on or second is None:
            return
        if self._last is not None and second > self._last:
            time.sleep(1 - time.time() % 1)
        self._last = max(second, self._last or 0)
