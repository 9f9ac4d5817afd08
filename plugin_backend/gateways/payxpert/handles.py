"""What we keep of PayXpert's names. Its merchantToken is a bearer secret: it is in a card's token, which the vault seals,
and in a page's handle, which is sealed under the account's own password; nowhere else."""

import base64
import binascii
import re
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_OF = b"payxpert page handles v1"
_PREFIX = "page_"
_NAME = r"[A-Za-z0-9_-]{1,128}"
NAME = re.compile(_NAME)
_PAGE = re.compile(rf"({_NAME})\.({_NAME})")
TRANSACTION = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Page:
    """A prepared payment: ``merchant`` asks about it, ``customer`` is the page's address."""

    merchant: str = field(repr=False)
    customer: str = field(repr=False)

    def sealed(self, password: str) -> str:
        """The same page under the same password is the same text: a set-up that is told twice is known again."""
        told = f"{self.merchant}.{self.customer}".encode()
        return _PREFIX + base64.urlsafe_b64encode(_cipher(password).encrypt(told, [])).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Card:
    """What can be charged later: the transaction that stored the card, and the payment it belongs to."""

    transaction: str = field(repr=False)
    merchant: str = field(repr=False)

    @property
    def token(self) -> str:
        return f"{self.transaction}.{self.merchant}"


def card_of(token: str) -> Card | None:
    found = _PAGE.fullmatch(token)
    return Card(found[1], found[2]) if found else None


def page_of(handle: str, password: str) -> Page | None:
    """The page behind a handle; None where it is none of this account's, or was sealed under an earlier password."""
    if not handle.startswith(_PREFIX) or not password:
        return None
    try:
        sealed = base64.urlsafe_b64decode(handle[len(_PREFIX) :] + "=" * (-len(handle[len(_PREFIX) :]) % 4))
        told = _cipher(password).decrypt(sealed, []).decode()
    except (InvalidTag, binascii.Error, ValueError):
        return None
    found = _PAGE.fullmatch(told)
    return Page(found[1], found[2]) if found else None


def _cipher(password: str) -> AESSIV:
    return AESSIV(HKDF(SHA256(), 32, None, _KEY_OF).derive(password.encode()))
