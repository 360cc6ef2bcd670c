"""Removing objects: one, those that are named, and all below a folder."""
