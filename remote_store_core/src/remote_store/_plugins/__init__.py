"""Which backends there are, what a configuration says of them, and who listens."""
