"""Shops are connected, checked, and kept connected: addresses recognised, keys tried, tokens renewed, secrets changed."""

from plugin_backend.domain import checkups, enrolments, handovers, hook_secrets, renewals
from plugin_backend.worker.asking import OneByOne

connect = OneByOne[handovers.Ask, handovers.Answer](
    handovers.take, handovers.prepare, handovers.ask, handovers.record
)
"""Go on with the hand-over that is due."""

check = OneByOne(checkups.take, checkups.prepare, checkups.ask, checkups.record)
"""Make the checks of the connection that were asked for."""

renew = OneByOne(renewals.take, renewals.prepare, renewals.ask, renewals.record)
"""Renew the tokens that end soon."""

resign = OneByOne(hook_secrets.take, hook_secrets.prepare, hook_secrets.ask, hook_secrets.record)
"""Go on with a new webhook secret."""

enrol = OneByOne(enrolments.take, enrolments.prepare, enrolments.ask, enrolments.record)
"""Try the settings of a gateway account that were typed."""
