"""What the domain of our sender's address says of it in the DNS: who may send for it (SPF), by which key its mails are
signed (DKIM), and what is to become of others (DMARC). Mails of a domain that says nothing often land among spam."""

from collections.abc import Callable
from dataclasses import dataclass

import dns.exception
import dns.resolver

# Nobody's on the internet (RFC 2606, RFC 6761): there is nothing to look up.
_RESERVED = ("localhost", "test", "example", "invalid", "local", "internal")
# Under which names senders usually keep their keys; DNS cannot list them.
_USUAL = ("default", "mail", "dkim", "google", "selector1", "selector2", "s1", "s2", "k1", "k2", "k3", "smtp")
_PATIENCE = 3.0

# The texts at a name; None where there is no telling.
Texts = Callable[[str], list[str] | None]


@dataclass(frozen=True, slots=True)
class Said:
    """What is there of ``kind`` (spf, dkim, dmarc): True, False, or None where there is no telling. ``name`` is where it
    is to be put."""

    kind: str
    there: bool | None
    name: str


def domain_of(address: str) -> str:
    """The domain of an address of ours; "" where it is none of the internet's."""
    domain = address.rpartition("@")[2].strip(".").lower()
    return "" if "." not in domain or domain.rpartition(".")[2] in _RESERVED else domain


def look_up(domain: str, selector: str, texts: Texts) -> list[Said]:
    """What the domain says. ``selector`` names the key of DKIM; where it is "" the usual names are tried. Who does not answer
    about the domain itself is not asked about more."""
    own = texts(domain)
    if own is None:
        texts = _silence
    return [
        Said("spf", _spf(own), domain),
        _dkim(domain, (selector,) if selector else _USUAL, texts, sure=bool(selector)),
        _dmarc(domain, texts),
    ]


def _silence(name: str) -> None:
    return None


def _spf(found: list[str] | None) -> bool | None:
    """Two policies are none (RFC 7208, 4.5)."""
    return None if found is None else sum(_begins(text, "v=spf1") for text in found) == 1


def _dkim(domain: str, selectors: tuple[str, ...], texts: Texts, *, sure: bool) -> Said:
    """A key that was looked for under a guessed name and is not there may be under another."""
    there = False if sure else None
    for selector in selectors:
        found = texts(f"{selector}._domainkey.{domain}")
        if found is None:
            there = None
        elif any(_has_key(text) for text in found):
            return Said("dkim", True, f"{selector}._domainkey.{domain}")
    return Said("dkim", there, f"{selectors[0]}._domainkey.{domain}")


def _has_key(text: str) -> bool:
    tags = dict(part.strip().partition("=")[::2] for part in text.split(";"))
    return bool(tags.get("p", "").strip())


def _dmarc(domain: str, texts: Texts) -> Said:
    """The domain's own policy, else that of one it belongs to (RFC 7489, 6.6.3)."""
    above = domain
    while "." in above:
        found = texts(f"_dmarc.{above}")
        if found is None:
            return Said("dmarc", None, f"_dmarc.{domain}")
        if any(_begins(text, "v=DMARC1") for text in found):
            return Said("dmarc", True, f"_dmarc.{above}")
        above = above.partition(".")[2]
    return Said("dmarc", False, f"_dmarc.{domain}")


def _begins(text: str, what: str) -> bool:
    return text == what or text.startswith((f"{what} ", f"{what};"))


def resolver(nameserver: str = "") -> Texts:
    """Asks the machine's own name servers, or the one at ``nameserver`` (an IP address, with a port behind a colon)."""
    asking = dns.resolver.Resolver(configure=not nameserver)
    if nameserver:
        host, _, port = nameserver.partition(":")
        asking.nameservers, asking.port = [host], int(port or 53)
    asking.lifetime = _PATIENCE

    def texts(name: str) -> list[str] | None:
        try:
            answer = asking.resolve(name, "TXT")
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException:
            return None
        return [b"".join(row.strings).decode("utf-8", "replace") for row in answer]

    return texts
