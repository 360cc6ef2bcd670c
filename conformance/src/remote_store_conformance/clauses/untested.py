"""Rules that bind although no check can show whether they are kept: the gaps, openly listed."""

from __future__ import annotations

from remote_store_conformance.contract.clause import untested

untested(
    "ATOM-090",
    "After write_atomic has returned, the file survives a power loss.",
    intent="Only pulling the plug could show it; a backend may rely on its service's promise.",
)

untested(
    "CONC-090",
    "A write becomes visible in every region within the time that the service promises.",
    intent="It would take clients in several regions; the kit sees one.",
)

untested(
    "FAULT-090",
    "Credentials that expire during a stream end it with PermissionDenied or are renewed.",
    intent="Credentials live for minutes or hours, and only their issuer can let them expire.",
)

untested(
    "LIFE-090",
    "A backend works as well after weeks of use as in its first minute.",
    intent="Slow leaks and tokens that age take longer than any check may run.",
)

untested(
    "ERR-090",
    "A message says what to do next where there is a next step.",
    intent="Whether a sentence helps is for a reader to judge.",
)

untested(
    "SEEK-001",
    "A stream of the synchronous API can seek, and a read after it gives the bytes from there.",
    intent="It is a promise of synchronous classes; streams of the asynchronous API do not seek.",
)
