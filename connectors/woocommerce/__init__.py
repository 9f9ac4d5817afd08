"""WooCommerce: webhooks of the core, Standard Webhooks of our plugin, REST API v3."""

from connectors.woocommerce.connector import WooCommerce

CONNECTOR = WooCommerce
