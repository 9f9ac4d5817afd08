"""The application: the only file that knows all the parts."""

from typing import Any, Literal

from flask import Flask
from redis.exceptions import RedisError
from sqlalchemy import create_engine, inspect, text

from plugin_backend.core import config, db, log, queue, registry, seal
from plugin_backend.core.house import House
from plugin_backend.domain import vault
from plugin_backend.sdk.errors import RepriseError
from plugin_backend.web import (
    errors,
    handover,
    health,
    offer_pages,
    opt_in,
    portal,
    security,
    storefront,
    unsubscribe,
)
from plugin_backend.web.dashboard import dashboard
from plugin_backend.web.proxies import TrustedProxies
from plugin_backend.web.webhooks import HookDoor
from plugin_backend.worker import clock, jobs

MIGRATION_HEAD = "0001"
_NOT_MIGRATED = "the database is not migrated: run reprise migrate"
Part = Literal["web", "worker", "clock", "cli"]
# Only these are given the root keys, and only they read where those are.
_OPENS_TOKENS: tuple[Part, ...] = ("worker", "cli")


class NotReady(RepriseError):
    """The process must not start: what it stands on is missing. The message is one line for the operator."""

    permanent = True


def create_app(settings: config.Config | None = None, *, part: Part = "web") -> Flask:
    """The application of one process. The web part is given no key that opens a token."""
    settings = settings or config.load(root=part in _OPENS_TOKENS)
    log.configure(settings.log_level)
    app = Flask("plugin_backend", static_folder="static")
    app.config.update(
        SQLALCHEMY_DATABASE_URI=db.engine_url(settings.database_url),
        SQLALCHEMY_ENGINE_OPTIONS={
            "connect_args": db.connect_args(db.CLOCK_ROLE if part == "clock" else db.APP_ROLE),
            "pool_pre_ping": True,
            # An error tells its statement, but not with whose name, address or token it was made.
            "hide_parameters": True,
            "pool_size": 8,
            "max_overflow": 16,
        },
        MAX_CONTENT_LENGTH=256 * 1024,
        MAX_FORM_MEMORY_SIZE=256 * 1024,
        MAX_FORM_PARTS=200,
    )
    db.db.init_app(app)
    keys = seal.load_keys(settings.keys, settings.root if part in _OPENS_TOKENS else None)
    app.extensions["reprise"] = House(settings, keys, queue.Bells(queue.connect(settings.redis_url)), part)
    if part == "web":
        _open_doors(app)
    return app


def _open_doors(app: Flask) -> None:
    ours = (health, storefront, offer_pages, portal, unsubscribe, opt_in, handover)
    for blueprint in (*(part.pages for part in ours), dashboard):
        app.register_blueprint(blueprint)
    errors.install(app)
    security.install(app)
    settings = app.extensions["reprise"].config
    app.wsgi_app = TrustedProxies(settings, HookDoor(app, app.wsgi_app))  # type: ignore[assignment]


def check_ready(app: Flask) -> None:
    """``NotReady`` with one line unless the database is migrated, the keys that its data needs are at hand where they
    have to be, Redis keeps what it is given, and the adapters load."""
    house: House = app.extensions["reprise"]
    registry.connectors()
    registry.gateways()
    with app.app_context():
        try:
            with db.db.engine.connect() as connection:
                if not inspect(connection).has_table("alembic_version"):
                    raise NotReady(_NOT_MIGRATED)
                found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        except db.DatabaseError as error:
            said = db.first_line(error)
            # The roles we work as are made by the migration: without it not even a connection comes about.
            absent = any(f'role "{role}" does not exist' in said for role in (db.APP_ROLE, db.CLOCK_ROLE))
            raise NotReady(_NOT_MIGRATED if absent else f"the database does not answer: {said}") from None
    if found != MIGRATION_HEAD:
        raise NotReady(f"the database is at migration {found}, not {MIGRATION_HEAD}: run reprise migrate")
    if house.keys.roots is not None:
        check_roots(app, house.keys.roots)
    if house.part != "clock":
        _check_door(app, house.keys)
    try:
        queue.check_redis(queue.connect(house.config.redis_url))
    except RedisError as error:
        raise NotReady(f"Redis does not answer: {type(error).__name__}") from None


def check_roots(app: Flask, provider: seal.RootProvider) -> None:
    """``NotReady`` with one line that names the root keys that the data needs, unless all of them are held."""
    with app.app_context(), db.transaction(None) as session:
        needed = vault.needed_roots(session)
    if said := seal.roots.missing(provider, needed):
        raise NotReady(said)


def _check_door(app: Flask, keys: seal.Keys) -> None:
    """``NotReady`` where ``door.key`` is another one than the data was sealed for: no webhook could be judged."""
    with app.app_context(), db.transaction(None) as session:
        needed = vault.needed_door(session)
    if needed not in ("", keys.door_id):
        raise NotReady(f"the data needs {needed}: door.key in REPRISE_KEYS is {keys.door_id}")


def clock_of(app: Flask) -> clock.Clock:
    """The clock process's clock."""
    house: Any = app.extensions["reprise"]
    with app.app_context():
        timers = [(model.__tablename__, bell) for model, bell in jobs.timers()]
        return clock.Clock(db.db.engine, house.bells, timers, house.config.clock_grain)


def owner_engine(settings: config.Config) -> Any:
    """An engine that works as the owner: for migrations only."""
    return create_engine(db.engine_url(settings.database_owner_url))
