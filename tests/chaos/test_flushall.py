"""Redis may forget everything at any moment: we are late, never wrong."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from plugin_backend.launcher.data import load_runtime

# No step of the story takes longer than this when bells are lost all the time: the clock rings again.
LATEST = 30.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path that root's PostgreSQL account may pass through."""
    made = Path(tempfile.mkdtemp(prefix="flush-"))
    made.chmod(0o711 if os.geteuid() == 0 else 0o700)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def flush(folder: Path) -> bool:
    """Let the Redis of the story that lives in the folder forget everything; False while there is none."""
    for home in folder.glob("reprise-smoke-*/demo"):
        runtime = load_runtime(home)
        if runtime is None:
            return False
        try:
            with Redis.from_url(runtime.environment["REDIS_URL"]) as redis:
                redis.flushall()
        except RedisError:
            return False
        return True
    return False


def test_the_whole_story_is_lived_while_redis_forgets_everything_all_the_time(folder: Path) -> None:
    command = [sys.executable, "-m", "plugin_backend.cli", "demo", "--smoke", "--json"]
    environment = {**os.environ, "TMPDIR": str(folder)}
    told_path = folder / "told.json"
    flushed = 0
    with (
        told_path.open("wb") as told,
        subprocess.Popen(command, stdout=told, stderr=subprocess.PIPE, env=environment) as story,
    ):
        while story.poll() is None:
            flushed += flush(folder)
            time.sleep(0.4)
        said = story.stderr.read().decode() if story.stderr else ""
    found = json.loads(told_path.read_text() or "{}")

    assert found.get("ok"), f"{found.get('failed')}: {found.get('reason')} {said[-2000:]}"
    assert flushed > 20
    slow = {step["step"]: step["seconds"] for step in found["steps"][1:-1] if step["seconds"] > LATEST}
    assert slow == {}
