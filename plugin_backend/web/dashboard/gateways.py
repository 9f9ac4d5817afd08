"""The shop's accounts at gateways: connecting one, giving it other keys, which one new plans use. Nobody outside is asked
here: what was typed is dropped for a worker, and the page shows what came of it."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, redirect, request
from marshmallow import fields, validate
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from plugin_backend.core import i18n, registry
from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.core.views import (
    EnrolmentView,
    Field,
    FlawLine,
    GatewayLine,
    GatewaysView,
    KeysForm,
    Reason,
    State,
)
from plugin_backend.domain import enrolments, merchants, plans, probing
from plugin_backend.domain.billing import runs
from plugin_backend.domain.enrolments import Enrolment
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.sdk.gateway import Flaw, Gateway
from plugin_backend.web.dashboard import connecting, frame

pages = Blueprint("gateways", __name__)

_LONGEST = 2000
_PROBLEMS = frozenset({"settings_missing", "settings_wrong"})


@pages.get("/shops/<shop_id>/accounts")
def show(shop_id: str) -> Response:
    """Every account as it stands."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session:
        row = enrolments.current(session, shop.id)
        running = plans.running_by_account(session, shop.id)
        accounts = merchants.accounts_of(session, shop.id)
        view = GatewaysView(
            url=_home(shop),
            accounts=tuple(_line(shop, it, running.get(it.id, 0), row) for it in accounts),
            gateways=tuple((name, registry.gateways()[name].title) for name in enrolments.offered(shop)),
            open_url=f"{_home(shop)}/connect" if row is not None else "",
        )
    response = frame.shown("dashboard/gateways.html", view, shop=shop, tab="accounts")
    if any(account.checking for account in view.accounts):
        response.headers["Refresh"] = f"{connecting.REFRESH}; url={request.path}"
    return response


def _line(shop: Shop, row: GatewayAccount, running: int, enrolment: Enrolment | None) -> GatewayLine:
    tried = enrolment is not None and enrolment.account_id == row.id and enrolment.state == "brought"
    return GatewayLine(
        title=registry.gateways()[row.gateway].title,
        name=row.title or row.identity or row.id,
        url=f"{_home(shop)}/{row.id}",
        mode=row.mode,
        active=row.active,
        paused=row.paused,
        state=State("account", row.state),
        reason=Reason(row.reason),
        plans=running,
        callback_url=house().url(merchants.hook_path(row.id, shop.id)),
        flaws=_flaws(row.flaws),
        checked_at=row.checked_at,
        checking=tried,
    )


@pages.post("/shops/<shop_id>/accounts")
def begin(shop_id: str) -> Response:
    """Another account is to be connected."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session, merchants.shop_time(shop):
        try:
            enrolments.begin(session, _locked(session, shop), request.form.get("gateway", ""))
        except merchants.Unknown as error:
            raise BadRequest(str(error)) from None
    return redirect(f"{_home(shop)}/connect", 303)


@pages.get("/shops/<shop_id>/accounts/connect")
def connect(shop_id: str) -> Response:
    """What is asked of the owner, and what is wrong with what he typed. While a worker tries it, the page asks again by
    itself."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session:
        row = enrolments.current(session, shop.id)
        if row is None:
            return redirect(_home(shop), 303)
        view = _view(shop, row, changing=session.get(GatewayAccount, (shop.id, row.account_id)) is not None)
    response = frame.shown("dashboard/enrolment.html", view, shop=shop, tab="accounts")
    if view.busy:
        response.headers["Refresh"] = f"{connecting.REFRESH}; url={request.path}"
    return response


@pages.post("/shops/<shop_id>/accounts/connect")
def bring(shop_id: str) -> Response:
    """The settings were typed."""
    shop, problem = frame.shop_at(shop_id), ""
    with transaction(shop.id) as session, merchants.shop_time(shop):
        _locked(session, shop)
        row = enrolments.current(session, shop.id, lock=True)
        if row is not None and row.state == "open":
            changing = session.get(GatewayAccount, (shop.id, row.account_id)) is not None
            typed, problem = _typed(registry.gateways()[row.gateway], changing=changing)
            if not problem:
                enrolments.bring(session, row, typed)
    house().bells.ring(Enrolment.bell, shop.id)
    return redirect(f"{_home(shop)}/connect" + (f"?problem={problem}" if problem else ""), 303)


@pages.post("/shops/<shop_id>/accounts/<account_id>/<verb>")
def act(shop_id: str, account_id: str, verb: str) -> Response:
    """Use the account for new plans (``use``), ``pause`` or ``resume`` charging without the customer, ``check`` or ``probe``
    it once more, or give it other ``keys``."""
    shop, work = frame.shop_at(shop_id), _VERBS.get(verb)
    if work is None:
        raise NotFound(f"no such verb: {verb}")
    with transaction(shop.id) as session, merchants.shop_time(shop):
        locked = _locked(session, shop)
        account = session.get(GatewayAccount, (shop.id, account_id), with_for_update=True)
        if account is None:
            raise NotFound(f"no account {account_id}")
        work(session, locked, account)
    for bell in (Enrolment.bell, GatewayAccount.bell, "charge"):
        house().bells.ring(bell, shop.id)
    return redirect(f"{_home(shop)}/connect" if verb == "keys" else _home(shop), 303)


def _keys(session: Session, shop: Shop, account: GatewayAccount) -> None:
    enrolments.begin(session, shop, account.gateway, account)


_VERBS: dict[str, Callable[[Session, Shop, GatewayAccount], object]] = {
    "use": merchants.use_for_new_plans,
    "pause": lambda session, shop, account: runs.pause(session, account),
    "resume": lambda session, shop, account: runs.resume(session, account),
    "check": enrolments.check_again,
    "probe": lambda session, shop, account: probing.again(session, account),
    "keys": _keys,
}


def _view(shop: Shop, row: Enrolment, *, changing: bool) -> EnrolmentView:
    adapter = registry.gateways()[row.gateway]
    said, callback = i18n.translator(frame.language()), house().url(enrolments.callback_path(row))
    steps = (said.gettext(step) for step in adapter.guide.steps)
    told = tuple(step % {"callback_url": callback} if "%(" in step else step for step in steps)
    problem = request.args.get("problem", "")
    return EnrolmentView(
        url=f"{_home(shop)}/connect",
        title=adapter.title,
        mode=shop.mode,
        state=State("enrolment", row.state),
        form=KeysForm(told, tuple(_fields(adapter, row.typed, changing=changing))),
        callback_url=callback,
        changing=changing,
        problem=problem if problem in _PROBLEMS else "",
        flaws=_flaws(row.flaws),
    )


def _flaws(found: list[Any]) -> tuple[FlawLine, ...]:
    said = i18n.translator(frame.language())
    flaws = (Flaw(**it) for it in found)
    return tuple(
        FlawLine(Reason(flaw.reason), said.gettext(flaw.remedy) if flaw.remedy else "", flaw.detail)
        for flaw in flaws
    )


def _fields(adapter: type[Gateway], known: Mapping[str, str], *, changing: bool) -> list[Field]:
    """The adapter's settings as they are drawn. What is known and no secret stands in them; a secret that is there stays
    where nothing is typed."""
    return [
        _field(adapter, name, declared, known.get(name), changing=changing)
        for name, declared in adapter.settings().fields.items()
        if name != enrolments.CALLBACK
    ]


def _field(
    adapter: type[Gateway], name: str, declared: fields.Field[Any], known: str | None, *, changing: bool
) -> Field:
    secret, default = bool(declared.metadata.get("secret")), declared.load_default
    rules = declared.validate if isinstance(declared.validate, list) else [declared.validate]
    choices = [str(one) for rule in rules if isinstance(rule, validate.OneOf) for one in rule.choices]
    usual = str(default) if isinstance(default, str | int) else ""
    return Field(
        name=name,
        label=i18n.translator(frame.language()).gettext(adapter.guide.labels.get(name, name)),
        value="" if secret else usual if known is None else known,
        secret=secret,
        required=declared.required and not (secret and changing),
        options=tuple((one, one) for one in choices),
        tick=isinstance(declared, fields.Boolean),
    )


def _typed(adapter: type[Gateway], *, changing: bool) -> tuple[dict[str, str], str]:
    """What was typed, and what is wrong with it: a code of ours, "" for nothing. What the settings say together is for the
    worker, who has those that were kept."""
    asked = _fields(adapter, {}, changing=changing)
    typed = {
        it.name: str(it.name in request.form) if it.tick else request.form.get(it.name, "").strip()[:_LONGEST]
        for it in asked
    }
    if any(it.required and not typed[it.name] for it in asked):
        return {}, "settings_missing"
    given = {name: value for name, value in typed.items() if value}
    return typed, "settings_wrong" if adapter.settings(partial=True).validate(given) else ""


def _home(shop: Shop) -> str:
    return f"/shops/{shop.id}/accounts"


def _locked(session: Session, shop: Shop) -> Shop:
    return session.get_one(Shop, shop.id, with_for_update=True, populate_existing=True)
