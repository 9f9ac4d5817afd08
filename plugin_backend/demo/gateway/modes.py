"""The modes of an account, as the gateway behaves in them. What the adapter declares of each stands on its own side, as
with a real gateway; the probe and the contract tests hold the two against each other."""

from dataclasses import dataclass
from datetime import timedelta

_DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Mode:
    """How an account behaves. ``key_window`` None: idempotency keys are not kept at all. ``looks_up``: charges and
    refunds can be found by reference; ``lags``: only some time after they were made. ``keeps_errors``: a 500 that was
    given is given again to its key, though money moved. ``signs``: callbacks are signed. ``slow_refunds``: a refund is
    pending first."""

    key_window: timedelta | None = _DAY
    looks_up: bool = True
    lags: bool = False
    keeps_errors: bool = False
    signs: bool = True
    slow_refunds: bool = False


MODES = {
    "default": Mode(),
    "hour_keys": Mode(key_window=timedelta(hours=1), slow_refunds=True),
    "no_keys": Mode(key_window=None),
    "no_look_up": Mode(looks_up=False),
    "nothing": Mode(key_window=None, looks_up=False),
    "lagging": Mode(lags=True),
    "replays_errors": Mode(keeps_errors=True),
    "ignores_keys": Mode(key_window=None),
    "unsigned": Mode(signs=False),
}
