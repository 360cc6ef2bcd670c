"""A sync backend behind the async protocol, and the reverse."""
