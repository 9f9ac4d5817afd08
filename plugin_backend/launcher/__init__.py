"""Starts and stops PostgreSQL, Redis and our processes on one machine, and leaves no orphan behind.

It knows no command of the product: command lines are handed to it as data.
"""
