"""How an account stands. PayXpert tells which currencies it takes cards in, and of each transaction whether it was a test;
of the account itself it does not say the latter."""

from datetime import timedelta

from plugin_backend.gateways.payxpert.api import Api
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import NoAnswer, NotSent, Refused
from plugin_backend.sdk.gateway import Checked, Flaw
from plugin_backend.sdk.wording import N_

_LATELY = timedelta(hours=6)


def checked(api: Api, *, live: bool) -> Checked:
    """What is wrong, each with where it is put right."""
    try:
        account = api.account()
    except Refused as error:
        return Checked((_refused(error),))
    except (NotSent, NoAnswer) as error:
        return Checked(
            (
                Flaw(
                    "unreachable",
                    N_("Look at PayXpert's status page, or correct the address of Connect2Pay"),
                    str(error),
                ),
            )
        )
    flaws = []
    if account.currencies is None:
        flaws.append(
            Flaw("method_off", N_("Ask support@payxpert.com to switch cards on for this originator"))
        )
    if _of_the_other_kind(api, live=live):
        flaws.append(
            Flaw(
                "wrong_mode",
                N_("Say whether this originator is a test or a live one, as PayXpert wrote to you"),
            )
        )
    return Checked(tuple(flaws), "live" if live else "test", account.currencies, title=account.title)


def _refused(error: Refused) -> Flaw:
    if error.status == 401:
        return Flaw("wrong_key", N_("Compare originator and password with PayXpert's letter"), str(error))
    if error.status == 403:
        return Flaw(
            "revoked", N_("Ask support@payxpert.com whether this originator may still be used"), str(error)
        )
    return Flaw("refused", detail=str(error))


def _of_the_other_kind(api: Api, *, live: bool) -> bool:
    """Did the account take a payment of ours lately that says it is of the other kind?"""
    now = int(clock.real_now().timestamp()) + 1
    try:
        found = api.export(now - int(_LATELY.total_seconds()), now)
    except (NotSent, NoAnswer, Refused):
        return False
    return any(one.test is live for one in found if one.test is not None)
