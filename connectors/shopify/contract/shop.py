"""The shop that the connector's calls are tried against."""

from tests.contract.connector_shops import ShopifyShop as Shop

__all__ = ["Shop"]
