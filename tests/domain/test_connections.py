"""A connection is kept: its tokens renewed one at a time, its webhooks' secret changed without a delivery lost, its six
checks made, and what was said with the shop shown to the person who decides a case."""

import base64
import hashlib
import hmac
import json
import re
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from plugin_backend.core.db import transaction
from plugin_backend.domain import checkups, exchanges, hook_secrets, merchants, objects, onboarding, vault
from plugin_backend.domain.cases import Case
from plugin_backend.domain.checkups import Checkup
from plugin_backend.domain.hook_secrets import HookSecret
from plugin_backend.domain.merchants import Connection, Shop
from plugin_backend.domain.renewals import Renewal
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import NoAnswer, NotSent
from plugin_backend.sdk.http import Exchange, Request, Response
from plugin_backend.worker import jobs
from tests import story
from tests.connecting_story import APP, KEYS, MYSHOPIFY, Shopify, Woo, on_the_wire, settings_of
from tests.contract.gateway_process import SandboxProcess
from tests.house import SECRET, TestHouse
from tests.letterbox import Letterbox, text_of
from tests.unit.name_server import name_server


def shopify_shop(house: TestHouse, *, ends_in: float) -> Shop:
    """A connected shop of which the token ends in so many seconds."""
    ends = (clock.real_now() + timedelta(seconds=ends_in)).isoformat()
    tokens = {"access_token": "shpat_" + "0" * 32, "refresh_token": "refresh-0", "token_expires_at": ends}
    return house.add_shop("shopify", settings={"url": f"https://{MYSHOPIFY}", **APP, **tokens})


def woo_shop(house: TestHouse, **facts: Any) -> Shop:
    return house.add_shop(settings={"url": "https://shop.example", **KEYS}, **facts)


def connection(house: TestHouse, shop: Shop) -> Connection:
    with house.of(shop) as session:
        return merchants.connection_of(session, shop.id)


def open_cases(house: TestHouse, shop: Shop, kind: str) -> list[Case]:
    with house.of(shop) as session:
        found = select(Case).where(Case.kind == kind, Case.state == "open")
        return list(session.scalars(found))


# Tokens.


def test_a_token_is_renewed_before_it_ends_and_again_before_the_next_one_does(house: TestHouse) -> None:
    with on_the_wire(house.worker, Shopify()) as shopify:
        shop = shopify_shop(house, ends_in=300)
        house.rest(shop)
        house.travel(shop, minutes=2)
        kept = settings_of(house, shop)
        assert (kept["access_token"], kept["refresh_token"]) == (shopify.tokens[0], "refresh-1")
        assert shopify.refreshed == ["refresh-0"]
        with house.of(shop) as session:
            row = session.scalars(select(Renewal)).one()
            assert timedelta(minutes=45) < row.due_at - clock.now() < timedelta(minutes=51)
        assert kept["secret"] == APP["secret"]


def test_tokens_that_do_not_end_have_no_timer(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        assert session.scalars(select(Renewal)).all() == []


def test_two_workers_renew_a_token_once(house: TestHouse) -> None:
    """The second comes while the first one's ask is under way."""

    class Slow(Shopify):
        def answer(self, request: Request) -> tuple[int, Any]:
            if request.url.endswith("/access_token"):
                with house.worker.app_context():
                    second.start()
                    second.join()
            return super().answer(request)

    def come() -> None:
        with house.worker.app_context():
            jobs.drain("renew", shop.id)

    second = threading.Thread(target=come)
    with on_the_wire(house.worker, Slow()) as shopify:
        shop = shopify_shop(house, ends_in=300)
        with house.of(shop) as session:
            session.execute(update(Renewal).values(due_at=clock.now()))
        come()
    assert shopify.refreshed == ["refresh-0"]
    assert settings_of(house, shop)["refresh_token"] == "refresh-1"


def test_what_was_renewed_while_other_keys_were_given_is_not_kept(house: TestHouse) -> None:
    others = {"access_token": "shpat_" + "9" * 32, "refresh_token": "refresh-x"}

    class Interrupted(Shopify):
        def answer(self, request: Request) -> tuple[int, Any]:
            if request.url.endswith("/access_token"):
                give.start()
                give.join()
            return super().answer(request)

    def others_given() -> None:
        with house.of(shop) as session:
            row = session.scalars(select(Connection).with_for_update()).one()
            merchants.change_settings(session, row, others, vault.Use("shop_call", row.id))

    give = threading.Thread(target=others_given)
    with on_the_wire(house.worker, Interrupted()):
        shop = shopify_shop(house, ends_in=300)
        with house.of(shop) as session:
            session.execute(update(Renewal).values(due_at=clock.now()))
        with house.worker.app_context():
            jobs.drain("renew", shop.id)
    assert settings_of(house, shop)["access_token"] == others["access_token"]


def test_a_shop_that_renews_nothing_is_a_case_and_one_that_is_silent_is_asked_again(house: TestHouse) -> None:
    class Refusing(Shopify):
        says: Any = (400, {"error": "invalid_grant"})

        def answer(self, request: Request) -> tuple[int, Any]:
            return self.says if request.url.endswith("/access_token") else super().answer(request)

    with on_the_wire(house.worker, Refusing()) as shopify:
        shop = shopify_shop(house, ends_in=300)
        house.travel(shop, minutes=2)
        assert len(open_cases(house, shop, "keys_not_renewed")) == 1

        shopify.says = (500, b"<html>oops</html>")
        house.travel(shop, days=1, minutes=5)
        shopify.says = None
        Refusing.answer = Shopify.answer  # type: ignore[method-assign]
        house.travel(shop, hours=2)
    assert open_cases(house, shop, "keys_not_renewed") == []
    assert settings_of(house, shop)["refresh_token"] == "refresh-1"


def test_a_token_that_has_ended_is_not_sent(house: TestHouse) -> None:
    """The call comes again when the token is renewed, and is no refusal of the shop's."""
    shop = shopify_shop(house, ends_in=-5)
    with on_the_wire(house.worker, Shopify()) as shopify, house.worker.app_context():
        with transaction(shop.id) as session:
            row = merchants.connection_of(session, shop.id)
            use = vault.Use("shop_call", row.id)
            connector = merchants.connector_of(session, shop, row, use)
        with pytest.raises(NotSent) as caught:
            connector.ensure_webhooks("https://us.example/hook")
    assert not caught.value.permanent
    assert shopify.requests == []


# The secret of the webhooks.


def sign(secret: str, body: bytes) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def test_a_secret_changes_without_a_delivery_lost(house: TestHouse) -> None:
    def accepted(secret: str, number: int) -> bool:
        body = json.dumps(story.draft(number)).encode()
        answer = house.woo(shop, "order.updated", body, **{"X-WC-Webhook-Signature": sign(secret, body)})
        house.rest(shop)
        return answer == 200

    # Web remembers for half a minute who stands behind a path: each look here is a fresh one.
    def forget() -> None:
        house.web.wsgi_app._behind._entrances.clear()  # type: ignore[attr-defined]

    with on_the_wire(house.worker, Woo()) as woo:
        shop = woo_shop(house)
        with house.web.app_context(), transaction(shop.id) as session:
            assert hook_secrets.begin(session, shop, "new-secret") is not None
            assert hook_secrets.begin(session, shop, "newer-secret") is None
        house.rest(shop)
        forget()
        assert (accepted(SECRET, 1), accepted("new-secret", 2)) == (True, True)
        assert woo.webhooks == [], "the shop must not sign with it before every process knows it"

        house.travel(shop, minutes=2)
        assert {hook["secret"] for hook in woo.webhooks} == {"new-secret"}
        forget()
        assert (accepted(SECRET, 3), accepted("new-secret", 4)) == (True, True)

        house.travel(shop, hours=25)
        forget()
        assert (accepted(SECRET, 5), accepted("new-secret", 6)) == (False, True)
    kept = settings_of(house, shop)
    assert kept["secret"] == "new-secret" and "old_secret" not in kept
    with house.of(shop) as session:
        assert session.scalars(select(HookSecret)).one().state == "alone"


def test_while_the_shop_cannot_be_told_both_secrets_are_accepted(house: TestHouse) -> None:
    woo = Woo()
    woo.spoken = lambda request: (403, {"code": "woocommerce_rest_cannot_view"})
    with on_the_wire(house.worker, woo):
        shop = woo_shop(house)
        with house.of(shop) as session:
            hook_secrets.begin(session, shop, "new-secret")
        house.rest(shop)
        house.travel(shop, days=3)
        assert settings_of(house, shop)["old_secret"] == SECRET
        assert len(open_cases(house, shop, "secret_not_told")) == 1
        woo.spoken = lambda request: None
        house.travel(shop, days=3)
    assert "old_secret" not in settings_of(house, shop)
    assert open_cases(house, shop, "secret_not_told") == []


# The six checks.


def checked(house: TestHouse, shop: Shop, **more: str) -> dict[str, bool | None]:
    with house.of(shop) as session:
        checkups.again(session, shop, **more)
    house.rest(shop)
    return found(house, shop)


def found(house: TestHouse, shop: Shop) -> dict[str, bool | None]:
    with house.of(shop) as session:
        row, stands = checkups.of(session, shop.id), session.get_one(Shop, shop.id)
        return {line.name: line.good for line in checkups.lines(session, stands, row, "menu")}


def test_the_six_checks_turn_green_one_after_the_other(
    house: TestHouse, gateway: SandboxProcess, mails: Letterbox
) -> None:
    woo = Woo()
    woo.keys = []
    with on_the_wire(house.worker, woo):
        shop = woo_shop(house)
        assert checked(house, shop) == {
            "reach": True,
            "rights": False,
            "webhooks": False,
            "storefront": None,
            "gateway": False,
            "mail": None,
        }
        woo.keys = [KEYS]
        assert checked(house, shop)["webhooks"] is None
        assert house.woo(shop, "order.updated", story.draft()) == 200
        house.rest(shop)
        with house.of(shop) as session:
            session.execute(
                update(Shop).where(Shop.id == shop.id).values(storefront_seen_at=clock.real_now())
            )
        with house.of(shop) as session:
            onboarding.add_account(session, session.get_one(Shop, shop.id), "sandbox", gateway.settings())
        house.rest(shop)
        assert checked(house, shop, mail_to="lea@shop.test", locale="fr") == {
            **dict.fromkeys(("reach", "rights", "webhooks", "storefront", "gateway"), True),
            "mail": None,
        }
    (letter,) = mails.to("lea@shop.test")
    assert letter["Subject"] == "Les e-mails de Reprise arrivent"
    code = re.search(r"/connection/mail/([a-z2-7]{32})", text_of(letter))
    assert code
    with house.of(shop) as session:
        assert not checkups.mail_arrived(session, shop.id, "a" * 32)
        assert checkups.mail_arrived(session, shop.id, code[1])
    assert found(house, shop)["mail"] is True


def test_a_mail_server_that_says_no_is_told(house: TestHouse, mails: Letterbox) -> None:
    mails.refuse = "550 no such user"
    with on_the_wire(house.worker, Woo()):
        shop = woo_shop(house)
        assert checked(house, shop, mail_to="lea@shop.test", locale="en")["mail"] is False
    with house.of(shop) as session:
        row = session.scalars(select(Checkup)).one()
        assert "550" in row.mail_problem and row.mail_to == ""


def test_a_sender_whose_domain_says_nothing_of_it_is_not_good(house: TestHouse, mails: Letterbox) -> None:
    extension = house.worker.extensions["reprise"]
    before = extension.config
    with name_server({}) as address, on_the_wire(house.worker, Woo()):
        extension.config = replace(before, mail_from="a@shop.example.org", nameserver=address)
        try:
            shop = woo_shop(house)
            assert checked(house, shop)["mail"] is False
        finally:
            extension.config = before
    with house.of(shop) as session:
        said = session.scalars(select(Checkup)).one().sender
    assert said["dmarc"] == {"there": False, "name": "_dmarc.shop.example.org"}


def test_a_webhook_that_is_not_rightly_signed_was_not_seen(house: TestHouse) -> None:
    with on_the_wire(house.worker, Woo()):
        shop = woo_shop(house)
        forged = {"X-WC-Webhook-Signature": sign("another", b"{}")}
        assert house.woo(shop, "order.updated", b"{}", **forged) == 401
        assert checked(house, shop)["webhooks"] is None


def test_checks_ask_with_no_transaction_open_and_raise_nothing(house: TestHouse) -> None:
    """A shop that says nothing at all leaves six answers all the same, and the exchange."""

    class Silent:
        def send(self, request: Request) -> Response:
            raise NoAnswer("timed out")

    with on_the_wire(house.worker, Silent()):
        shop = woo_shop(house)
        assert checked(house, shop)["reach"] is False


# What was said with a shop.


def test_the_case_of_a_shop_that_answers_nonsense_shows_what_it_said(
    house: TestHouse, gateway: SandboxProcess, mails: Letterbox
) -> None:
    woo = Woo()
    junk = b"<html>Fatal error: out of memory, token=abcdef123 ana@example.test</html>"
    woo.spoken = lambda request: (200, junk) if request.method != "GET" else None
    with on_the_wire(house.worker, woo):
        shop = woo_shop(house, sandbox=gateway.settings())
        story.begin_plan(house, shop, gateway)
        (case,) = open_cases(house, shop, "order_not_held")
        with house.of(shop) as session:
            said = objects.show_object(session, shop.id, "cases", case.id)["exchange"]
    assert "> POST https://shop.example/wp-json/wc/v3/orders" in said
    assert "Fatal error: out of memory" in said
    assert "abcdef123" not in said and "ana@example.test" not in said and KEYS["consumer_key"] not in said


def test_what_was_said_is_forgotten_after_thirty_days_and_with_any_customer(
    house: TestHouse, shop: Shop
) -> None:
    with house.of(shop) as session:
        exchanges.keep(session, shop.id, "pln_1", [Exchange(Request("GET", "https://a.test"), "x")])
        assert "a.test" in exchanges.about(session, shop.id, "pln_1")
        exchanges.purge(session, shop.id, clock.real_now() + timedelta(days=29))
        assert exchanges.about(session, shop.id, "pln_1")
        exchanges.purge(session, shop.id, clock.real_now() + timedelta(days=31))
        assert exchanges.about(session, shop.id, "pln_1") == ""
        exchanges.keep(session, shop.id, "pln_1", [Exchange(Request("GET", "https://a.test"), "x")])
        exchanges.forget(session, shop.id)
        assert exchanges.about(session, shop.id, "pln_1") == ""


# The switch.


def test_a_live_shop_that_watches_counts_what_it_would_have_sent(house: TestHouse) -> None:
    shop = woo_shop(house)
    with house.of(shop) as session:
        session.execute(update(Shop).where(Shop.id == shop.id).values(state="watch_only"))
    with on_the_wire(house.worker, Woo()):
        kept_back = story.leave_basket(house, shop)
        small = story.leave_basket(house, shop, 20, email="bo@example.test", total="5.00")
    assert (kept_back.state, kept_back.reason) == ("not_sent", "watch_only")
    assert (small.state, small.reason) == ("not_sent", "below_minimum")
