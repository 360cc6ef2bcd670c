"""The `remote-store` command: list, inspect and copy between any two stores."""

__all__ = ["main"]


def main() -> None:
    """Run the command line; the entry point of the console script."""
    try:
        # Imported here, so that importing the package costs nothing.
        from remote_store_cli._app import main as run

        run()
    except KeyboardInterrupt:  # before a command could take care of it
        raise SystemExit(130) from None
