"""What our sender's domain says of it, asked of a real name server on loopback."""

import pytest

from plugin_backend.core import sender
from tests.unit.name_server import name_server

KEY = "v=DKIM1; k=rsa; p=" + "A" * 380
GOOD = {
    "shop.example": ["v=spf1 include:_spf.mail.example -all", "google-site-verification=x"],
    "k1._domainkey.shop.example": [KEY],
    "_dmarc.shop.example": ["v=DMARC1; p=none"],
}


def said(texts: dict[str, list[str]], domain: str = "shop.example", selector: str = "") -> dict[str, object]:
    with name_server(texts) as address:
        return {it.kind: it.there for it in sender.look_up(domain, selector, sender.resolver(address))}


def test_a_domain_that_says_all_three_vouches_for_us() -> None:
    assert said(GOOD) == {"spf": True, "dkim": True, "dmarc": True}


@pytest.mark.parametrize(
    "texts",
    [[], ["v=spf10 -all"], ["spf1 -all"], ["v=spf1 -all", "v=spf1 a -all"]],
    ids=["none", "another version", "no version", "two, which are none"],
)
def test_without_one_policy_there_is_no_spf(texts: list[str]) -> None:
    assert said({**GOOD, "shop.example": texts})["spf"] is False


def test_a_key_under_another_name_cannot_be_found_unless_it_is_named() -> None:
    texts = {**GOOD, "k1._domainkey.shop.example": [], "own2026._domainkey.shop.example": [KEY]}
    assert said(texts)["dkim"] is None
    assert said(texts, selector="own2026")["dkim"] is True
    assert said(texts, selector="other")["dkim"] is False


def test_a_key_that_was_revoked_is_none() -> None:
    texts = {**GOOD, "k1._domainkey.shop.example": ["v=DKIM1; p="]}
    assert said(texts, selector="k1")["dkim"] is False


def test_a_domain_has_the_policy_of_the_one_it_belongs_to() -> None:
    texts = {"_dmarc.shop.example": ["v=DMARC1; p=reject"], "mail.shop.example": []}
    assert said(texts, "mail.shop.example")["dmarc"] is True
    assert said({}, "mail.shop.example")["dmarc"] is False


def test_a_name_server_that_is_silent_says_neither_yes_nor_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "_PATIENCE", 0.1)
    with name_server({}, silent=True) as address:
        found = sender.look_up("shop.example", "k1", sender.resolver(address))
    assert {it.kind: it.there for it in found} == {"spf": None, "dkim": None, "dmarc": None}


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("shop@shop.example.org", "shop.example.org"),
        ("reprise@localhost", ""),
        ("shop@reprise.test", ""),
        ("a@B.Example.COM.", "b.example.com"),
        ("nonsense", ""),
    ],
)
def test_only_a_domain_of_the_internet_is_looked_up(address: str, domain: str) -> None:
    assert sender.domain_of(address) == domain
