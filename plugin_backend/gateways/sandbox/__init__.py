"""The gateway of demos and tests: no real money, and every way in which a gateway can misbehave."""

from plugin_backend.gateways.sandbox.gateway import Sandbox

GATEWAY = Sandbox
