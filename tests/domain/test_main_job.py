"""From a signed webhook to a cart and its offer."""

from sqlalchemy import select

from plugin_backend.domain.carts import Cart
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Offer
from tests.house import TestHouse


def draft(number: int = 19, **changes: object) -> dict[str, object]:
    """An order of WooCommerce as its block checkout leaves it."""
    return {
        "id": number,
        "status": "checkout-draft",
        "currency": "EUR",
        "total": "100.00",
        "date_created_gmt": "2026-11-22T10:00:00",
        "date_modified_gmt": "2026-11-22T10:00:00",
        "billing": {"email": "ana@example.test", "first_name": "Ana", "last_name": "Ruiz", "country": "FR"},
        "line_items": [{"id": 1, "name": "Lamp", "quantity": 1, "total": "100.00", "total_tax": "0.00"}],
        "meta_data": [],
        **changes,
    }


def test_a_left_basket_gets_an_offer_that_is_kept_back_without_consent(house: TestHouse, shop: Shop) -> None:
    assert house.woo(shop, "order.updated", draft()) == 200
    house.rest(shop)
    house.travel(shop, hours=2)

    with house.of(shop) as session:
        cart = session.scalars(select(Cart)).one()
        offer = session.scalars(select(Offer)).one()
    assert cart.state == "abandoned"
    assert (offer.state, offer.reason) == ("not_sent", "no_consent")
