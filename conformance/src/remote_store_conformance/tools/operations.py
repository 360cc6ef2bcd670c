"""
Every call of the protocol, once: how it is made, what it needs and what it changes.

Each family that speaks of "every operation" walks this list, so a call that the
protocol gains is checked everywhere. Nothing beside it lists operations.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, TypeAlias

from attrs import evolve, field, frozen

from remote_store import Capability, ContentHeaders, DirectoryNotEmpty, RemoteStoreError
from remote_store.aio import AsyncStore
from remote_store_conformance.contract.kinds import FIRST, Need, version_key
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.tools.sources import Source, pattern

__all__ = [
    "CHANGING",
    "LOOKING",
    "OLD",
    "OPERATIONS",
    "OPTIONS",
    "Form",
    "Operation",
    "Scene",
    "State",
    "declared",
    "settle_call",
]

C = Capability

#: What a call of a store or a backend returns: a coroutine, an iterator or a value.
Answer: TypeAlias = Any

#: What is at each path; None for nothing.
State: TypeAlias = Mapping[str, bytes | None]

#: What lies in a scene before a call.
OLD: Final = pattern(70_000, seed=1)
_OTHER: Final = b"other"
_INNER: Final = b"inner"

_META: Final = {"kit": "value"}


class Form(enum.Enum):
    """What kind of call an operation is."""

    #: Asks, and answers at once.
    QUESTION = "question"
    #: Hands out content.
    READ = "read"
    #: Hands out entries.
    LISTING = "listing"
    #: Takes content.
    WRITE = "write"
    #: Moves or copies a file.
    TRANSFER = "transfer"
    #: Makes a folder.
    FOLDER = "folder"
    #: Takes something away.
    DELETE = "delete"
    #: Computes, without I/O.
    PURE = "pure"


#: Forms that change nothing.
LOOKING: Final = (Form.QUESTION, Form.READ, Form.LISTING)
#: Forms that change something.
CHANGING: Final = (Form.WRITE, Form.TRANSFER, Form.FOLDER, Form.DELETE)


@frozen
class Scene:
    """
    What an operation finds: paths of a store, or keys of its backend.

    Args:
        file: A file.
        other: Another one.
        folder: A folder with the one file *inner*.
        inner: That file.
        free: Nothing is there.
        old: Content of *file*.
        set: Names of the paths that were put there, and of *free*; the others
            are names only.
    """

    file: str
    other: str
    folder: str
    inner: str
    free: str
    old: bytes = field(default=OLD, repr=False)
    set: tuple[str, ...] = ("file", "other", "folder", "free")

    @property
    def state(self) -> dict[str, bytes | None]:
        """What lies where, as the scene was set."""
        contents: dict[str, tuple[str, bytes | None]] = {
            "file": (self.file, self.old),
            "other": (self.other, _OTHER),
            "folder": (self.inner, _INNER),
            "free": (self.free, None),
        }
        return dict(contents[name] for name in self.set)

    def through(self, key: Callable[[str], str]) -> Scene:
        """Return the scene with each path turned into something else."""
        return evolve(
            self,
            file=key(self.file),
            other=key(self.other),
            folder=key(self.folder),
            inner=key(self.inner),
            free=key(self.free),
        )

    def with_path(self, name: str, path: str) -> Scene:
        """Return the scene with another path under one of its names."""
        changes: dict[str, Any] = {name: path}
        return evolve(self, **changes)


def _nothing(scene: Scene, data: bytes) -> State:
    return {}


@frozen
class Operation:
    """
    One call.

    Args:
        name: The call, for messages.
        method: Member of the protocol; ``""`` for what only a store has.
        form: Its kind.
        uses: Names of the paths of a `Scene` that it takes, in order.
        call: Makes it, on a store or on a backend with the scene of its keys.
        needs: Capabilities, in the order in which a store asks for them.
        effect: What is afterwards at the paths that it changes.
        metadata: User metadata of the file that it makes.
        refuses: What it raises in a scene as it was set; None if it works.
        eager: A store refuses at the call, without being awaited.
        since: Version of the contract that brought the member.
    """

    name: str
    method: str
    form: Form
    uses: tuple[str, ...]
    call: Callable[[Any, Scene, Source], Answer] = field(eq=False, repr=False)
    needs: tuple[Capability, ...] = ()
    effect: Callable[[Scene, bytes], State] = field(default=_nothing, eq=False, repr=False)
    metadata: Mapping[str, str] | None = None
    refuses: type[RemoteStoreError] | None = None
    eager: bool = False
    since: str = FIRST

    def __str__(self) -> str:
        return self.name

    @property
    def target(self) -> str | None:
        """Name of the path at which something is put, None if nothing is."""
        puts = self.form in (Form.WRITE, Form.TRANSFER, Form.FOLDER)
        return self.uses[-1] if puts else None

    def paths(self, scene: Scene) -> tuple[str, ...]:
        """Return what an error of the call may be about: its paths, or its pattern."""
        if self.method == "glob":
            return (_pattern(scene),)
        return tuple(getattr(scene, name) for name in self.uses)

    def role(self, name: str) -> str:
        """Return what one of its paths is to the call, for messages."""
        return "target" if name == self.target else "folder" if name == "folder" else "source"

    async def perform(self, api: Any, scene: Scene, content: Source) -> Any:
        """Make the call, and return its value, or everything that it yields."""
        return await settle_call(self.call(api, scene, content))

    def after(self, scene: Scene, data: bytes) -> State:
        """Return what must be there when the call has succeeded."""
        return {**scene.state, **self.effect(scene, data)}

    def lacks(self, t: Trial) -> Capability | None:
        """Return the capability that a store refuses first, None if all are declared."""
        return next((c for c in self.needs if not t.declares(c)), None)

    def direct(self, t: Trial) -> bool:
        """Return True if the backend has it itself: no store's own, no default of the protocol."""
        if not self.method or version_key(self.since) > version_key(t.survey.contract):
            return False
        return getattr(t.backend, self.method, None) is not None

    def allowed(self, t: Trial, scene: Scene, data: bytes) -> list[State]:
        """Return what may be there after the call was interrupted."""
        states = [scene.state, self.after(scene, data)]
        if self.method == "move" and not t.declares(C.ATOMIC_MOVE):
            # There may be a moment with both.
            states.append({**states[1], scene.file: scene.old})
        return states


def _call(form: Form, slot: str, method: str, *needs: Capability, **more: Any) -> Operation:
    """Return a call with one path; *more* are fields of `Operation` and arguments of the call."""
    fields = {k: more.pop(k) for k in ("effect", "refuses", "since", "store_only") if k in more}
    options = "".join(f", {name}={value!r}" for name, value in more.items())

    def call(api: Any, scene: Scene, content: Source) -> Answer:
        return getattr(api, method)(getattr(scene, slot), **more)

    return Operation(
        f"{method}(path{options})",
        "" if fields.pop("store_only", False) else method,
        form,
        (slot,),
        call,
        needs,
        # Iterators are refused at the call.
        eager=form is Form.LISTING or method == "read",
        **fields,
    )


def _changes(slot: str, *more: str) -> Callable[[Scene, bytes], State]:
    """Return the effect that the new content is at one path, and nothing at others."""
    return lambda s, data: {**{getattr(s, name): None for name in more}, getattr(s, slot): data}


def _removes(slot: str) -> Callable[[Scene, bytes], State]:
    return lambda s, data: {getattr(s, slot): None}


def _writes(method: str, *needs: Capability) -> Iterator[Operation]:
    for given, slot, options in (
        ("source", "free", {}),
        ("bytes", "free", {}),
        ("source", "file", {"overwrite": True}),
        ("bytes", "file", {"overwrite": True}),
        ("source", "free", {"metadata": _META}),
    ):
        yield _write(method, given, slot, options, needs)


def _write(
    method: str, given: str, slot: str, options: dict[str, Any], needs: tuple[Capability, ...]
) -> Operation:
    def call(api: Any, scene: Scene, content: Source) -> Answer:
        data = content.open() if given == "source" else content.data
        return getattr(api, method)(getattr(scene, slot), data, **options)

    shown = "".join(f", {name}={value!r}" for name, value in options.items())
    asked = (C.USER_METADATA, *needs) if "metadata" in options else needs
    name = f"{method}(path, {given}{shown})"
    return Operation(
        name,
        method,
        Form.WRITE,
        (slot,),
        call,
        asked,
        _changes(slot),
        metadata=options.get("metadata"),
    )


def _transfers(method: str, capability: Capability) -> Iterator[Operation]:
    for target, options in (("free", {}), ("other", {"overwrite": True})):
        yield _transfer(method, capability, target, options)


def _transfer(
    method: str, capability: Capability, target: str, options: dict[str, Any]
) -> Operation:
    gone = ("file",) if method == "move" else ()

    def call(api: Any, scene: Scene, content: Source) -> Answer:
        return getattr(api, method)(scene.file, getattr(scene, target), **options)

    def effect(scene: Scene, data: bytes) -> State:
        return _changes(target, *gone)(scene, scene.old)

    shown = "".join(f", {name}={value!r}" for name, value in options.items())
    name = f"{method}(src, dst{shown})"
    uses = ("file", target)
    return Operation(name, method, Form.TRANSFER, uses, call, (capability,), effect)


async def _open(api: Any, scene: Scene, content: Source) -> bytes:
    async with api.open(scene.file) as file:
        data: bytes = await file.read()
        return data


def _health(api: Any, scene: Scene, content: Source) -> Answer:
    return api.ping() if isinstance(api, AsyncStore) else api.check_health()


def _glob(api: Any, scene: Scene, content: Source) -> Answer:
    return api.glob(_pattern(scene))


def _pattern(scene: Scene) -> str:
    return f"{scene.folder}/*"


def _to_key(api: Any, scene: Scene, content: Source) -> Answer:
    return api.to_key(api.native_path(scene.file))


def _write_text(api: Any, scene: Scene, content: Source) -> Answer:
    return api.write_text(scene.free, content.data.decode("latin-1"), encoding="latin-1")


#: In an order in which those that only look come first.
OPERATIONS: Final[tuple[Operation, ...]] = (
    _call(Form.QUESTION, "file", "exists"),
    _call(Form.QUESTION, "file", "is_file"),
    _call(Form.QUESTION, "folder", "is_folder"),
    Operation("check_health()", "check_health", Form.QUESTION, (), _health),
    _call(Form.QUESTION, "file", "get_file_info", C.METADATA),
    _call(Form.QUESTION, "folder", "get_folder_info", C.METADATA),
    _call(Form.QUESTION, "folder", "get_folder_info", C.LIST, max_depth=0, store_only=True),
    _call(Form.QUESTION, "file", "head", C.METADATA, store_only=True),
    _call(Form.READ, "file", "read", C.READ),
    _call(Form.READ, "file", "read_bytes", C.READ),
    _call(Form.READ, "file", "read_range", C.READ, start=3, length=1_000, since="1.1"),
    _call(
        Form.READ,
        "file",
        "read_ranges",
        *(C.READ, C.METADATA),
        ranges=((0, 9), (60_000, 60_009)),
        gap=0,
        store_only=True,
    ),
    Operation("open(path)", "", Form.READ, ("file",), _open, (C.READ, C.METADATA)),
    _call(Form.READ, "file", "read_text", C.READ, encoding="latin-1", store_only=True),
    _call(Form.LISTING, "folder", "list_files", C.LIST),
    _call(Form.LISTING, "folder", "list_files", C.LIST, recursive=True),
    _call(Form.LISTING, "folder", "list_folders", C.LIST),
    _call(Form.LISTING, "folder", "iter_children", C.LIST),
    Operation("glob(path/*)", "glob", Form.LISTING, ("folder",), _glob, (C.GLOB,), eager=True),
    *_writes("write", C.WRITE),
    *_writes("write_atomic", C.ATOMIC_WRITE, C.WRITE),
    Operation(
        "write_text(path, text)",
        "",
        Form.WRITE,
        ("free",),
        _write_text,
        (C.WRITE,),
        _changes("free"),
    ),
    *_transfers("copy", C.COPY),
    *_transfers("move", C.MOVE),
    _call(Form.FOLDER, "free", "create_folder", C.CREATE_FOLDER, C.WRITE, since="1.1"),
    _call(Form.DELETE, "folder", "delete_folder", C.DELETE, refuses=DirectoryNotEmpty),
    _call(
        Form.DELETE,
        "folder",
        "delete_folder",
        C.DELETE,
        recursive=True,
        effect=_removes("inner"),
    ),
    _call(Form.DELETE, "file", "delete", C.DELETE, effect=_removes("file")),
    _call(Form.DELETE, "file", "delete", C.DELETE, missing_ok=True, effect=_removes("file")),
    _call(
        Form.PURE,  # of the caller's keys; where a key has to be fetched first, it is kept
        "file",
        "signed_url",
        *(C.SIGNED_URL, C.READ),
        expires=timedelta(minutes=1),
        since="1.1",
    ),
    _call(Form.PURE, "file", "resolve"),
    _call(Form.PURE, "file", "native_path"),
    Operation("to_key(native path)", "to_key", Form.PURE, ("file",), _to_key),
)

#: An ETag as good as any for a call that is refused before somebody looks at it.
_ETAG: Final = {"if_match": "kit"}

_HEADERS: Final = {"headers": ContentHeaders(content_type="text/plain")}

#: Calls with an option that a backend need not know: only who declares its capability
#: is ever handed it, so what needs it cannot be asked of every backend.
OPTIONS: Final[tuple[Operation, ...]] = (
    _write("write", "source", "file", _ETAG, (C.CONDITIONAL_WRITE, C.WRITE)),
    _write("write_atomic", "source", "file", _ETAG, (C.CONDITIONAL_WRITE, C.ATOMIC_WRITE, C.WRITE)),
    _call(Form.DELETE, "file", "delete", C.CONDITIONAL_WRITE, C.DELETE, **_ETAG),
    _transfer("copy", C.CONDITIONAL_WRITE, "free", _ETAG),
    _transfer("move", C.CONDITIONAL_WRITE, "free", _ETAG),
    _write("write", "source", "free", _HEADERS, (C.CONTENT_HEADERS, C.WRITE)),
    _write("write_atomic", "bytes", "free", _HEADERS, (C.CONTENT_HEADERS, C.ATOMIC_WRITE, C.WRITE)),
    _write("write", "source", "free", {"resume": True}, (C.RESUMABLE_WRITE, C.WRITE)),
)


def declared(t: Trial, *forms: Form) -> list[Operation]:
    """
    Return the operations whose capabilities are declared and whose subject can be there.

    Args:
        t: The run.
        forms: Only these; all that do I/O by default.
    """
    wanted = forms or (*LOOKING, *CHANGING)
    found = [op for op in OPERATIONS if op.form in wanted and op.lacks(t) is None]
    if t.can(Need.SEED):
        return found
    # Without files there is nothing to read or to take away.
    return [op for op in found if op.form in (Form.QUESTION, Form.LISTING, Form.PURE)]


async def settle_call(answer: Any) -> Any:
    """Await a coroutine, take everything from an iterator, and let other values through."""
    if inspect.isawaitable(answer):
        return await answer
    return await collect(answer) if hasattr(answer, "__aiter__") else answer
