"""The steps that tests of the sandbox gateway share: a set-up, a card stored on the page, a charge."""

from functools import cache

from plugin_backend.gateways.sandbox import GATEWAY as Sandbox
from plugin_backend.sdk.gateway import CardStored, ChargeRequest, SetupPage, SetupRequest
from plugin_backend.sdk.http import HttpClient
from plugin_backend.sdk.money import Money
from tests.contract.gateway_process import SandboxProcess

BACK = "https://house.example/back?offer=1"
PRICE = Money(3334, "EUR")


@cache
def client() -> HttpClient:
    """One for all: to make one reads the certificates of the machine."""
    return HttpClient(allow_private=True, timeout=5.0)


def sandbox(process: SandboxProcess, callback_url: str = "") -> Sandbox:
    return Sandbox(process.settings(callback_url), client())


def setup(reference: str, locale: str = "en") -> SetupRequest:
    return SetupRequest(reference, BACK, PRICE, "cus_1", "", locale, "A chair in 3 payments", "instalment")


def begin(process: SandboxProcess, reference: str = "setup-1", locale: str = "en") -> SetupPage:
    return sandbox(process).begin_setup(setup(reference, locale))


def store(process: SandboxProcess, gateway: Sandbox, card: str, reference: str = "setup-1") -> str:
    """Take a card through the page; its token, "" where it was not stored."""
    page = gateway.begin_setup(setup(reference))
    process.type_card(page.url, card)
    stored = gateway.complete_setup(reference, page.gateway_id)
    return stored.token if isinstance(stored, CardStored) else ""


def stored(process: SandboxProcess, card: str = "ok") -> str:
    return store(process, sandbox(process), card)


def charge(token: str, reference: str) -> ChargeRequest:
    """A charge without the customer."""
    return ChargeRequest(reference, PRICE, token, "merchant", "instalment", "A chair, 2/3", "col-2", BACK)
