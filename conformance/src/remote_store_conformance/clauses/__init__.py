"""The clauses, one module for each family or group of families."""
