"""A shop of its owner's own making, by Standard Webhooks in both directions."""

from connectors.custom.connector import Custom

CONNECTOR = Custom
