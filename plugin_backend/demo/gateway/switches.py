"""The test switches: how the gateway misbehaves, for one account or for all. They live in memory only."""

import threading
from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

ALL = ""
_COUNT = validate.Range(min=0, max=1_000_000)
_SECONDS = validate.Range(min=0, max=86_400)


class SwitchesSchema(Schema):
    """The switches by name, with the value each has when nobody touched it.

    Counts are used up one by one by the requests they hit. ``latency`` is in milliseconds. ``next_decline`` is a code
    for the next ``next_decline_count`` new charges, ``next_advice`` the network's advice beside it. ``setup_seconds`` is how long (real time) a card page can be used.
    ``currencies`` names those that the account takes, separated by spaces; "" for all.
    """

    class Meta:
        unknown = RAISE

    latency = fields.Float(load_default=0.0, validate=_SECONDS)
    slow = fields.Float(load_default=0.0, validate=_SECONDS)
    down = fields.String(load_default="", validate=validate.OneOf(["", "503", "drop"]))
    lost_before = fields.Integer(load_default=0, validate=_COUNT)
    lost_answer = fields.Integer(load_default=0, validate=_COUNT)
    error_before = fields.Integer(load_default=0, validate=_COUNT)
    error_after = fields.Integer(load_default=0, validate=_COUNT)
    in_progress = fields.Integer(load_default=0, validate=_COUNT)
    too_many = fields.Integer(load_default=0, validate=_COUNT)
    garbage = fields.Integer(load_default=0, validate=_COUNT)
    reset = fields.Integer(load_default=0, validate=_COUNT)
    currencies = fields.String(load_default="", validate=validate.Regexp(r"([A-Z]{3}( [A-Z]{3})*)?\Z"))
    refund_fails = fields.Integer(load_default=0, validate=_COUNT)
    next_decline = fields.String(load_default="", validate=validate.Regexp(r"[a-z0-9_]{0,40}\Z"))
    next_advice = fields.String(load_default="", validate=validate.Regexp(r"[A-Za-z0-9_]{0,40}\Z"))
    next_decline_count = fields.Integer(load_default=0, validate=_COUNT)
    callback_off = fields.Boolean(load_default=False)
    callback_twice = fields.Boolean(load_default=False)
    callback_out_of_order = fields.Boolean(load_default=False)
    callback_late = fields.Float(load_default=0.0, validate=_SECONDS)
    setup_seconds = fields.Integer(load_default=86_400, validate=_COUNT)


_SCHEMA = SwitchesSchema()
DEFAULTS: Mapping[str, Any] = _SCHEMA.load({})


class Switches:
    """What is switched, by account id; what an account does not set itself it has from ``ALL``."""

    def __init__(self) -> None:
        self._set: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def change(self, account: str, values: Mapping[str, Any]) -> None:
        """Set some switches. ``ValueError`` names those that cannot be read; then nothing is set."""
        try:
            loaded = _SCHEMA.load(dict(values), partial=True)
        except ValidationError as error:
            raise ValueError(f"cannot read: {', '.join(sorted(map(str, error.messages_dict)))}") from error
        if loaded.get("next_decline") and not loaded.get("next_decline_count"):
            loaded["next_decline_count"] = 1
        with self._lock:
            self._set.setdefault(account, {}).update(loaded)

    def reset(self, account: str) -> None:
        """Forget what one account has set; ``ALL`` forgets everything."""
        with self._lock:
            if account == ALL:
                self._set.clear()
            self._set.pop(account, None)

    def get(self, account: str, name: str) -> Any:
        own, common = self._set.get(account, {}), self._set.get(ALL, {})
        return own.get(name, common.get(name, DEFAULTS[name]))

    def shown(self, account: str = ALL) -> dict[str, Any]:
        """All switches as they act on an account."""
        return {name: self.get(account, name) for name in DEFAULTS}

    def take(self, account: str, name: str) -> bool:
        """Use one up; False where none is left. An account's own come before the common ones."""
        with self._lock:
            for scope in (account, ALL):
                left = self._set.get(scope, {}).get(name, 0)
                if left > 0:
                    self._set[scope][name] = left - 1
                    return True
        return False

    def take_decline(self, account: str) -> tuple[str, str]:
        """The code that the next charge must be declined with, or "", and the network's advice beside it."""
        code, advice = str(self.get(account, "next_decline")), str(self.get(account, "next_advice"))
        return (code, advice) if code and self.take(account, "next_decline_count") else ("", "")
