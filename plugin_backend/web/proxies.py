"""Behind a proxy: whose word is taken for where a visitor comes from."""

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from plugin_backend.core.config import Config


class TrustedProxies:
    """WSGI in front of WSGI: where a request comes from a listed proxy, the last address that it did not come through
    and the scheme it names count; from anybody else these headers mean nothing."""

    def __init__(self, settings: Config, behind: Callable[..., Iterable[bytes]]) -> None:
        self._trusted = [ipaddress.ip_network(network.strip()) for network in settings.trusted_proxies]
        self._behind = behind

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if self._trusted and self._is_trusted(environ.get("REMOTE_ADDR", "")):
            self._believe(environ)
        return self._behind(environ, start)

    def _believe(self, environ: dict[str, Any]) -> None:
        came_through = [
            part.strip() for part in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()
        ]
        while came_through:
            environ["REMOTE_ADDR"] = came_through.pop()
            if not self._is_trusted(environ["REMOTE_ADDR"]):
                break
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "")
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted if network.version == parsed.version)
