"""One process of the product, or its gateway, whose delays are a fraction of what operators have.

``python -m tests.chaos.process web --port N``: what stands behind the name is the command line's own. The product has no
switch for this; the factor comes from ``CHAOS_FACTOR``. A worker that is about to work says so by a file.
"""

import os
import sys
from pathlib import Path

from plugin_backend import cli
from plugin_backend.core import delays
from tests.chaos.played import chosen

FACTOR = "CHAOS_FACTOR"
READY = "CHAOS_READY"


def scale(factor: float) -> None:
    """Make every delay of the engine ``factor`` of what it is, and those of the gateway, as it declares them and as its
    fake has them."""
    delays.DELAYS = delays.DELAYS.scaled(factor)
    chosen().scale(factor)


def main() -> None:
    if sys.argv[1] == "gateway":
        del sys.argv[1]
        sys.exit(chosen().main())
    if ready := os.environ.get(READY):
        Path(ready).write_text(str(os.getpid()))
    cli.main()


# A server that starts processes of its own lets each of them import this file under the second name.
if __name__ in ("__main__", "__mp_main__"):
    scale(float(os.environ[FACTOR]))
if __name__ == "__main__":
    main()
