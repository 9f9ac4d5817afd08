"""The outside is asked for many rows at once: each ask in a thread of its own, while what others were answered is
entered here, and the next ones are prepared; or for one row after another, so that each has a whole lease for its ask. No
transaction is open where an ask is made."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
from flask import Flask, current_app
from sqlalchemy.orm import Session

from plugin_backend.core.db import assert_no_transaction, transaction
from plugin_backend.domain.merchants import Shop

log = structlog.get_logger(__name__)

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
# How many asks a worker has under way. A gateway that takes 80 ms then answers some 600 of them a second.
AT_ONCE = 48


@dataclass(frozen=True)
class OneByOne(Generic[Asked, Answer]):
    """Work on the rows that are due: prepare, ask, record. Where ``prepare`` finds nothing to ask there is nothing to be
    recorded."""

    take: Callable[[Session, str], list[str]]
    prepare: Callable[[Session, Shop, str], Asked | None]
    ask: Callable[[Asked], Answer]
    record: Callable[[Session, Shop, Asked, Answer], None]

    def __call__(self, shop: Shop) -> int:
        with transaction(shop.id) as session:
            ids = self.take(session, shop.id)
        for row_id in ids:
            with transaction(shop.id) as session:
                asked = self.prepare(session, shop, row_id)
            if asked is None:
                continue
            assert_no_transaction()
            answer = self.ask(asked)
            with transaction(shop.id) as session:
                self.record(session, shop, asked, answer)
        return len(ids)


def answers(batches: Iterable[Mapping[str, Callable[[], Answer]]]) -> Iterator[dict[str, Answer]]:
    """What each ask was answered, under its name, in groups as they come in. The next batch is taken when there is a
    thread for its first ask, and no sooner: what is prepared is asked at once. An ask that raises, which no adapter should,
    is left out, and costs no other its answer: its row is as a dead worker would have left it. Where a batch cannot be
    had, what is under way is told before the error is raised."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ask") as pool:
        under_way: _UnderWay[Answer] = _UnderWay(app, pool)
        try:
            for asks in batches:
                under_way.begin(asks)
                yield from under_way.answered_down_to(AT_ONCE - 1)
        except Exception:
            yield from under_way.answered_down_to(0)
            raise
        yield from under_way.answered_down_to(0)


class _UnderWay(Generic[Answer]):
    """The asks that wait for their answers."""

    def __init__(self, app: Flask, pool: ThreadPoolExecutor) -> None:
        self._app, self._pool = app, pool
        self._waiting: dict[Future[Answer], str] = {}

    def begin(self, asks: Mapping[str, Callable[[], Answer]]) -> None:
        for name, ask in asks.items():
            self._waiting[self._pool.submit(copy_context().run, _apart, self._app, ask)] = name

    def answered_down_to(self, count: int) -> Iterator[dict[str, Answer]]:
        """The answers as they come in, until no more than so many are waited for."""
        while len(self._waiting) > count:
            yield self._answered()

    def _answered(self) -> dict[str, Answer]:
        done, _ = wait(self._waiting, return_when=FIRST_COMPLETED)
        found = {}
        for future in done:
            name = self._waiting.pop(future)
            error = future.exception()
            if error is None:
                found[name] = future.result()
            else:
                log.error("ask_failed", row=name, exc_info=error)
        return found


def _apart(app: Flask, ask: Callable[[], Answer]) -> Answer:
    """Ask in an application context of its own, which has a database session of its own: none is open in it."""
    with app.app_context():
        return ask()
