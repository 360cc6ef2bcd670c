"""What vendors plug in: the hooks, who implements them, and the targets that they offer."""
