"""The connector of custom shops."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Literal

from marshmallow import Schema, ValidationError, fields, validate

from connectors.custom import payload
from connectors.custom.api import Api, change_data, reservation_data
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import (
    Capabilities,
    CartChanged,
    Change,
    Check,
    Guide,
    Install,
    OrderCancelled,
    OrderPlaced,
    Page,
    PaidWith,
    Reservation,
    Reserved,
    ShopEvent,
    ShopFacts,
    WebhookState,
    WrittenBack,
)
from plugin_backend.sdk.errors import Refused, RepriseError
from plugin_backend.sdk.http import Client, Delivery
from plugin_backend.sdk.signing import check_standard, standard_key
from plugin_backend.sdk.standard_payload import standard_events, standard_type
from plugin_backend.sdk.wording import N_

_REACH = N_("Your own shop: answer a signed ping at the callback address with 200")
_RIGHTS = N_("The page Connection, Other keys: enter the address at which your shop hears from us")


def _usable(secret: str) -> None:
    try:
        standard_key(secret)
    except ValueError:
        raise ValidationError("Not a Standard Webhooks secret (whsec_ and base64).") from None


def _usable_if_any(secret: str) -> None:
    if secret:
        _usable(secret)


class Settings(Schema):
    """``secret`` signs what the shop sends, ``callback_secret`` (else ``secret``) what we send to ``callback_url``;
    ``old_secret`` is still accepted while the secret is changed."""

    url = fields.Url(required=True, require_tld=False, schemes={"http", "https"})
    secret = fields.String(required=True, validate=_usable, metadata={"secret": True})
    old_secret = fields.String(validate=_usable_if_any, metadata={"secret": True})
    callback_url = fields.Url(
        require_tld=False, schemes={"http", "https"}, validate=validate.Length(max=2000)
    )
    callback_secret = fields.String(validate=_usable_if_any, metadata={"secret": True})


class Custom:
    name: ClassVar[str] = "custom"
    title: ClassVar[str] = "Custom shop"
    settings: ClassVar[type[Schema]] = Settings
    capabilities: ClassVar[Capabilities] = Capabilities(
        carts=True,
        consent=True,
        declines=True,
        reserve=True,
        part_paid=True,
        polling=False,
        webhooks_api=False,
    )
    guide: ClassVar[Guide] = Guide(
        paste=("url", "secret", "callback_url", "callback_secret"),
        by_hand=(
            N_("Keep the secret below where your shop keeps its own, and sign with it what it sends to us."),
            N_("Give the address at which your shop hears from us, if it does: without it we only listen."),
        ),
        optional=("callback_url", "callback_secret"),
        made={"secret": "standard"},
        labels={
            "url": N_("Address of the shop"),
            "secret": N_("Secret by which your shop signs (Standard Webhooks)"),
            "callback_url": N_("Address at which your shop hears from us"),
            "callback_secret": N_("Secret by which we sign, where it is another one"),
        },
        shop_side=N_("Your own shop: put our script into its pages"),
    )

    def __init__(self, settings: Mapping[str, str], http: Client) -> None:
        self._settings = settings
        self._http = http

    @property
    def can_write(self) -> bool:
        return bool(self._setting("callback_url"))

    @property
    def own_checkout_only(self) -> bool:
        return False

    @staticmethod
    def door(settings: Mapping[str, str]) -> Mapping[str, str]:
        return {name: settings[name] for name in ("secret", "old_secret") if settings.get(name)}

    @staticmethod
    def basket_keys(token: str) -> tuple[str, ...]:
        """Ids are the shop's own making: a page speaks for a basket by a message that the shop signed."""
        return ()

    @staticmethod
    def is_ping(delivery: Delivery) -> bool:
        """The ping of this connector is signed like everything else."""
        return False

    @staticmethod
    def recognise(address: str, http: Client) -> str:
        """A shop of its owner's making looks like nothing we know."""
        return ""

    def verify(self, delivery: Delivery) -> None:
        check_standard(self._keys(), dict(delivery.headers), delivery.body, delivery.received_at)

    def identify(self, delivery: Delivery) -> str:
        parts = [delivery.header("webhook-id"), hashlib.sha256(delivery.body).hexdigest()]
        return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()

    def topic(self, delivery: Delivery) -> str:
        return standard_type(delivery.body)

    def parse(self, delivery: Delivery) -> list[ShopEvent]:
        return standard_events(delivery.body)

    def read(
        self, kind: Literal["cart", "order"], key: str
    ) -> CartChanged | OrderPlaced | OrderCancelled | None:
        name = key.removeprefix(f"{kind}:")
        body = self._api().ask(f"{kind}.read", {f"{kind}_id": name})
        return None if body is None else payload.state(body, clock.now())

    def paid_with(self, order_key: str) -> PaidWith | None:
        """The protocol of such a shop names no payment."""
        return None

    def fetch(self, kind: Literal["carts", "orders"], since: datetime, cursor: str = "") -> Page:
        """There is nothing to poll: the sender repeats what we did not take."""
        return Page(())

    def ensure_webhooks(self, callback_url: str, *, resign: bool = False) -> Sequence[WebhookState]:
        """The owner's own code sends the webhooks."""
        return ()

    def reserve(self, reservation: Reservation) -> Reserved:
        body = self._api().tell("order.reserve", reservation.key, reservation_data(reservation))
        return payload.reserved(body)

    def write_back(self, change: Change) -> WrittenBack:
        kind, data = change_data(change)
        return WrittenBack(payload.order_key(self._api().tell(kind, change.key, data)))

    def install_url(self, install: Install) -> str:
        raise Refused("a custom shop is connected by its secret, typed here and there")

    def complete_install(self, install: Install, delivery: Delivery) -> dict[str, str]:
        raise Refused("a custom shop is connected by its secret, typed here and there")

    @property
    def renew_at(self) -> datetime | None:
        return None

    def refresh(self) -> dict[str, str]:
        return {}

    def checks(self) -> Sequence[Check]:
        good = self.can_write and self._answers()
        reach = Check("reach", good=good, remedy="" if good else _REACH)
        rights = Check("rights", good=self.can_write, remedy="" if self.can_write else _RIGHTS)
        return [reach, rights]

    def _answers(self) -> bool:
        try:
            return self._api().ask("ping", {}) is not None
        except RepriseError:
            return False

    def facts(self) -> ShopFacts:
        return ShopFacts()

    def _setting(self, name: str) -> str:
        return self._settings.get(name) or ""

    def _keys(self) -> list[bytes]:
        """A secret that is no base64 signs nothing."""
        keys = []
        for name in ("secret", "old_secret"):
            try:
                keys.append(standard_key(self._setting(name)))
            except ValueError:
                continue
        return keys

    def _api(self) -> Api:
        if not self.can_write:
            raise Refused("no_api_key")
        secret = self._setting("callback_secret") or self._setting("secret")
        return Api(self._http, self._setting("callback_url"), secret)
