"""
A target in a process of its own: what it does to that process is a finding, not the end.

The child writes lines of JSON: which clause it begins and what came of it. When
it dies, or says nothing for longer than its clause may take, the clause that ran
has failed, and another child goes on with the next one.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, Final

from attrs import define, field

from remote_store_conformance.clauses import find
from remote_store_conformance.contract.clause import Clause
from remote_store_conformance.engine.last_words import last_words
from remote_store_conformance.engine.session import Session
from remote_store_conformance.results.result import Result, Status, without_secrets
from remote_store_conformance.results.run import Run
from remote_store_conformance.targets.target import NotOpen

__all__ = ["Child", "serve"]

#: What starts a child; the working directory does not come first, as with `python -m`.
#: A process that dies says on its standard error where.
_COMMAND: Final = (
    *(sys.executable, "-P", "-X", "faulthandler", "-m"),
    *("remote_store_conformance", "child"),
)

#: Seconds beyond the deadline of a clause in which a child must say something.
_MARGIN: Final = 15.0

#: Seconds for the start of a child, with the imports of its plugin.
_START: Final = 120.0

#: Lines of a child's standard error that are kept to say why it died: more than the stacks
#: of a hundred threads have.
_KEPT: Final = 10_000

#: Seconds in which a process that gets the signal to die says where it was.
_DYING: Final = 5.0

#: Children of one target that may die before the rest is left out.
_DEATHS: Final = 3


def _paths() -> str:
    """Return where a child finds modules: what this process can import, it can import as well."""
    return os.pathsep.join(filter(None, [*sys.path, os.environ.get("PYTHONPATH")]))


@define(eq=False)
class Child:
    """
    A target that is checked in other processes.

    Args:
        target: Name of the target.
        order: What the child is to know, as JSON, beside the clauses that it is to run.
        session: A session of the same target, which judges what no child can report.
        on_about: Called with what is known about the target, before the first result.
        on_result: Called with each result as it comes.
        silence: Seconds that a child may say nothing, for the deadline of its clause.
    """

    target: str
    order: Mapping[str, Any]
    session: Session
    on_about: Callable[[Mapping[str, Any]], object] = lambda about: None
    on_result: Callable[[Result], object] = lambda result: None
    silence: Callable[[float], float] = lambda deadline: deadline + _MARGIN
    _about: dict[str, Any] = field(init=False, factory=dict)
    _results: list[Result] = field(init=False, factory=list)
    _words: deque[str] = field(init=False, factory=lambda: deque(maxlen=_KEPT))

    def run(self, clauses: Sequence[Clause]) -> Run:
        """
        Run clauses, one after the other, in as many processes as it takes.

        Raises:
            NotOpen: The target does not open.
        """
        # Here, because a process that dies removes nothing.
        with tempfile.TemporaryDirectory(
            prefix="remote-store-conform-", ignore_cleanup_errors=True
        ) as folder:
            self._run(clauses, folder)
        return Run(self.target, tuple(self._results), self._about)

    def _run(self, clauses: Sequence[Clause], folder: str) -> None:
        left, deaths = list(clauses), 0
        while left:
            done, death = self._serve(left, folder)
            left = left[done:]
            if not death:
                break
            deaths += 1
            self._take(self._failed(left.pop(0), death))
            if deaths == _DEATHS:
                why = f"not run: {_DEATHS} processes of this target have ended before their time"
                for clause in left:
                    self._take(Result(clause, self.target, Status.UNVERIFIED, message=why))
                break

    def _failed(self, clause: Clause, death: str) -> Result:
        words = last_words(self._words)
        evidence = {"standard error": words} if words else {}
        result = Result(clause, self.target, Status.FAIL, message=death, evidence=evidence)
        result = without_secrets(result, self.session.target.secrets)
        return self.session.waivers.apply(result, clause, self.target)

    def _take(self, result: Result) -> None:
        self._results.append(result)
        self.on_result(result)

    def _serve(self, clauses: Sequence[Clause], folder: str) -> tuple[int, str]:
        """Run one child; return how many clauses it settled, and how it died."""
        order = {
            **self.order,
            "target": self.target,
            "clauses": [c.id for c in clauses],
            "folder": folder,
        }
        with subprocess.Popen(  # noqa: S603 - our own module
            _COMMAND,
            # What is importable here must be so there.
            env={**os.environ, "PYTHONPATH": _paths()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            self._words.clear()
            listener = threading.Thread(target=self._listen, args=(process.stderr,), daemon=True)
            listener.start()
            with contextlib.suppress(OSError):
                process.stdin.write(json.dumps(order))
                process.stdin.close()
            try:
                done, death = self._heard(process, process.stdout)
            finally:
                # Whatever it still does, its target is no longer looked at.
                process.kill()
                listener.join(_DYING)
        if death and not self._about:
            said = textwrap.indent(last_words(self._words), "    ")
            msg = f"target {self.target!r} does not open: {death}"
            raise NotOpen(f"{msg}; it said:\n{said}" if said else msg)
        return done, death

    def _listen(self, stream: IO[str]) -> None:
        """Pass on what a child says on its standard error, and keep the last of it."""
        with contextlib.suppress(ValueError, OSError):
            for line in stream:
                self._words.append(line)
                sys.stderr.write(line)

    def _heard(self, process: subprocess.Popen[str], stream: IO[str]) -> tuple[int, str]:
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        reader = threading.Thread(target=_read, args=(stream, lines), daemon=True)
        reader.start()
        done, limit, running = 0, _START, False
        while True:
            try:
                line = lines.get(timeout=limit)
            except queue.Empty:
                _let_die(process)
                what = "this clause" if running else "the start of its process"
                return done, (
                    f"{what} did not end within {limit:.0f} s, and not even the threads of the kit "
                    "were heard of: something holds the interpreter"
                )
            if not line:
                code = process.wait(_MARGIN)
                when = "while this clause was running" if running else "before its first clause"
                return done, f"the process {_ending(code)} {when}"
            said = json.loads(line)
            if "not-open" in said:
                if not self._about:
                    raise NotOpen(said["not-open"])
                return done, f"after the end of a process before it, {said['not-open']}"
            if "about" in said:
                if not self._about:
                    self.on_about(said["about"])
                self._about = said["about"]
            elif "done" in said:
                # What plugins do at the end of a process is done by itself, if it takes no time.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_DYING)
                return done, ""
            elif "begins" in said:
                running, limit = True, self.silence(float(said["seconds"]))
            else:
                done += 1
                self._take(_result(said, self.target))


def _let_die(process: subprocess.Popen[str]) -> None:
    """End a process that does not answer; where it can, it first says what its threads do."""
    with contextlib.suppress(ValueError, OSError, subprocess.TimeoutExpired):
        process.send_signal(signal.SIGABRT)
        process.wait(_DYING)


def _read(stream: IO[str], lines: queue.SimpleQueue[str]) -> None:
    with contextlib.suppress(ValueError, OSError):
        for line in stream:
            lines.put(line)
    lines.put("")


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended by itself, with exit code {code},"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by signal {-code}"


def _told(result: Result) -> dict[str, Any]:
    """Return a result in a form that travels; `_result` reads it."""
    told = {
        "clause": result.clause.id,
        "status": result.status.value,
        "seconds": result.seconds,
        "message": result.message,
        "observed": result.observed,
        "expected": result.expected,
        "evidence": dict(result.evidence),
        "advice": list(result.advice),
        "waiver": result.waiver,
    }
    # What a check measured is its own choice.
    return dict(json.loads(json.dumps(told, default=str)))


def _result(told: Mapping[str, Any], target: str) -> Result:
    fields = dict(told)
    clause, status = find(fields.pop("clause")), Status(fields.pop("status"))
    fields["advice"] = tuple(fields["advice"])
    return Result(clause, target, status, **fields)


def serve(open_session: Callable[[Mapping[str, Any]], Session]) -> int:
    """
    Be the child: read an order from standard input, and report what comes of it.

    Args:
        open_session: Returns the session of an order's target.
    """
    # What a backend prints must not come between the lines of this talk.
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(**said: Any) -> None:
        channel.write(json.dumps(said) + "\n")
        channel.flush()

    order = json.loads(sys.stdin.read())
    with open_session(order) as session:
        try:
            tell(about=session.about())
        except NotOpen as error:
            tell(**{"not-open": str(error)})
            return 0
        for name in order["clauses"]:
            clause = find(name)
            tell(begins=name, seconds=session.deadline(clause))
            tell(**_told(session.run(clause)))
    tell(done=True)
    return 0
