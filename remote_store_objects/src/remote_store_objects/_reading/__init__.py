"""What is at a key, what is below it, and what is in it."""
