"""The words of the contract: its families, and what a clause may say about itself."""

from __future__ import annotations

import enum
from typing import Final

from remote_store import Capability

__all__ = ["FAMILIES", "FIRST", "GATES", "VERSION", "Level", "Need", "Trait", "version_key"]

#: The version of the contract that this kit checks.
VERSION: Final = "1.1"
#: The first one: that of a backend which states none, and of clauses which say nothing else.
FIRST: Final = "1.0"

#: Families in the order of reports, and what each is about.
FAMILIES: Final = {
    "PKG": "Packaging",
    "CAP": "Capabilities, in both directions",
    "PATH": "Paths and names",
    "READ": "Reading",
    "RANGE": "Parts of files",
    "WRITE": "Writing",
    "ATOM": "Atomic writes",
    "INFO": "File and folder information",
    "LIST": "Listing",
    "GLOB": "Globbing",
    "FOLDER": "Folders of their own",
    "DEL": "Deleting",
    "MOVE": "Moving",
    "AMOVE": "Atomic moves",
    "COPY": "Copying",
    "ACROSS": "Copying from another store",
    "COND": "Conditional changes",
    "META": "User metadata",
    "HEADERS": "Content headers",
    "RESUME": "Large files that go on",
    "NATIVE": "Native write results",
    "LAZY": "Laziness",
    "SEEK": "Seekable reads",
    "URL": "Signed URLs",
    "ERR": "Errors",
    "CANCEL": "Cancellation",
    "CONC": "Concurrency",
    "FAULT": "Faults of the network and the service",
    "LIFE": "Lifecycle and leaks",
    "MODEL": "Random programs against a model",
}

#: Capabilities that a store refuses to act without; the others are promises of quality.
GATES: Final = frozenset(Capability) - {
    Capability.ATOMIC_MOVE,
    Capability.SEEKABLE_READ,
    Capability.LAZY_READ,
    Capability.WRITE_RESULT_NATIVE,
    Capability.RANGE_READ,
}


class Level(enum.Enum):
    """How binding a clause is."""

    #: A failure makes a backend not conformant.
    MUST = "MUST"
    #: A failure is a warning.
    SHOULD = "SHOULD"
    #: As MUST when it fails; a pass is evidence, not proof, because the check hunts for a race.
    STOCHASTIC = "STOCHASTIC"
    #: Binding, but no check can show it; listed so that the gap is visible.
    UNTESTED = "UNTESTED"


class Need(enum.Enum):
    """What a check needs to see or do; without it the clause is unverified, never passed."""

    #: Put a file there: the backend declares WRITE, or there is a probe.
    SEED = "seed"
    #: Look at a file's content: the backend declares READ, or there is a probe.
    PEEK = "peek"
    #: A way to the storage that does not lead through the plugin.
    PROBE = "probe"
    #: A count of bytes and requests on the wire.
    METER = "meter"
    #: A proxy in front of the service that can break the traffic.
    WIRE = "wire"


class Trait(enum.Enum):
    """What kind of target a clause speaks about; on others it does not apply."""

    #: Folders are real: they stay when they are empty.
    HIERARCHICAL = "hierarchical"
    #: Folders are prefixes, and a file and a folder may share a name.
    FLAT = "flat with shared names"
    #: Nothing can be both a file and a folder, whether folders are real or prefixes.
    EXCLUSIVE = "exclusive in its names"
    #: In process or on a local disk: nothing changes after a CancelledError was delivered.
    LOCAL = "local"
    #: Reached over a network.
    REMOTE = "reached over a network"
    #: Files outlive the backend object, and a second object sees them.
    PERSISTENT = "persistent"
    #: Another process can open the same storage.
    PROCESSES = "processes"
    #: A close is final: later calls raise StoreClosed.
    TERMINAL = "terminal"
    #: Opened through an installed entry point.
    INSTALLED = "installed from a distribution"
    #: At least one gate is not declared.
    PARTIAL = "partial in its capabilities"


def version_key(version: str) -> tuple[int, ...]:
    """Return a contract version in a form that compares."""
    return tuple(int(part) for part in version.split("."))
