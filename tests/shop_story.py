"""A house and a shop that is another process: WooCommerce as the demo has it, connected by its webhooks and its API."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from plugin_backend.domain import polls
from plugin_backend.domain.carts import Cart, Sale
from plugin_backend.domain.cases import Case
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.polls import Poll
from tests.flow.shop_process import ShopProcess, WooClient, running_shop, visit
from tests.house import SECRET, TestHouse

KEYS = {"consumer_key": "ck_test", "consumer_secret": "cs_test"}
CONSENT = {"granted": True, "text_version": "v1", "source": "checkout"}


@dataclass(frozen=True)
class Woo:
    """A shop of the house, and the process that it is."""

    house: TestHouse
    shop: Shop
    process: ShopProcess

    @property
    def api(self) -> WooClient:
        return WooClient(self.process, *KEYS.values())

    def connect(self, *, webhooks: bool, **more: str) -> None:
        """The owner makes the webhooks in his shop by hand, or deletes them all; ``more`` is of the part of ours in it."""
        hook = self.house.settings.base_url + self.house.hook(self.shop)
        told = {"dialect": "woo", "webhook_url": hook, "secret": SECRET, "webhooks": webhooks}
        self.process.control("connect", told | KEYS | more)

    def visit(self, outcome: str, email: str) -> str:
        """Somebody comes, and leaves, buys, or is declined. His order's number."""
        seen = visit(self.process, outcome, email=email)
        return str(seen["key"]).partition(":")[2]

    def leave(self, email: str) -> str:
        """A basket is left by somebody who agreed to reminders; the shop keeps that with the order."""
        number = self.visit("leave", email)
        self.change(number, meta_data=[{"key": "_reprise_consent", "value": CONSENT}])
        return number

    def change(self, number: str, **body: Any) -> None:
        """Something happens to an order in the shop."""
        assert self.api.ask("PUT", f"orders/{number}", body).status_code == 200
        self.process.settle()

    def webhooks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.process.state()["woo"]["webhooks"]
        return found

    def set_webhooks(self, **body: Any) -> None:
        for hook in self.webhooks():
            assert self.api.ask("PUT", f"webhooks/{hook['id']}", body).status_code == 200

    # What the house knows

    def carts(self) -> dict[str, str]:
        """Where each basket stands, by its key."""
        with self.house.of(self.shop) as session:
            return {row.key: row.state for row in session.scalars(select(Cart))}

    def sales(self) -> dict[str, str]:
        """Who bought, by the order's key."""
        with self.house.of(self.shop) as session:
            people = {row.id: row.email for row in session.scalars(select(Customer))}
            return {row.order_key: people[str(row.customer_id)] for row in session.scalars(select(Sale))}

    def poll(self) -> Poll:
        with self.house.of(self.shop) as session:
            return polls.of_shop(session, self.shop.id)

    def cases(self, state: str = "open") -> list[str]:
        with self.house.of(self.shop) as session:
            found = select(Case.kind).where(Case.state == state).order_by(Case.kind)
            return list(session.scalars(found))


@contextmanager
def connected_woo(house: TestHouse, *, plugin_secret: str = "", **facts: Any) -> Iterator[Woo]:
    """A test shop of the house, whose webhooks arrive; with a secret its shop has our plugin."""
    with running_shop() as process:
        settings = {"url": f"{process.base}/woo", "secret": SECRET, **KEYS}
        settings |= {"plugin_secret": plugin_secret} if plugin_secret else {}
        story = Woo(house, house.add_shop(settings=settings, **facts), process)
        story.connect(webhooks=True)
        yield story
