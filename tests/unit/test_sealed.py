"""Rotation finds every sealed column."""

from sqlalchemy import LargeBinary

from plugin_backend.core.db import Base
from plugin_backend.domain.vault import keys, sealed
from plugin_backend.worker import jobs

# Bytes that no shop's or customer's key seals: wrapped keys themselves, what the door opens, what was received or dropped
# into an intake (gone within days, and an intake's old key is kept for thirty), hashes, and a key that tells people apart
# while a shop is looked back at and ends with that.
OTHERS = {
    "vault_keys.wrapped",
    "connections.door_settings",
    "gateway_accounts.door_settings",
    "deliveries.body",
    "deliveries.dropped",
    "enrolments.kept",
    "handovers.kept",
    "handovers.brought",
    "hook_secrets.brought",
    "lookbacks.secret",
    "vault_keys.public",
    "vault_audit.hash",
    "vault_audit.prev_hash",
    "vault_heads.hash",
    "vault_heads.prev_hash",
    "vault_seals.hash",
    "vault_seals.mac",
}


def test_every_column_of_bytes_is_sealed_for_rotation_to_find_or_is_known_not_to_be() -> None:
    assert jobs.timers(), "the tables are not loaded"
    found = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    models = [*sealed.tables(keys.SHOP), *sealed.tables(keys.CUSTOMER)]
    assert found - OTHERS == {f"{model.__tablename__}.{model.sealed_column}" for model in models}
    assert all(hasattr(model, "customer_id") for model in sealed.tables(keys.CUSTOMER))
