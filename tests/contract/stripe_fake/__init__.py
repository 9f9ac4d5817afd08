"""A Stripe of our own, for tests: a process on loopback that answers as Stripe's public pages say that it does, with its
weaknesses. It keeps errors under their keys, forgets keys after a day, locks what is under way, settles debits days later,
and loses, delays and repeats what it is told to. Nothing of the adapter is used here. ``python -m tests.contract.stripe_fake``.
"""
