"""Run `python -m hns_emulator.replay`."""

import sys

from hns_emulator.replay import main

if __name__ == "__main__":
    sys.exit(main())
