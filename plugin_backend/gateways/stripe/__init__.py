"""Stripe: cards and SEPA debits, stored on its hosted page and charged with or without the customer."""

from plugin_backend.gateways.stripe.gateway import Stripe

GATEWAY = Stripe
