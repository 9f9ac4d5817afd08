"""The rescue at the checkout with the real processes: the web server, a worker, PostgreSQL and Redis."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from redis import Redis

from plugin_backend.core.config import Config
from plugin_backend.domain.merchants import Shop
from plugin_backend.launcher.supervisor import Program, base_environment
from tests import storefront_story as story
from tests.flow.web_process import ROOT, WebProcess, web_process
from tests.house import TestHouse, environment
from tests.letterbox import Letterbox
from tests.servers import Servers
from tests.storefront_story import ORIGIN, failed

PATIENCE = 60.0


@pytest.fixture(scope="module")
def web(servers: Servers, settings: Config) -> Iterator[WebProcess]:
    with web_process(servers.supervisor, settings) as process:
        yield process


@contextmanager
def a_worker(servers: Servers, settings: Config) -> Iterator[None]:
    """A worker that serves those who are waiting, as operators start it."""
    command = [sys.executable, "-m", "plugin_backend.cli", "worker", "--queue", "present"]
    given = {**base_environment(), **environment(settings)}
    child = servers.supervisor.start(Program("present", command, given, folder=ROOT))
    try:
        yield
    finally:
        child.end()
        del servers.supervisor.children["present"]


class Page:
    """The shop's page: a script in a browser that knows nothing but the contract."""

    def __init__(self, web: WebProcess, base: str) -> None:
        self._base = f"http://127.0.0.1:{web.port}{base}"
        self._client = httpx2.Client(headers={"Origin": ORIGIN}, timeout=20.0)

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, message: dict[str, str]) -> str:
        """The end of the address at which the answer will be."""
        told = json.dumps({"message": message, "declined": True, "lang": "fr"})
        answer = self._client.post(
            f"{self._base}inquiries", content=told, headers={"Content-Type": "text/plain;charset=UTF-8"}
        )
        assert answer.status_code == 202, answer.text
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        return str(answer.json()["poll"]).rpartition("/")[2]

    def poll(self, secret: str) -> dict[str, Any]:
        answer = self._client.get(f"{self._base}inquiries/{secret}")
        assert answer.status_code == 200
        return dict(answer.json())

    def wait(self, secret: str) -> tuple[dict[str, Any], float]:
        """What came of it, and after how many seconds."""
        began = time.monotonic()
        while (said := self.poll(secret))["state"] == "asked":
            assert time.monotonic() - began < PATIENCE, "nobody answers"
            time.sleep(said["wait_ms"] / 1000)
        return said, time.monotonic() - began


@pytest.fixture
def shop(house: TestHouse, mails: Letterbox) -> Shop:
    return story.add_shop(house)


def test_the_plan_is_in_the_page_soon_after_the_decline(
    house: TestHouse, shop: Shop, web: WebProcess, servers: Servers, settings: Config
) -> None:
    """How long it takes on this machine is told and not judged: it may be busy with others."""
    with a_worker(servers, settings), Page(web, story.base(house, shop)) as page:
        taken = []
        for number in range(5):
            basket = story.cart(house, shop, f"k-{number}", email=f"a{number}@example.test")
            message = story.signed(failed(basket, decline="limit"), name=f"msg-{number}")
            said, seconds = page.wait(page.ask(message))
            assert said["state"] == "offered"
            taken.append(seconds)
    print(f"from the decline to the plan in the page: {', '.join(f'{one:.2f} s' for one in taken)}")
    assert story.verdicts(house, shop) == [("open", "")] * 5


def test_an_inquiry_outlives_a_worker_that_dies_and_a_queue_that_is_lost(
    house: TestHouse, shop: Shop, web: WebProcess, servers: Servers, settings: Config
) -> None:
    first, basket = (failed(story.cart(house, shop, name, email="")) for name in ("k-1", "k-2"))
    with Page(web, story.base(house, shop)) as page:
        with a_worker(servers, settings):
            page.wait(page.ask(story.signed(first, name="msg_1")))
            secret = page.ask(story.signed(basket, name="msg_2"))
            servers.supervisor.kill("present")
        with Redis.from_url(settings.redis_url) as redis:
            redis.flushall()
        with a_worker(servers, settings):
            said, _ = page.wait(secret)
        assert said["state"] == "offered"


def test_the_webhook_and_the_page_tell_the_same_decline_at_once(
    house: TestHouse, shop: Shop, web: WebProcess, servers: Servers, settings: Config
) -> None:
    body = failed(story.cart(house, shop))
    with a_worker(servers, settings), Page(web, story.base(house, shop)) as page:
        first = page.ask(story.signed(body, name="msg_1"))
        assert house.standard(shop, body, delivery="msg_1") == 200
        second = page.ask(story.signed(body, name="msg_1"))
        house.rest(shop)
        urls = {page.wait(secret)[0]["offer"]["url"] for secret in (first, second)}
    assert len(urls) == 1
    assert story.verdicts(house, shop) == [("open", "")]
