"""What a process needs to know, read from the environment once; every ``NAME`` may also be given as ``NAME_FILE``."""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environs import Env, EnvValidationError
from marshmallow import ValidationError, validate

from plugin_backend.core.seal import Choice, roots
from plugin_backend.sdk.errors import RepriseError


class ConfigError(RepriseError):
    """A setting is missing or malformed. The message is one line that names every such setting."""

    permanent = True


@dataclass(frozen=True, slots=True)
class Config:
    """``database_owner_url`` is used by migrations only and is the same as ``database_url`` unless set apart;
    ``database_admin_url`` by backup and restore, "" where the server is ours.
    ``clock_grain`` is in seconds. ``base_url`` is where the outside reaches us; ``trusted_proxies`` the networks whose
    word on the visitor's address and scheme is taken. ``sandbox_url`` is where the sandbox gateway answers, "" where there is none.
    ``dkim_selector`` names the key that signs our mails, "" where that is not known; ``nameserver`` is who is asked about our
    sender's domain, "" for the machine's own.
    ``root`` says who holds the root keys; only a process that opens tokens has read it."""

    database_url: str = field(repr=False)
    database_owner_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    base_url: str
    keys: Path
    mail_url: str = field(repr=False)
    mail_from: str
    sandbox_url: str
    clock_grain: float
    log_level: str
    trusted_proxies: tuple[str, ...] = ()
    database_admin_url: str = field(default="", repr=False)
    dkim_selector: str = ""
    nameserver: str = ""
    root: Choice = field(default_factory=Choice)


def load(environ: Mapping[str, str] | None = None, *, root: bool = False) -> Config:
    """The settings of this process, those of the root keys only with ``root``. ``ConfigError`` names all that are missing
    or malformed, not just the first."""
    env = _Given(os.environ if environ is None else environ)
    url = _url_of("postgresql", "postgres")
    with env.prefixed(""):
        database_url = env.str("DATABASE_URL", validate=url)
        config = Config(
            database_url=database_url,
            database_owner_url=env.str("DATABASE_OWNER_URL", default=database_url, validate=url),
            redis_url=env.str("REDIS_URL", validate=_url_of("redis", "rediss", "unix")),
            base_url=env.str("REPRISE_URL", validate=_url_of("http", "https")),
            keys=env.path("REPRISE_KEYS"),
            mail_url=env.str("MAIL_URL", validate=_url_of("smtp", "smtps")),
            mail_from=env.str("MAIL_FROM", default="reprise@localhost", validate=validate.Length(min=3)),
            sandbox_url=env.str("REPRISE_SANDBOX_URL", default="", validate=_url_of("http", "https", "")),
            clock_grain=env.float(
                "REPRISE_CLOCK_GRAIN", default=10.0, validate=validate.Range(min=0.05, max=60)
            ),
            log_level=env.str("REPRISE_LOG_LEVEL", default="INFO", validate=validate.OneOf(_LEVELS)),
            trusted_proxies=tuple(env.list("REPRISE_TRUSTED_PROXIES", default=[], validate=_networks) or ()),
            database_admin_url=env.str(
                "DATABASE_ADMIN_URL", default="", validate=_url_of("postgresql", "postgres", "")
            ),
            dkim_selector=env.str("REPRISE_DKIM_SELECTOR", default="", validate=_label),
            nameserver=env.str("REPRISE_NAMESERVER", default="", validate=_nameserver),
            root=_choice(env) if root else Choice(),
        )
    try:
        env.seal()
    except EnvValidationError as error:
        raise ConfigError(_all_of(error)) from None
    return config


def load_root(environ: Mapping[str, str] | None = None) -> Choice:
    """Where root keys are, for a command that needs nothing else. ``ConfigError`` as with ``load``."""
    env = _Given(os.environ if environ is None else environ)
    with env.prefixed(""):
        choice = _choice(env)
    try:
        env.seal()
    except EnvValidationError as error:
        raise ConfigError(_all_of(error)) from None
    return choice


def _choice(env: Env) -> Choice:
    """The kinds of provider, and what those kinds need."""
    given = env.list("REPRISE_ROOT", default=["file"], validate=_known_kinds) or []
    kinds = tuple(map(str.strip, given))
    needs = [name for kind in kinds for name in roots.KINDS[kind].needs]
    return Choice(kinds, {name: env.str(name, validate=validate.Length(min=1)) for name in needs})


def under(ours: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` with what we name ourselves over it: a ``NAME_FILE`` of it does not win over our ``NAME`` either."""
    inherited = {name: value for name, value in environ.items() if name.removesuffix("_FILE") not in ours}
    return {**inherited, **ours}


class _Given(Env):
    """Reads from the mapping it is given and from nowhere else; ``NAME_FILE`` names a file that holds the value."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__(eager=False)
        self._given = given

    def _get_value(self, env_key: str, default: Any) -> Any:
        file = self._given.get(f"{env_key}_FILE")
        if not file:
            return self._given.get(env_key, default)
        try:
            return Path(file).read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            self._errors[f"{env_key}_FILE"].append(f"{error.strerror}.")
        except UnicodeError:
            self._errors[f"{env_key}_FILE"].append("Not a text in UTF-8.")
        return default


_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def _all_of(error: EnvValidationError) -> str:
    messages = error.error_messages
    named = messages.items() if isinstance(messages, dict) else [("", messages)]
    return "settings: " + "; ".join(f"{name}: {' '.join(map(str, said))}" for name, said in sorted(named))


def _known_kinds(values: list[str]) -> None:
    if not values or not set(map(str.strip, values)) <= roots.KINDS.keys():
        raise ValidationError(f"must be one of {', '.join(roots.KINDS)}, or several with commas between")


def _networks(values: list[str]) -> None:
    for value in values:
        try:
            ipaddress.ip_network(value.strip())
        except ValueError:
            raise ValidationError(f"{value} is no address or network") from None


def _label(value: str) -> None:
    if value and not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", value):
        raise ValidationError(f"{value} is no selector")


def _nameserver(value: str) -> None:
    host, _, port = value.partition(":")
    try:
        if value:
            ipaddress.IPv4Address(host)
            int(port or 53)
    except ValueError:
        raise ValidationError("must be an IPv4 address, with a port behind a colon") from None


class _url_of(validate.Validator):
    def __init__(self, *schemes: str) -> None:
        self._schemes = schemes

    def __call__(self, value: str | None) -> str | None:
        scheme, separator, rest = (value or "").partition("://")
        if value == "" and "" in self._schemes:
            return value
        if not separator or not rest or scheme.partition("+")[0] not in self._schemes:
            raise ValidationError(f"must be an address that begins with {self._schemes[0]}://")
        return value
