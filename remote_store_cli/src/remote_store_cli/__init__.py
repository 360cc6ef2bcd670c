"""The `remote-store` command: list, inspect and copy between any two stores."""

__all__ = ["main"]


def main() -> None:
    """Run the command line; the entry point of the console script."""
    # Imported here, so that importing the package costs nothing, and that what
    # cannot be imported is explained.
    import gc

    # What is loaded stays to the end: to look for garbage in it meanwhile, and once
    # more at the end, is a sixth of a short run. `Command` enables it.
    gc.disable()
    try:
        import sys

        arguments = sys.argv[1:]
        if arguments[:1] == ["doctor"]:
            from remote_store_cli._integrity import refuse_damage

            refuse_damage(as_json="--json" in arguments)
        try:
            from remote_store_cli._app import main as run
        except Exception as error:
            from remote_store_cli._integrity import cannot_start

            raise SystemExit(cannot_start(arguments, error)) from error
        run()
    except KeyboardInterrupt:  # before a command could take care of it
        raise SystemExit(130) from None
    finally:
        gc.freeze()
        gc.enable()
