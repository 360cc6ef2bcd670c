"""RESUME: large files that did not arrive, and go on by parts."""

from __future__ import annotations

from typing import Any, Final

from remote_store import AlreadyExists, BackendUnavailable, Capability
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Inapplicable, Violation, expect, raises
from remote_store_conformance.contract.kinds import Need
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.targets.proxy import Fault
from remote_store_conformance.tools.contents import Content, contents, twin
from remote_store_conformance.tools.faults import cut, needs_wire
from remote_store_conformance.tools.sources import pattern

C = Capability

#: More often than any retry tries.
_ALWAYS: Final = 1_000_000


def _large(t: Trial) -> Content:
    """
    Return content of more than two parts.

    Raises:
        Inapplicable: The target takes no such file.
    """
    size = t.target.part_size * 9 // 2 + 70_001
    if size > t.target.max_object:
        msg = f"the target takes no file of {size} bytes"
        raise Inapplicable(msg)
    return Content("of several parts", pattern(size, seed=3))


async def _broken(t: Trial, path: str, content: Content, **options: Any) -> None:
    """Write with *resume* until half of the content is there, and from then on reach nobody."""
    wire = needs_wire(t)
    down = Fault("reset", "up", times=_ALWAYS)
    wire.when_passed(len(content.data) * 3 // 5, lambda: wire.break_with(down))
    try:
        await t.store.write(path, content.source().open(), resume=True, **options)
    except BackendUnavailable:
        pass
    else:
        msg = "a write returned although its service could not be reached"
        raise Violation(msg, observed="it returned", expected="BackendUnavailable")
    finally:
        await cut(wire)


async def _continued(t: Trial, path: str, content: Content, what: str, **options: Any) -> int:
    """Write with *resume*, state that the content is there, and return the bytes that were sent."""
    wire = needs_wire(t)
    before = wire.read()
    await t.store.write(path, content.source().open(), resume=True, **options)
    sent = (wire.read() - before).sent
    observed = await t.peek(path)
    expect(
        observed == content.data,
        f"{what} does not have the content that was given last",
        observed=observed,
        expected=content.data,
    )
    return sent


@clause(
    "RESUME-001",
    "A write with resume whose service could not be reached any more is gone on with by the next "
    "one: the file has the whole content, and fewer bytes are sent than it has.",
    intent="500 GB over a bad network arrive after some attempts, or never.",
    requires=[C.RESUMABLE_WRITE, C.WRITE],
    needs=[Need.PEEK],
    since="1.1",
    seconds=120,
)
async def goes_on(t: Trial) -> None:
    content, path = _large(t), t.name()
    given = {"metadata": {"kit": "value"}} if t.declares(C.USER_METADATA) else {}
    await _broken(t, path, content, **given)
    left = await t.peek(path)
    expect(left is None, "half of a file is there", observed=left, expected="nothing")
    sent = await _continued(t, path, content, "a file that was gone on with", **given)
    t.note(bytes=len(content.data), sent=sent)
    expect(
        sent < len(content.data) * 9 // 10,
        "a write that was to go on sent everything again",
        observed=f"{sent} bytes",
        expected=f"less than nine tenths of {len(content.data)} bytes",
    )


@clause(
    "RESUME-002",
    "Content that was changed since an earlier write of the file broke off is never mixed with "
    "what that write left.",
    intent="A source that is written every night is another one in the next run.",
    requires=[C.RESUMABLE_WRITE, C.WRITE],
    needs=[Need.PEEK],
    since="1.1",
    seconds=240,
)
async def never_mixed(t: Trial) -> None:
    old = _large(t)
    size = len(old.data)
    for new in (
        twin(old, size * 3 // 10),
        Content("whose beginning moved to the end", old.data[size // 2 :] + old.data[: size // 2]),
        Content("longer at its beginning", b"more" + old.data),
        Content("shorter", old.data[: size // 2]),
        Content("of one part", old.data[:1000]),
    ):
        path = t.name()
        await _broken(t, path, old)
        await _continued(t, path, new, f"a file whose content, {new}, replaced what was left")


@clause(
    "RESUME-003",
    "User metadata of a write that goes on are those that it was given, and not those of the "
    "write that broke off.",
    intent="The time of its source is kept with a copy, and says later that both are equal.",
    requires=[C.RESUMABLE_WRITE, C.WRITE, C.USER_METADATA, C.METADATA],
    needs=[Need.PEEK],
    since="1.1",
    seconds=120,
)
async def own_metadata(t: Trial) -> None:
    content = _large(t)
    for old, new in (({"kit": "old"}, {"kit": "new"}), ({"kit": "old"}, None), (None, {"k": "v"})):
        path = t.name()
        await _broken(t, path, content, metadata=old)
        await _continued(t, path, content, "a file with other metadata", metadata=new)
        observed = (await t.store.get_file_info(path)).metadata
        expect(
            dict(observed or {}) == (new or {}),
            "a write that went on kept the metadata of the one that broke off",
            observed=observed,
            expected=new,
        )


@clause(
    "RESUME-004",
    "Where nothing was left, a write with resume is a write: of any content, and exclusive.",
    intent="A program asks for it each time, since it does not know what happened to the last run.",
    requires=[C.RESUMABLE_WRITE, C.WRITE],
    needs=[Need.PEEK],
    since="1.1",
    seconds=60,
)
async def is_a_write(t: Trial) -> None:
    for content in contents(t):
        for form, data in content.forms:
            path = t.name()
            await t.store.write(path, data, resume=True)
            observed = await t.peek(path)
            expect(
                observed == content.data,
                f"a write with resume of {form} left something else",
                observed=observed,
                expected=content.data,
            )
        for again in (content.data, content.source().open()):
            with raises(AlreadyExists, "when an exclusive write with resume finds a file"):
                await t.store.write(path, again, resume=True)
        await t.store.write(path, b"other", overwrite=True, resume=True)
        observed = await t.peek(path)
        expect(observed == b"other", "a write with resume did not overwrite", observed=observed)
