"""
Check our own plugins against the contract, and write the reports into docs/conformance/.

Starts the Azurite that scripts/azurite installed for the target azure:azurite,
and moto for s3:moto.
Further arguments go to `remote-store-conform run`: names of targets instead of
all of them, for instance. The exit code is that of the kit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "docs" / "conformance"
#: Targets that no wheel ships.
PLUGINS = [f"tests.{name}.conformance_targets" for name in ("azure", "s3")]

TARGETS = [
    *("memory", "memory:sync", "memory:bridges"),
    *("local", "local:sync", "local:bridges"),
    *("azure:azurite", "azure:hns"),
    "s3:moto",
]


def main(arguments: list[str]) -> int:
    """Run the kit; return its exit code."""
    sys.path.insert(0, str(ROOT))
    from tests.azure import azurite
    from tests.s3 import moto
    from tests.s3.conformance_targets import VARIABLE

    REPORTS.mkdir(exist_ok=True)
    chosen = arguments if arguments and not arguments[0].startswith("-") else TARGETS + arguments
    command = [sys.executable, "-P", "-m", "remote_store_conformance", "run", *chosen, "--strict"]
    for plugin in PLUGINS:
        command += ["--plugin", plugin]
    for form, name in (("json", "report.json"), ("markdown", "report.md"), ("html", "matrix.html")):
        command += [f"--{form}", str(REPORTS / name)]
    with azurite.running() as server, moto.running() as s3:
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "REMOTE_STORE_AZURITE": server.connection_string,
            VARIABLE: s3.url,
        }
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
