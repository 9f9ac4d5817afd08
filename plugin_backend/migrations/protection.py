"""Row-level security and rights, table by table."""

from alembic import op

APPEND_ONLY = frozenset({"moves", "journals", "postings", "mandates", "consents"})
# Read before a shop is known, or about no shop: no row-level security.
SHARED = frozenset({"merchants", "shops", "users", "staff_sessions", "doors"})


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
