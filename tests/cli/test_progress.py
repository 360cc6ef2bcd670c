"""Files and bytes in one unit system, the rate of late, and the time that is left."""

from __future__ import annotations

import asyncio

import pytest

from remote_store_cli import _progress
from remote_store_cli._progress import Meter, showing


def test_the_meter_tells_rate_and_time_left() -> None:
    """The rate is that of the last seconds, not since the beginning."""
    now = 0.0
    meter = Meter(clock=lambda: now)
    assert meter.text() == ""
    meter.begin("copying", 10, 4 << 20)
    assert meter.text() == "0/10 files  0 B/4.0 MiB"
    for second, total in ((30.0, 0), (31.0, 1 << 20), (32.0, 2 << 20)):
        now = second
        meter.moved(total)
    meter.files_done = 3

    assert meter.text() == "3/10 files  2.0/4.0 MiB  1.0 MiB/s  0:02 left"
    assert meter.share == 0.5


@pytest.mark.parametrize(
    ("size", "left"), [(59, "0:59"), (3600, "1:00:00"), (90_000, "1d01h"), (0, "0:00")]
)
def test_times_are_short(size: int, left: str) -> None:
    """Seconds, minutes, hours, days."""
    now = 0.0
    meter = Meter(clock=lambda: now)
    meter.begin("copying", 1, 10 + 10 * size)
    now = 1.0
    meter.moved(10)

    assert meter.text().endswith(f" {left} left")


def test_the_share_of_empty_files() -> None:
    """Where there are no bytes, files count."""
    meter = Meter()
    assert meter.share == 0.0
    meter.begin("copying", 4, 0)
    meter.files_done = 1

    assert meter.share == 0.25


def test_what_has_no_known_size() -> None:
    """A stream shows its bytes and the rate, a listing how many files are known."""
    now = 0.0
    meter = Meter(clock=lambda: now)
    meter.known = lambda: 12
    assert meter.text() == "12 files"
    meter.begin("copying", 0, 0)
    now = 2.0
    meter.more(1 << 20)
    meter.more(1 << 20)

    assert meter.text() == "2.0 MiB  1.0 MiB/s"


def test_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody sees a bar; nothing when quiet."""
    monkeypatch.setattr(_progress, "INTERVAL", 0.01)

    async def work(*, quiet: bool) -> None:
        meter = Meter()
        async with showing(meter, quiet=quiet):
            await asyncio.sleep(0.05)
            meter.begin("copying", 2, 10)
            await asyncio.sleep(0.05)

    asyncio.run(work(quiet=True))
    assert capsys.readouterr().err == ""
    asyncio.run(work(quiet=False))
    lines = capsys.readouterr().err.splitlines()
    assert (lines[0], lines[-1]) == ("listing ...", "copying: 0/2 files  0/10 B")
