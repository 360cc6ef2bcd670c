"""What must hold while several connections act at the same time, as plain functions."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tests.emulator.account import ANY, Filesystem, was

from hns_emulator.replay._send import RawClient, ReceivedAnswer

__all__ = ["RACE_PROBES", "poll_during_overwrites", "race"]

Attempt = Callable[[int, RawClient], ReceivedAnswer]


def race(fs: Filesystem, racers: int, attempt: Attempt) -> list[ReceivedAnswer]:
    """Let several threads do the same at the same time; give their answers."""
    answers: list[ReceivedAnswer | BaseException] = [RuntimeError("no answer")] * racers
    barrier = threading.Barrier(racers)

    def run(number: int) -> None:
        try:
            with fs.connect() as client:
                # Each connects first, so that the race is for the path alone.
                client.send("HEAD", "blob", fs.target("nothing"))
                barrier.wait(30)
                answers[number] = attempt(number, client)
        except BaseException as error:
            answers[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(racers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    found = [answer for answer in answers if isinstance(answer, ReceivedAnswer)]
    assert len(found) == racers, answers
    return found


def one_winner(answers: list[ReceivedAnswer], code: str, *, status: int = 409) -> int:
    """Require that one attempt succeeded and the rest failed as told; give the winner."""
    won = [number for number, answer in enumerate(answers) if answer.status < 300]
    lost = {(answer.status, answer.code) for answer in answers if answer.status >= 300}
    assert len(won) == 1, [answer.status for answer in answers]
    assert lost == {(status, code)}
    return won[0]


def exclusive_creates_race(fs: Filesystem, racers: int = 6) -> None:
    def attempt(number: int, client: RawClient) -> ReceivedAnswer:
        return fs.dfs("PUT", "f", "resource=file", ANY, client=client)

    one_winner(race(fs, racers, attempt), "PathAlreadyExists")


def exclusive_renames_race(fs: Filesystem, racers: int = 6) -> None:
    etags = [fs.put(f"source{number}", b"%d" % number) for number in range(racers)]

    def attempt(number: int, client: RawClient) -> ReceivedAnswer:
        return fs.rename(f"source{number}", "f", ANY, client)

    winner = one_winner(race(fs, racers, attempt), "PathAlreadyExists")
    assert fs.read("f") == b"%d" % winner
    assert fs.head("f").headers["etag"] == etags[winner]
    fs.absent(f"source{winner}")
    assert len(fs.names()) == racers


def exclusive_puts_race(fs: Filesystem, racers: int = 6) -> None:
    def attempt(number: int, client: RawClient) -> ReceivedAnswer:
        headers = {"x-ms-blob-type": "BlockBlob", **ANY}
        return fs.blob("PUT", "f", "", headers, b"%d" % number, client=client)

    winner = one_winner(race(fs, racers, attempt), "BlobAlreadyExists")
    assert fs.read("f") == b"%d" % winner


def renames_of_one_source_race(fs: Filesystem, racers: int = 6) -> None:
    fs.put("f", b"x")

    def attempt(number: int, client: RawClient) -> ReceivedAnswer:
        return fs.rename("f", f"target{number}", client=client)

    winner = one_winner(race(fs, racers, attempt), "SourcePathNotFound", status=404)
    assert fs.names() == [f"target{winner}"]


def overwrites_are_never_seen_half(fs: Filesystem) -> None:
    poll_during_overwrites(fs, rounds=4)


def poll_during_overwrites(fs: Filesystem, rounds: int) -> int:
    """
    Replace a file by rename again and again while another connection reads it.

    Returns:
        How many times it was read.
    """
    size = 100_000
    contents = {fs.put("f", b"\0" * size): b"\0" * size}
    seen: list[ReceivedAnswer] = []
    done = threading.Event()

    def poll() -> None:
        with fs.connect() as client:
            while not done.is_set():
                seen.append(client.send("GET", "blob", fs.target("f")))

    poller = threading.Thread(target=poll)
    poller.start()
    try:
        for number in range(rounds):
            data = bytes([number + 1]) * (size - number)
            contents[fs.put("new", data)] = data
            was(fs.rename("new", "f"), 201)
    finally:
        done.set()
        poller.join(60)
    assert not poller.is_alive()
    assert seen
    for answer in seen:
        was(answer, 200)
        assert answer.body == contents[answer.headers["etag"]]
    return len(seen)


RACE_PROBES = (
    exclusive_creates_race,
    exclusive_renames_race,
    exclusive_puts_race,
    renames_of_one_source_race,
    overwrites_are_never_seen_half,
)
