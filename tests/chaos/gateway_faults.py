"""How the gateway misbehaves while it charges."""

import json
import random
from typing import Any

from plugin_backend.sdk.http import HttpClient, Request, raise_for_status

_KINDS = ("lost_before", "lost_answer", "error_after", "garbage")


class GatewayFaults:
    """Faults of all kinds by chance, until they are stopped."""

    def __init__(self, url: str, seed: int) -> None:
        self._url = url
        self._http = HttpClient(allow_private=True, timeout=10.0)
        self._random = random.Random(seed)
        self._set = dict.fromkeys(_KINDS, 0)

    def begin(self) -> None:
        pass

    def top_up(self, wanted: int) -> None:
        shown = self._ask("GET", None)
        while sum(self._set.values()) < wanted:
            kind = self._random.choice(_KINDS)
            self._set[kind] += 1
            shown[kind] += 1
            self._ask("POST", {kind: shown[kind]})

    def counted(self) -> dict[str, int]:
        shown = self._ask("GET", None)
        return {kind: self._set[kind] - shown[kind] for kind in _KINDS}

    def stop(self) -> None:
        pass

    def _ask(self, method: str, body: Any) -> Any:
        raw = b"" if body is None else json.dumps(body).encode()
        sent = Request(method, f"{self._url}/_test/switches", {"Content-Type": "application/json"}, raw)
        return json.loads(raise_for_status(self._http.send(sent), "faults").body)
