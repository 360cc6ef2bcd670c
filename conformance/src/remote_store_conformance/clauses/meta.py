"""META: user metadata."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from remote_store import Capability
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.tools.contents import contents
from remote_store_conformance.tools.sources import Source

C = Capability

_NEEDED: Final = (C.USER_METADATA, C.WRITE, C.METADATA)

#: What every backend returns unchanged.
_CORE: Final = {
    "author": "Jane Doe",
    "content_version": "3",
    "x1": "a=b; c, d: 'e' \"f\" %20+&<g>/\\~",
    "long_value": "v" * 900,
}

#: What some storage cannot return unchanged.
_AWKWARD: Final[tuple[dict[str, str], ...]] = (
    {"with-dash": "v"},
    {"with.dot": "v"},
    {"with space": "v"},
    {"1digit": "v"},
    {"class": "v"},
    {"Upper": "v"},
    {"same": "1", "SAME": "2"},
    {"key": ""},
    {"key": " blank before"},
    {"key": "blank after "},
    {"key": "two  blanks"},
    {"key": "tab\tinside"},
    {"key": "line\nbreak"},
    {"key": "línea"},
    {"key": "日本語"},
    {"key": "\x7f"},
    {"hdi_isfolder": "true"},
)


async def _kept(t: Trial, path: str) -> dict[str, str] | None:
    metadata: object = (await t.store.get_file_info(path)).metadata
    expect(
        metadata is None or isinstance(metadata, Mapping),
        "the metadata of a file are no mapping",
        observed=metadata,
    )
    return dict(metadata) if isinstance(metadata, Mapping) else None


def _same(found: object, given: object, what: str) -> None:
    expect(found == given, f"{what} did not come back unchanged", observed=found, expected=given)


def _methods(t: Trial) -> dict[str, Callable[..., Awaitable[Any]]]:
    methods: dict[str, Callable[..., Awaitable[Any]]] = {"write": t.store.write}
    if t.declares(C.ATOMIC_WRITE):
        methods["write_atomic"] = t.store.write_atomic
    return methods


@clause(
    "META-001",
    "User metadata of plain keys and printable values come back unchanged, from every way of "
    "writing.",
    intent="This is the core on which programs for all backends can build.",
    requires=_NEEDED,
)
async def round_trip(t: Trial) -> None:
    path = t.name()
    await t.store.write(path, b"x", metadata=_CORE)
    _same(await _kept(t, path), _CORE, "metadata of a write")
    await t.store.write(path, Source().open(), overwrite=True, metadata=_CORE)
    _same(await _kept(t, path), _CORE, "metadata of a streamed write")
    for name, method in _methods(t).items():
        for content in contents(t):
            for form, given in content.forms:
                path = t.name()
                await method(path, given, metadata=_CORE)
                _same(await _kept(t, path), _CORE, f"metadata of a {name} of {form},")
    head = await t.store.head(path)
    _same(dict(head.metadata or {}), _CORE, "metadata asked for with head")


@clause(
    "META-002",
    "A write replaces all user metadata of the file, and a file without any has None.",
    intent="They belong to a version, not to a name.",
    requires=_NEEDED,
)
async def replaced(t: Trial) -> None:
    for name, method in _methods(t).items():
        path = t.name()
        for metadata in ({"a": "1", "b": "2"}, {"b": "3"}, None, {"c": "4"}, {}):
            await method(path, b"x", overwrite=True, metadata=metadata)
            what = f"after a {name} with {metadata} metadata"
            _same(await _kept(t, path), metadata or None, what)


@clause(
    "META-003",
    "What a caller does to the mapping he gave, or to one he got, does not change the file.",
    intent="A file must not change behind the storage's back.",
    requires=_NEEDED,
)
async def no_alias(t: Trial) -> None:
    path = t.name()
    given = {"key": "value"}

    async def content() -> Any:
        given["key"] = "changed while the content was read"
        yield b"x"

    await t.store.write(path, content(), metadata=given)
    _same(await _kept(t, path), {"key": "value"}, "metadata whose mapping was changed meanwhile")
    given["key"] = "value"
    # Without a store, which hands on a mapping of its own.
    result = await t.backend.write(t.key(path), b"x", overwrite=True, metadata=given)
    given["key"] = "changed after the write"
    got = (await t.store.get_file_info(path)).metadata
    for what, mapping in (("the result of the write", result.metadata), ("get_file_info", got)):
        try:
            mapping["key"] = f"changed in {what}"  # type: ignore[index]
        except TypeError:
            continue  # it is read-only, which is as good
    _same(await _kept(t, path), {"key": "value"}, "metadata whose mapping was changed afterwards")


@clause(
    "META-004",
    "User metadata that a backend could not return unchanged are refused with ValueError before "
    "the content is read.",
    intent="A service trims, folds or drops what it does not like, without a word.",
    requires=_NEEDED,
)
async def refused_or_kept(t: Trial) -> None:
    refused = []
    for metadata in _AWKWARD:
        path = t.name()
        source = Source()
        try:
            await t.store.write(path, source.open(), metadata=metadata)
        except ValueError:
            refused.append(ascii(metadata))
            expect(
                source.untouched,
                f"the content was read before the metadata {metadata!a} were refused",
                observed=f"{source.pulled} chunks pulled",
            )
            there = await t.store.exists(path)
            expect(there is False, f"metadata {metadata!a} were refused, but the file is there")
        else:
            _same(await _kept(t, path), metadata, f"accepted metadata {metadata!a}")
    t.note(refused=refused)


@clause(
    "META-005",
    "User metadata of 2048 bytes come back unchanged, in one value and in many.",
    intent="It is the limit that callers are promised.",
    requires=_NEEDED,
)
async def full_size(t: Trial) -> None:
    one = {"key": "v" * 2045}
    # Keys of four bytes and values of sixty: 32 times 64.
    many = {f"k{n:03d}": f"{n:03d}".ljust(60, "v") for n in range(32)}
    for what, metadata in (("one value", one), ("32 values", many)):
        size = sum(len(key) + len(value) for key, value in metadata.items())
        path = t.name()
        await t.store.write(path, b"x", metadata=metadata)
        _same(await _kept(t, path), metadata, f"metadata of {size} bytes in {what}")
