"""What the story expects to see, and what it says where it does not."""

from plugin_backend.sdk.errors import RepriseError


class Unexpected(RepriseError):
    """Something is not as the story goes. The message says what was expected and what was there."""

    permanent = True


def expect(met: object, otherwise: str) -> None:
    """``Unexpected`` with these words unless it is met."""
    if not met:
        raise Unexpected(otherwise)
