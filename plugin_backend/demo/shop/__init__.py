"""The fake shop of the demo: the other side, as a process of its own.

It speaks two dialects on loopback, each with a storefront, signed webhooks and the part of the platform's API that a
connector uses: WooCommerce under ``/woo/`` and Shopify under ``/shopify/``. It was written from what the platforms
document and from deliveries that were recorded, and shares no code with the connectors it is there to try.
"""
