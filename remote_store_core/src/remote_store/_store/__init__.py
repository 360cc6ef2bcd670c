"""The stores that programs use, and how they are opened."""
