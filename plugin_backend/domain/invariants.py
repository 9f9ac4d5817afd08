"""What must hold for every shop at every moment of rest, as queries that find where it does not."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from plugin_backend.domain import states

# Each finds the ids of rows that break it; every query sees one shop only, by row-level security.
CHECKS: dict[str, str] = {
    "a journal does not sum to zero": """
        SELECT journal_id FROM postings GROUP BY journal_id HAVING sum(amount) <> 0""",
    "a captured attempt is not in the books exactly once": """
        SELECT a.id FROM attempts a
        LEFT JOIN journals j ON j.shop_id = a.shop_id AND j.source = a.id AND j.kind = 'capture'
        WHERE (a.state = 'succeeded') <> (j.id IS NOT NULL)""",
    "a collection was captured more than once, or is paid without a capture": """
        SELECT c.id FROM collections c
        LEFT JOIN attempts a ON a.shop_id = c.shop_id AND a.collection_id = c.id AND a.state = 'succeeded'
        GROUP BY c.shop_id, c.id, c.state
        HAVING count(a.id) > 1
            OR (c.state IN ('paid', 'refunded', 'disputed', 'lost')) <> (count(a.id) = 1)""",
    "a plan took more than was agreed": """
        SELECT p.id FROM plans p JOIN attempts a ON a.shop_id = p.shop_id AND a.plan_id = p.id
        WHERE p.kind = 'instalments' AND a.state IN ('succeeded', 'sent', 'pending', 'requires_action', 'in_doubt')
        GROUP BY p.shop_id, p.id, p.amount HAVING sum(a.amount) > p.amount - (
            SELECT coalesce(sum(n.taken_off), 0) FROM credit_notes n WHERE n.shop_id = p.shop_id AND n.plan_id = p.id)""",
    "the parts of an instalment plan do not sum to what was agreed less what was credited": """
        SELECT p.id FROM plans p JOIN collections c ON c.shop_id = p.shop_id AND c.plan_id = p.id
        WHERE p.kind = 'instalments' GROUP BY p.shop_id, p.id, p.amount HAVING sum(c.amount) <> p.amount - (
            SELECT coalesce(sum(n.taken_off), 0) FROM credit_notes n WHERE n.shop_id = p.shop_id AND n.plan_id = p.id)""",
    "a collection of nothing is still collected": "SELECT id FROM collections WHERE amount = 0 AND state <> 'void'",
    "a credit note does not say where its amount came from": """
        SELECT id FROM credit_notes WHERE taken_off < 0 OR given_back < 0 OR amount <> taken_off + given_back""",
    "a credit note gives back what no refund was begun for": """
        SELECT n.id FROM credit_notes n LEFT JOIN refunds r
            ON r.shop_id = n.shop_id AND r.credit_id = n.id AND r.number = 1
        GROUP BY n.id, n.given_back HAVING n.given_back <> coalesce(sum(r.amount), 0)""",
    "an open refund has no timer": """
        SELECT id FROM refunds WHERE state IN ('due', 'sent', 'pending', 'in_doubt') AND due_at IS NULL""",
    "more is given back than was captured": """
        SELECT a.id FROM attempts a JOIN refunds r ON r.shop_id = a.shop_id AND r.attempt_id = a.id
        WHERE r.state IN ('due', 'sent', 'pending', 'in_doubt', 'succeeded') GROUP BY a.id, a.amount, a.state
        HAVING sum(r.amount) > a.amount OR a.state <> 'succeeded'
        UNION ALL
        SELECT s.id FROM strays s JOIN refunds r ON r.shop_id = s.shop_id AND r.stray_id = s.id
        WHERE r.state IN ('due', 'sent', 'pending', 'in_doubt', 'succeeded') GROUP BY s.id, s.amount, s.kind
        HAVING sum(r.amount) > s.amount OR s.kind <> 'charge'""",
    "a refund gives back nothing, or two things": """
        SELECT id FROM refunds WHERE (attempt_id IS NULL) = (stray_id IS NULL)""",
    "a stray is not in the books exactly once": """
        SELECT s.id FROM strays s WHERE 1 <> (
            SELECT count(*) FROM journals j WHERE j.shop_id = s.shop_id AND j.source = s.id)""",
    "a refund is not in the books exactly once": """
        SELECT r.id FROM refunds r
        LEFT JOIN journals j ON j.shop_id = r.shop_id AND j.source = r.id AND j.kind = 'refund'
        WHERE (r.state IN ('succeeded', 'reversed')) <> (j.id IS NOT NULL)""",
    "a refund that failed later is not booked back exactly once": """
        SELECT r.id FROM refunds r
        LEFT JOIN journals j ON j.shop_id = r.shop_id AND j.source = r.id AND j.kind = 'refund_reversed'
        WHERE (r.state = 'reversed') <> (j.id IS NOT NULL)""",
    "a refund was sent and nothing says when": """
        SELECT id FROM refunds WHERE state IN ('sent', 'pending', 'in_doubt', 'succeeded')
          AND (first_sent_at IS NULL OR last_sent_at IS NULL OR last_sent_at < first_sent_at)""",
    "a dispute is not in the books as it stands": """
        SELECT d.id FROM disputes d
        LEFT JOIN journals t ON t.shop_id = d.shop_id AND t.source = d.id AND t.kind = 'chargeback'
        LEFT JOIN journals w ON w.shop_id = d.shop_id AND w.source = d.id AND w.kind = 'chargeback_won'
        WHERE t.id IS NULL OR (d.state = 'won') <> (w.id IS NOT NULL)""",
    "a collection and the disputes of its payment do not agree": """
        SELECT c.id FROM collections c
        JOIN attempts a ON a.shop_id = c.shop_id AND a.collection_id = c.id AND a.state = 'succeeded'
        LEFT JOIN disputes d ON d.shop_id = a.shop_id AND d.attempt_id = a.id AND d.state IN ('open', 'lost')
        WHERE (c.state IN ('disputed', 'lost')) <> (d.id IS NOT NULL)""",
    "an open dispute is shown to nobody": """
        SELECT d.id FROM disputes d WHERE d.state = 'open' AND NOT EXISTS (
            SELECT 1 FROM cases k WHERE k.shop_id = d.shop_id AND k.subject = d.id)""",
    "an open attempt has no timer": """
        SELECT id FROM attempts WHERE state IN ('sent', 'pending', 'requires_action', 'in_doubt') AND due_at IS NULL""",
    "an attempt was begun after its plan had ended": """
        SELECT a.id FROM attempts a JOIN plans p ON p.shop_id = a.shop_id AND p.id = a.plan_id
        WHERE p.ended_at IS NOT NULL AND a.first_sent_at > p.ended_at""",
    "a collection's state and its attempt's do not agree": """
        SELECT c.id FROM collections c
        LEFT JOIN attempts a ON a.shop_id = c.shop_id AND a.collection_id = c.id
             AND a.state IN ('sent', 'pending', 'requires_action', 'in_doubt')
        WHERE (c.state IN ('in_flight', 'in_doubt', 'requires_action')) <> (a.id IS NOT NULL)""",
    "a collection is forgotten: it waits for neither a moment, a plan's timer, an attempt, nor a person": """
        SELECT c.id FROM collections c JOIN plans p ON p.shop_id = c.shop_id AND p.id = c.plan_id
        WHERE c.state IN ('scheduled', 'due', 'retry_wait') AND c.due_at IS NULL
          AND NOT (p.state = 'pending' AND p.due_at IS NOT NULL)""",
    "an exhausted collection is shown to nobody": """
        SELECT c.id FROM collections c WHERE c.state = 'exhausted' AND NOT EXISTS (
            SELECT 1 FROM cases k WHERE k.shop_id = c.shop_id AND k.subject = c.id)""",
    "a pending plan has no timer": "SELECT id FROM plans WHERE state = 'pending' AND due_at IS NULL",
    "a plan that has ended is still collected": """
        SELECT c.id FROM collections c JOIN plans p ON p.shop_id = c.shop_id AND p.id = c.plan_id
        WHERE p.state IN ('completed', 'cancelled', 'withdrawn')
          AND c.state IN ('scheduled', 'due', 'retry_wait', 'exhausted')""",
    "a customer has two open offers": """
        SELECT max(id) FROM offers WHERE state IN ('open', 'accepting') AND customer_id IS NOT NULL
        GROUP BY customer_id HAVING count(*) > 1""",
    "a basket has two open offers": """
        SELECT max(id) FROM offers WHERE state IN ('open', 'accepting') GROUP BY cart_id HAVING count(*) > 1""",
    "an offer is being accepted by nobody": """
        SELECT id FROM offers WHERE state IN ('accepting', 'accepted') AND customer_id IS NULL""",
    "a basket that was refused for fraud has an open offer": """
        SELECT o.id FROM offers o JOIN carts c ON c.shop_id = o.shop_id AND c.id = o.cart_id
        WHERE c.barred AND o.state = 'open'""",
    "an inquiry or an opt-in waits for nothing": """
        SELECT id FROM inquiries WHERE state = 'asked' AND due_at IS NULL
        UNION ALL SELECT id FROM opt_ins WHERE state = 'asked' AND due_at IS NULL""",
    "an offer became two plans": "SELECT max(id) FROM plans GROUP BY offer_id HAVING count(*) > 1",
    "a plan has no mandate": """
        SELECT p.id FROM plans p LEFT JOIN mandates m ON m.shop_id = p.shop_id AND m.plan_id = p.id
        WHERE m.id IS NULL""",
    "an open offer has no end": "SELECT id FROM offers WHERE state = 'open' AND due_at IS NULL",
    "an offer is being accepted and no card is being taken": """
        SELECT o.id FROM offers o WHERE o.state = 'accepting' AND NOT EXISTS (
            SELECT 1 FROM setups s WHERE s.shop_id = o.shop_id AND s.offer_id = o.id AND s.due_at IS NOT NULL)""",
    "a cart that nobody has judged has no timer": "SELECT id FROM carts WHERE state = 'active' AND due_at IS NULL",
    "a delivery was kept twice": """
        SELECT max(id) FROM deliveries GROUP BY source, identity HAVING count(*) > 1""",
    "a delivery waits for nothing": "SELECT id FROM deliveries WHERE state = 'received' AND due_at IS NULL",
    "what a gateway said is still there although it was read": """
        SELECT id FROM deliveries WHERE dropped IS NOT NULL AND state IN ('read', 'ignored')""",
    "what a gateway said is there for all to read": """
        SELECT d.id FROM deliveries d JOIN gateway_accounts a ON a.shop_id = d.shop_id AND a.id = d.source
        WHERE d.body IS NOT NULL""",
    "a shop has a gateway account and no intake": """
        SELECT a.id FROM gateway_accounts a WHERE NOT EXISTS (
            SELECT 1 FROM vault_keys k WHERE k.shop_id = a.shop_id AND k.kind = 'intake' AND k.state = 'active'
              AND k.public IS NOT NULL)""",
    "something to tell waits for nothing": "SELECT id FROM outbox WHERE state = 'queued' AND due_at IS NULL",
    "a message waits without a place in the outbox": """
        SELECT m.id FROM messages m WHERE m.state = 'queued' AND NOT EXISTS (
            SELECT 1 FROM outbox o WHERE o.shop_id = m.shop_id AND o.what = m.id AND o.state IN ('queued', 'parked'))""",
    "an account under probe has no timer": """
        SELECT id FROM gateway_accounts WHERE state IN ('probing', 'waiting') AND due_at IS NULL""",
    "a card was charged and the vault's log does not say that it was opened": """
        SELECT a.id FROM attempts a WHERE a.state = 'succeeded' AND NOT EXISTS (
            SELECT FROM vault_audit v WHERE v.shop_id = a.shop_id AND v.use_id = a.id
              AND v.purpose = 'charge' AND v.verb = 'open' AND v.result = 'ok')
          AND NOT EXISTS (SELECT FROM moves m WHERE m.shop_id = a.shop_id AND m.row_id = a.id
              AND m.before = '' AND m.reason = 'known again from the gateway')""",
    "the vault's log does not end where its head says": """
        SELECT h.id FROM vault_heads h LEFT JOIN vault_audit v ON v.shop_id = h.shop_id AND v.seq = (
            SELECT max(n.seq) FROM vault_audit n WHERE n.shop_id = h.shop_id)
        WHERE (h.seq, h.hash) IS DISTINCT FROM (v.seq, v.hash)""",
    "a destroyed key has its bytes, or another has none": """
        SELECT id FROM vault_keys WHERE (state = 'destroyed') <> (wrapped IS NULL)""",
    "a shredded erasure left a sealed token": """
        SELECT e.id FROM erasures e JOIN payment_methods m ON m.shop_id = e.shop_id AND m.customer_id = e.customer_id
        WHERE e.state = 'shredded' AND e.method_id IN ('', m.id) AND m.sealed IS NOT NULL""",
    "a shredded erasure left no tombstone": """
        SELECT e.id FROM erasures e WHERE e.state = 'shredded' AND NOT EXISTS (
            SELECT 1 FROM tombstones t WHERE t.shop_id = e.shop_id AND substr(t.id, 5) = substr(e.id, 5))""",
    "an erasure waits for nothing": "SELECT id FROM erasures WHERE state <> 'shredded' AND due_at IS NULL",
    "a frozen customer has a running plan, or an open offer": """
        SELECT p.id FROM plans p JOIN customers c ON c.shop_id = p.shop_id AND c.id = p.customer_id
        WHERE c.frozen_at IS NOT NULL AND p.state IN ('pending', 'active', 'paused')
        UNION ALL
        SELECT o.id FROM offers o JOIN customers c ON c.shop_id = o.shop_id AND c.id = o.customer_id
        WHERE c.frozen_at IS NOT NULL AND o.state IN ('open', 'accepting')""",
    "a token that is kept has no timer": """
        SELECT m.id FROM payment_methods m WHERE m.sealed IS NOT NULL AND m.due_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM erasures e WHERE e.shop_id = m.shop_id AND e.customer_id = m.customer_id
              AND e.method_id IN ('', m.id))""",
    "a hand-over that is not the owner's turn waits for nothing": """
        SELECT id FROM handovers WHERE state IN ('recognising', 'waiting', 'brought') AND due_at IS NULL""",
    "the settings of an account are being tried by nobody": """
        SELECT id FROM enrolments WHERE (state = 'brought') <> (due_at IS NOT NULL)
           OR kept IS NOT NULL AND state <> 'brought'""",
    "a plan is charged with another account than its own": """
        SELECT p.id FROM plans p JOIN payment_methods m ON m.shop_id = p.shop_id AND m.id = p.method_id
        WHERE m.account_id <> p.account_id
        UNION ALL SELECT p.id FROM plans p JOIN attempts a ON a.shop_id = p.shop_id AND a.plan_id = p.id
        WHERE a.account_id <> p.account_id""",
    "a look for the card of an earlier order waits for nothing": """
        SELECT id FROM recalls WHERE (state = 'asked') <> (due_at IS NOT NULL)""",
    "keys that were tried are still there as they came": """
        SELECT id FROM handovers WHERE brought IS NOT NULL AND state <> 'brought'
           OR kept IS NOT NULL AND state NOT IN ('waiting', 'brought')
        UNION ALL SELECT id FROM hook_secrets WHERE brought IS NOT NULL AND state <> 'asked'""",
    "a webhook secret on its way waits for nothing": """
        SELECT id FROM hook_secrets WHERE state <> 'alone' AND due_at IS NULL""",
    "a shop is connected and its connection is not there": """
        SELECT s.id FROM shops s WHERE s.id = NULLIF(current_setting('app.shop', true), '') AND s.state <> 'connecting'
          AND NOT EXISTS (SELECT 1 FROM connections c WHERE c.shop_id = s.id)""",
    "a row that waits for nothing is still taken": """
        SELECT id FROM collections WHERE taken AND due_at IS NULL
        UNION ALL SELECT id FROM attempts WHERE taken AND due_at IS NULL
        UNION ALL SELECT id FROM outbox WHERE taken AND due_at IS NULL""",
}
_TABLES = {
    "delivery": "deliveries",
    "cart": "carts",
    "offer": "offers",
    "setup": "setups",
    "plan": "plans",
    "collection": "collections",
    "attempt": "attempts",
    "refund": "refunds",
    "dispute": "disputes",
    "message": "messages",
    "out": "outbox",
    "account": "gateway_accounts",
    "key": "vault_keys",
    "erasure": "erasures",
    "handover": "handovers",
    "enrolment": "enrolments",
    "recall": "recalls",
    "secret": "hook_secrets",
    "inquiry": "inquiries",
    "opt_in": "opt_ins",
    "case": "cases",
}


def sentences() -> list[str]:
    """Everything that must never be."""
    return [*CHECKS, *_histories()]


def broken(session: Session) -> list[str]:
    """What does not hold for the shop of this transaction: a sentence and the ids, one string each."""
    found = []
    for sentence, query in {**CHECKS, **_histories()}.items():
        ids = list(session.scalars(text(query)))
        if ids:
            found.append(f"{sentence}: {', '.join(map(str, ids[:10]))}")
    return found


def _histories() -> dict[str, str]:
    """Every row stands where its last move led, except deliveries, whose first step is not kept apart."""
    checks = {}
    for noun, table in _TABLES.items():
        if noun == "delivery":
            continue
        known = ", ".join(f"'{state}'" for state in sorted({after for _, after in states.MACHINES[noun]}))
        checks[f"a {noun} stands where no move led"] = f"""
            SELECT t.id FROM {table} t WHERE t.state NOT IN ({known}) OR t.state IS DISTINCT FROM (
                SELECT m.after FROM moves m WHERE m.shop_id = t.shop_id AND m.row_id = t.id
                ORDER BY m.seq DESC LIMIT 1)"""  # noqa: S608
    return checks
