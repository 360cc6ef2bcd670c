"""Additions that work on every sync store."""

__all__: list[str] = []
