"""What stops a start. Every message is one line that a person can act on."""

from plugin_backend.sdk.errors import RepriseError


class CannotStart(RepriseError):
    """Something needed is missing, taken or broken; the message says what and where to look."""

    permanent = True


class StopAsked(RepriseError):
    """Somebody pressed Ctrl-C or sent SIGTERM while we were waiting; what was started is to be stopped."""
