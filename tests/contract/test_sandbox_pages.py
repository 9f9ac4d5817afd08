"""The hosted pages of the sandbox gateway: the card, 3-D Secure, and the way back."""

import re
from collections.abc import Iterator

import pytest

from plugin_backend.demo.gateway.cards import CARDS
from plugin_backend.demo.gateway.texts import TEXTS
from plugin_backend.sdk.gateway import (
    CardStored,
    SetupFailed,
    SetupPending,
)
from tests.contract import sandbox_story as story
from tests.contract.gateway_process import SandboxProcess


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("sandbox") / "ledger.jsonl") as process:
        yield process


@pytest.fixture
def process(running: SandboxProcess) -> SandboxProcess:
    running.another_account()
    return running


def test_the_card_page_can_be_filled_in_by_anybody(process: SandboxProcess) -> None:
    answer = process.get(story.begin(process).url)
    html = answer.body.decode()
    assert html.startswith("<!doctype html>") and '<html lang="en">' in html
    assert html.count("<h1") == 1
    for name, autocomplete in (("number", "cc-number"), ("expiry", "cc-exp"), ("code", "cc-csc")):
        assert f'<label for="{name}">' in html
        assert re.search(rf'<input id="{name}" name="{name}" autocomplete="{autocomplete}"', html)
    assert "<script" not in html
    assert "form-action 'self' https://house.example" in answer.headers["content-security-policy"]
    assert all((card.spaced in html) == (card.method == "card") for card in CARDS)


@pytest.mark.parametrize(
    ("locale", "language", "price"),
    [("fr-CA", "fr", "33,34 EUR"), ("en", "en", "33.34 EUR"), ("eo", "en", "33.34 EUR")],
)
def test_the_card_page_speaks_the_customers_language(
    process: SandboxProcess, locale: str, language: str, price: str
) -> None:
    html = process.get(story.begin(process, locale=locale).url).body.decode()
    assert f'<html lang="{language}">' in html and price in html


def test_every_text_is_there_in_every_language() -> None:
    assert TEXTS["fr"].keys() == TEXTS["en"].keys()
    assert {f"does_{card.name}" for card in CARDS} <= TEXTS["en"].keys()


def test_a_form_with_mistakes_names_them_and_never_shows_the_number_again(process: SandboxProcess) -> None:
    page = story.begin(process)
    answer = process.submit(page.url, {"number": "4111 1111 1111 1111", "expiry": "01/20", "code": "x"})
    html = answer.body.decode()
    assert answer.status == 422
    assert html.count('role="alert"') == 1 and html.count('aria-invalid="true"') == 3
    assert "4111" not in html
    assert isinstance(story.sandbox(process).complete_setup("setup-1", page.gateway_id), SetupPending)


def test_an_old_tab_still_leads_back_after_the_card_is_stored(process: SandboxProcess) -> None:
    page = story.begin(process)
    answers = [process.type_card(page.url, "ok"), process.type_card(page.url, "ok"), process.get(page.url)]
    assert {answer.status for answer in answers} == {303}
    assert process.get(page.url).headers["location"] == story.BACK
    assert isinstance(story.sandbox(process).complete_setup("setup-1", page.gateway_id), CardStored)


def test_a_card_can_ask_for_3d_secure_before_it_is_stored(process: SandboxProcess) -> None:
    page, gateway = story.begin(process, locale="fr"), story.sandbox(process)
    process.type_card(page.url, "challenge_setup")
    challenge = process.get(page.url).headers["location"]
    assert ">Approuver</button>" in process.get(process.url + challenge).body.decode()
    assert isinstance(gateway.complete_setup("setup-1", page.gateway_id), SetupPending)
    refused = process.decide(process.url + challenge, "refuse")
    assert refused.status == 422 and 'role="alert"' in refused.body.decode()
    process.type_card(page.url, "challenge_setup")
    process.decide(process.url + challenge, "approve")
    stored = gateway.complete_setup("setup-1", page.gateway_id)
    assert isinstance(stored, CardStored) and stored.last4 == "3220"


def test_a_setup_ends_after_three_refusals_when_left_and_when_too_old(process: SandboxProcess) -> None:
    gateway = story.sandbox(process)
    declined, left, expired = (story.begin(process, reference=f"setup-{n}") for n in (1, 2, 3))
    for _ in range(3):
        process.type_card(declined.url, "wrong_code")
    assert process.submit(left.url + "/leave", {}).headers["location"] == story.BACK
    assert gateway.complete_setup("setup-1", declined.gateway_id) == SetupFailed("declined")
    assert gateway.complete_setup("setup-2", left.gateway_id) == SetupFailed("left")
    process.switch(setup_seconds=0)
    assert gateway.complete_setup("setup-3", expired.gateway_id) == SetupFailed("expired")
    assert process.type_card(expired.url, "ok").status == 303
