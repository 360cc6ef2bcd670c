"""A plan and its execution together: copy, synchronise, verify."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Unpack

from remote_store import RemotePath
from remote_store.aio import AsyncStore
from remote_store_transfer._execute import execute
from remote_store_transfer._options import TreeOptions
from remote_store_transfer._planning.plan import plan
from remote_store_transfer._values import Compare, Links, TransferReport

if TYPE_CHECKING:
    from remote_store import GlobPattern
    from remote_store_transfer._verify_report import VerifyReport

__all__ = ["copy_tree", "sync_tree", "verify_tree"]

#: Options of plans; all others are those of executions.
_OF_PLANS: Final = TreeOptions.__annotations__.keys() & inspect.signature(plan).parameters


async def copy_tree(
    source: AsyncStore,
    target: AsyncStore,
    *,
    overwrite: bool = False,
    **options: Unpack[TreeOptions],
) -> TransferReport:
    """
    Copy every file below a folder to the same relative path below another.

    Files that are equal already are skipped, so that giving the same call
    again completes a copy that was interrupted. Empty folders are not copied.

    Args:
        source: Where from.
        target: Where to.
        overwrite: Replace files that differ; False makes each of them a failure.
        options: Those of `plan` and `execute`, as `TreeOptions` lists them.

    Raises:
        TypeError: An option is neither a `TreeOptions` key nor named above.
        ValueError, TypeError, InvalidPath, CapabilityNotSupported: As `plan` and `execute`.
        NotFound, RemoteStoreError, OSError: As `Plan.prepare`.
    """
    return await _transfer(source, target, {**options}, overwrite=overwrite)


async def sync_tree(
    source: AsyncStore,
    target: AsyncStore,
    *,
    delete: bool = False,
    **options: Unpack[TreeOptions],
) -> TransferReport:
    """
    Make what is below a folder like what is below another: `copy_tree` that replaces.

    Args:
        source: Where from.
        target: Where to.
        delete: Delete files that only the target has; at the end, and only
            if nothing failed.
        options: Those of `plan` and `execute`, as `TreeOptions` lists them.

    Raises:
        TypeError: An option is neither a `TreeOptions` key nor named above.
        ValueError, TypeError, InvalidPath, CapabilityNotSupported: As `plan` and `execute`.
        NotFound, RemoteStoreError, OSError: As `Plan.prepare`.
    """
    return await _transfer(source, target, {**options}, delete=delete)


async def _transfer(
    source: AsyncStore, target: AsyncStore, options: dict[str, Any], **more: Any
) -> TransferReport:
    chosen = {name: options.pop(name) for name in _OF_PLANS & options.keys()}
    async with plan(source, target, **chosen, **more) as actions:
        return await execute(actions, **options)


async def verify_tree(
    source: AsyncStore,
    target: AsyncStore,
    *,
    source_path: str | RemotePath = "",
    target_path: str | RemotePath = "",
    compare: Compare = "content",
    include: Iterable[str | GlobPattern] = (),
    exclude: Iterable[str | GlobPattern] = (),
    links: Links = "report",
) -> VerifyReport:
    """
    Tell how what is below a folder differs from what is below another; changes nothing.

    Args:
        source: As for `plan`, like all others.
        target: What is compared with it.
        source_path: Folder of *source*.
        target_path: Folder of *target*.
        compare: How; ``"content"`` reads both sides where no common digest is known.
        include: Patterns of which one has to match.
        exclude: Patterns of which none may match.
        links: What becomes of links.

    Raises:
        ValueError, InvalidPath, CapabilityNotSupported: As `plan`.
        NotFound, RemoteStoreError, OSError: As `Plan.prepare`.
    """
    # Only here: copies have reports of another kind.
    from remote_store_transfer._verify_report import VerifyReport

    start = time.monotonic()
    found: dict[str, list[str]] = {"copy": [], "differing": [], "delete": []}
    equal = 0
    async with plan(
        source,
        target,
        source_path=source_path,
        target_path=target_path,
        compare=compare,
        delete=True,
        include=include,
        exclude=exclude,
        links=links,
        order="name",
        compare_only=True,
    ) as actions:
        async for action in actions:
            if action.kind == "skip":
                equal += 1
            else:
                kind = "differing" if action.kind in ("replace", "conflict") else action.kind
                found[kind].append(action.path)
        return VerifyReport(
            equal=equal,
            differing=tuple(found["differing"]),
            missing=tuple(found["copy"]),
            extra=tuple(found["delete"]),
            failures=actions.failures,
            seconds=time.monotonic() - start,
            links_left_out=actions.links_left_out,
            names_left_out=actions.names_left_out,
        )
