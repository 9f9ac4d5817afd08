"""Reprise: a basket that was left becomes a plan, and every payment of it is collected exactly once."""
