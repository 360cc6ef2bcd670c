"""``python -m remote_store_conformance``: the command line."""

import sys

from remote_store_conformance.cli import main

sys.exit(main())
