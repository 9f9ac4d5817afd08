"""Who may open what: the vault looks at the row that stands for a use, and refuses whatever that does not warrant."""

import inspect
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from plugin_backend.core.db import transaction
from plugin_backend.core.ids import new_id
from plugin_backend.core.seal import SealError
from plugin_backend.domain import billing, merchants, plans, vault
from plugin_backend.domain.billing import Attempt, Refund
from plugin_backend.domain.cases import Case
from plugin_backend.domain.erasing import Erasure
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.vault import PaymentMethod, Use, VaultEntry
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.money import Money
from tests import plan_story
from tests.house import TestHouse

TOTAL = Money(9000, "EUR")


@pytest.fixture
def shop(house: TestHouse) -> Shop:
    """A shop with a plan that is paid by a card."""
    made = plan_story.add_paying_shop(house)
    with house.of(made) as session:
        plan_story.accepted_plan(session, made, TOTAL)
    return made


def of(session: Any, model: type[Any]) -> Any:
    return session.scalars(select(model)).one()


def attempt_at(method: PaymentMethod, **facts: Any) -> Attempt:
    """An attempt as a worker has it in its hands just before it asks."""
    held = {"state": "sent", "taken": True, "due_at": clock.now() + timedelta(minutes=2), "asked": 0}
    own = {"shop_id": method.shop_id, "id": new_id(Attempt.prefix), "initiator": "merchant"}
    return Attempt(**{**own, **held, "method_id": method.id, "account_id": method.account_id, **facts})


def refund_of(account: GatewayAccount, **facts: Any) -> Refund:
    held = {"state": "sent", "taken": True, "due_at": clock.now() + timedelta(minutes=2)}
    return Refund(**{"shop_id": account.shop_id, "id": new_id(Refund.prefix), **held, **facts})


def erasure_of(method: PaymentMethod, **facts: Any) -> Erasure:
    held = {"state": "asked", "taken": True, "due_at": clock.now() + timedelta(minutes=2), "method_id": ""}
    own = {"shop_id": method.shop_id, "id": new_id(Erasure.prefix), "customer_id": method.customer_id}
    return Erasure(**{**own, **held, **facts})


def refused(house: TestHouse, shop: Shop, model: type[Any], use: Any) -> str:
    """Why the shop's token (or its account's settings) does not open for this use: as the log says, for nobody else."""
    with house.of(shop) as session:
        row = of(session, model)
        with pytest.raises(SealError) as error:
            _open(session, shop, row, use(row))
        assert str(error.value) == "does not open"
    with house.of(shop) as session:
        entry = session.scalars(select(VaultEntry).order_by(VaultEntry.seq.desc()).limit(1)).one()
        assert (entry.verb, entry.row_id, entry.result) == ("open", row.id, error.value.why)
    return error.value.why


def _open(session: Any, shop: Shop, row: Any, use: Use) -> Any:
    if isinstance(row, PaymentMethod):
        return vault.open_method(session, row, use)
    return merchants.gateway_of(session, shop, row, use)


def test_a_token_opens_for_an_attempt_that_is_open_held_and_unasked_since(
    house: TestHouse, shop: Shop
) -> None:
    with house.of(shop) as session:
        method = of(session, PaymentMethod)
        for state in billing.OPEN:
            use = vault.to_charge(attempt_at(method, state=state, asked=3), fence=3)
            assert vault.open_method(session, method, use).token == plan_story.TOKEN


CHARGES = {
    "not_open": {"state": "succeeded"},
    "not_leased": {"taken": False},
    "fence": {"asked": 1},
    "another_row": {"method_id": "pm_of_somebody_else"},
}


@pytest.mark.parametrize("why", CHARGES)
def test_a_token_does_not_open_for_an_attempt_that_does_not_warrant_it(
    house: TestHouse, shop: Shop, why: str
) -> None:
    assert (
        refused(house, shop, PaymentMethod, lambda row: vault.to_charge(attempt_at(row, **CHARGES[why])))
        == why
    )


@pytest.mark.parametrize("facts", [{"shop_id": "shop_other"}, {"account_id": "gwa_other"}])
def test_a_token_does_not_open_for_another_shops_or_accounts_attempt(
    house: TestHouse, shop: Shop, facts: dict[str, str]
) -> None:
    use = refused(house, shop, PaymentMethod, lambda row: vault.to_charge(attempt_at(row, **facts)))
    assert use == "another_row"


def test_a_token_does_not_open_when_the_lease_is_over(house: TestHouse, shop: Shop) -> None:
    def late(row: PaymentMethod) -> Use:
        return vault.to_charge(attempt_at(row, due_at=clock.now() - timedelta(seconds=1)))

    assert refused(house, shop, PaymentMethod, late) == "not_leased"


def test_a_purpose_that_is_only_said_opens_nothing(house: TestHouse, shop: Shop) -> None:
    for said in ("charge", "renew", "refund", "detach"):
        for model in (PaymentMethod, GatewayAccount):
            assert refused(house, shop, model, lambda row: Use(said, row.id)) == "no_warrant"  # noqa: B023


def test_no_token_opens_for_a_call_and_no_settings_for_a_charge(house: TestHouse, shop: Shop) -> None:
    assert refused(house, shop, PaymentMethod, lambda row: Use("gateway_call", row.id)) == "another_purpose"
    assert refused(house, shop, PaymentMethod, lambda row: Use("shop_call", row.id)) == "another_purpose"
    assert refused(house, shop, GatewayAccount, lambda row: Use("shop_call", row.id)) == "another_purpose"

    with house.of(shop) as session:
        use = vault.to_charge(attempt_at(of(session, PaymentMethod)))
    assert refused(house, shop, GatewayAccount, lambda row: use) == "another_purpose"


def test_a_refund_opens_settings_only_while_it_is_being_sent(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        account = of(session, GatewayAccount)
        for state in ("sent", "in_doubt"):
            merchants.gateway_of(session, shop, account, vault.to_refund(refund_of(account, state=state)))
    for why, facts in {
        "not_open": {"state": "due"},
        "not_leased": {"taken": False},
        "another_row": {"shop_id": "shop_other"},
    }.items():
        use = refused(house, shop, GatewayAccount, lambda row: vault.to_refund(refund_of(row, **facts)))  # noqa: B023
        assert use == why
    for settled in ("succeeded", "declined", "not_executed", "void", "reversed"):
        use = refused(house, shop, GatewayAccount, lambda row: vault.to_refund(refund_of(row, state=settled)))  # noqa: B023
        assert use == "not_open"


def test_a_token_opens_for_detaching_its_own_customers_card(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        method = of(session, PaymentMethod)
        for facts in ({}, {"method_id": method.id}, {"state": "in_doubt"}):
            use = vault.to_detach(erasure_of(method, **facts))
            assert vault.open_method(session, method, use).token == plan_story.TOKEN
    for facts, why in (
        ({"customer_id": "cus_of_somebody_else"}, "another_row"),
        ({"method_id": "pm_another"}, "another_row"),
        ({"state": "shredded"}, "not_open"),
        ({"taken": False}, "not_leased"),
    ):
        use = refused(house, shop, PaymentMethod, lambda row: vault.to_detach(erasure_of(row, **facts)))  # noqa: B023
        assert use == why


def test_a_card_is_renewed_only_by_a_payment_that_its_customer_confirmed(
    house: TestHouse, shop: Shop
) -> None:
    with house.of(shop) as session:
        method = of(session, PaymentMethod)
        vault.renew(session, method, "nti_2", attempt_at(method, state="succeeded", initiator="customer"))
        use = vault.to_charge(attempt_at(method))
        assert vault.open_method(session, method, use).network_transaction_id == "nti_2"
        for facts in ({"state": "succeeded"}, {"initiator": "customer"}):
            with pytest.raises(SealError) as error:
                vault.renew(session, method, "nti_3", attempt_at(method, **facts))
            assert error.value.why == "not_confirmed"


def test_a_forgotten_token_is_refused_and_the_log_says_why(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        of(session, PaymentMethod).sealed = None
    why = refused(house, shop, PaymentMethod, lambda row: vault.to_charge(attempt_at(row)))
    assert why == "forgotten"


def test_a_damaged_record_says_nothing_and_the_log_says_why(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        method = of(session, PaymentMethod)
        method.sealed = method.sealed[:-1] + bytes([method.sealed[-1] ^ 1])
    assert refused(house, shop, PaymentMethod, lambda row: vault.to_charge(attempt_at(row))) == "tag"


def test_the_web_process_opens_nothing_and_each_try_is_in_the_log(house: TestHouse, shop: Shop) -> None:
    with house.web.app_context():
        for model in (PaymentMethod, GatewayAccount):
            with transaction(shop.id) as session, pytest.raises(SealError) as error:
                row = of(session, model)
                token = isinstance(row, PaymentMethod)
                use = vault.to_charge(attempt_at(row)) if token else Use("gateway_call", row.id)
                _open(session, shop, row, use)
            assert error.value.why == "no_root_here"
    with house.of(shop) as session:
        newest = session.scalars(select(VaultEntry).order_by(VaultEntry.seq.desc()).limit(2)).all()
        assert {entry.result for entry in newest} == {"no_root_here"}
        assert all(entry.process.startswith("web ") for entry in newest)


def test_the_web_process_seals_nothing_and_each_try_is_in_the_log(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        method, account = of(session, PaymentMethod), of(session, GatewayAccount)
    card = sdk.CardStored("tok_of_web", "Visa", "4242", 11, 2040)
    tries = {
        "token": lambda session: vault.keep(session, shop.id, method.customer_id, account.id, card),
        "settings": lambda session: vault.seal(session, account.place, b"{}"),
    }
    for tried in tries.values():
        with house.web.app_context(), transaction(shop.id) as session, pytest.raises(SealError) as error:
            tried(session)
        assert error.value.why == "no_root_here"
    with house.of(shop) as session:
        newest = session.scalars(select(VaultEntry).order_by(VaultEntry.seq.desc()).limit(2)).all()
        assert {entry.field for entry in newest} == set(tries)
        for entry in newest:
            assert (entry.verb, entry.result) == ("seal", "no_root_here")
            assert entry.process.startswith("web ")
        assert session.scalars(select(PaymentMethod.id)).all() == [method.id]


def test_a_replay_is_not_written_down_where_somebody_has_asked_since(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        plan = of(session, plans.Plan)
        first = plans.collection(session, shop.id, plan.id, 1)
        prepared = billing.prepare(session, shop, first.id, initiator="customer")
        assert prepared is not None
    with house.of(shop) as session:
        (asked,) = billing.note_questions(session, shop, [prepared.attempt_id])
        assert asked.asked == 1
    with house.of(shop) as session:
        stale, fresh = (billing.Look(prepared.gateway, fence) for fence in (0, 1))
        assert billing.prepare_replays(session, shop, {prepared.attempt_id: stale}) == []
        (again,) = billing.prepare_replays(session, shop, {prepared.attempt_id: fresh})
        assert again.request.reference == prepared.request.reference
        billing.record(session, shop, prepared.attempt_id, sdk.NotExecuted("nobody was asked"))


@pytest.mark.parametrize("damage", [b"", b"\x00" * 200, None])
def test_a_card_that_does_not_open_is_shown_to_a_person_and_costs_no_other_its_charge(
    house: TestHouse, shop: Shop, damage: bytes | None
) -> None:
    with house.of(shop) as session:
        hurt = of(session, plans.Plan)
        whole = plan_story.accepted_plan(session, shop, TOTAL, "bob@example.test")
        ids = [plans.collection(session, shop.id, plan.id, 1).id for plan in (hurt, whole)]
        method = session.get_one(PaymentMethod, (shop.id, hurt.method_id))
        assert method.sealed is not None
        method.sealed = method.sealed[:-1] + b"?" if damage is None else damage
    with house.of(shop) as session:
        prepared = billing.prepare_all(session, shop, ids, initiator="customer")
        assert [one.request.collection for one in prepared] == [ids[1]]
    with house.of(shop) as session:
        (attempt,) = billing.attempts_of(session, shop.id, ids[0])
        assert (attempt.state, attempt.due_at) == ("not_executed", None)
        assert session.scalars(select(Case.subject).where(Case.kind == "work_failed")).all() == [ids[0]]
        billing.record(session, shop, prepared[0].attempt_id, sdk.NotExecuted("nobody was asked"))


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """What is sent to the database."""
    told: list[str] = []

    def executed(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        told.append(" ".join(statement.split()))

    event.listen(Engine, "before_cursor_execute", executed)
    yield told
    event.remove(Engine, "before_cursor_execute", executed)


def test_opening_asks_the_database_nothing_and_its_log_one_statement_a_batch(
    house: TestHouse, shop: Shop, statements: list[str]
) -> None:
    batch = 6
    with house.of(shop) as session:
        made = [
            plan_story.accepted_plan(session, shop, TOTAL, f"{number}@example.test")
            for number in range(batch)
        ]
        ids = [plans.collection(session, shop.id, plan.id, 1).id for plan in made]
    statements.clear()
    with house.of(shop) as session:
        prepared = billing.prepare_all(session, shop, ids, initiator="customer")
    of_vault = [statement for statement in statements if "vault_" in statement]
    assert len(prepared) == batch
    assert [statement.split(" (")[0] for statement in of_vault] == ["INSERT INTO vault_audit"]
    assert statements[-1] == of_vault[0], "the log is written last of all"
    with house.of(shop) as session:
        named = {one.attempt_id for one in prepared}
        opened = select(VaultEntry).where(VaultEntry.purpose == "charge", VaultEntry.result == "ok")
        assert {entry.use_id for entry in session.scalars(opened)} == named
        for attempt_id in named:
            billing.record(session, shop, attempt_id, sdk.NotExecuted("nobody was asked"))


SECRET = ("Opened", "bytearray", "Key")
NO_VERBS = ("list", "export", "dump", "every", "all")


def test_the_vault_has_no_verb_that_lists_or_exports() -> None:
    words = {word for name in vault.__all__ for word in name.lower().split("_")}
    assert words.isdisjoint(NO_VERBS)


def test_whatever_gives_a_secret_out_asks_for_one_record_and_its_use() -> None:
    giving = {}
    for name in vault.__all__:
        verb = getattr(vault, name)
        if inspect.isfunction(verb) and getattr(verb.__annotations__["return"], "__name__", "") in SECRET:
            giving[name] = inspect.signature(verb).parameters
    assert {"open_method", "unseal"} <= set(giving)
    for name, parameters in giving.items():
        assert parameters["use"].default is inspect.Parameter.empty, name


def test_an_adapter_is_handed_its_settings_and_a_door_out_and_nothing_of_the_vault(
    house: TestHouse, shop: Shop
) -> None:
    with house.of(shop) as session:
        account = of(session, GatewayAccount)
        gateway = merchants.gateway_of(session, shop, account, Use("gateway_call", account.id))
        connection = merchants.connection_of(session, shop.id)
        connector = merchants.connector_of(session, shop, connection, Use("shop_call", connection.id))
    for adapter in (gateway, connector):
        held = [*vars(adapter).values()]
        assert held
        modules = {type(one).__module__ for one in held}
        assert not any(
            name.startswith(("sqlalchemy", "plugin_backend.core", "plugin_backend.domain"))
            for name in modules
        )
