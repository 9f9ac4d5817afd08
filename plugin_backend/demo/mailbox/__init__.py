"""The demo's mailbox: a real SMTP server on loopback, and pages and a small API that show what it was sent.

It is a process of its own and knows nothing of the product but the ground it stands on.
"""
