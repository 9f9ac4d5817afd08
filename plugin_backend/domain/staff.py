"""Who may sign in to the dashboard, and their sessions."""

import base64
import secrets
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core.db import Base
from plugin_backend.core.ids import new_id
from plugin_backend.core.seal import hash_key
from plugin_backend.domain import merchants
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import RepriseError

SHORTEST_PASSWORD = 12
IDLE, LONGEST = timedelta(minutes=30), timedelta(hours=12)
LINK_LASTS = timedelta(minutes=15)


class User(Base):
    """Somebody who may see every shop of a merchant."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(primary_key=True)
    merchant_id: Mapped[str]
    email: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.real_now)

    def __repr__(self) -> str:
        return f"<User {self.id}>"


class StaffSession(Base):
    """A signed-in browser: a random token, of which only the hash is kept."""

    __tablename__ = "staff_sessions"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(index=True)
    csrf: Mapped[str]
    begun_at: Mapped[datetime] = mapped_column(default=clock.real_now)
    seen_at: Mapped[datetime] = mapped_column(default=clock.real_now)


class WeakPassword(RepriseError):
    """The password is too short."""

    permanent = True


def add_user(session: Session, merchant_id: str, email: str, password: str) -> User:
    """A new user; ``WeakPassword`` under 12 characters."""
    if len(password) < SHORTEST_PASSWORD:
        raise WeakPassword(f"a password has at least {SHORTEST_PASSWORD} characters")
    user = User(
        id=new_id("usr"), merchant_id=merchant_id, email=email.strip().lower(), password=_hash(password)
    )
    session.add(user)
    return user


def addresses(session: Session, merchant_id: str) -> list[str]:
    """Where whoever may see the merchant's shops is written to."""
    return list(session.scalars(select(User.email).where(User.merchant_id == merchant_id).order_by(User.id)))


def sign_in(session: Session, email: str, password: str) -> User | None:
    """The user, or None; both take the time of one hash, so that it does not tell whether the address is known."""
    user = session.scalar(select(User).where(User.email == email.strip().lower()))
    try:
        Argon2id.verify_phc_encoded(password.encode(), user.password if user else _NOBODY)
    except InvalidKey:
        return None
    return user


def begin_session(session: Session, user: User) -> str:
    """A new session's token, for the cookie; it is not kept."""
    token = secrets.token_urlsafe(32)
    session.add(StaffSession(token_hash=hash_key(token), user_id=user.id, csrf=secrets.token_urlsafe(24)))
    return token


def find_session(session: Session, token: str) -> tuple[StaffSession, User] | None:
    """The session and its user while it lives: 30 minutes from the last look, 12 hours in all."""
    row = session.get(StaffSession, hash_key(token))
    now = clock.real_now()
    if row is None or now - row.seen_at > IDLE or now - row.begun_at > LONGEST:
        return None
    user = session.get(User, row.user_id)
    if user is None:
        return None
    row.seen_at = now
    return row, user


def session_id(token: str) -> str:
    """What a session may be known by, without being able to use it."""
    return hash_key(token)


def end_session(session: Session, token: str) -> None:
    session.execute(delete(StaffSession).where(StaffSession.token_hash == hash_key(token)))


def sign_in_link(session: Session, user: User, *, lasts: timedelta = LINK_LASTS) -> str:
    """The path of a link that signs the user in, once, within ``lasts``. When it ends is part of its secret, of which
    only the hash is kept, so nobody can put that off."""
    ends = int((clock.real_now() + lasts).timestamp())
    secret = f"{ends}-{secrets.token_urlsafe(32)}"
    merchants.open_door(session, "sign_in", secret, "", user.id)
    return f"/login/{secret}"


def use_link(session: Session, secret: str) -> User | None:
    """The user whom a sign-in link is for; None where it was used before, is over, or never was."""
    door = session.get(merchants.Door, hash_key(secret), with_for_update=True)
    if door is None or door.kind != "sign_in":
        return None
    session.delete(door)
    over = clock.real_now().timestamp() >= int(secret.partition("-")[0])
    return None if over else session.get(User, door.row_id)


def _hash(password: str) -> str:
    # OWASP ASVS 5.0, 11.4.2 asks for at least m=47104 KiB, t=1, p=1.
    kdf = Argon2id(salt=secrets.token_bytes(16), length=32, iterations=2, lanes=1, memory_cost=65536)
    return kdf.derive_phc_encoded(password.encode())


def _phc(size: int) -> str:
    return base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()


# No password has this hash, and checking one against it takes as long as any other. Hashing one here would cost every
# process half a second at its start.
_NOBODY = f"$argon2id$v=19$m=65536,t=2,p=1${_phc(16)}${_phc(32)}"
