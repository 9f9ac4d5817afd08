"""Alembic's environment: it works on the connection it is given, in the caller's transaction."""

from alembic import context

from plugin_backend.core.db import Base
from plugin_backend.domain import billing, inbox, invariants, onboarding, reconciliation, staff

MODELS = (billing, inbox, invariants, onboarding, reconciliation, staff)

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
