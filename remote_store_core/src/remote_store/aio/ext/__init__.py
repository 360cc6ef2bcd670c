"""Additions that work on every store."""
