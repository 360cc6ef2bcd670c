"""Make recordings in the forms that the replay reads, of exchanges with a running emulator."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.emulator.account import Filesystem

from hns_emulator.replay._send import ReceivedAnswer

__all__ = ["Cassette", "Change", "Interaction", "Recorder"]

Interaction = dict[str, Any]
Change = Callable[[list[Interaction]], object]


class Cassette:
    """The exchanges of one recording, which can be written down, truly or falsified."""

    def __init__(self, interactions: Sequence[Interaction] = ()) -> None:
        self.interactions = list(interactions)

    def write(
        self, file: Path, change: Callable[[list[Interaction]], object] | None = None
    ) -> None:
        """Write the cassette, with a change to a copy of its interactions."""
        interactions = copy.deepcopy(self.interactions)
        if change is not None:
            change(interactions)
        # What JSON writes down is YAML as well.
        file.write_text(json.dumps({"interactions": interactions, "version": 1}))


class Recorder:
    """Sends requests to an emulator and keeps what went to and fro."""

    def __init__(self, fs: Filesystem) -> None:
        self.fs = fs
        self.cassette = Cassette()

    def __call__(
        self,
        method: str,
        host: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        **headers: str,
    ) -> ReceivedAnswer:
        """Send and record one request; `_` in a header's name stands for `-`."""
        sent = {"x-ms-version": "2026-04-06", "Content-Length": str(len(body))}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        target = self.fs.target(path, query)
        answer = self.fs.client.send(method, host, target, sent, body)
        self.cassette.interactions.append(
            {
                "request": {
                    "method": method,
                    "uri": f"https://masked.{host}.core.windows.net{target}",
                    "headers": {name: [value] for name, value in sent.items()},
                    "body": body.decode() or None,
                },
                "response": {
                    "status": {"code": answer.status, "message": answer.reason},
                    "headers": {name: [value] for name, value in answer.headers.items()},
                    "body": {"string": answer.body.decode()},
                },
            }
        )
        return answer
