"""How refused payments are tried again is set by an operator, within bounds, on the page and by command."""

import json

import pytest

from plugin_backend.core.config import Config
from plugin_backend.domain import merchants
from plugin_backend.domain.merchants import Shop
from tests.house import TestHouse, command
from tests.unit.html_checks import text_of
from tests.web.test_dashboard import Operator, signed_in


@pytest.fixture
def operator(house: TestHouse, shop: Shop) -> Operator:
    return signed_in(house, shop.merchant_id)


def now_set(house: TestHouse, shop: Shop) -> tuple[list[int], int]:
    with house.worker.app_context():
        row = merchants.load_shop(shop.id)
        return list(row.retry_days), row.visa_retries


def test_the_page_shows_what_is_set_and_changes_it(house: TestHouse, shop: Shop, operator: Operator) -> None:
    page = operator.get(f"/shops/{shop.id}/settings").text
    assert 'value="3, 5, 7, 7"' in page and 'value="15"' in page

    answer = operator.post(f"/shops/{shop.id}/settings", retry_days="2, 10", visa_retries="20")

    assert answer.headers["Location"].endswith("/settings?notice=done")
    assert now_set(house, shop) == ([2, 10], 20)


@pytest.mark.parametrize(
    ("days", "visa"),
    [
        ("31", "15"),
        ("0", "15"),
        ("1,1,1,1,1,1,1,1,1", "15"),
        ("<b>", "15"),
        ("3", "21"),
        ("3", "0"),
        ("3", "x"),
    ],
)
def test_beyond_the_bounds_nothing_is_changed(
    house: TestHouse, shop: Shop, operator: Operator, days: str, visa: str
) -> None:
    answer = operator.post(f"/shops/{shop.id}/settings", retry_days=days, visa_retries=visa)

    assert answer.status_code == 422
    assert "Nothing was changed." in text_of(answer.text)
    assert "<b>" not in answer.text
    assert now_set(house, shop) == ([3, 5, 7, 7], 15)


def test_another_merchants_shop_is_not_there(house: TestHouse, shop: Shop, operator: Operator) -> None:
    assert operator.get("/shops/shop_00000000000000000000000000/settings").status_code == 404
    assert house.client().get(f"/shops/{shop.id}/settings").status_code == 303


def test_the_command_does_the_same(house: TestHouse, shop: Shop, settings: Config) -> None:
    changed = command(
        settings, "shop", "set", shop.id, "--retry-days", "4,4", "--visa-retries", "10", "--json"
    )
    assert changed.returncode == 0, changed.stderr
    assert json.loads(changed.stdout)["retry_days"] == [4, 4]
    assert now_set(house, shop) == ([4, 4], 10)

    refused = command(settings, "shop", "set", shop.id, "--retry-days", "40")
    assert refused.returncode == 2
    assert "a ladder has at most" in refused.stderr
    assert now_set(house, shop) == ([4, 4], 10)
