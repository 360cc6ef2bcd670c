"""Plugins that are packaged badly."""

from __future__ import annotations

from remote_store_conformance_selftest.mutants import packaged_mutant

packaged_mutant(
    "broken-import",
    "The plugin's module does not import.",
    "PKG-001",
    "does not load",
    source="import no_such_module_at_all\n",
)

packaged_mutant(
    "entry-point-is-a-function",
    "The entry point is a function that makes a backend.",
    "PKG-001",
    "not a class",
    source="def Backend():\n    pass\n",
)

packaged_mutant(
    "capital-scheme",
    "The entry point's name has capital letters and an underscore.",
    "PKG-002",
    "no URL scheme",
    scheme="My_Store_{module}",
)

packaged_mutant(
    "heavy-import",
    "The SDK is imported with the module of the backend class.",
    "PKG-003",
    "hypothesis",
    source="import hypothesis\n\n\nclass Backend:\n    pass\n",
)

packaged_mutant(
    "unbounded-core",
    "Any later core is accepted.",
    "PKG-004",
    "no upper bound",
    requires=("remote-store-core>=0.1",),
)

packaged_mutant(
    "states-no-contract",
    "The class does not say which contract it keeps.",
    "PKG-004",
    "no version of the contract",
    source="class Backend:\n    pass\n",
)

packaged_mutant(
    "two-claims",
    "Two distributions claim one name.",
    "PKG-005",
    "two distributions",
    distributions=2,
)
