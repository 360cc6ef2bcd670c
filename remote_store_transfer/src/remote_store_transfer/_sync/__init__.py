"""The sync API: each call runs its async namesake on a loop of its own."""
