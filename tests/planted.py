"""Faults planted on purpose, each of which must turn a test red: ``make mutants``.

A fault is pieces of text in files of a throw-away copy of the project, and what stands there instead; beside it stand
the tests that must notice. The copy is made anew for each fault; the project itself is never touched, and two faults
at a time do not know of each other.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
AT_ONCE = int(os.environ.get("JOBS", "2"))
BOUNDARIES = "tests/domain/test_boundaries.py::test_"
QUARANTINE = "tests/domain/test_quarantine.py::test_"
BACK_FILL = "tests/flow/test_back_fill.py::test_"
BILLING = "plugin_backend/domain/billing/"
VAULT = "plugin_backend/domain/vault/"
RECONCILIATION = "plugin_backend/domain/reconciliation/"
HOUSE = "plugin_backend/migrations/versions/0001_the_house.py"


@dataclass(frozen=True, slots=True)
class Edit:
    """``before`` must stand in ``file`` exactly once."""

    file: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A bug that somebody could make, and the tests of which one must fail."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


def fault(name: str, file: str, before: str, after: str, *tests: str, also: tuple[Edit, ...] = ()) -> Fault:
    return Fault(name, (Edit(file, before, after), *also), tests)


FAULTS = (
    fault(
        "a fresh key for each send",
        BILLING + "resolving.py",
        "    return Prepared(shop.id, attempt.id, request, gateway)\n",
        '    request = __import__("dataclasses").replace(request, reference=request.reference[:-1] + "9")\n'
        "    return Prepared(shop.id, attempt.id, request, gateway)\n",
        BOUNDARIES + "a_second_send_that_did_not_happen_says_nothing_of_the_first",
    ),
    fault(
        "a timeout is taken for a decline",
        BILLING + "recording.py",
        "            _in_doubt(session, plan, row, attempt, outcome.reason)\n        case _:",
        '            _declined(session, shop, plan, row, attempt, sdk.Declined(sdk.Decline.SYSTEM, "timeout"))\n        case _:',
        BOUNDARIES
        + "an_answer_that_is_lost_just_before_the_window_ends_is_looked_up_and_nothing_is_sent_anew",
    ),
    fault(
        "silence is believed without quarantine",
        BILLING + "resolving.py",
        "old = now - attempt.last_sent_at >= delays.DELAYS.lease + capabilities.absent_after",
        "old = True",
        BOUNDARIES + "silence_after_a_second_send_is_counted_from_that_send",
    ),
    fault(
        "quarantine is counted from the first send",
        BILLING + "resolving.py",
        "old = now - attempt.last_sent_at >=",
        "old = now - attempt.first_sent_at >=",
        BOUNDARIES + "silence_after_a_second_send_is_counted_from_that_send",
    ),
    fault(
        "a second send is not written down",
        BILLING + "resolving.py",
        "attempt.last_sent_at, attempt.absent_at = now, None",
        "attempt.absent_at = None",
        BOUNDARIES + "silence_after_a_second_send_is_counted_from_that_send",
    ),
    fault(
        "silence is believed when it is said once",
        BILLING + "resolving.py",
        "        if believable and attempt.absent_at and now - attempt.absent_at >= delays.DELAYS.absent_twice:\n",
        "        if believable:\n",
        BOUNDARIES + "absent_is_believed_only_when_it_is_said_twice_ten_minutes_apart",
    ),
    fault(
        "silence that was heard before another looked is believed",
        BILLING + "resolving.py",
        "        if attempt.state not in OPEN or attempt.asked != look.fence:\n",
        "        if attempt.state not in OPEN:\n",
        BOUNDARIES + "silence_that_was_heard_before_another_looked_proves_nothing",
    ),
    fault(
        "the silence of an account that cannot be asked is believed",
        BILLING + "resolving.py",
        'believable = old and capabilities.look_up != "none"',
        "believable = old",
        BOUNDARIES + "an_account_that_cannot_be_asked_is_never_resolved_by_silence",
        also=(
            Edit(
                "plugin_backend/worker/charging.py",
                'return sdk.InDoubt("it cannot be looked up")',
                "return sdk.Absent()",
            ),
        ),
    ),
    fault(
        "a key is sent again after its window",
        BILLING + "resolving.py",
        "    if now - attempt.first_sent_at >= delays.REPLAY_SHARE * window:\n",
        "    if now - attempt.first_sent_at >= 2 * window:\n",
        BOUNDARIES + "a_key_is_sent_again_only_inside_nine_tenths_of_its_window",
    ),
    fault(
        "a changed request is sent again",
        BILLING + "resolving.py",
        "    if hash_of(request) != attempt.request_hash:\n",
        "    if False:\n",
        "tests/domain/test_billing.py::test_a_request_whose_words_have_changed_is_not_sent_again",
    ),
    fault(
        "a request that may be lost is sent again though its plan was cancelled",
        BILLING + "guards.py",
        '    if plan.state != "active" and not (attempt.initiator == "customer" and plan.state == "pending"):\n',
        "    if False:\n",
        BOUNDARIES + "a_request_that_may_be_lost_is_never_sent_again_once_its_plan_was_cancelled",
    ),
    fault(
        "a second send that did not happen settles the first",
        BILLING + "recording.py",
        "            of_sends\n            and isinstance(outcome, sdk.NotExecuted)\n",
        "            not of_sends\n            and isinstance(outcome, sdk.NotExecuted)\n",
        BOUNDARIES + "a_worker_that_wakes_when_another_has_sent_its_request_proves_nothing",
    ),
    fault(
        "a paused worker sends late",
        "plugin_backend/sdk/http.py",
        'step.endswith("send_request_headers.started") and time.monotonic() >= not_after',
        "False",
        BOUNDARIES + "a_worker_that_was_paused_past_its_lease_sends_nothing_any_more",
    ),
    fault(
        "a cancelled plan is charged",
        BILLING + "guards.py",
        '        if plan.state in plans.ENDED:\n            return Hold("plan_ended", None)\n'
        '        if plan.state != "active" and',
        '        if plan.state == "paused" and',
        "tests/domain/test_billing.py::test_a_plan_that_was_cancelled_between_claim_and_charge_is_not_charged",
    ),
    fault(
        "a callback is believed without looking",
        BILLING + "resolving.py",
        "    if event.outcome is None or capabilities.finds(attempt.gateway_id):\n",
        "    if event.outcome is None:\n",
        BOUNDARIES + "what_a_callback_says_is_looked_up_and_not_believed",
    ),
    fault(
        "a late result overwrites a settled one",
        BILLING + "recording.py",
        "    if attempt.state not in OPEN:\n        _after_the_end(session, plan, attempt, outcome)\n        return\n"
        "    row = next(row for row in schedule if row.id == attempt.collection_id)\n",
        "    row = next(row for row in schedule if row.id == attempt.collection_id)\n"
        "    if attempt.state not in OPEN:\n"
        '        attempt.state, row.state = "sent", "in_flight"\n',
        BOUNDARIES + "an_answer_that_comes_after_another_worker_has_settled_it_changes_nothing",
    ),
    fault(
        "the books take the same thing twice",
        "plugin_backend/domain/ledger.py",
        "    ON CONFLICT (shop_id, source, kind) DO NOTHING\n",
        "",
        BOUNDARIES + "what_is_told_twice_is_booked_once",
        also=(
            Edit(
                HOUSE,
                '        sa.UniqueConstraint("shop_id", "source", "kind", name="uq_journals_shop_id_source_kind"),\n',
                "",
            ),
        ),
    ),
    fault(
        "a result is recorded without a lock",
        BILLING + "recording.py",
        "        .order_by(model.id)\n        .with_for_update()\n",
        "        .order_by(model.id)\n",
        BOUNDARIES + "two_who_record_at_once_take_turns",
        also=(
            Edit(
                "plugin_backend/domain/plans.py",
                "        .order_by(Plan.id)\n        .with_for_update()\n",
                "        .order_by(Plan.id)\n",
            ),
        ),
    ),
    fault(
        "a second attempt begins while the first is open",
        BILLING + "preparing.py",
        "    waiting = [row for row in locked if row.state in guards.CHARGEABLE]\n",
        '    waiting = [row for row in locked if row.state not in ("paid", "void")]\n',
        "tests/domain/test_billing.py::test_while_an_attempt_is_open_no_other_begins",
        also=(
            Edit(
                HOUSE,
                '        "uq_attempts_one_open",\n        "attempts",\n        ["shop_id", "collection_id"],\n'
                "        unique=True,\n",
                '        "uq_attempts_one_open",\n        "attempts",\n        ["shop_id", "collection_id"],\n'
                "        unique=False,\n",
            ),
        ),
    ),
    fault(
        "an outage is caught up with all at once",
        BILLING + "guards.py",
        "return self._one_a_day(plan, row) or self._over_budget(plan, row)",
        "return self._over_budget(plan, row)",
        BOUNDARIES + "after_an_outage_a_plan_pays_once_a_day",
    ),
    fault(
        "an account in quarantine is charged",
        BILLING + "guards.py",
        "        if plan.account_id in self.quarantined:\n",
        "        if False:\n",
        QUARANTINE + "nothing_new_is_charged_or_given_back_in_quarantine",
    ),
    fault(
        "quarantine is lifted at the first look",
        RECONCILIATION + "runs.py",
        "clears=held and now >= noticed + delays.DELAYS.lease + _silence(gateway),",
        "clears=held,",
        QUARANTINE + "a_lost_payment_is_known_again_and_the_account_charges_again_when_nothing_can_be_missed",
    ),
    fault(
        "what a restore lost is taken for a stranger's",
        RECONCILIATION + "settling.py",
        "    if origin is not None:\n",
        "    if False:\n",
        QUARANTINE + "a_lost_payment_is_known_again_and_the_account_charges_again_when_nothing_can_be_missed",
    ),
    fault(
        "a lost payment that waits for its bank is not asked for",
        "plugin_backend/worker/comparing.py",
        "    if run.clears and not lost_are_known(shop, run):\n",
        "    if False:\n",
        QUARANTINE + "a_lost_payment_that_waits_for_its_bank_is_known_again_and_no_second_one_is_begun",
    ),
    fault(
        "what the gateway captured and ours calls declined is said to agree",
        RECONCILIATION + "comparing.py",
        '        elif known.state in ("succeeded", "reversed"):\n',
        "        elif known.state:\n",
        "tests/domain/test_reconciliation.py::test_a_capture_of_what_we_hold_as_declined_lands_in_suspense_once",
    ),
    fault(
        "a second capture under one reference is not seen",
        RECONCILIATION + "comparing.py",
        '        found.findings += [Finding("theirs_only", known.id, moved, twice=True) for moved in more]\n',
        "",
        "tests/domain/test_reconciliation.py::test_a_gateway_that_charged_twice_under_one_reference_is_found_out",
    ),
    fault(
        "a key is sent again to an account that is known to keep none",
        BILLING + "guards.py",
        "    if probing.why_not_unattended(account):\n        return True\n",
        "",
        "tests/domain/test_billing.py::test_nothing_is_sent_again_to_an_account_whose_keys_are_known_to_be_none",
    ),
    fault(
        "a card's scheme is asked more often than it allows",
        BILLING + "guards.py",
        "return self._one_a_day(plan, row) or self._over_budget(plan, row)",
        "return self._one_a_day(plan, row)",
        "tests/domain/test_budgets.py",
    ),
    fault(
        "doubts never open the circuit",
        BILLING + "breaker.py",
        "    if doubted < IN_A_ROW:\n",
        "    if doubted < 1000:\n",
        BOUNDARIES + "ten_doubts_in_a_row_open_the_circuit_and_it_closes_again",
    ),
    fault(
        "another amount is called paid",
        BILLING + "recording.py",
        "    if outcome.amount != attempt.money:\n",
        "    if False:\n",
        "tests/domain/test_billing.py::test_another_amount_than_was_asked_for_is_never_called_paid",
    ),
    fault(
        "what arrives after a withdrawal is kept",
        BILLING + "recording.py",
        '    if plan.state == "withdrawn":\n',
        "    if False:\n",
        BOUNDARIES + "what_arrives_after_a_withdrawal_is_given_back_within_five_minutes",
    ),
    fault(
        "more is given back than was captured",
        BILLING + "refunds.py",
        "    return Money(max(attempt.amount - gone, 0), attempt.currency)\n",
        "    return Money(attempt.amount, attempt.currency)\n",
        BOUNDARIES + "what_was_given_back_is_not_given_back_again",
    ),
    fault(
        "a payment in doubt is given back",
        BILLING + "refunds.py",
        '    if attempt.state != "succeeded" or disputed(session, attempt, "open"):\n',
        '    if disputed(session, attempt, "open"):\n',
        BOUNDARIES + "nothing_is_given_back_of_a_payment_in_doubt",
        also=(
            Edit(
                BILLING + "refunds.py",
                '        Attempt.shop_id == shop_id, Attempt.plan_id == plan_id, Attempt.state == "succeeded"\n',
                "        Attempt.shop_id == shop_id, Attempt.plan_id == plan_id\n",
            ),
        ),
    ),
    fault(
        "a named time is not waited for",
        "plugin_backend/domain/dunning.py",
        "    return Retry(schedules.humane(max(at, verdict.not_before or at), zone))\n",
        "    return Retry(schedules.humane(at, zone))\n",
        BOUNDARIES + "a_moment_before_which_nothing_may_be_tried_is_obeyed",
    ),
    fault(
        "months are counted from the last payment and not from the first",
        "plugin_backend/domain/plans.py",
        "schedules.nth_period(plan.anchor, plan.unit, plan.every, number, shop.zone)",
        "schedules.nth_period(rows[-1].scheduled_at, plan.unit, plan.every, 1, shop.zone)",
        BOUNDARIES + "each_month_is_collected_once_on_its_day",
    ),
    fault(
        "a cent is lost in a split",
        "plugin_backend/sdk/money.py",
        "[Money(share + remainder, self.currency)]",
        "[Money(share, self.currency)]",
        "tests/unit/test_money.py",
    ),
    fault(
        "a webhook is kept twice",
        "plugin_backend/domain/inbox.py",
        '    ON CONFLICT (shop_id, source, identity) DO NOTHING\n"""',
        '"""',
        "tests/web/test_webhooks.py",
    ),
    fault(
        "an offer is accepted twice",
        "plugin_backend/web/offer_pages.py",
        '_accept(session, shop, offer, secret) if offer.state == "open" else None',
        "_accept(session, shop, offer, secret)",
        "tests/domain/test_main_job.py",
    ),
    fault(
        "one shopper gets two offers",
        "plugin_backend/domain/offers/making.py",
        "    if not why and _others_open(session, customer):\n",
        "    if False and _others_open(session, customer):\n",
        "tests/domain/test_identity.py",
    ),
    fault(
        "one table has no row-level security",
        HOUSE,
        "        else:\n            protect(table, timer=table in TIMERS)\n",
        '        elif table == "sales":\n            share(table)\n        else:\n            protect(table, timer=table in TIMERS)\n',
        "tests/domain/test_tenancy.py",
    ),
    fault(
        "a token opens for an attempt that is settled",
        VAULT + "uses.py",
        "        if self.attempt.state not in _MAY_BE_CHARGED:\n",
        "        if False and self.attempt.state not in _MAY_BE_CHARGED:\n",
        "tests/domain/test_vault_uses.py",
    ),
    fault(
        "a token opens for whoever asked too late",
        VAULT + "uses.py",
        '        return "" if self.attempt.asked == self.fence else "fence"\n',
        '        return ""\n',
        "tests/domain/test_vault_uses.py",
    ),
    fault(
        "a seal of the vault's log is believed",
        VAULT + "proving.py",
        "        if not hmac.compare_digest(_mac(key, seal), seal.mac):\n",
        "        if False and not hmac.compare_digest(_mac(key, seal), seal.mac):\n",
        "tests/domain/test_vault_log.py",
    ),
    fault(
        "a row of the vault's log need not follow the one before",
        VAULT + "proving.py",
        "        if entry.prev_hash != self.hash:\n",
        "        if False and entry.prev_hash != self.hash:\n",
        "tests/domain/test_vault_log.py",
    ),
    fault(
        "a basket is offered without asking the shop what became of it",
        "plugin_backend/worker/jobs.py",
        "    ids = looking.ready(shop)\n    return each(shop, Cart, _make_offer, only=ids) if ids else 0\n",
        "    return each(shop, Cart, _make_offer)\n",
        BACK_FILL + "a_day_without_deliveries_loses_no_cart_and_no_order_and_mails_nobody_who_bought",
    ),
    fault(
        "a page of the shop's orders is taken as it comes, whatever left the list before it",
        "connectors/woocommerce/polling.py",
        "if begin and not (numbers and numbers[0] <= seen):",
        "if begin and not numbers:",
        "tests/contract/test_woocommerce_polling.py::"
        "test_what_stays_in_the_list_is_told_once_whatever_leaves_it_while_pages_are_turned",
    ),
    fault(
        "a round counts as begun when it ends",
        "plugin_backend/domain/polling.py",
        '    poll.asked_at, poll.kind, poll.cursor, poll.failures = poll.begun_at, "", "", 0\n',
        '    poll.asked_at, poll.kind, poll.cursor, poll.failures = clock.now(), "", "", 0\n',
        BACK_FILL + "a_worker_that_ends_between_two_pages_is_gone_on_from_there",
    ),
)


def caught(planted: Fault) -> str:
    """The test that fails with the fault in place; "" where none does. An error outside a test counts for nothing."""
    with tempfile.TemporaryDirectory(prefix="reprise-planted-") as folder:
        copy = Path(folder) / "reprise"
        # Root's PostgreSQL account must be able to pass through.
        Path(folder).chmod(0o755)
        ignored = shutil.ignore_patterns(".git", ".venv", "instance", "__pycache__", "*.egg-info", ".*_cache")
        shutil.copytree(ROOT, copy, ignore=ignored)
        for edit in planted.edits:
            _plant(planted, copy / edit.file, edit)
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-n", "0", *planted.tests],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
            check=False,
        )
    failed = re.search(r"^FAILED \S+::(\S+)", run.stdout, re.MULTILINE)
    if run.returncode not in (0, 1):
        raise SystemExit(f"{planted.name}: the tests did not run\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return failed[1] if failed else ""


def _plant(planted: Fault, target: Path, edit: Edit) -> None:
    text = target.read_text(encoding="utf-8")
    if text.count(edit.before) != 1:
        raise SystemExit(f"{planted.name}: the place to plant it is not there once in {edit.file}")
    target.write_text(text.replace(edit.before, edit.after), encoding="utf-8")


def main(names: list[str]) -> int:
    """Plant each fault (or those whose name holds a word given) and print what caught it; 1 where nothing did."""
    chosen = [planted for planted in FAULTS if not names or any(name in planted.name for name in names)]
    width, began, missed = max((len(planted.name) for planted in chosen), default=0), time.monotonic(), 0
    print(f"{'planted':<{width}}  caught by", flush=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for planted, found in zip(chosen, pool.map(caught, chosen), strict=True):
            missed += not found
            print(f"{planted.name:<{width}}  {found or 'NOTHING'}", flush=True)
    seconds = round(time.monotonic() - began)
    print(f"planted {len(chosen)} caught {len(chosen) - missed} survived {missed} seconds {seconds}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
