"""Nordlys: a Norwegian shop on Shopify, which sells in kroner."""
