"""
The conformance kit of remote_store.

``remote-store-conform run NAME`` checks an installed backend; ``pytest
--conform NAME`` does the same as test items. A plugin that ships targets needs
`Target` and `hookimpl`; a test file that wants to show the checks takes
`contract_tests`.

Importing this package imports nothing else: pytest loads it before it measures
coverage.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from remote_store_conformance._plugin import contract_tests
    from remote_store_conformance.engine.session import Session
    from remote_store_conformance.plugins.hookspecs import hookimpl
    from remote_store_conformance.targets.target import (
        Meter,
        Probe,
        Scratch,
        Target,
        Traffic,
        Waiver,
    )

__all__ = [
    "Meter",
    "Probe",
    "Scratch",
    "Session",
    "Target",
    "Traffic",
    "Waiver",
    "contract_tests",
    "hookimpl",
]

_HOMES = {
    "Session": "engine.session",
    "contract_tests": "_plugin",
    "hookimpl": "plugins.hookspecs",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg, name=name)
    return getattr(
        importlib.import_module(f"{__name__}.{_HOMES.get(name, 'targets.target')}"), name
    )
