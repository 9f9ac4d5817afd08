"""PayXpert: the hosted page of Connect2Pay takes the card, and later payments are rebills of that first transaction."""

from plugin_backend.gateways.payxpert.gateway import PayXpert

GATEWAY = PayXpert
