"""A connected shop: its six live checks, the switch between watching and sending, and the secret of its webhooks. What asks
the outside is a row that a worker takes; the page shows what came of it."""

from flask import Blueprint, redirect, request
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, Conflict, NotFound
from werkzeug.wrappers import Response

from plugin_backend.core import i18n, registry, shop_parts
from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.core.views import CheckLine, ConnectionView, Field, SenderLine, State
from plugin_backend.domain import (
    checkups,
    exchanges,
    handovers,
    hook_secrets,
    merchants,
    onboarding,
    storefronts,
)
from plugin_backend.domain.checkups import Checkup, Line
from plugin_backend.domain.hook_secrets import HookSecret
from plugin_backend.domain.merchants import Connection, Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.sdk.money import Money
from plugin_backend.web.dashboard import connecting, frame
from plugin_backend.web.dashboard.visitors import visitor

pages = Blueprint("connection", __name__)

_STATES = {True: "good", False: "bad", None: "wait"}


@pages.get("/shops/<shop_id>/connection")
def show(shop_id: str) -> Response:
    """The connection as it stands; the way to it while there is none."""
    shop = frame.shop_at(shop_id)
    if shop.state == "connecting":
        return connecting.show(shop)
    with transaction(shop.id) as session:
        view = _view(session, session.get_one(Shop, shop.id))
    response = frame.shown("dashboard/connection.html", view, shop=shop, tab="connection")
    if view.checking:
        response.headers["Refresh"] = f"{connecting.REFRESH}; url={request.path}"
    return response


@pages.post("/shops/<shop_id>/connection/check")
def check(shop_id: str) -> Response:
    """Make the six checks again."""
    return _checked(_connected(shop_id))


@pages.post("/shops/<shop_id>/connection/mail")
def mail(shop_id: str) -> Response:
    """Have a test mail sent to whoever asks for it."""
    return _checked(_connected(shop_id), mail_to=visitor().email)


@pages.get("/shops/<shop_id>/connection/mail/<secret>")
def open_mail(shop_id: str, secret: str) -> Response:
    """What the link in the test mail shows: a button. Opening confirms nothing, since mail scanners open every link too."""
    shop = frame.shop_at(shop_id)
    return frame.shown("dashboard/check_mail.html", request.path, shop=shop, tab="connection")


@pages.post("/shops/<shop_id>/connection/mail/<secret>")
def confirm_mail(shop_id: str, secret: str) -> Response:
    """The test mail arrived; 404 for any but the last one's link."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session:
        if not checkups.mail_arrived(session, shop.id, secret):
            raise NotFound("a newer mail was sent, or none")
    return _back(shop.id)


@pages.post("/shops/<shop_id>/connection/switch")
def switch(shop_id: str) -> Response:
    """Let the shop send offers (``on``), or watch only (``off``); 409 where it could not keep what an offer promises."""
    shop, wanted = frame.shop_at(shop_id), request.form.get("to", "")
    with transaction(shop.id) as session:
        row = session.get_one(Shop, shop.id, with_for_update=True, populate_existing=True)
        match wanted:
            case "on":
                _switch_on(session, row)
            case "off":
                onboarding.watch_only(row)
            case _:
                raise BadRequest("the switch is turned on or off")
    return _back(shop.id)


def _switch_on(session: Session, shop: Shop) -> None:
    try:
        merchants.activate(session, shop)
    except merchants.NotAble as error:
        raise Conflict(str(error)) from None


@pages.post("/shops/<shop_id>/connection/secret")
def change_secret(shop_id: str) -> Response:
    """Have another secret take the place of the webhooks': one of our making, or, where the owner's own side has it, the
    one that he typed."""
    shop = _connected(shop_id)
    made = registry.connectors()[shop.platform].guide.made
    api = registry.connectors()[shop.platform].capabilities.webhooks_api
    typed = request.form.get("secret", "").strip()[:200]
    secret = handovers.made_secret(made["secret"]) if api and "secret" in made else typed
    problem = "" if secret and not _wrong(shop.platform, secret) else "settings_wrong"
    if not problem:
        with transaction(shop.id) as session, merchants.shop_time(shop):
            hook_secrets.begin(session, shop, secret)
        house().bells.ring(HookSecret.bell, shop.id)
    return redirect(
        f"/shops/{shop.id}/connection?" + (f"problem={problem}" if problem else "notice=done"), 303
    )


@pages.post("/shops/<shop_id>/connection/part")
def part(shop_id: str) -> Response:
    """Our part of the shop as a file to install, with the shop's address, key and secret filled in. It is posted for, since
    it holds a secret."""
    shop = _connected(shop_id)
    if shop.platform not in shop_parts.platforms():
        raise NotFound(f"nothing is installed in a shop on {shop.platform}")
    with transaction(shop.id) as session:
        connection = merchants.connection_of(session, shop.id)
        known = merchants.door_settings(connection)
    signs = registry.connectors()[shop.platform].guide.signs
    filled: dict[shop_parts.Blank, str] = {
        "HOUSE": house().config.base_url.rstrip("/"),
        "SHOP": storefronts.key(shop.id),
        "HOOK": house().url(merchants.hook_path(connection.id, shop.id)),
        "SECRET": known.get(signs) or known["secret"],
    }
    return _file(shop.platform, filled)


def _file(platform: str, filled: dict[shop_parts.Blank, str]) -> Response:
    try:
        pack = shop_parts.packed(platform, filled)
    except ValueError:
        # A secret of unusual signs cannot stand in a text of code: its owner types it.
        del filled["SECRET"]
        pack = shop_parts.packed(platform, filled)
    response = Response(pack, mimetype="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{shop_parts.file_name(platform)}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _wrong(platform: str, secret: str) -> bool:
    return bool(registry.connectors()[platform].settings(partial=True).validate({"secret": secret}))


def _connected(shop_id: str) -> Shop:
    """The shop; 404 while there is no connection that anything could be done with."""
    shop = frame.shop_at(shop_id)
    if shop.state == "connecting":
        raise NotFound(f"{shop_id} is not connected")
    return shop


def _checked(shop: Shop, mail_to: str = "") -> Response:
    with transaction(shop.id) as session, merchants.shop_time(shop):
        checkups.again(session, shop, mail_to=mail_to, locale=frame.language())
    house().bells.ring(Checkup.bell, shop.id)
    return redirect(f"/shops/{shop.id}/connection", 303)


def _back(shop_id: str) -> Response:
    return redirect(f"/shops/{shop_id}/connection?notice=done", 303)


def _view(session: Session, shop: Shop) -> ConnectionView:
    connection = merchants.connection_of(session, shop.id)
    row = checkups.of(session, shop.id)
    platform = registry.connectors()[connection.platform]
    handover, secret = handovers.newest(session, shop.id), hook_secrets.of(session, shop.id)
    count, would = _kept_back(session, shop.id)
    problem = request.args.get("problem", "")
    return ConnectionView(
        url=f"/shops/{shop.id}/connection",
        platform=platform.title,
        address=shop.address,
        webhook_url=house().url(merchants.hook_path(connection.id, shop.id)),
        checks=tuple(_line(line) for line in checkups.lines(session, shop, row, platform.guide.shop_side)),
        sender=_sender(row),
        checked_at=row.checked_at if row else None,
        checking=row is not None and row.due_at is not None,
        state=State("shop", shop.state),
        would_count=count,
        would=would,
        why_not="" if shop.state == "active" else merchants.why_not_able(session, shop),
        mail_state=_mail_state(row),
        mail_problem=row.mail_problem if row else "",
        mail_from=house().config.mail_from,
        storefront_url=house().url(storefronts.path(shop.id)),
        accounts_url=f"/shops/{shop.id}/accounts",
        part=connection.platform in shop_parts.platforms(),
        secret=State("secret", secret.state) if secret else None,
        secret_field=None if secret else _secret_field(connection),
        spare=handover.spare if handover else 0,
        exchange=exchanges.about(session, shop.id, row.id) if row else "",
        problem=problem if problem in connecting.PROBLEMS else "",
    )


def _secret_field(connection: Connection) -> Field | None:
    """For typing a new secret where it is the owner's to tell his shop: a fresh one of ours stands in it where we may make
    one."""
    platform = registry.connectors()[connection.platform]
    if platform.capabilities.webhooks_api and "secret" in platform.guide.made:
        return None
    (field,) = connecting.fields_of(connection.platform, ("secret",), {})
    return field


def _line(line: Line) -> CheckLine:
    said = i18n.translator(frame.language())
    return CheckLine(
        name=line.name,
        state=State("check", _STATES[line.good]),
        remedy=said.gettext(line.remedy) if line.remedy else "",
        reason=line.facts.get("reason", ""),
        at=line.facts.get("at"),
    )


def _sender(row: Checkup | None) -> tuple[SenderLine, ...]:
    found = row.sender if row else {}
    return tuple(
        SenderLine(kind, State("check", _STATES[said["there"]]), said["name"]) for kind, said in found.items()
    )


def _mail_state(row: Checkup | None) -> str:
    """How far the test mail is: ``none``, ``sending``, ``refused``, ``sent`` or ``seen``."""
    if row is None or not row.mail_number:
        return "none"
    if row.mail_to:
        return "sending"
    if row.mail_problem:
        return "refused"
    return "seen" if row.mail_seen_at else "sent"


def _kept_back(session: Session, shop_id: str) -> tuple[int, tuple[Money, ...]]:
    """How many offers were kept back because the shop only watches, and what they came to, each currency by itself."""
    found = (
        select(func.count(), func.sum(Offer.amount), Offer.currency)
        .where(Offer.shop_id == shop_id, Offer.state == "not_sent", Offer.reason == "watch_only")
        .group_by(Offer.currency)
        .order_by(Offer.currency)
    )
    rows = session.execute(found).all()
    return sum(count for count, _, _ in rows), tuple(
        Money(int(total), currency) for _, total, currency in rows
    )
