"""Connecting a shop: its address is typed, its platform recognised, and its keys come by approval or by hand. Nobody outside
is asked here: a worker does that, and the page shows what came of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from flask import Blueprint, redirect, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from plugin_backend.core import i18n, registry
from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.core.views import AddressView, Field, HandoverView, KeysForm, State
from plugin_backend.domain import exchanges, handovers, merchants, onboarding, staff
from plugin_backend.domain.handovers import Handover, MistypedAddress
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk.connector import Connector, Guide, settings_of
from plugin_backend.sdk.errors import Refused
from plugin_backend.web.dashboard import frame, visitors

pages = Blueprint("connecting", __name__)

_LONGEST = 2000
# How often a page asks by itself what came of what a worker does, in seconds.
REFRESH = 2


@pages.get("/connect")
def ask() -> Response:
    """One field: the shop's address."""
    return frame.shown("dashboard/connect.html", AddressView("/connect"))


@pages.post("/connect")
def begin() -> Response:
    """A new shop, of which the address is known; the form again with what is wrong, and 422, for one that is none."""
    typed, test = request.form.get("address", "")[:_LONGEST], request.form.get("mode") == "test"
    try:
        address = handovers.address_of(typed, test=test)
    except MistypedAddress as error:
        return _mistyped(AddressView("/connect", typed, test, error.why))
    shop_id = onboarding.new_shop_id()
    mode: Literal["test", "live"] = "test" if test else "live"
    with transaction(shop_id) as session:
        handovers.begin(session, shop_id, address, mode=mode, locale=frame.language())
    return _on_with(shop_id, "connection")


def _mistyped(view: AddressView) -> Response:
    response = frame.shown("dashboard/connect.html", view)
    response.status_code = 422
    return response


def show(shop: Shop) -> Response:
    """Where the hand-over of a shop stands. While a worker is at it, the page asks again by itself."""
    with transaction(shop.id) as session:
        row = handovers.newest(session, shop.id)
        if row is None:
            raise NotFound("the shop is not being connected")
        view = _view(session, shop, row)
    response = frame.shown("dashboard/handover.html", view, shop=shop, tab="connection")
    if view.busy:
        response.headers["Refresh"] = f"{REFRESH}; url={request.path}"
    return response


@pages.get("/shops/<shop_id>/connection/keys")
def keys(shop_id: str) -> Response:
    """Other keys for a connected shop."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session:
        row = handovers.newest(session, shop.id)
    if shop.state == "connecting" or row is None or row.state == "connected":
        return redirect(f"/shops/{shop.id}/connection", 303)
    return show(shop)


@pages.post("/shops/<shop_id>/connection/again")
def again(shop_id: str) -> Response:
    """A connected shop is to get other keys."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session, merchants.shop_time(shop):
        row = handovers.newest(session, shop.id, lock=True)
        if shop.state != "connecting" and (row is None or row.state == "connected"):
            handovers.again(session, shop)
    return _on_with(shop.id, "connection/keys")


@pages.post("/shops/<shop_id>/connection/<verb>")
def go_on(shop_id: str, verb: str) -> Response:
    """Another address (``address``), another platform (``platform``), the way to the shop (``approve``) or typed keys
    (``paste``)."""
    shop, step = frame.shop_at(shop_id), _STEPS.get(verb)
    if step is None:
        raise NotFound(f"no such step: {verb}")
    problem = ""
    with transaction(shop.id) as session, merchants.shop_time(shop):
        shop = session.get_one(Shop, shop.id, with_for_update=True, populate_existing=True)
        row = handovers.newest(session, shop.id, lock=True)
        if row is not None and row.state in ("recognised", "waiting"):
            problem = step(session, shop, row)
    return _on_with(shop.id, "connection" if shop.state == "connecting" else "connection/keys", problem)


def _address(session: Session, shop: Shop, row: Handover) -> str:
    try:
        address = handovers.address_of(request.form.get("address", "")[:_LONGEST], test=shop.test)
    except MistypedAddress as error:
        return error.why
    handovers.retype(session, shop, row, address)
    return ""


def _platform(session: Session, shop: Shop, row: Handover) -> str:
    handovers.choose(session, shop, row, request.form.get("platform", ""))
    return ""


def _approve(session: Session, shop: Shop, row: Handover) -> str:
    guide = _guide(row)
    if guide.handover is None:
        raise BadRequest("this platform hands no keys over")
    typed, problem = _typed(row, guide.handover)
    if problem:
        return problem
    session_id = staff.session_id(request.cookies[visitors.cookie_name()])
    handovers.approve(session, shop, row, typed, begun_by=session_id)
    return ""


def _paste(session: Session, shop: Shop, row: Handover) -> str:
    typed, problem = _typed(row, _guide(row).paste)
    if not problem:
        handovers.paste(session, shop, row, typed)
    return problem


_STEPS = {
    "address": _address,
    "platform": _platform,
    "approve": _approve,
    "paste": _paste,
}


def _typed(row: Handover, names: tuple[str, ...]) -> tuple[dict[str, str], str]:
    """What was typed for these settings, and what is wrong with it: a code of ours, "" for nothing. What the schema says of
    all of them together is for the worker, who has the secrets that were typed before."""
    adapter = _adapter(row)
    typed = {name: request.form.get(name, "").strip()[:_LONGEST] for name in names}
    if any(not typed[name] for name in names if is_needed(adapter, name)):
        return {}, "settings_missing"
    given = {name: value for name, value in typed.items() if value}
    if adapter.settings(partial=True).validate(given):
        return {}, "settings_wrong"
    return given, ""


def _adapter(row: Handover) -> type[Connector]:
    if row.platform not in registry.connectors():
        raise BadRequest("choose the platform of the shop first")
    return registry.connectors()[row.platform]


def _guide(row: Handover) -> Guide:
    return _adapter(row).guide


def _on_with(shop_id: str, place: str, problem: str = "") -> Response:
    """Ring, now that it is committed, and on to where it stands."""
    house().bells.ring(Handover.bell, shop_id)
    return redirect(f"/shops/{shop_id}/{place}" + (f"?problem={problem}" if problem else ""), 303)


def _view(session: Session, shop: Shop, row: Handover) -> HandoverView:
    platform = registry.connectors().get(row.platform)
    choices = tuple((name, one.title) for name, one in registry.connectors().items())
    problem = request.args.get("problem", "")
    view = HandoverView(
        url=f"/shops/{shop.id}/connection",
        address=shop.address,
        state=State("handover", row.state),
        choices=choices,
        platform=row.platform,
        platform_title=platform.title if platform else "",
        leads_to=row.leads_to,
        problem=problem if problem in PROBLEMS else row.reason if row.state == "recognised" else "",
        exchange=exchanges.about(session, shop.id, row.id),
        test=shop.test,
        connected=shop.state != "connecting",
    )
    if platform is None or view.busy:
        return view
    return _with_forms(view, shop, row, platform.guide)


def _with_forms(view: HandoverView, shop: Shop, row: Handover, guide: Guide) -> HandoverView:
    said = i18n.translator(frame.language())
    where = {"callback_url": house().url(handovers.door_path(shop.id))}

    def form(steps: tuple[str, ...], names: tuple[str, ...]) -> KeysForm:
        told = tuple(said.gettext(step) % where if "%(" in step else said.gettext(step) for step in steps)
        return KeysForm(told, fields_of(row.platform, names, row.typed | {"url": row.home or shop.address}))

    paste = tuple(name for name in guide.paste if not (view.connected and name in ("secret", *guide.made)))
    url, refused = _approval(shop, row)
    return replace(
        view,
        approve=None if guide.handover is None else form(guide.before, guide.handover),
        paste=form(guide.by_hand, paste),
        approval_url=url,
        problem=refused or view.problem,
    )


def _approval(shop: Shop, row: Handover) -> tuple[str, str]:
    """Where the owner approves, "" where he does not yet; and why there is no such place."""
    if row.state != "waiting":
        return "", ""
    try:
        return handovers.approval_url(shop, row), ""
    except Refused as error:
        return "", error.reason


def fields_of(platform: str, names: tuple[str, ...], known: Mapping[str, str]) -> tuple[Field, ...]:
    """The fields of a form: what is known and no secret stands in them, and a secret that is ours to make stands there
    fresh, to be copied into the shop."""
    adapter = registry.connectors()[platform]
    secret = dict(settings_of(adapter.settings))
    guide = adapter.guide
    said = i18n.translator(frame.language())
    return tuple(
        Field(
            name=name,
            label=said.gettext(guide.labels.get(name, name.replace("_", " "))),
            value=handovers.made_secret(guide.made[name])
            if name in guide.made
            else ""
            if secret[name]
            else known.get(name, ""),
            secret=secret[name] and name not in guide.made,
            required=is_needed(adapter, name),
            options=tuple((value, said.gettext(told)) for value, told in guide.choices.get(name, {}).items()),
        )
        for name in names
    )


def is_needed(adapter: type[Connector], name: str) -> bool:
    """Whether a setting must be typed where it is asked for."""
    return adapter.settings().fields[name].required or name not in adapter.guide.optional


PROBLEMS = frozenset(
    {
        *("settings_missing", "settings_wrong", "address_malformed", "address_with_credentials"),
        "address_not_public",
    }
)
