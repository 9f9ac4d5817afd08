"""The sandbox gateway in the proof: what its account is set to, and how it misbehaves."""

import json
import math
from collections import Counter
from typing import Any

from plugin_backend.demo.gateway.faults import KINDS, ON_CALLBACKS, ON_LOOK_UPS, ON_MOVES, REFUSED
from plugin_backend.sdk.errors import NoAnswer, NotSent
from plugin_backend.sdk.http import HttpClient, Request, raise_for_status

# How often each kind happens to each request of its sort.
_RATES = {
    REFUSED: 0.015,
    **dict.fromkeys(ON_MOVES, 0.008),
    **dict.fromkeys(ON_LOOK_UPS, 0.03),
    **dict.fromkeys(ON_CALLBACKS, 0.012),
}
_PROCESSING_SECONDS, _LAG_SECONDS = 120, 60
# A late capture comes before the end of what the gateway declares as processing.
_LATE_SHARE = 0.8
_TRIES = 20


def settings(variant: str, factor: float) -> dict[str, str]:
    """Those of the account. Its declared delays are whole seconds, rounded up on both sides alike."""
    return {
        "mode": variant,
        "processing_seconds": str(math.ceil(_PROCESSING_SECONDS * factor)),
        "lag_seconds": str(math.ceil(_LAG_SECONDS * factor)),
    }


class Faults:
    """Faults of all kinds by chance, drawn from the seed."""

    def __init__(self, url: str, seed: int, factor: float) -> None:
        self._url = f"{url}/_test/faults"
        self._http = HttpClient(allow_private=True, timeout=10.0)
        self._counted: Counter[str] = Counter()
        late = _PROCESSING_SECONDS * factor * _LATE_SHARE
        self._ask("POST", {"seed": seed, "rates": _RATES, "late": late})

    def counted(self) -> Counter[str]:
        """How many there were of each kind, up to when the gateway was last asked."""
        self._counted = Counter(self._ask("GET")["injected"])
        return self._counted

    def missing(self) -> list[str]:
        """The kinds that never were."""
        return [kind for kind in KINDS if not self._counted[kind]]

    def stop(self) -> None:
        self._ask("DELETE")

    def _ask(self, method: str, body: Any = None) -> Any:
        """The gateway refuses connections as it is told: we are refused as well, and try again."""
        raw = b"" if body is None else json.dumps(body).encode()
        sent = Request(method, self._url, {"Content-Type": "application/json"}, raw)
        for _ in range(_TRIES):
            try:
                return json.loads(raise_for_status(self._http.send(sent), "faults").body)
            except (NotSent, NoAnswer):
                continue
        raise NoAnswer("the gateway does not answer its test side")
