"""`python -m hns_emulator`: serve one empty account until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys

from hns_emulator import HnsEmulator

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """
    Run the command line.

    Args:
        arguments: Instead of the process's own.

    Returns:
        The exit status: 0 after a signal, 1 if it could not serve.
    """
    parser = argparse.ArgumentParser(prog="python -m hns_emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=10004, help="0 for any free one")
    parser.add_argument("--account", default="hnsaccount")
    parser.add_argument("--key", help="the account's key in base64, instead of a random one")
    parser.add_argument(
        "--filesystem", action="append", default=[], metavar="NAME", help="create it; repeatable"
    )
    parser.add_argument(
        "--log", action="store_true", help="write each request to stderr, not only refused ones"
    )
    parser.add_argument("--page-cap", type=int, help="entries of a listing's page at most")
    given = parser.parse_args(arguments)
    try:
        emulator = HnsEmulator(
            port=given.port, account=given.account, key=given.key, page_cap=given.page_cap
        )
        for name in given.filesystem:
            emulator.create_filesystem(name)
    except ValueError as error:
        parser.error(str(error))
    level = logging.INFO if given.log else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
    try:
        asyncio.run(_serve(emulator))
    except OSError as error:
        sys.stderr.write(f"cannot serve: {error}\n")
        return 1
    return 0


async def _serve(emulator: HnsEmulator) -> None:
    loop = asyncio.get_running_loop()
    serving = asyncio.create_task(emulator.serve(lambda: _announce(emulator)))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _announce(emulator: HnsEmulator) -> None:
    sys.stdout.write(
        f"{emulator.connection_string}\n"
        f"Its names are {emulator.account}.blob.core.localhost and "
        f"{emulator.account}.dfs.core.localhost. Where these do not resolve, give the client\n"
        "hns_emulator.loopback_session(), name both in /etc/hosts for 127.0.0.1, or use\n"
        f"{emulator.path_style_connection_string}\n"
        f"(and {emulator.path_style_dfs_url} for the Data Lake endpoint alone)\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
