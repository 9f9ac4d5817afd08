"""Boutique Luna: a small French shop on WooCommerce 9.3, which sells in euros and collects no tax."""
