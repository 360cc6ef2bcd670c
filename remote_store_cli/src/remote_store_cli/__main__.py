"""``python -m remote_store_cli``: the command where its script is not on the path."""

from remote_store_cli import main

if __name__ == "__main__":
    main()
