"""What is checked, and the ways to it: past the plugin, and between it and its service."""
