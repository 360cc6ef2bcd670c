"""Models, capabilities: frozen, compared as promised, copied and pickled."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from attrs import NOTHING, astuple, evolve, fields, frozen
from attrs.exceptions import FrozenInstanceError

from remote_store import (
    UNKNOWN_TIME,
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    ContentDigest,
    FileInfo,
    FolderEntry,
    FolderInfo,
    PathEntry,
    RemotePath,
    ResolutionPlan,
    WriteResult,
)
from remote_store.authoring import known_file

PATH = RemotePath("a/b.txt")
NOW = datetime(2024, 5, 6, 7, 8, tzinfo=UTC)

MODELS = [
    FileInfo(PATH, "b.txt", 3, NOW, metadata={"k": "v"}, extra={"x": 1}),
    FolderEntry(PATH, "b.txt"),
    FolderInfo(PATH, 2, 7, NOW, {"x": 1}),
    ContentDigest("md5", "00ff"),
    WriteResult(PATH, 3, "native", ContentDigest("md5", "00"), "e", "v", NOW, {"k": "v"}),
    ResolutionPlan("kind", "backend", "key", "native", {"d": 1}),
    known_file("a/b.txt", "b.txt", 3, NOW),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_models_are_frozen(model: Any) -> None:
    """No field can be set or deleted, and no attribute added."""
    for field in fields(type(model)):
        with pytest.raises(FrozenInstanceError):
            setattr(model, field.name, None)
        with pytest.raises(FrozenInstanceError):
            delattr(model, field.name)
    with pytest.raises(AttributeError):
        model.something_new = 1
    assert not hasattr(model, "__dict__")


@pytest.mark.parametrize(
    "clone",
    [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))],
    ids=["copy", "deepcopy", "pickle"],
)
@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_models_copy_and_pickle(model: Any, clone: Callable[[Any], Any]) -> None:
    """A copy has every field of the original, not only those that equality looks at."""
    other = clone(model)
    assert type(other) is type(model)
    assert other == model
    for field in fields(type(model)):
        assert getattr(other, field.name) == getattr(model, field.name)


@pytest.mark.parametrize("cls", [FileInfo, WriteResult])
def test_own_constructors(cls: Any) -> None:
    """The constructors written by hand do what the generated ones do."""
    names = [field.name for field in fields(cls)]
    values = [object() for _ in names]
    required = [field.name for field in fields(cls) if field.default is NOTHING]
    assert list(inspect.signature(cls).parameters) == names

    for model in (cls(*values), cls(**dict(zip(names, values, strict=True)))):
        assert type(model) is cls
        assert [getattr(model, name) for name in names] == values
    least = cls(*values[: len(required)])
    generated = cls.__new__(cls)
    generated.__attrs_init__(*values[: len(required)])
    assert [getattr(least, n) for n in names] == [getattr(generated, n) for n in names]
    assert evolve(cls(*values), size=5).size == 5


def test_subclasses_of_models() -> None:
    """A subclass stays what it is, with attrs and without, and may have attributes of its own."""

    class Plain(FileInfo):
        pass

    @frozen
    class Slotted(WriteResult):
        region: str = ""

    plain = Plain(PATH, "b.txt", 3, NOW, etag="e")
    plain.__dict__["note"] = "n"
    assert (type(plain), plain.size, plain.etag, plain.extra) == (Plain, 3, "e", {})
    with pytest.raises(FrozenInstanceError):
        plain.size = 4  # type: ignore[misc]
    slotted = Slotted(PATH, 3, region="west")
    assert (type(slotted), slotted.size, slotted.region) == (Slotted, 3, "west")

    class Bare(WriteResult):
        __slots__ = ()

    assert type(Bare(PATH, 3)) is Bare


def test_path_models_compare_by_path_only() -> None:
    """Two views of one path are equal within one model and never across models."""
    other = FileInfo(PATH, "b.txt", 99, NOW + timedelta(1), etag="x")
    assert MODELS[0] == other
    assert hash(MODELS[0]) == hash(other)
    assert FolderInfo(PATH, 0, 0) == MODELS[2]
    assert hash(FolderInfo(PATH, 0, 0)) == hash(MODELS[2])
    assert FileInfo(RemotePath("c"), "c", 3, NOW) != MODELS[0]
    for i, one in enumerate(MODELS[:3]):
        assert all(one != two for j, two in enumerate(MODELS[:3]) if i != j)


def test_write_results_compare_field_by_field() -> None:
    """One differing field makes write results differ; with a dict inside they have no hash."""
    assert WriteResult(PATH, 1) == WriteResult(PATH, 1)
    assert hash(WriteResult(PATH, 1)) == hash(WriteResult(PATH, 1))
    assert WriteResult(PATH, 1) != WriteResult(PATH, 2)
    assert WriteResult(PATH, 1) != WriteResult(PATH, 1, "native")
    assert WriteResult(PATH, 1).source == "basic"
    with pytest.raises(TypeError):
        hash(WriteResult(PATH, 1, metadata={}))


def test_defaults_are_not_shared() -> None:
    """Each model gets an ``extra`` dict of its own."""
    one, two = FolderInfo(PATH, 0, 0), FolderInfo(PATH, 0, 0)
    one.extra["x"] = 1
    assert two.extra == {}
    assert FileInfo(PATH, "b", 0, NOW).extra == {}


def test_a_known_file_is_what_the_constructor_makes() -> None:
    """In each field, of which none is shared with another one."""
    made, other = (known_file("a/b.txt", "b.txt", 3, NOW) for _ in range(2))
    usual = FileInfo(PATH, "b.txt", 3, NOW)

    assert type(made) is FileInfo
    assert astuple(usual, recurse=False) == astuple(made, recurse=False)
    assert made.extra is not other.extra


@pytest.mark.parametrize("model", MODELS[:3], ids=lambda m: type(m).__name__)
def test_path_entries(model: PathEntry) -> None:
    """The three path models satisfy the protocol; the name follows the path."""
    assert isinstance(model, PathEntry)
    assert (model.name, model.path) == ("b.txt", PATH)
    assert not isinstance(MODELS[3], PathEntry)


def test_folder_info_name_is_no_argument() -> None:
    """The name of a folder info is derived from its path."""
    with pytest.raises(TypeError):
        FolderInfo(path=PATH, file_count=0, total_size=0, name="x")  # type: ignore[call-arg]
    assert FolderInfo(RemotePath.ROOT, 0, 0).name == "."


def test_unknown_time_is_the_documented_sentinel() -> None:
    """An unknown time is the smallest aware datetime."""
    assert datetime.min.replace(tzinfo=UTC) == UNKNOWN_TIME


def test_digest_is_cleaned() -> None:
    """Algorithm and value are stripped and lower-cased."""
    digest = ContentDigest(" MD5 ", " 00FF\n")
    assert (digest.algorithm, digest.value) == ("md5", "00ff")
    assert digest == ContentDigest("md5", "00ff")
    assert digest != ContentDigest("sha1", "00ff")


@pytest.mark.parametrize(("algorithm", "value"), [("", "00"), (" ", "00"), ("md5", ""), ("m", "g")])
def test_digest_refuses_nonsense(algorithm: str, value: str) -> None:
    """An empty name, an empty value and a value that is not hexadecimal are refused."""
    with pytest.raises(ValueError, match="digest"):
        ContentDigest(algorithm, value)


def test_plan_details_are_read_only() -> None:
    """Details cannot be changed through the plan nor through the dict they came from."""
    details: dict[str, object] = {"a": 1}
    plan = ResolutionPlan("k", "b", "key", "native", details)
    details["a"] = 2
    assert isinstance(plan.details, MappingProxyType)
    assert plan.details == {"a": 1}
    with pytest.raises(TypeError):
        plan.details["a"] = 3  # type: ignore[index]
    with pytest.raises(TypeError):
        hash(plan)


def test_plan_details_are_copied_out_of_a_proxy() -> None:
    """A read-only view of a dict that its owner still changes is not the plan's."""
    details = {"a": 1}
    plan = ResolutionPlan("k", "b", "key", "native", MappingProxyType(details))
    details["a"] = 2
    assert plan.details == {"a": 1}


NAMES = {
    *("read", "write", "delete", "list", "glob", "move", "copy", "metadata"),
    *("atomic_write", "atomic_move", "user_metadata"),
    *("seekable_read", "lazy_read", "write_result_native"),
    *("range_read", "conditional_write", "content_headers", "signed_url"),
    "create_folder",
    "resumable_write",
}


def test_capabilities_are_these() -> None:
    """Members are named after their values, and there is no other."""
    assert {c.value for c in Capability} == NAMES
    assert all(c.name == c.value.upper() for c in Capability)


def test_capability_set_reads_like_a_set() -> None:
    """Membership, length, iteration, comparison and combination work on members only."""
    read, glob = Capability.READ, Capability.GLOB
    both = CapabilitySet({read, glob})
    assert read in both
    value: Any = "read"
    assert value not in both
    assert Capability.LIST not in both
    assert len(both) == 2
    assert set(both) == {read, glob}
    assert both == CapabilitySet([glob, read, read])
    assert hash(both) == hash(CapabilitySet([glob, read]))
    assert both != CapabilitySet({read})
    assert both | CapabilitySet({Capability.LIST}) == CapabilitySet([read, glob, Capability.LIST])
    assert both & CapabilitySet({read}) == CapabilitySet({read})
    assert both - CapabilitySet({read}) == CapabilitySet({glob})
    assert CapabilitySet({read}) <= both
    assert not both <= CapabilitySet({read})
    assert isinstance(both | both, CapabilitySet)
    assert isinstance(both - both, CapabilitySet)
    assert repr(both) == "CapabilitySet({GLOB, READ})"
    assert both.supports(read)
    assert not both.supports(Capability.LIST)


def test_capability_set_is_frozen_and_copies() -> None:
    """It cannot be changed, and a copy or an unpickled one is equal and works."""
    both = CapabilitySet({Capability.READ, Capability.GLOB})
    with pytest.raises(AttributeError):
        both._members = frozenset()
    with pytest.raises(AttributeError):
        both.other = 1
    for clone in (copy.copy(both), copy.deepcopy(both), pickle.loads(pickle.dumps(both))):
        assert clone == both
        assert Capability.READ in clone


def test_capability_set_takes_members_only() -> None:
    """Values in place of members are a TypeError, not an empty promise."""
    with pytest.raises(TypeError, match="Capability"):
        CapabilitySet(["read"])  # type: ignore[list-item]


def test_require_names_what_is_missing() -> None:
    """The refusal carries the value and the backend, and lists what is there, sorted."""
    both = CapabilitySet({Capability.WRITE, Capability.READ})
    both.require(Capability.READ)
    with pytest.raises(CapabilityNotSupported, match="is not supported") as caught:
        both.require(Capability.GLOB, backend="b")
    error = caught.value
    assert (error.capability, error.backend, error.path) == ("glob", "b", None)
    assert "glob" in str(error)
    assert "read, write" in str(error)
    with pytest.raises(CapabilityNotSupported) as caught:
        both.require(Capability.GLOB)
    assert caught.value.backend is None
