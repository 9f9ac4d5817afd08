"""One process of the product, or its gateway, whose delays are a fraction of what operators have.

``python -m tests.chaos.process web --port N``: what stands behind the name is the command line's own. The product has no
switch for this; the factor comes from ``CHAOS_FACTOR``. A worker that is about to work says so by a file.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

from plugin_backend import cli
from plugin_backend.core import delays
from plugin_backend.demo.gateway import __main__ as gateway_process
from plugin_backend.demo.gateway import modes as gateway_modes
from plugin_backend.gateways.sandbox import modes as sandbox_modes
from plugin_backend.sdk.gateway import GatewayCapabilities

FACTOR = "CHAOS_FACTOR"
READY = "CHAOS_READY"


def scale(factor: float) -> None:
    """Make every delay of the engine, and every window that a gateway declares or keeps, ``factor`` of what it is."""
    delays.DELAYS = delays.DELAYS.scaled(factor)
    for name, mode in gateway_modes.MODES.items():
        window = mode.key_window
        gateway_modes.MODES[name] = replace(mode, key_window=None if window is None else window * factor)
    declared = sandbox_modes.capabilities
    sandbox_modes.capabilities = lambda *asked: _scaled(declared(*asked), factor)


def _scaled(capabilities: GatewayCapabilities, factor: float) -> GatewayCapabilities:
    window = capabilities.idempotency_window
    return replace(
        capabilities,
        idempotency_window=None if window is None else window * factor,
        absent_after=capabilities.absent_after * factor,
    )


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
