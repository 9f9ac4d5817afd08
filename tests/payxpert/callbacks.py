"""Callbacks as PayXpert makes them: the payment's status, unsigned, sent again until somebody says OK. And the data that a
browser carries back, which anybody who has the merchantToken could have made."""

import base64
import json
import threading
import time
import urllib.request
from typing import Any
from urllib.error import URLError

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from plugin_backend.demo.gateway.faults import ON_CALLBACKS, Faults

_AGAIN = (0.0, 1.0, 3.0)


def post(faults: Faults, originator: str, url: str, told: dict[str, Any]) -> None:
    """Send it from a thread of its own, as chance will have it."""
    fault = faults.draw(originator, ON_CALLBACKS, told["merchantToken"])
    if not url or fault == "callback_lost":
        return
    wait = (
        faults.late(originator)
        if fault == "callback_late"
        else 2.0
        if fault == "callback_out_of_order"
        else 0.0
    )
    times = 2 if fault == "callback_twice" else 1
    body = json.dumps(told).encode()
    threading.Thread(target=_send, args=(url, body, wait, times), daemon=True).start()


def _send(url: str, body: bytes, wait: float, times: int) -> None:
    time.sleep(wait)
    for _ in range(times):
        for pause in _AGAIN:
            time.sleep(pause)
            if _acknowledged(url, body):
                break


def _acknowledged(url: str, body: bytes) -> bool:
    """A 2xx is enough, whatever stands in it; else JSON that says OK."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bool(200 <= answer.status < 300)
    except (URLError, OSError):
        return False


def redirect_data(merchant: str, told: dict[str, Any]) -> str:
    """AES-128-ECB under the merchantToken: it hides the status from the browser, and proves nothing."""
    key = base64.urlsafe_b64decode(merchant + "=" * (-len(merchant) % 4))
    padder = PKCS7(128).padder()
    padded = padder.update(json.dumps(told).encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return base64.urlsafe_b64encode(encryptor.update(padded) + encryptor.finalize()).decode()
