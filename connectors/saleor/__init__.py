"""Saleor, whose webhooks we describe ourselves by a subscription query, signed with a key of ours (HMAC)."""

from connectors.saleor.connector import Saleor

CONNECTOR = Saleor
