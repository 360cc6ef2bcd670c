"""
What a store does in one call instead of several, and when it may be asked to.

A program may have put something of its own around these: a store of another class, or an
object that hands on what it does not have. What is inherited or handed on would act past it.
"""

from __future__ import annotations

__all__ = ["copies_from", "copies_many_from", "deletes_many"]


def deletes_many(store: object) -> bool:
    """Return True if ``delete_many`` of a store does what its ``delete`` does."""
    return _has_itself(store, "delete_many", "delete")


def copies_from(target: object, source: object) -> bool:
    """Return True if ``copy_from`` reads as the source does, and writes as the target does."""
    return _passes_by("copy_from", target, source)


def copies_many_from(target: object, source: object) -> bool:
    """Return True if ``copy_many_from`` does what ``copy_from`` does, as `copies_from` has it."""
    return _passes_by("copy_many_from", target, source, "copy_from")


def _passes_by(name: str, target: object, source: object, *others: str) -> bool:
    reads = _has_itself(source, name, *others, "read", "read_bytes", "read_range", "open")
    return reads and _has_itself(target, name, *others, "write", "write_atomic")


def _has_itself(store: object, name: str, *others: str) -> bool:
    """Return True if no class of *store*, nor itself, has one of *others* anew and not *name*."""
    spaces = (getattr(store, "__dict__", {}), *map(vars, type(store).__mro__))
    wanted = {name, *others}
    nearest = next((space for space in spaces if not wanted.isdisjoint(space)), {})
    return name in nearest
