"""The token is one for the whole run: a process that has loaded its library does not look for another."""

from tests.contract.root_rigs import softhsm

__all__ = ["softhsm"]
