"""Every page and every mail with a view that shows all it can: what the tests of text and rendering look at."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from plugin_backend.core import i18n
from plugin_backend.core.render import mandate_words
from plugin_backend.core.views import (
    AccountLine,
    Action,
    ActionNeededMail,
    AddressView,
    AlertMail,
    BasketLine,
    CancelledMail,
    Card,
    CardNeededMail,
    CheckLine,
    CheckMail,
    ClockBar,
    CompletedMail,
    ConnectionView,
    CreditLine,
    CreditMail,
    CreditOption,
    CreditStep,
    CreditView,
    DashboardView,
    DetailView,
    Difference,
    Ending,
    EnrolmentView,
    ErasureView,
    Fact,
    FailedMail,
    Field,
    FlawLine,
    GatewayLine,
    GatewaysView,
    HandoverView,
    HomeView,
    KeysForm,
    LedgerLine,
    Link,
    ListView,
    Mail,
    NoticeMail,
    OfferMail,
    OfferView,
    OptInMail,
    Part,
    PlanMail,
    PlanView,
    PlugState,
    Reason,
    ReceiptMail,
    Rhythm,
    Row,
    RunAccount,
    RunView,
    Section,
    SenderLine,
    SettingsView,
    ShopView,
    SignInMail,
    State,
    Tab,
    TourStep,
    TourView,
    WatchView,
    Way,
)
from plugin_backend.sdk.money import Money

AT = datetime(2026, 11, 22, 9, 4, tzinfo=UTC)
SHOP = ShopView(
    name="Atelier & Fils <Luna>",
    locale="fr",
    timezone="Europe/Paris",
    color="#7a1f5c",
    contact_email="bonjour@luna.example",
    address_lines=("12 rue des Lilas", "75011 Paris"),
    test=True,
)
LINES = (
    BasketLine("Lampe « Aube »", total=Money(8000, "EUR")),
    BasketLine("Lin (au mètre)", quantity="1.5", total=None),
)


def parts_of(total: Money, days: tuple[int, ...] = (0, 25, 50)) -> tuple[Part, ...]:
    return tuple(
        Part(number, amount, AT + timedelta(days=day), today=day == 0)
        for number, (amount, day) in enumerate(zip(total.split(len(days)), days, strict=True), start=1)
    )


TOTAL = Money(10000, "EUR")
OFFER = OfferView(
    kind="instalments",
    reference="ofr_01",
    lines=LINES,
    total=TOTAL,
    parts=parts_of(TOTAL),
    expires_at=AT + timedelta(days=7),
    descriptor="REPRISE*LUNA",
)
SUBSCRIPTION = replace(
    OFFER,
    kind="subscription",
    parts=(Part(1, TOTAL, AT, today=True),),
    rhythm=Rhythm("month"),
)
WAY_BACK = replace(OFFER, kind="checkout", parts=parts_of(TOTAL, (0,)))
PLAN = PlanView(
    kind="instalments",
    reference="pln_01",
    state="active",
    order="1042",
    lines=LINES,
    parts=(
        replace(OFFER.parts[0], today=False, state="paid"),
        replace(OFFER.parts[1], state="retry_wait", retry_at=AT + timedelta(days=26)),
        replace(OFFER.parts[2], state="scheduled"),
    ),
    paid=Money(3334, "EUR"),
    started_at=AT,
    mandate="I allow it.",
    mandate_locale="en",
    total=TOTAL,
    next=OFFER.parts[1],
    card=Card("Visa", "4242", "11/2028"),
    withdraw_until=AT + timedelta(days=14),
    descriptor="REPRISE*LUNA",
    name="Léa Martin",
    email="lea@example.test",
)
SUBSCRIBED = replace(
    PLAN, kind="subscription", total=None, rhythm=Rhythm("week", 2), name="", card=None, next=None
)
ENDING = Ending(
    "cancel",
    stopped=OFFER.parts[1:],
    ends_at=AT + timedelta(days=9),
    refund=Money(3334, "EUR"),
    owed=Money(6666, "EUR"),
    in_flight=True,
)
DASHBOARD = DashboardView(
    user="lea@example.test",
    shops_url="/shops",
    logout_url="/logout",
    shop="Luna",
    timezone="Europe/Paris",
    tabs=(Tab("home", "/s/1"), Tab("carts", "/s/1/carts"), Tab("collections", "/s/1/collections")),
    tab="carts",
    test=True,
    clock=ClockBar(AT, "/s/1/clock"),
    notice="replayed",
)
ROWS = (
    Row(
        (AT, "Zoë <b>", Money(1000, "JPY"), State("cart", "abandoned"), Reason("no_consent")), "/s/1/carts/1"
    ),
    Row((AT, None, Money(1000, "TND"), State("cart", "lost"), Reason("51_code"))),
)
COLUMNS = ("created_at", "customer", "total", "state", "reason")
LEDGER = (LedgerLine("chg-1", Money(3334, "EUR"), AT, "succeeded"),)
OFFER_PAGE = {
    "shop": SHOP,
    "offer": OFFER,
    "mandate": mandate_words(OFFER, SHOP, "fr"),
    "terms": "0f" * 32,
    "countries": i18n.countries(),
    "country": "FR",
    "nobody": False,
    "email": "",
    "ways": (Way("card", "Carte"),),
    "way": "",
    "accept_url": "/o/x",
    "stop_url": "/o/x/stop",
    "csrf": "c5rf",
}
CREDITED = replace(PLAN, taken_off=Money(2000, "EUR"), given_back=Money(100, "EUR"))
CREDIT = CreditView(
    "pln_01",
    most=TOTAL,
    amount="20.00",
    first="schedule",
    url="/s/1/plans/pln_01/credit",
    back_url="/s/1/plans/pln_01",
    lines=(CreditLine("0", "Lampe <b>", "1.5", Money(8000, "EUR"), chosen=True),),
    options=(CreditOption("end", "ab"), CreditOption("spread", "cd")),
    steps=tuple(
        CreditStep(
            part.number, part.due, State("collection", "scheduled"), part.amount, Money(0, "EUR"), part.amount
        )
        for part in OFFER.parts
    ),
    refunds=(Money(100, "EUR"), Money(200, "EUR")),
    taken_off=Money(2000, "EUR"),
    given_back=Money(300, "EUR"),
    under_way=True,
    case="case_01",
)
CHANGES = (
    Difference("total", Money(9000, "EUR"), TOTAL),
    Difference("dates", AT, AT + timedelta(days=1)),
    Difference("basket", "1", "2"),
    Difference("mandate", "before", "after"),
)

FORM = KeysForm(
    ("Étape <une>", "Étape deux"),
    (
        Field("url", "Adresse", "https://shop.example"),
        Field("secret", "Secret", secret=True),
        Field("callback_url", "Rappel", required=False),
        Field("mode", "Mode", required=False, options=(("a", "Comme ceci"), ("b", "Comme <cela>"))),
    ),
)
HANDOVER = HandoverView(
    url="/s/1/connection",
    address="https://shop.example",
    state=State("handover", "recognised"),
    choices=(("custom", "Boutique sur mesure"), ("woocommerce", "WooCommerce")),
    platform="woocommerce",
    platform_title="WooCommerce",
    problem="keys_refused",
    approve=FORM,
    paste=FORM,
    exchange="> GET https://shop.example/wp-json/\n\n< 200\n\n<html></pre><script>",
)
ACCOUNT = GatewayLine(
    title="Sandbox",
    name="acct_<1>",
    url="/s/1/accounts/gwa_1",
    mode="test",
    active=True,
    paused=False,
    state=State("account", "passed"),
    reason=Reason(""),
    plans=3,
    callback_url="https://r.example/hooks/x",
    checked_at=AT,
)
FLAWS = (
    FlawLine(Reason("wrong_key"), "Menu > Menu", "answered 401"),
    FlawLine(Reason("currency"), detail="NOK"),
)
GATEWAYS = GatewaysView(
    "/s/1/accounts",
    (
        ACCOUNT,
        replace(
            ACCOUNT,
            mode="live",
            active=False,
            paused=True,
            reason=Reason("live_account"),
            flaws=FLAWS,
            checking=True,
        ),
        replace(ACCOUNT, active=False, state=State("account", "failed"), reason=Reason("charged_twice")),
    ),
    (("sandbox", "Sandbox"),),
    "/s/1/accounts/connect",
)
ENROLMENT = EnrolmentView(
    url="/s/1/accounts/connect",
    title="Sandbox",
    mode="test",
    state=State("enrolment", "open"),
    form=replace(FORM, fields=(*FORM.fields, Field("sepa_debit", "SEPA", "True", required=False, tick=True))),
    callback_url="https://r.example/hooks/x",
)
CONNECTION = ConnectionView(
    url="/s/1/connection",
    platform="WooCommerce",
    address="https://shop.example",
    webhook_url="https://r.example/hooks/x",
    checks=(
        CheckLine("reach", State("check", "good")),
        CheckLine("rights", State("check", "bad"), remedy="Menu > Menu"),
        CheckLine("webhooks", State("check", "wait"), at=AT),
        CheckLine("storefront", State("check", "wait")),
        CheckLine("gateway", State("check", "bad"), reason="no_gateway"),
        CheckLine("mail", State("check", "bad")),
    ),
    sender=(
        SenderLine("spf", State("check", "bad"), "shop.example"),
        SenderLine("dkim", State("check", "wait"), "default._domainkey.shop.example"),
        SenderLine("dmarc", State("check", "bad"), "_dmarc.shop.example"),
    ),
    checked_at=AT,
    checking=False,
    state=State("shop", "active"),
    would_count=2,
    would=(Money(10000, "EUR"), Money(5000, "JPY")),
    mail_state="sent",
    mail_from="a@shop.example",
    secret_field=Field("secret", "Secret", "whsec_x"),
    exchange="< 200",
    storefront_url="https://r.example/storefront/x/",
    part=True,
)

WAYS = (
    Way("earlier", "", Card("<visa>", "4242")),
    Way("card", "Carte"),
    Way("sepa_debit", "Compte <bancaire>"),
)

PAGES: list[tuple[str, str, dict[str, Any]]] = [
    ("open", "offer/open.html", OFFER_PAGE),
    ("open subscription", "offer/open.html", {**OFFER_PAGE, "offer": SUBSCRIPTION, "csrf": ""}),
    (
        "open problems",
        "offer/open.html",
        {**OFFER_PAGE, "problems": ("mandate", "country", "not_allowed", "card")},
    ),
    (
        "open to whoever asks",
        "offer/open.html",
        {**OFFER_PAGE, "nobody": True, "email": "x<@", "problems": ("email",)},
    ),
    (
        "open ways",
        "offer/open.html",
        {**OFFER_PAGE, "ways": WAYS, "way": "sepa_debit", "problems": ("way", "gone")},
    ),
    ("under way", "offer/under_way.html", {"shop": SHOP, "amount": TOTAL}),
    (
        "way back",
        "offer/checkout.html",
        {"shop": SHOP, "offer": WAY_BACK, "go_url": "/o/x/accept", "stop_url": "/o/x/stop", "csrf": "c"},
    ),
    ("changed", "offer/changed.html", {**OFFER_PAGE, "changes": CHANGES}),
    (
        "sold out",
        "offer/sold_out.html",
        {"shop": SHOP, "names": ("Lamp <b>", "Écharpe"), "retry_url": "/o/x?again=1", "post": False},
    ),
    (
        "sold out by post",
        "offer/sold_out.html",
        {"shop": SHOP, "names": ("Lamp <b>",), "retry_url": "/o/x/again", "post": True},
    ),
    ("checking", "offer/checking.html", {"shop": SHOP, "check_url": "/o/x"}),
    (
        "action",
        "offer/action.html",
        {"shop": SHOP, "amount": TOTAL, "action_url": "https://bank.example/3ds"},
    ),
    (
        "declined",
        "offer/declined.html",
        {"shop": SHOP, "amount": TOTAL, "decline": "funds", "retry_url": "/o/x/card", "csrf": "c"},
    ),
    ("try again", "offer/try_again.html", {"shop": SHOP, "retry_url": "/o/x?again=1", "post": False}),
    ("try again by post", "offer/try_again.html", {"shop": SHOP, "retry_url": "/o/x/again", "post": True}),
    (
        "accepted",
        "offer/accepted.html",
        {"shop": SHOP, "plan": PLAN, "portal_url": "/p/x", "receipt_url": "/p/x/1"},
    ),
    ("expired", "offer/expired.html", {"shop": SHOP, "expired_at": AT}),
    ("withdrawn", "offer/withdrawn.html", {"shop": SHOP}),
    ("unavailable", "offer/unavailable.html", {"shop": SHOP}),
    ("stopped", "offer/stopped.html", {"shop": SHOP}),
    ("not found", "offer/not_found.html", {}),
    (
        "plan",
        "portal/plan.html",
        {
            "shop": replace(SHOP, logo_url="https://luna.example/logo.png"),
            "plan": CREDITED,
            "cancel_url": "/p/x/cancel",
            "withdraw_url": "/p/x/withdraw",
            "card_url": "/p/x/card",
            "pay_url": "/p/x/pay",
            "receipts": {1: "/p/x/1"},
        },
    ),
    (
        "subscription",
        "portal/plan.html",
        {
            "shop": SHOP,
            "plan": SUBSCRIBED,
            "cancel_url": "/p/x/cancel",
            "withdraw_url": "/p/x/withdraw",
            "card_url": "",
            "pay_url": "",
            "receipts": {},
        },
    ),
    *(
        (
            name,
            "portal/pay.html",
            {
                "shop": SHOP,
                "plan": PLAN,
                "amount": amount,
                "pay_url": "/p/x/pay" if amount else "",
                "card_url": "/p/x/card",
                "portal_url": "/p/x",
                "csrf": "c",
            },
        )
        for name, amount in (("pay", TOTAL), ("pay with another card", None))
    ),
    (
        "cancel",
        "portal/cancel.html",
        {"shop": SHOP, "plan": PLAN, "ending": ENDING, "action_url": "/p/x/cancel", "back_url": "/p/x"},
    ),
    (
        "withdraw",
        "portal/withdraw.html",
        {
            "shop": SHOP,
            "plan": PLAN,
            "ending": replace(ENDING, kind="withdraw"),
            "action_url": "/p/x/withdraw",
            "back_url": "/p/x",
        },
    ),
    (
        "ended",
        "portal/ended.html",
        {"shop": SHOP, "plan": PLAN, "ending": ENDING, "at": AT, "portal_url": "/p/x"},
    ),
    (
        "withdrawal ended",
        "portal/ended.html",
        {"shop": SHOP, "plan": PLAN, "ending": Ending("withdraw"), "at": AT, "portal_url": "/p/x"},
    ),
    (
        "receipt",
        "portal/receipt.html",
        {"shop": SHOP, "plan": PLAN, "part": PLAN.parts[0], "count": 3, "paid_at": AT, "portal_url": "/p/x"},
    ),
    ("unsubscribe", "portal/unsubscribe.html", {"shop": SHOP, "action_url": "/u/x"}),
    ("unsubscribed", "portal/unsubscribed.html", {"shop": SHOP}),
    ("opt in", "portal/opt_in.html", {"shop": SHOP, "action_url": "/c/x"}),
    ("opted in", "portal/opted_in.html", {"shop": SHOP}),
    (
        "login",
        "dashboard/login.html",
        {"action_url": "/login", "email": "a@b.test", "failed": True, "csrf": "c"},
    ),
    ("sign-in link", "dashboard/sign_in_link.html", {"action_url": "/login/x"}),
    (
        "shops",
        "dashboard/list.html",
        {
            "dashboard": DashboardView("lea@example.test", "/shops", "/logout"),
            "view": ListView("shops", ("name", "platform"), (Row((Link("Luna", "/s/1"), "custom")),)),
        },
    ),
    (
        "list",
        "dashboard/list.html",
        {"dashboard": DASHBOARD, "view": ListView("carts", COLUMNS, ROWS, "/s/1/carts?after=x"), "csrf": "c"},
    ),
    ("empty list", "dashboard/list.html", {"dashboard": DASHBOARD, "view": ListView("cases", ("id",), ())}),
    (
        "detail",
        "dashboard/detail.html",
        {
            "dashboard": DASHBOARD,
            "view": DetailView(
                "delivery",
                "dlv_01",
                (Fact("received_at", AT), Fact("attempts", 3), Fact("cart", Link("crt_01", "/s/1/carts/1"))),
                sections=(Section("moves", COLUMNS, ROWS), Section("attempts", ("id",), ())),
                actions=(
                    Action("replay", "/s/1/replay"),
                    Action("refund", "/s/1/refund", danger=True),
                    Action("credit", "/s/1/credit", leads=True),
                ),
                back_url="/s/1/deliveries",
                raw='{"id": "</pre><script>"}',
            ),
            "csrf": "c",
        },
    ),
    ("credit", "dashboard/credit.html", {"dashboard": DASHBOARD, "view": CREDIT, "csrf": "c"}),
    (
        "credit one way",
        "dashboard/credit.html",
        {
            "dashboard": DASHBOARD,
            "view": replace(CREDIT, options=CREDIT.options[:1], changed=True),
            "csrf": "c",
        },
    ),
    *(
        (
            f"credit {problem}",
            "dashboard/credit.html",
            {
                "dashboard": DASHBOARD,
                "view": replace(CREDIT, problem=problem, options=(), steps=(), amount="x", first="card"),
                "csrf": "c",
            },
        )
        for problem in ("unreadable", "nothing", "too_much")
    ),
    (
        "nothing to credit",
        "dashboard/credit.html",
        {
            "dashboard": DASHBOARD,
            "view": replace(
                CREDIT, most=Money(0, "EUR"), options=(), steps=(), taken_off=None, given_back=None
            ),
        },
    ),
    *(
        (
            f"erase {problem or 'asked'}",
            "dashboard/erase.html",
            {
                "dashboard": DASHBOARD,
                "view": ErasureView(
                    "ana@x.example", "/s/1/c/1/erase", "/s/1/plans", runs=True, problem=problem
                ),
                "csrf": "c",
            },
        )
        for problem in ("", "plan_running")
    ),
    (
        "home",
        "dashboard/home.html",
        {
            "dashboard": DASHBOARD,
            "view": HomeView(
                (TOTAL, Money(5000, "JPY")),
                (Money(1, "TND"),),
                (),
                (Link("Case 1", "/s/1/cases/1"),),
                "/s/1/collections",
                (AccountLine("sandbox", State("account", "failed"), Reason("charged_twice")),),
            ),
        },
    ),
    *(
        (
            name,
            "dashboard/settings.html",
            {
                "dashboard": DASHBOARD,
                "view": SettingsView("/s/1/settings", days, "15", 8, 30, 20, wrong),
                "csrf": "c",
            },
        )
        for name, days, wrong in (("settings", "3, 5, 7, 7", False), ("settings wrong", "x", True))
    ),
    *(
        (
            name,
            "dashboard/run.html",
            {
                "dashboard": DASHBOARD,
                "view": RunView(("id", "held"), rows, "/s/1/run", (1, 3), held, accounts),
                "csrf": "c",
            },
        )
        for name, rows, held, accounts in (
            ("run", (), None, ()),
            (
                "run held",
                (Row((Link("col_1", "/s/1/collections/1"), Reason("run_held"))),),
                AT,
                (RunAccount("sandbox", True, "/s/1/a/1"), RunAccount("sandbox", False, "/s/1/a/2")),
            ),
        )
    ),
    *(
        (
            f"connect {problem or 'asked'}",
            "dashboard/connect.html",
            {
                "dashboard": DashboardView("lea@example.test", "/shops", "/logout"),
                "view": AddressView("/connect", "ftp://x", bool(problem), problem),
                "csrf": "c",
            },
        )
        for problem in ("", "address_malformed")
    ),
    *(
        (name, "dashboard/handover.html", {"dashboard": DASHBOARD, "view": view, "csrf": "c"})
        for name, view in (
            ("handover", HANDOVER),
            ("handover busy", replace(HANDOVER, state=State("handover", "brought"))),
            (
                "handover waiting",
                replace(HANDOVER, approval_url="https://shop.example/approve", problem="", connected=True),
            ),
            (
                "handover unknown",
                replace(HANDOVER, platform="", approve=None, paste=None, leads_to="https://www.shop.example"),
            ),
        )
    ),
    ("gateways", "dashboard/gateways.html", {"dashboard": DASHBOARD, "view": GATEWAYS, "csrf": "c"}),
    (
        "no gateway",
        "dashboard/gateways.html",
        {"dashboard": DASHBOARD, "view": replace(GATEWAYS, accounts=(), open_url=""), "csrf": "c"},
    ),
    *(
        (name, "dashboard/enrolment.html", {"dashboard": DASHBOARD, "view": view, "csrf": "c"})
        for name, view in (
            ("enrolment", ENROLMENT),
            ("enrolment busy", replace(ENROLMENT, state=State("enrolment", "brought"))),
            (
                "enrolment wrong",
                replace(ENROLMENT, mode="live", changing=True, problem="settings_missing", flaws=FLAWS),
            ),
        )
    ),
    *(
        (name, "dashboard/connection.html", {"dashboard": DASHBOARD, "view": view, "csrf": "c"})
        for name, view in (
            ("connection", CONNECTION),
            (
                "connection watching",
                replace(
                    CONNECTION,
                    state=State("shop", "watch_only"),
                    checking=True,
                    mail_state="refused",
                    mail_problem="550",
                    secret=State("secret", "told"),
                    spare=1,
                    why_not="",
                ),
            ),
            (
                "connection not able",
                replace(
                    CONNECTION, state=State("shop", "watch_only"), why_not="no_gateway", mail_state="none"
                ),
            ),
        )
    ),
    *(
        (name, "dashboard/watch.html", {"dashboard": DASHBOARD, "view": view, "csrf": "c"})
        for name, view in (
            ("watch", WatchView("/s/1/watch", 90)),
            ("watch failed", WatchView("/s/1/watch", 90, problem=Reason("cannot_be_asked"))),
            ("watch running", WatchView("/s/1/watch", 90, running=True, done=300, total=10_000)),
            ("watch somewhere", WatchView("/s/1/watch", 90, running=True, done=300)),
            (
                "watch done",
                WatchView(
                    "/s/1/watch",
                    90,
                    found=True,
                    unpaid=212,
                    declined=31,
                    amounts=(Money(1423000, "EUR"),),
                    offerable=187,
                    by_mail=20,
                    offerable_amounts=(Money(1200000, "EUR"), Money(900, "JPY")),
                ),
            ),
        )
    ),
    ("check mail", "dashboard/check_mail.html", {"dashboard": DASHBOARD, "view": "/s/1/mail/x", "csrf": "c"}),
    *(
        (f"error {status}", "error.html", {"status": status, "reference": "req_1"})
        for status in (400, 404, 500, 503)
    ),
    *(
        (
            f"tour, plug {plug}",
            "demo/tour.html",
            {
                "tour": TourView(
                    tuple(TourStep(f"/step/{n}", done=n < 3) for n in range(1, 8)),
                    "/unplug",
                    plug,
                    LEDGER,
                    (),
                    agree=True,
                )
            },
        )
        for plug in get_args(PlugState)
    ),
]

MAILS: list[tuple[str, Mail]] = [
    ("offer", OfferMail(SHOP, OFFER, "https://r.example/o/x", "https://r.example/u/x", "Léa")),
    ("offer", OfferMail(SHOP, SUBSCRIPTION, "https://r.example/o/x", "https://r.example/u/x")),
    ("offer_after_decline", OfferMail(SHOP, OFFER, "https://r.example/o/x", "https://r.example/u/x")),
    ("plan_confirmed", PlanMail(SHOP, PLAN, "https://r.example/p/x")),
    ("plan_confirmed", PlanMail(SHOP, SUBSCRIBED, "https://r.example/p/x")),
    (
        "receipt",
        ReceiptMail(
            SHOP, PLAN, PLAN.parts[0], AT, "https://r.example/p/x", "https://r.example/p/x/cancel", 3
        ),
    ),
    (
        "receipt",
        ReceiptMail(
            SHOP, SUBSCRIBED, PLAN.parts[0], AT, "https://r.example/p/x", "https://r.example/p/x/cancel"
        ),
    ),
    ("payment_failed", FailedMail(SHOP, PLAN, PLAN.parts[1], "funds", "https://r.example/p/x")),
    ("payment_failed", FailedMail(SHOP, PLAN, PLAN.parts[2], "fraud", "https://r.example/p/x")),
    (
        "payment_action_needed",
        ActionNeededMail(
            SHOP, PLAN, PLAN.parts[1], "card", "https://r.example/p/x/card", "https://r.example/p/x", AT
        ),
    ),
    (
        "payment_action_needed",
        ActionNeededMail(
            SHOP, PLAN, PLAN.parts[1], "authentication", "https://r.example/p/x/3ds", "https://r.example/p/x"
        ),
    ),
    *(
        (
            "payment_notice",
            NoticeMail(
                SHOP, plan, plan.parts[1], "https://r.example/p/x", "https://r.example/p/x/cancel", expires
            ),
        )
        for plan, expires in ((PLAN, False), (SUBSCRIBED, True))
    ),
    *(
        (
            "card_needed",
            CardNeededMail(
                SHOP, PLAN, PLAN.parts[2], why, "https://r.example/p/x/pay", "https://r.example/p/x"
            ),
        )
        for why in ("expires", "stopped")
    ),
    ("plan_completed", CompletedMail(SHOP, PLAN, "https://r.example/p/x")),
    ("plan_cancelled", CancelledMail(SHOP, PLAN, ENDING, AT, "https://r.example/p/x")),
    ("plan_cancelled", CancelledMail(SHOP, PLAN, Ending("withdraw"), AT, "https://r.example/p/x")),
    (
        "plan_credited",
        CreditMail(
            SHOP,
            CREDITED,
            "https://r.example/p/x",
            taken_off=Money(2000, "EUR"),
            given_back=Money(100, "EUR"),
        ),
    ),
    ("plan_credited", CreditMail(SHOP, CREDITED, "https://r.example/p/x", taken_off=Money(2000, "EUR"))),
    (
        "refund_made",
        CreditMail(
            SHOP, CREDITED, "https://r.example/p/x", given_back=Money(100, "EUR"), card=Card("Visa", "4242")
        ),
    ),
    ("refund_made", CreditMail(SHOP, SUBSCRIBED, "https://r.example/p/x", given_back=Money(100, "EUR"))),
    *(
        ("alert", AlertMail(SHOP, kind, AT, "https://r.example/shops/s/connection"))
        for kind in ("webhooks_silent", "webhooks_missing", "shop_not_asked")
    ),
    ("opt_in", OptInMail(SHOP, "https://r.example/c/x")),
    ("sign_in", SignInMail("https://r.example/login/x", 15, "https://r.example")),
    ("check", CheckMail("https://r.example/shops/s/connection/mail/x", "Atelier & Fils <Luna>")),
    ("offer", OfferMail(SHOP, WAY_BACK, "https://r.example/o/x", "https://r.example/u/x")),
    ("offer_after_decline", OfferMail(SHOP, WAY_BACK, "https://r.example/o/x", "https://r.example/u/x")),
]
