"""What cannot be had of a shop."""

from plugin_backend.sdk.errors import RepriseError


class Unknown(RepriseError):
    """There is no such thing here."""

    permanent = True


class NotATestShop(RepriseError):
    """Only a test shop's clock can be moved."""

    permanent = True


class NotAble(RepriseError):
    """The shop lacks something without which it could not keep its offers."""

    permanent = True
