"""CAP: what is declared works, what is not declared is refused and has no effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from remote_store import Capability, CapabilityNotSupported, CapabilitySet, RemoteStoreError
from remote_store.aio import AsyncBackend
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Inapplicable, Unverified, Violation, expect
from remote_store_conformance.contract.kinds import Level, Trait
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.tools.operations import OPERATIONS, Form, declared
from remote_store_conformance.tools.scenes import set_scene
from remote_store_conformance.tools.sources import Source
from remote_store_conformance.tools.undeclared import (
    ask_raw,
    refuse_in_store,
    refuse_raw,
    undeclared,
)

C = Capability


@clause(
    "CAP-001",
    "The capabilities are a CapabilitySet that never changes in an instance's life and is part "
    "of the class's CAPABILITIES.",
    intent="A program decides once what it can do with a store, and a store reads the set once.",
)
async def constant(t: Trial) -> None:
    backend = t.backend
    first = backend.capabilities
    expect(
        isinstance(first, CapabilitySet),
        "capabilities is not a CapabilitySet",
        observed=type(first).__name__,
        expected="CapabilitySet",
    )
    await backend.exists(t.prefix)
    expect(
        backend.capabilities == first,
        "the capabilities changed after the first use",
        observed=backend.capabilities,
        expected=first,
    )
    other = await t.open_backend()
    expect(
        other.capabilities == first,
        "two objects that were opened alike declare different sets",
        observed=other.capabilities,
        expected=first,
    )
    most = getattr(type(backend), "CAPABILITIES", None)
    if isinstance(most, CapabilitySet):
        expect(
            first <= most,
            "the instance declares what the class attribute CAPABILITIES does not hold",
            observed=sorted(c.name for c in first - most),
            expected="a subset of CAPABILITIES",
        )
    close: Callable[[], Any] | None = getattr(other, "aclose", None)
    if close is not None:
        await close()
    expect(
        other.capabilities == first,
        "the capabilities changed after the close",
        observed=other.capabilities,
        expected=first,
    )


@clause(
    "CAP-002",
    "Through a store, every call that needs an undeclared capability raises "
    "CapabilityNotSupported with its name, before content or backend are touched.",
    intent="A program must see that this cannot work, and nothing may have happened.",
    only=[Trait.PARTIAL],
)
async def refused(t: Trial) -> None:
    missing = undeclared(t)
    for capability in missing:
        await refuse_in_store(t, capability)
    t.note(refused=[c.name for c in missing])


@clause(
    "CAP-006",
    "A backend that is called without a store and refuses has done nothing before.",
    intent="Adapters and wrappers call backends directly, and a refusal is no half of an action.",
    only=[Trait.PARTIAL],
)
async def no_effect(t: Trial) -> None:
    for capability in undeclared(t):
        await refuse_raw(t, capability)


@clause(
    "CAP-007",
    "A backend does not quietly work where its capabilities say that it does not.",
    intent="What is not declared is not checked, and programs will come to depend on it.",
    level=Level.SHOULD,
    only=[Trait.PARTIAL],
)
async def no_closet(t: Trial) -> None:
    works = {
        f"{capability.name} ({answer.call})"
        for capability in undeclared(t)
        for answer in await ask_raw(t, capability)
        if answer.error is None
    }
    expect(
        not works,
        "the backend is under-declared: it works without declaring it",
        observed=", ".join(sorted(works)),
        expected="a refusal, or the capability in the set",
    )


@clause(
    "CAP-012",
    "A backend that is called without a store refuses with the same CapabilityNotSupported.",
    intent="One kind of refusal is enough for adapters, wrappers and their callers.",
    level=Level.SHOULD,
    only=[Trait.PARTIAL],
)
async def same_refusal(t: Trial) -> None:
    for capability in undeclared(t):
        for answer in await ask_raw(t, capability):
            error = answer.error
            if error is None:
                continue
            what = f"the backend's own {answer.call} without {capability.name}"
            if not isinstance(error, CapabilityNotSupported):
                msg = f"{what} raised the wrong exception"
                observed = f"{type(error).__name__}: {error}"
                raise Violation(msg, observed=observed, expected="CapabilityNotSupported")
            expect(
                error.capability in {c.value for c in answer.lacking},
                f"{what} names the wrong capability",
                observed=error.capability,
                expected=capability.value,
            )


@clause(
    "CAP-008",
    "Every declared capability works.",
    intent="A declaration is a promise: a program that asks first must not be refused afterwards.",
)
async def declared_works(t: Trial) -> None:
    for op in declared(t, *Form):
        scene = await set_scene(t)
        try:
            await op.perform(t.store, scene, Source())
        except (NotImplementedError, AttributeError, TypeError) as error:
            named = " and ".join(c.name for c in op.needs) or op.name
            msg = f"{named} is declared, but does not work"
            observed = f"{op}: {type(error).__name__}: {error}"
            raise Violation(msg, observed=observed, expected="the operation works") from error
        except RemoteStoreError as error:
            if op.refuses is None or not isinstance(error, op.refuses):
                raise
    seen = {c for op in declared(t, *Form) for c in op.needs}
    # Some work only together with another one, which the backend may not have.
    possible = {c for op in OPERATIONS if op.lacks(t) is None for c in op.needs}
    unseen = sorted(c.name for c in possible - seen)
    if unseen:
        msg = f"{', '.join(unseen)} needs a file, and there is no way to put one there"
        raise Unverified(msg)


@clause(
    "CAP-009",
    "A backend without USER_METADATA refuses metadata that is handed to it, and never drops it; "
    "None and an empty mapping pass.",
    intent="Metadata that is dropped in silence is lost data.",
    requires=[C.WRITE],
    only=[Trait.PARTIAL],
)
async def metadata_not_dropped(t: Trial) -> None:
    if t.declares(C.USER_METADATA):
        msg = "the backend declares USER_METADATA"
        raise Inapplicable(msg)
    for metadata in (None, dict[str, str]()):
        await t.backend.write(t.key(t.name()), b"x", metadata=metadata)
    source = Source()
    content = source.open()
    before = await t.snapshot()
    try:
        await t.backend.write(t.key(t.name()), content, metadata={"kit": "value"})
    except CapabilityNotSupported as error:
        expect(
            error.capability == C.USER_METADATA.value,
            "the refusal of metadata names the wrong capability",
            observed=error.capability,
            expected=C.USER_METADATA.value,
        )
        expect(
            source.untouched,
            "the content was read before the metadata was refused",
            observed=f"{source.pulled} chunks pulled",
        )
        changes = before.difference(await t.snapshot())
        expect(not changes, "the refused write changed something", observed=changes)
    else:
        msg = "the backend dropped metadata in silence"
        raise Violation(msg, observed="the write succeeded", expected="CapabilityNotSupported")
    finally:
        await content.aclose()


@clause(
    "CAP-010",
    "exists, is_file, is_folder, resolve, native_path and to_key work whatever is declared.",
    intent="They have no capability, so no program asks before it calls them.",
)
async def ungated(t: Trial) -> None:
    scene = await set_scene(t)
    for op in OPERATIONS:
        if op.needs:
            continue
        try:
            await op.perform(t.store, scene, Source())
        except NotImplementedError as error:
            msg = f"{op} is refused, although it needs no capability"
            raise Violation(msg, observed=f"{type(error).__name__}: {error}") from error
    t.store.child(scene.folder)


@clause(
    "CAP-011",
    "The name of a backend is a non-empty str, the same for all instances of its kind.",
    intent="Errors and logs carry it, and people search for it.",
)
async def name(t: Trial) -> None:
    def named(backend: AsyncBackend) -> object:
        return backend.name

    first = named(t.backend)
    expect(isinstance(first, str) and first.strip(), "the name is no text", observed=first)
    await t.backend.exists(t.prefix)
    other = named(await t.open_backend())
    expect(
        named(t.backend) == other == first,
        "the name is not the same for two instances",
        observed=other,
        expected=first,
    )
