"""The WooCommerce plugin, run by PHP: by the one on PATH, and by 7.4 in WebAssembly where it was installed with
``npm install`` in this folder."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PLUGIN = HERE.parent.parent / "connectors" / "woocommerce" / "shop_side" / "reprise"
SECRET = "whsec_" + "cGx1Z2luLXNlY3JldC1vZi10aGlydHktdHdvLWJ5dGVz"
CONNECTION = {
    "house": "https://reprise.example/",
    "shop": "abcdefghijklmnopqrstuvwxyz234567",
    "hook": "https://reprise.example/hooks/abc",
    "secret": SECRET,
}

_ON_PATH = shutil.which("php")
_NODE, _PHP_74 = shutil.which("node"), HERE / "php74.mjs"
INTERPRETERS: dict[str, Sequence[str]] = {
    "php": [_ON_PATH] if _ON_PATH else [],
    "php7.4": [_NODE, str(_PHP_74)] if _NODE and (HERE / "node_modules" / "@php-wasm").is_dir() else [],
}


def interpreter(name: str) -> Sequence[str]:
    """The command of an interpreter. Where it is missing the test is skipped, loudly; where ``CI`` is set it fails."""
    if not INTERPRETERS[name]:
        said = f"no {name} on this machine: the plugin was NOT run by it"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)
    return INTERPRETERS[name]


def tell(php: Sequence[str], folder: Path, *steps: Sequence[Any], connected: bool = True) -> list[Any]:
    """Live a story in a shop with the plugin: what each step gave."""
    told = [["connect", CONNECTION]] if connected else []
    file = folder / "steps.json"
    file.write_text(json.dumps([*told, ["start"], *steps]))
    done = subprocess.run(
        [*php, str(HERE / "shop.php"), str(PLUGIN), str(file)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)[len(told) + 1 :]
