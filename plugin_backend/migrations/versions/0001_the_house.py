"""The house: every table of the first release, with its protection."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from plugin_backend.migrations.protection import (
    SHARED,
    begin_history,
    chain_the_vaults_log,
    clock_rights,
    keep_refunds_and_credits,
    keep_the_books,
    keep_to_what_was_agreed,
    make_balances,
    make_roles,
    protect,
    share,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = [
    "attempts",
    "carts",
    "cases",
    "checkups",
    "collections",
    "connections",
    "consents",
    "credit_notes",
    "customers",
    "deliveries",
    "disputes",
    "doors",
    "enrolments",
    "erasures",
    "exchanges",
    "gateway_accounts",
    "handovers",
    "hook_secrets",
    "inquiries",
    "installation",
    "journals",
    "listings",
    "lookbacks",
    "mandates",
    "merchants",
    "messages",
    "moves",
    "offers",
    "opt_ins",
    "outbox",
    "payment_methods",
    "plans",
    "polls",
    "postings",
    "recalls",
    "reconciliations",
    "refunds",
    "renewals",
    "sales",
    "setups",
    "shops",
    "staff_sessions",
    "strays",
    "suppressions",
    "templates",
    "tombstones",
    "users",
    "vault_audit",
    "vault_heads",
    "vault_holders",
    "vault_keys",
    "vault_roots",
    "vault_seals",
]
TIMERS = [
    "attempts",
    "carts",
    "checkups",
    "collections",
    "connections",
    "deliveries",
    "enrolments",
    "erasures",
    "gateway_accounts",
    "handovers",
    "hook_secrets",
    "inquiries",
    "listings",
    "lookbacks",
    "offers",
    "opt_ins",
    "outbox",
    "payment_methods",
    "plans",
    "polls",
    "recalls",
    "refunds",
    "renewals",
    "setups",
    "vault_heads",
]


def upgrade() -> None:
    make_roles()
    make_tables()
    for table in TABLES:
        if table in SHARED:
            share(table)
        else:
            protect(table, timer=table in TIMERS)
    clock_rights()
    keep_the_books()
    keep_to_what_was_agreed()
    keep_refunds_and_credits()
    chain_the_vaults_log()
    make_balances()
    begin_history()


def make_tables() -> None:
    op.create_table(
        "carts",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("keys", ARRAY(sa.Text()), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("lines", JSONB(), nullable=False),
        sa.Column("platform_id", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("empty", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("told", JSONB(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decline", sa.Text(), nullable=False),
        sa.Column("barred", sa.Boolean(), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sold_out", ARRAY(sa.Text()), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_carts"),
        sa.UniqueConstraint("shop_id", "key", name="uq_carts_shop_id_key"),
    )
    op.create_index("ix_carts_customer", "carts", ["shop_id", "customer_id"], unique=False)
    op.create_index(
        "ix_carts_due", "carts", ["shop_id", "due_at"], unique=False, postgresql_where="due_at IS NOT NULL"
    )
    op.create_index("ix_carts_keys", "carts", ["keys"], unique=False, postgresql_using="gin")
    op.create_table(
        "cases",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("facts", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_cases"),
    )
    op.create_index(
        "uq_cases_open",
        "cases",
        ["shop_id", "kind", "subject"],
        unique=True,
        postgresql_where="state = 'open'",
    )
    op.create_table(
        "connections",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("settings", sa.LargeBinary(), nullable=False),
        sa.Column("door_settings", sa.LargeBinary(), nullable=False),
        sa.Column("can_write", sa.Boolean(), nullable=False),
        sa.Column("own_checkout", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_connections"),
    )
    op.create_index(
        "ix_connections_due",
        "connections",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_table(
        "consents",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("text_version", sa.Text(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_consents"),
        sa.UniqueConstraint(
            "shop_id",
            "customer_id",
            "granted",
            "source",
            "text_version",
            "given_at",
            name="uq_consents_answer",
        ),
    )
    op.create_index("ix_consents_customer_id", "consents", ["customer_id"], unique=False)
    op.create_table(
        "customers",
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_customers"),
    )
    op.create_index(
        "uq_customers_email",
        "customers",
        ["shop_id", "email"],
        unique=True,
        postgresql_where="email <> ''",
    )
    op.create_table(
        "deliveries",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("headers", JSONB(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("dropped", sa.LargeBinary(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effect", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_deliveries"),
        sa.UniqueConstraint("shop_id", "source", "identity", name="uq_deliveries_shop_id_source_identity"),
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_table(
        "doors",
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("row_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name="pk_doors"),
    )
    op.create_index("ix_doors_shop_id", "doors", ["shop_id"], unique=False)
    op.create_table(
        "gateway_accounts",
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("broken_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("lineage", sa.Text(), nullable=False),
        sa.Column("settings", sa.LargeBinary(), nullable=False),
        sa.Column("door_settings", sa.LargeBinary(), nullable=False),
        sa.Column("probe_number", sa.Integer(), nullable=False),
        sa.Column("probed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("typed", JSONB(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("flaws", JSONB(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_gateway_accounts"),
    )
    op.create_index(
        "ix_gateway_accounts_due",
        "gateway_accounts",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_index(
        "uq_gateway_accounts_active",
        "gateway_accounts",
        ["shop_id"],
        unique=True,
        postgresql_where="active",
    )
    op.create_table(
        "installation",
        sa.Column("one", sa.Boolean(), nullable=False),
        sa.Column("lineage", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_installation"),
    )
    op.create_table(
        "listings",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_listings"),
        sa.UniqueConstraint("shop_id", "account_id", name="uq_listings_shop_id_account_id"),
    )
    op.create_index(
        "ix_listings_due",
        "listings",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_table(
        "journals",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_journals"),
        sa.UniqueConstraint("shop_id", "source", "kind", name="uq_journals_shop_id_source_kind"),
    )
    op.create_index("ix_journals_plan_id", "journals", ["plan_id"], unique=False)
    op.create_table(
        "merchants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_merchants"),
    )
    op.create_table(
        "messages",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("marketing", sa.Boolean(), nullable=False),
        sa.Column("not_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_messages"),
    )
    op.create_index("ix_messages_customer_id", "messages", ["customer_id"], unique=False)
    op.create_index("ix_messages_subject_id", "messages", ["subject_id"], unique=False)
    op.create_table(
        "moves",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("noun", sa.Text(), nullable=False),
        sa.Column("row_id", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_moves"),
        sa.UniqueConstraint("seq", name="uq_moves_seq"),
    )
    op.create_index("ix_moves_row", "moves", ["shop_id", "row_id", "seq"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("payload", JSONB(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_outbox"),
        sa.UniqueConstraint("seq", name="uq_outbox_seq"),
    )
    op.create_index(
        "ix_outbox_due", "outbox", ["shop_id", "due_at"], unique=False, postgresql_where="due_at IS NOT NULL"
    )
    op.create_table(
        "sales",
        sa.Column("order_key", sa.Text(), nullable=False),
        sa.Column("cart_keys", ARRAY(sa.Text()), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("our_reference", sa.Text(), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_sales"),
        sa.UniqueConstraint("shop_id", "order_key", name="uq_sales_shop_id_order_key"),
    )
    op.create_index("ix_sales_cart_keys", "sales", ["cart_keys"], unique=False, postgresql_using="gin")
    op.create_index("ix_sales_customer", "sales", ["shop_id", "customer_id"], unique=False)
    op.create_table(
        "shops",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("company", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("idle_seconds", sa.Integer(), nullable=False),
        sa.Column("smallest_offer", sa.Integer(), nullable=False),
        sa.Column("mail_pause_hours", sa.Integer(), nullable=False),
        sa.Column("origins", ARRAY(sa.Text()), nullable=False),
        sa.Column("storefront_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retry_days", ARRAY(sa.Integer()), nullable=False),
        sa.Column("charges_held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("visa_retries", sa.Integer(), nullable=False),
        sa.Column("clock_offset", sa.Interval(), nullable=False),
        sa.Column("travel_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shops"),
    )
    op.create_table(
        "staff_sessions",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("csrf", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_staff_sessions"),
    )
    op.create_index("ix_staff_sessions_user_id", "staff_sessions", ["user_id"], unique=False)
    op.create_table(
        "suppressions",
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_suppressions"),
        sa.UniqueConstraint("shop_id", "email", name="uq_suppressions_shop_id_email"),
    )
    op.create_table(
        "templates",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("days", ARRAY(sa.Integer()), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.Column("ship", sa.Text(), nullable=False),
        sa.Column("open_days", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_templates"),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )
    op.create_table(
        "offers",
        sa.Column("cart_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("template_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("light_first", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("days", ARRAY(sa.Integer()), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.Column("ship", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("verdict", JSONB(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("viewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("terms", JSONB(), nullable=True),
        sa.Column("terms_hash", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id", "cart_id"], ["carts.shop_id", "carts.id"], name="fk_offers_shop_id_cart_id"
        ),
        sa.ForeignKeyConstraint(
            ["shop_id", "customer_id"],
            ["customers.shop_id", "customers.id"],
            name="fk_offers_shop_id_customer_id",
        ),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_offers"),
    )
    op.create_index("ix_offers_cart_id", "offers", ["cart_id"], unique=False)
    op.create_index(
        "ix_offers_due", "offers", ["shop_id", "due_at"], unique=False, postgresql_where="due_at IS NOT NULL"
    )
    op.create_index(
        "uq_offers_one_open",
        "offers",
        ["shop_id", "customer_id"],
        unique=True,
        postgresql_where="state IN ('open', 'accepting')",
    )
    op.create_index(
        "uq_offers_one_open_of_cart",
        "offers",
        ["shop_id", "cart_id"],
        unique=True,
        postgresql_where="state IN ('open', 'accepting')",
    )
    op.create_table(
        "inquiries",
        sa.Column("names", ARRAY(sa.Text()), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=True),
        sa.Column("declined", sa.Boolean(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("visitor", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_inquiries"),
    )
    op.create_index(
        "ix_inquiries_due",
        "inquiries",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_index("ix_inquiries_visitor", "inquiries", ["shop_id", "visitor"], unique=False)
    op.create_table(
        "opt_ins",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("names", ARRAY(sa.Text()), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("visitor", sa.Text(), nullable=False),
        sa.Column("addressee", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id", "customer_id"],
            ["customers.shop_id", "customers.id"],
            name="fk_opt_ins_shop_id_customer_id",
        ),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_opt_ins"),
    )
    op.create_index(
        "ix_opt_ins_due",
        "opt_ins",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_index("ix_opt_ins_visitor", "opt_ins", ["shop_id", "visitor"], unique=False)
    op.create_index("ix_opt_ins_addressee", "opt_ins", ["shop_id", "addressee"], unique=False)
    op.create_table(
        "payment_methods",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("last4", sa.Text(), nullable=False),
        sa.Column("expiry_month", sa.Integer(), nullable=False),
        sa.Column("expiry_year", sa.Integer(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("funding", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("token_mark", sa.Text(), nullable=False),
        sa.Column("marked_by", sa.Text(), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("stopped_for", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id", "customer_id"],
            ["customers.shop_id", "customers.id"],
            name="fk_payment_methods_shop_id_customer_id",
        ),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_payment_methods"),
        sa.UniqueConstraint(
            "shop_id", "id", "account_id", name="uq_payment_methods_shop_id_id_account_id"
        ),
        sa.UniqueConstraint(
            "shop_id", "token_mark", "customer_id", name="uq_payment_methods_shop_id_token_mark_customer_id"
        ),
    )
    op.create_index(
        "ix_payment_methods_due",
        "payment_methods",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_index("ix_payment_methods_card", "payment_methods", ["shop_id", "fingerprint"], unique=False)
    op.create_index(
        "ix_payment_methods_customer", "payment_methods", ["shop_id", "customer_id"], unique=False
    )
    op.create_table(
        "postings",
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id", "journal_id"],
            ["journals.shop_id", "journals.id"],
            name="fk_postings_shop_id_journal_id",
        ),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_postings"),
    )
    op.create_index("ix_postings_journal_id", "postings", ["journal_id"], unique=False)
    op.create_table(
        "plans",
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("cart_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("method_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("days", ARRAY(sa.Integer()), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.Column("ship", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("anchor", sa.DateTime(timezone=True), nullable=False),
        sa.Column("order_key", sa.Text(), nullable=False),
        sa.Column("paying", sa.Text(), nullable=False),
        sa.Column("supplied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id", "customer_id"],
            ["customers.shop_id", "customers.id"],
            name="fk_plans_shop_id_customer_id",
        ),
        sa.ForeignKeyConstraint(
            ["shop_id", "method_id", "account_id"],
            ["payment_methods.shop_id", "payment_methods.id", "payment_methods.account_id"],
            name="fk_plans_shop_id_method_id_account_id",
        ),
        sa.ForeignKeyConstraint(
            ["shop_id", "offer_id"], ["offers.shop_id", "offers.id"], name="fk_plans_shop_id_offer_id"
        ),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_plans"),
        sa.UniqueConstraint("shop_id", "offer_id", name="uq_plans_shop_id_offer_id"),
    )
    op.create_index("ix_plans_customer_id", "plans", ["customer_id"], unique=False)
    op.create_index(
        "ix_plans_due", "plans", ["shop_id", "due_at"], unique=False, postgresql_where="due_at IS NOT NULL"
    )
    op.create_index("ix_plans_method", "plans", ["shop_id", "method_id"], unique=False)
    op.create_table(
        "setups",
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=True),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("earlier", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=False),
        sa.Column("shown_amount", sa.BigInteger(), nullable=True),
        sa.Column("shown_currency", sa.Text(), nullable=False),
        sa.Column("method_id", sa.Text(), nullable=True),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id", "offer_id"], ["offers.shop_id", "offers.id"], name="fk_setups_shop_id_offer_id"
        ),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_setups"),
    )
    op.create_index(
        "ix_setups_due", "setups", ["shop_id", "due_at"], unique=False, postgresql_where="due_at IS NOT NULL"
    )
    op.create_index(
        "ix_setups_method",
        "setups",
        ["shop_id", "method_id"],
        unique=False,
        postgresql_where="method_id IS NOT NULL",
    )
    op.create_index("ix_setups_network", "setups", ["shop_id", "ip", "created_at"], unique=False)
    op.create_index("ix_setups_offer_id", "setups", ["offer_id"], unique=False)
    op.create_index(
        "uq_setups_one_open",
        "setups",
        ["shop_id", "offer_id"],
        unique=True,
        postgresql_where="state IN ('begun', 'waiting')",
    )
    op.create_table(
        "collections",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held", sa.Text(), nullable=False),
        sa.Column("declines", sa.Integer(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id", "plan_id"], ["plans.shop_id", "plans.id"], name="fk_collections_shop_id_plan_id"
        ),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_collections"),
        sa.UniqueConstraint("shop_id", "plan_id", "number", name="uq_collections_shop_id_plan_id_number"),
    )
    op.create_index(
        "ix_collections_due",
        "collections",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_index("ix_collections_scheduled", "collections", ["shop_id", "scheduled_at"], unique=False)
    op.create_table(
        "mandates",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_version", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("terms_hash", sa.Text(), nullable=False),
        sa.Column("parts", JSONB(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id", "plan_id"], ["plans.shop_id", "plans.id"], name="fk_mandates_shop_id_plan_id"
        ),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_mandates"),
        sa.UniqueConstraint("shop_id", "plan_id", name="uq_mandates_shop_id_plan_id"),
    )
    op.create_table(
        "attempts",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("collection_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("method_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("initiator", sa.Text(), nullable=False),
        sa.Column("first_sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("decline", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("back", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text(), nullable=False),
        sa.Column("action_url", sa.Text(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("doubted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("absent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evidence", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id", "collection_id"],
            ["collections.shop_id", "collections.id"],
            name="fk_attempts_shop_id_collection_id",
        ),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_attempts"),
        sa.UniqueConstraint(
            "shop_id", "collection_id", "number", name="uq_attempts_shop_id_collection_id_number"
        ),
        sa.UniqueConstraint("shop_id", "reference", name="uq_attempts_shop_id_reference"),
    )
    op.create_index(
        "ix_attempts_account", "attempts", ["shop_id", "account_id", "first_sent_at"], unique=False
    )
    op.create_index(
        "ix_attempts_due",
        "attempts",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_index("ix_attempts_plan_id", "attempts", ["plan_id"], unique=False)
    op.create_index(
        "ix_attempts_refused",
        "attempts",
        ["shop_id", "method_id", "first_sent_at"],
        unique=False,
        postgresql_where="state IN ('declined', 'sent', 'pending', 'requires_action', 'in_doubt')",
    )
    op.create_index(
        "uq_attempts_one_open",
        "attempts",
        ["shop_id", "collection_id"],
        unique=True,
        postgresql_where="state IN ('sent', 'pending', 'requires_action', 'in_doubt')",
    )
    op.create_table(
        "strays",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_strays"),
        sa.UniqueConstraint(
            "shop_id", "account_id", "kind", "gateway_id", name="uq_strays_shop_id_account_id_kind_gateway_id"
        ),
    )
    op.create_table(
        "reconciliations",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("counts", JSONB(), nullable=False),
        sa.Column("found", JSONB(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_reconciliations"),
    )
    op.create_index(
        "ix_reconciliations_account", "reconciliations", ["shop_id", "account_id", "until"], unique=False
    )
    op.create_table(
        "credit_notes",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("taken_off", sa.BigInteger(), nullable=False),
        sa.Column("given_back", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("first", sa.Text(), nullable=False),
        sa.Column("rest", sa.Text(), nullable=False),
        sa.Column("steps", JSONB(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id", "plan_id"], ["plans.shop_id", "plans.id"], name="fk_credit_notes_shop_id_plan_id"
        ),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_credit_notes"),
        sa.UniqueConstraint("shop_id", "plan_id", "number", name="uq_credit_notes_shop_id_plan_id_number"),
    )
    op.create_table(
        "disputes",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("evidence", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id", "attempt_id"],
            ["attempts.shop_id", "attempts.id"],
            name="fk_disputes_shop_id_attempt_id",
        ),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_disputes"),
        sa.UniqueConstraint(
            "shop_id", "account_id", "gateway_id", name="uq_disputes_shop_id_account_id_gateway_id"
        ),
    )
    op.create_index("ix_disputes_plan_id", "disputes", ["plan_id"], unique=False)
    op.create_table(
        "refunds",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.Text(), nullable=True),
        sa.Column("stray_id", sa.Text(), nullable=True),
        sa.Column("credit_id", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("first_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("absent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id", "attempt_id"],
            ["attempts.shop_id", "attempts.id"],
            name="fk_refunds_shop_id_attempt_id",
        ),
        sa.ForeignKeyConstraint(
            ["shop_id", "stray_id"], ["strays.shop_id", "strays.id"], name="fk_refunds_shop_id_stray_id"
        ),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_refunds"),
        sa.UniqueConstraint("shop_id", "reference", name="uq_refunds_shop_id_reference"),
    )
    op.create_index("ix_refunds_plan_id", "refunds", ["plan_id"], unique=False)
    op.create_index(
        "ix_refunds_due",
        "refunds",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_table(
        "vault_roots",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_vault_roots"),
    )
    op.create_table(
        "vault_holders",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("roots", ARRAY(sa.Text()), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_vault_holders"),
    )
    op.create_index(
        "uq_vault_roots_active", "vault_roots", ["state"], unique=True, postgresql_where="state = 'active'"
    )
    op.create_table(
        "vault_keys",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("public", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_vault_keys"),
        sa.UniqueConstraint(
            "shop_id", "kind", "owner_id", "version", name="uq_vault_keys_shop_id_kind_owner_id_version"
        ),
    )
    op.create_index(
        "uq_vault_keys_active",
        "vault_keys",
        ["shop_id", "kind", "owner_id"],
        unique=True,
        postgresql_where="state = 'active'",
    )
    op.create_index("ix_vault_keys_parent", "vault_keys", ["shop_id", "parent"], unique=False)
    op.create_table(
        "vault_audit",
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("use_id", sa.Text(), nullable=False),
        sa.Column("row_id", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_vault_audit"),
        sa.UniqueConstraint("shop_id", "seq", name="uq_vault_audit_shop_id_seq"),
    )
    op.create_index("ix_vault_audit_use", "vault_audit", ["shop_id", "use_id"], unique=False)
    op.create_table(
        "vault_heads",
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("seals", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_vault_heads"),
    )
    op.create_index(
        "ix_vault_heads_due",
        "vault_heads",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_table(
        "vault_seals",
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_vault_seals"),
        sa.UniqueConstraint("shop_id", "number", name="uq_vault_seals_shop_id_number"),
    )
    op.create_table(
        "erasures",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("method_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id", "customer_id"],
            ["customers.shop_id", "customers.id"],
            name="fk_erasures_shop_id_customer_id",
        ),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_erasures"),
        sa.UniqueConstraint(
            "shop_id", "customer_id", "method_id", name="uq_erasures_shop_id_customer_id_method_id"
        ),
    )
    op.create_index(
        "ix_erasures_due",
        "erasures",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_table(
        "polls",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("able", sa.Boolean(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("heard_id", sa.Text(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hour_heard", sa.Boolean(), nullable=False),
        sa.Column("rhythm", JSONB(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("missed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("silent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("webhooks", JSONB(), nullable=False),
        sa.Column("webhooks_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("webhooks_due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_polls"),
        sa.UniqueConstraint("shop_id", "connection_id", name="uq_polls_shop_id_connection_id"),
    )
    op.create_index(
        "ix_polls_due",
        "polls",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_table(
        "lookbacks",
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("seen", JSONB(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("found", JSONB(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_lookbacks"),
        sa.UniqueConstraint("shop_id", name="uq_lookbacks_shop"),
    )
    op.create_index(
        "ix_lookbacks_due",
        "lookbacks",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_table(
        "tombstones",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("methods", ARRAY(sa.Text()), nullable=False),
        sa.Column("keys", ARRAY(sa.Text()), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_tombstones"),
    )
    op.create_table(
        "handovers",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("home", sa.Text(), nullable=False),
        sa.Column("leads_to", sa.Text(), nullable=False),
        sa.Column("typed", JSONB(), nullable=False),
        sa.Column("kept", sa.LargeBinary(), nullable=True),
        sa.Column("brought", sa.LargeBinary(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("begun_by", sa.Text(), nullable=False),
        sa.Column("spare", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_handovers"),
    )
    op.create_index(
        "ix_handovers_due",
        "handovers",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_index(
        "uq_handovers_open",
        "handovers",
        ["shop_id"],
        unique=True,
        postgresql_where="state <> 'connected'",
    )
    op.create_table(
        "enrolments",
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("typed", JSONB(), nullable=False),
        sa.Column("kept", sa.LargeBinary(), nullable=True),
        sa.Column("flaws", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_enrolments"),
    )
    op.create_index(
        "ix_enrolments_due",
        "enrolments",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_index(
        "uq_enrolments_open",
        "enrolments",
        ["shop_id"],
        unique=True,
        postgresql_where="state <> 'connected'",
    )
    op.create_table(
        "recalls",
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("order_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("last4", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id", "offer_id"], ["offers.shop_id", "offers.id"], name="fk_recalls_shop_id_offer_id"
        ),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_recalls"),
        sa.UniqueConstraint("shop_id", "offer_id", name="uq_recalls_shop_id_offer_id"),
    )
    op.create_index(
        "ix_recalls_due",
        "recalls",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_table(
        "hook_secrets",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("brought", sa.LargeBinary(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_hook_secrets"),
    )
    op.create_index(
        "ix_hook_secrets_due",
        "hook_secrets",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_index(
        "uq_hook_secrets_open", "hook_secrets", ["shop_id"], unique=True, postgresql_where="state <> 'alone'"
    )
    op.create_table(
        "renewals",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_renewals"),
        sa.UniqueConstraint("shop_id", "connection_id", name="uq_renewals_shop_id_connection_id"),
    )
    op.create_index(
        "ix_renewals_due",
        "renewals",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_table(
        "checkups",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("found", JSONB(), nullable=False),
        sa.Column("sender", JSONB(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mail_to", sa.Text(), nullable=False),
        sa.Column("mail_locale", sa.Text(), nullable=False),
        sa.Column("mail_number", sa.Integer(), nullable=False),
        sa.Column("mail_problem", sa.Text(), nullable=False),
        sa.Column("mailed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mail_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_checkups"),
        sa.UniqueConstraint("shop_id", "connection_id", name="uq_checkups_shop_id_connection_id"),
    )
    op.create_index(
        "ix_checkups_due",
        "checkups",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where="due_at IS NOT NULL",
    )
    op.create_table(
        "exchanges",
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id", name="pk_exchanges"),
    )
    op.create_index("ix_exchanges_about", "exchanges", ["shop_id", "about"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("books are not unmade: restore a backup")
