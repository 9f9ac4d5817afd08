"""Both shops and the switches, as one thing that can be kept in a file."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

from plugin_backend.demo.shop import saved
from plugin_backend.demo.shop.shopify.shop import ShopifyShop
from plugin_backend.demo.shop.shopify.state import State as ShopifyState
from plugin_backend.demo.shop.switches import Switches
from plugin_backend.demo.shop.woo.shop import WooShop
from plugin_backend.demo.shop.woo.state import State as WooState


@dataclass(slots=True)
class _State:
    woo: WooState = field(default_factory=WooState)
    shopify: ShopifyState = field(default_factory=ShopifyState)


class World:
    """``base`` is the address of this process without a slash; ``file`` None: forget everything at the end."""

    def __init__(self, base: str, file: Path | None) -> None:
        self._file = file
        self._state: _State = saved.read(file, _State) if file else _State()
        self._writing = threading.Lock()
        self.base = base
        self.switches = Switches()
        self.woo = WooShop(base, self._state.woo, self.switches)
        self.shopify = ShopifyShop(base, self._state.shopify, self.switches)

    def start(self) -> None:
        """From here on deliveries leave."""
        self.woo.courier.start()
        self.shopify.courier.start()

    def save(self) -> None:
        """Keep what both shops know; what waits to be delivered and the log of deliveries are not kept."""
        if self._file is None:
            return
        with self._writing, self.woo.lock, self.shopify.lock:
            saved.write(self._file, self._state)

    def idle(self) -> bool:
        return self.woo.courier.idle() and self.shopify.courier.idle()
