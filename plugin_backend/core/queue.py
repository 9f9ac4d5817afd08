"""The queue is a doorbell: a ring says that a shop has work of a kind, and nothing else.

Losing a ring costs the time until the clock rings again, never work. A job is one of the functions named here: whoever
can write to Redis can ring, and can do nothing else.
"""

import threading
import time
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from plugin_backend.core.log import scrub
from plugin_backend.sdk.errors import RepriseError

log = structlog.get_logger(__name__)

DRAIN = "plugin_backend.worker.jobs.drain"
PRESENT, MONEY, DEFAULT = QUEUES = ("present", "money", "default")
# Which bells have a customer waiting for the answer: they have a worker of their own. Money comes next: a payment on its
# day does not stand behind the mails about others.
_QUEUES = {"present": PRESENT, "answer": PRESENT, "charge": MONEY, "reconcile": MONEY, "refund": MONEY}
_TIMEOUT = 300
_PAUSE = 0.05


class NotAllowed(RepriseError):
    """A job names a function that is not ours to run."""

    permanent = True


class BellJob(Job):
    """A job that can only drain. The function and every callback of an RQ job are dotted paths out of Redis, which
    RQ would import whatever they name; its webhooks are addresses it would ask."""

    @property
    def func(self) -> Any:
        if self.func_name != DRAIN:
            raise NotAllowed(f"{self.func_name!r} is not a job of ours")
        return super().func

    @property
    def success_callback(self) -> Any:
        return self._none("_success_callback_name")

    @property
    def failure_callback(self) -> Any:
        return self._none("_failure_callback_name")

    @property
    def stopped_callback(self) -> Any:
        return self._none("_stopped_callback_name")

    def _handle_failure(self, exc_string: str, pipeline: Any, *more: Any, **named: Any) -> None:
        """What went wrong stays in Redis for an hour, scrubbed like a log: an error may repeat what it was about."""
        super()._handle_failure(scrub(exc_string), pipeline, *more, **named)

    def _none(self, attribute: str) -> None:
        if getattr(self, attribute, None):
            raise NotAllowed("jobs of ours have no callbacks")


def connect(url: str) -> "Redis":
    """A connection for ringing: it gives up soon, since a webhook waits behind it."""
    return Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=0.5, retry=None)


def connect_worker(url: str) -> "Redis":
    """A connection for a worker, which waits long for the next ring."""
    return Redis.from_url(url, socket_timeout=None, socket_connect_timeout=5)


def queue(connection: "Redis", name: str) -> Queue:
    return Queue(
        name, connection=connection, serializer=JSONSerializer, job_class=BellJob, default_timeout=_TIMEOUT
    )


class Bells:
    """Rings bells, one enqueue per bell, shop and second at the most."""

    def __init__(self, connection: "Redis") -> None:
        self._connection = connection
        self._queues = {name: queue(connection, name) for name in QUEUES}
        self._down_until = 0.0
        self._waiting: dict[tuple[str, str], None] = {}
        self._somebody_waits = threading.Event()
        self._ringer: threading.Thread | None = None
        self._starting = threading.Lock()

    def ring_soon(self, bell: str, shop_id: str) -> None:
        """Ring from a thread of our own: at once, or where it has just rung within 50 ms, once for all who asked
        meanwhile. Asking Redis for each webhook would cost as much as keeping it, and a Redis that hangs would hold up
        the answers."""
        self._waiting[bell, shop_id] = None
        if not self._somebody_waits.is_set():
            self._somebody_waits.set()
        if self._ringer is None or not self._ringer.is_alive():
            self._start_ringer()

    def _start_ringer(self) -> None:
        """Here and not before: the thread must be one of the process that serves, not of one that forked it."""
        with self._starting:
            if self._ringer is None or not self._ringer.is_alive():
                self._ringer = threading.Thread(target=self._ring_for_all, name="bells", daemon=True)
                self._ringer.start()

    def _ring_for_all(self) -> None:
        while self._somebody_waits.wait():
            # Cleared before looking: who asks while we ring is rung for in the next round.
            self._somebody_waits.clear()
            while self._waiting:
                self.ring(*self._waiting.popitem()[0])
            time.sleep(_PAUSE)

    def ring(self, bell: str, shop_id: str) -> bool:
        """True where the ring, or one just before it, was taken. False: Redis did not answer; the clock will ring."""
        if time.monotonic() < self._down_until:
            return False
        try:
            # The mark means "a ring waits in the queue": the drain takes it away before it looks, so a row that comes
            # later rings again. It fades by itself, should the queue be lost.
            if self._connection.set(f"bell:{bell}:{shop_id}", "1", nx=True, px=1000):
                self._queues[_QUEUES.get(bell, DEFAULT)].enqueue_call(
                    DRAIN,
                    args=(bell, shop_id),
                    result_ttl=0,
                    failure_ttl=3600,
                    description=f"{bell} {shop_id}",
                )
        except RedisError as error:
            # For a second nobody else waits for a Redis that is away.
            self._down_until = time.monotonic() + 1.0
            log.warning("bell_not_rung", bell=bell, shop=shop_id, error=type(error).__name__)
            return False
        return True

    def close(self) -> None:
        self._connection.close()

    def answered(self, bell: str, shop_id: str) -> None:
        """The ring is being answered: the next change may ring again."""
        try:
            self._connection.delete(f"bell:{bell}:{shop_id}")
        except RedisError as error:
            log.warning("bell_mark_stays", bell=bell, shop=shop_id, error=type(error).__name__)


def check_redis(connection: "Redis") -> None:
    """``NotAllowed`` unless Redis keeps what it is given: under any other policy it drops jobs without a word."""
    policy = connection.config_get("maxmemory-policy")
    value = dict(policy).get("maxmemory-policy")
    if value != "noeviction":
        raise NotAllowed(f"Redis has maxmemory-policy {value}: set it to noeviction")
