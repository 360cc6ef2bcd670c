"""Whether two folders are one, or one lies in the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remote_store import RemoteStoreError
from remote_store.aio import AsyncStore
from remote_store_transfer._listing.side import Side
from remote_store_transfer._listing.this_machine import this_machine

if TYPE_CHECKING:
    from remote_store import ResolutionPlan, Store

__all__ = ["refuse_overlap"]


def refuse_overlap(source: Side, target: Side) -> None:
    """
    Refuse a transfer of a folder into itself, as far as that can be told.

    Raises:
        ValueError: The two folders are one, or one lies in the other.
    """
    if _overlap(source, target):
        msg = (
            f"source {source.store!r} {source.folder!r} and target {target.store!r} "
            f"{target.folder!r} are one folder, or one lies in the other"
        )
        raise ValueError(msg)


def _overlap(source: Side, target: Side) -> bool:
    if source.store == target.store:
        return _nested(source.folder, target.folder)
    here, there = this_machine(source.store), this_machine(target.store)
    if here is not None and there is not None:
        return _nested(here.real_path(source.folder), there.real_path(target.folder))
    one, other = source.store.resolve(source.folder), target.store.resolve(target.folder)
    if _nested(one.native_path, other.native_path) and _over_one_backend(source, target):
        return True
    if one.kind != other.kind or not one.details or not other.details:
        return False
    return _whereabouts(one) == _whereabouts(other) and _nested(one.native_path, other.native_path)


def _over_one_backend(source: Side, target: Side) -> bool:
    """Return True if two stores, one of whose roots lies in the other, have one backend."""
    one, other = _given(source.store), _given(target.store)
    root, below = one.resolve("").native_path, other.resolve("").native_path
    if len(root) > len(below):
        one, other, root, below = other, one, below, root
    way = below[len(root) :].strip("/")
    # Equal stores have one backend and one root, which need not exist.
    return one.child(f"{way}/x" if way else "x") == other.child("x")


def _given(store: AsyncStore) -> AsyncStore | Store:
    """Return the store that the user has given: a sync one takes part as a backend."""
    from remote_store import Store  # not loaded for two folders of this machine

    try:
        return store.unwrap(Store)
    except RemoteStoreError:
        return store


def _whereabouts(plan: ResolutionPlan) -> dict[str, object]:
    """Return what a plan says of the place that its path does not say."""
    return {
        name: value
        for name, value in plan.details.items()
        if not (isinstance(value, str) and _is_below(plan.native_path, value))
    }


def _nested(one: str, other: str) -> bool:
    return _is_below(one, other) or _is_below(other, one)


def _is_below(path: str, folder: str) -> bool:
    folder = folder.rstrip("/")
    return path == folder or not folder or path.startswith(f"{folder}/")
