"""Row-level security and rights, table by table."""

from alembic import op

from plugin_backend.core.db import LINEAGE

APPEND_ONLY = frozenset(
    {
        *("moves", "journals", "postings", "mandates", "consents", "credit_notes", "reconciliations"),
        *("vault_audit", "vault_seals", "tombstones"),
    }
)
# Read before a shop is known, or about no shop: no row-level security.
SHARED = frozenset(
    {"merchants", "shops", "users", "staff_sessions", "doors", "installation", "vault_roots", "vault_holders"}
)


def make_roles() -> None:
    """The two roles that processes work as. Roles belong to the whole server, so another database may have made them."""
    for role in ("reprise_app", "reprise_clock"):
        op.execute(f"""
            DO $$ BEGIN CREATE ROLE {role} NOLOGIN NOBYPASSRLS;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$""")
        op.execute(f"DO $$ BEGIN EXECUTE format('GRANT {role} TO %I', current_user); END $$")
        op.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
        op.execute(f"GRANT SELECT ON alembic_version TO {role}")


def share(table: str) -> None:
    """A table without a shop of its own."""
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO reprise_app")


def protect(table: str, *, timer: bool) -> None:
    """A tenant's table: only the rows of the shop that the transaction names can be seen, written or counted. The clock
    sees moments and whose they are."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    # After a transaction the setting reads as an empty string, hence NULLIF.
    mine = "shop_id = NULLIF(current_setting('app.shop', true), '')"
    op.execute(f"CREATE POLICY {table}_of_shop ON {table} TO reprise_app USING ({mine}) WITH CHECK ({mine})")
    rights = "SELECT, INSERT" if table in APPEND_ONLY else "SELECT, INSERT, UPDATE, DELETE"
    op.execute(f"GRANT {rights} ON {table} TO reprise_app")
    if timer:
        # The owner is a member of both roles and a policy for a role is one for its members: hence the name once more.
        op.execute(
            f"CREATE POLICY {table}_moments ON {table} FOR SELECT TO reprise_clock"
            " USING (current_user = 'reprise_clock')"
        )
        op.execute(f"GRANT SELECT (shop_id, due_at, taken) ON {table} TO reprise_clock")


def clock_rights() -> None:
    """What else the clock needs: which shops there are, and to move the clock of one that travels."""
    op.execute(
        "GRANT SELECT (id, clock_offset, travel_to), UPDATE (clock_offset, travel_to) ON shops TO reprise_clock"
    )
    op.execute("GRANT SELECT (lineage) ON gateway_accounts TO reprise_clock")
    op.execute("GRANT SELECT (lineage), UPDATE (lineage, since) ON installation TO reprise_clock")


def begin_history() -> None:
    """This database begins where it stands: nothing was charged in another one before."""
    op.execute(f"INSERT INTO installation (one, lineage, since, refusals) VALUES (true, {LINEAGE}, now(), 0)")  # noqa: S608


def keep_the_books() -> None:
    """Every journal sums to zero when its transaction ends, and what is booked stays as it was booked."""
    op.execute("""
        CREATE FUNCTION check_journal() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF (SELECT sum(amount) FROM postings WHERE shop_id = NEW.shop_id AND journal_id = NEW.journal_id) <> 0 THEN
                RAISE EXCEPTION 'journal % does not sum to zero', NEW.journal_id;
            END IF;
            RETURN NULL;
        END $$""")
    op.execute("""
        CREATE CONSTRAINT TRIGGER journal_sums_to_zero AFTER INSERT ON postings
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_journal()""")
    op.execute("""
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$""")
    for table in sorted(APPEND_ONLY):
        op.execute(f"""
            CREATE TRIGGER {table}_stay BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION refuse_change()""")


_COUNTS = "('sent', 'pending', 'requires_action', 'in_doubt', 'succeeded')"


def keep_to_what_was_agreed() -> None:
    """Whatever a program does: what was captured, or may have been, never exceeds a collection's amount, nor an
    instalment plan's. The plan's row is locked, so that two who begin a charge at once are counted one after the
    other."""
    op.execute(f"""
        CREATE FUNCTION check_agreed() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE plan plans%ROWTYPE;
        BEGIN
            SELECT * INTO plan FROM plans WHERE shop_id = NEW.shop_id AND id = NEW.plan_id FOR UPDATE;
            IF (SELECT sum(amount) FROM attempts WHERE shop_id = NEW.shop_id AND collection_id = NEW.collection_id
                AND state IN {_COUNTS})
               > (SELECT amount FROM collections WHERE shop_id = NEW.shop_id AND id = NEW.collection_id) THEN
                RAISE EXCEPTION 'collection % would be taken more than once', NEW.collection_id;
            END IF;
            IF plan.kind = 'instalments' AND (SELECT sum(amount) FROM attempts WHERE shop_id = NEW.shop_id
                AND plan_id = NEW.plan_id AND state IN {_COUNTS})
               > plan.amount - (SELECT coalesce(sum(taken_off), 0) FROM credit_notes
                                WHERE shop_id = NEW.shop_id AND plan_id = NEW.plan_id) THEN
                RAISE EXCEPTION 'plan % would take more than was agreed', NEW.plan_id;
            END IF;
            RETURN NULL;
        END $$""")  # noqa: S608
    op.execute(f"""
        CREATE TRIGGER attempts_begun_within_agreed AFTER INSERT ON attempts
        FOR EACH ROW WHEN (NEW.state IN {_COUNTS}) EXECUTE FUNCTION check_agreed()""")
    op.execute(f"""
        CREATE TRIGGER attempts_changed_within_agreed AFTER UPDATE OF state, amount ON attempts
        FOR EACH ROW WHEN (NEW.state IN {_COUNTS} AND (OLD.state NOT IN {_COUNTS} OR OLD.amount <> NEW.amount))
        EXECUTE FUNCTION check_agreed()""")


def keep_refunds_and_credits() -> None:
    """No more goes back of an attempt than it captured, and the payments of an instalment plan always sum to what was
    agreed less what credit notes took off. Both hold whoever writes, and however many at once."""
    op.execute("""
        CREATE FUNCTION check_refund() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE captured bigint;
        BEGIN
            SELECT amount INTO captured FROM attempts WHERE shop_id = NEW.shop_id AND id = NEW.attempt_id
                AND currency = NEW.currency AND state = 'succeeded' FOR UPDATE;
            IF captured IS NULL OR captured < (
                SELECT sum(amount) FROM refunds WHERE shop_id = NEW.shop_id AND attempt_id = NEW.attempt_id
                    AND state IN ('due', 'sent', 'pending', 'in_doubt', 'succeeded')) THEN
                RAISE EXCEPTION 'more would go back of attempt % than it captured', NEW.attempt_id;
            END IF;
            RETURN NULL;
        END $$""")
    op.execute("""
        CREATE TRIGGER refunds_within_capture AFTER INSERT OR UPDATE OF attempt_id, amount, currency, state ON refunds
        FOR EACH ROW WHEN (NEW.attempt_id IS NOT NULL
            AND NEW.state IN ('due', 'sent', 'pending', 'in_doubt', 'succeeded'))
        EXECUTE FUNCTION check_refund()""")
    op.execute("""
        CREATE FUNCTION check_schedule() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (
                SELECT FROM plans p WHERE p.shop_id = NEW.shop_id AND p.id = NEW.plan_id AND p.kind = 'instalments'
                AND p.amount <> (
                    SELECT sum(c.amount) FROM collections c WHERE c.shop_id = p.shop_id AND c.plan_id = p.id)
                + (SELECT coalesce(sum(n.taken_off), 0) FROM credit_notes n
                    WHERE n.shop_id = p.shop_id AND n.plan_id = p.id)) THEN
                RAISE EXCEPTION 'the payments of plan % do not sum to what was agreed', NEW.plan_id;
            END IF;
            RETURN NULL;
        END $$""")
    for table, event in (("credit_notes", "INSERT"), ("collections", "UPDATE OF amount, plan_id")):
        op.execute(f"""
            CREATE CONSTRAINT TRIGGER {table}_keep_the_sum AFTER {event} ON {table}
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_schedule()""")


def chain_the_vaults_log() -> None:
    """Each row of a shop's log is numbered and hashed with the one before it, whoever writes it; a minute after the first
    that is not sealed the log is to be. The shop's head is locked until the transaction ends. What is hashed: each part
    with its length in bytes before it, so that no two rows read the same."""
    op.execute("""
        CREATE FUNCTION chain_vault_audit() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE told bytea;
        BEGIN
            SELECT convert_to(string_agg(octet_length(part) || ':' || part, '' ORDER BY place), 'UTF8') INTO told
            FROM unnest(ARRAY[
                NEW.shop_id, NEW.id, to_char(NEW.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                NEW.verb, NEW.purpose, NEW.use_id, NEW.row_id, NEW.field, NEW.key_id, NEW.process, NEW.result
            ]) WITH ORDINALITY AS parts (part, place);
            INSERT INTO vault_heads AS head
                (shop_id, id, created_at, seq, prev_hash, hash, seals, taken, due_at)
            VALUES (NEW.shop_id, replace(NEW.shop_id, 'shop_', 'vlh_'), NEW.created_at, 1, '', sha256(told), 0, false,
                NEW.created_at + '1 minute' + (SELECT clock_offset FROM shops WHERE id = NEW.shop_id))
            ON CONFLICT (shop_id, id) DO UPDATE SET seq = head.seq + 1, prev_hash = head.hash,
                hash = sha256(head.hash || told), due_at = coalesce(head.due_at, EXCLUDED.due_at)
            RETURNING head.seq, head.prev_hash, head.hash INTO NEW.seq, NEW.prev_hash, NEW.hash;
            RETURN NEW;
        END $$""")
    op.execute("""
        CREATE TRIGGER vault_audit_chained BEFORE INSERT ON vault_audit
        FOR EACH ROW EXECUTE FUNCTION chain_vault_audit()""")


_SUMS = """
    coalesce(sum(p.amount) FILTER (WHERE j.kind IN ('capture', 'unexpected_capture')), 0)::bigint AS captured,
    coalesce(-sum(p.amount) FILTER (
        WHERE j.kind IN ('refund', 'refund_reversed', 'unexpected_refund')), 0)::bigint AS refunded,
    coalesce(-sum(p.amount) FILTER (WHERE j.kind IN ('chargeback', 'chargeback_won')), 0)::bigint AS disputed,
    coalesce(sum(p.amount), 0)::bigint AS received"""
_BOOKS = "journals j JOIN postings p ON p.shop_id = j.shop_id AND p.journal_id = j.id"
_BALANCES = {
    "plan_balances": (
        "SELECT j.shop_id, j.plan_id, j.currency,",
        _SUMS,
        "FROM",
        _BOOKS,
        "WHERE p.account = 'gateway' GROUP BY 1, 2, 3",
    ),
    "customer_balances": (
        "SELECT j.shop_id, l.customer_id, j.currency,",
        _SUMS,
        "FROM",
        _BOOKS,
        "JOIN plans l ON l.shop_id = j.shop_id AND l.id = j.plan_id WHERE p.account = 'gateway' GROUP BY 1, 2, 3",
    ),
    "account_balances": (
        "SELECT j.shop_id, p.account, j.currency, sum(p.amount)::bigint AS balance FROM",
        _BOOKS,
        "GROUP BY 1, 2, 3",
    ),
}


def make_balances() -> None:
    """What the books come to, as views that keep nothing. They are read with the rights of who asks, so that row-level
    security holds, and never add two currencies up."""
    for name, query in _BALANCES.items():
        op.execute(f"CREATE VIEW {name} WITH (security_invoker = true) AS {' '.join(query)}")
        op.execute(f"GRANT SELECT ON {name} TO reprise_app")
