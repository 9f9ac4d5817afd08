"""Errors that cross an adapter's door. Each says whether trying the same again can help."""


class RepriseError(Exception):
    """Base of every error of the house. ``permanent`` is True where trying again cannot help."""

    permanent = False


class BadSignature(RepriseError):
    """The delivery was not signed by the one who holds the secret, or was changed on its way."""

    permanent = True


class Unreadable(RepriseError):
    """The delivery is validly signed but says nothing we can read. The message is shown to a person,
    so it names the field and never repeats a value."""

    permanent = True


class NotOurs(Unreadable):
    """The callback can be read and is about another account than the one at whose address it came, or the other mode."""


class NotSent(RepriseError):
    """Not one byte of the request left this machine: the other side did not act."""


class NoAnswer(RepriseError):
    """The request was sent, or may have been, and no answer could be read: the other side may have acted."""


class Refused(RepriseError):
    """The other side understood the request and said no.

    ``status`` is the HTTP status (or 0), ``reason`` a short sentence without secrets; ``permanent`` is False
    where the answer itself says "later" (429, 503).
    """

    def __init__(self, reason: str, *, status: int = 0, permanent: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.permanent = permanent


class SoldOut(Refused):
    """The shop has too little of ``names``, the titles of what it could not sell, to hold an order."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__("sold_out")
        self.names = names
