"""The sandbox gateway: a payment gateway that is a process of its own, moves no real money and forgets nothing.

It imports nothing of the house but ``plugin_backend.sdk``. Its ledger file is the judge of money in tests: what was
captured is what stands there, whatever the product believes. Start it with ``python -m plugin_backend.demo.gateway``.
"""
