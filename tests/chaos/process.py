"""One process of the product, or its gateway, whose delays are a fraction of what operators have.

``python -m tests.chaos.process web --port N``: what stands behind the name is the command line's own. The product has no
switch for this; the factor comes from ``CHAOS_FACTOR``. A worker that is about to work says so by a file.
"""

import os
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from plugin_backend import cli
from plugin_backend.core import delays
from plugin_backend.demo.gateway import __main__ as gateway_process
from plugin_backend.demo.gateway.modes import MODES
from plugin_backend.gateways.sandbox import modes as declared
from plugin_backend.sdk.gateway import GatewayCapabilities

FACTOR = "CHAOS_FACTOR"
READY = "CHAOS_READY"


def scale(factor: float) -> None:
    """Make every delay of the engine ``factor`` of what it is, and how long the gateway keeps a key, as it declares it
    and as it does it. Its other delays are settings of the account."""
    delays.DELAYS = delays.DELAYS.scaled(factor)
    for name, mode in MODES.items():
        MODES[name] = replace(mode, key_window=_times(mode.key_window, factor))
    promised = declared.capabilities

    def capabilities(mode: str, processing: timedelta, lag: timedelta) -> GatewayCapabilities:
        said = promised(mode, processing, lag)
        return replace(said, idempotency_window=_times(said.idempotency_window, factor))

    declared.capabilities = capabilities


def _times(span: timedelta | None, factor: float) -> timedelta | None:
    return None if span is None else span * factor


def main() -> None:
    if sys.argv[1] == "gateway":
        del sys.argv[1]
        sys.exit(gateway_process.main())
    if ready := os.environ.get(READY):
        Path(ready).write_text(str(os.getpid()))
    cli.main()


# A server that starts processes of its own lets each of them import this file under the second name.
if __name__ in ("__main__", "__mp_main__"):
    scale(float(os.environ[FACTOR]))
if __name__ == "__main__":
    main()
