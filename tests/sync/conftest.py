"""The fixtures of the core's tests that run plugins and fresh interpreters."""

from __future__ import annotations

from tests.core.conftest import built, install, run_python

__all__ = ["built", "install", "run_python"]
