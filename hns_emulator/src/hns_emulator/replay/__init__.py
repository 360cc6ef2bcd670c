"""Hold the emulator to recordings of a real account; so does `python -m hns_emulator.replay`."""

from __future__ import annotations

from hns_emulator.replay._command_line import main
from hns_emulator.replay._run import Outcome, Report, replay, replay_recording

__all__ = ["Outcome", "Report", "main", "replay", "replay_recording"]
