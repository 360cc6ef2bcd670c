"""Runs clauses against a target, and judges what came of it."""
