"""Shopify: webhooks of the owner's own custom app, Admin API by GraphQL."""

from connectors.shopify.connector import Shopify

CONNECTOR = Shopify
