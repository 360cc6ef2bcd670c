"""Threads, loops on threads, and files that are read or written across them."""
