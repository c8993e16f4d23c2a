# SPDX-License-Identifier: GPL-3.0-or-later
"""One-time sign-in links and signed-in browsers, in SQL: they can be listed, revoked, and are worthless when stolen from disk.

A token is 256 random bits; only its SHA-256 is kept (a slow hash protects weak secrets, and these are not).
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from crm_sync.models.people import Person
from crm_sync.models.service import SigninToken, WebSession
from crm_sync.rights import Viewer, fetch_viewer
from tradepost.addresses import address_key
from tradepost.errors import Refusal

SESSION_LASTS = timedelta(days=14)
ROTATE_AFTER = timedelta(hours=12)
# A page and its live part may be on their way with the old cookie while the new one is being handed out.
ROTATION_GRACE = timedelta(seconds=60)
_KEPT_AFTERWARDS = timedelta(days=30)


class UnknownPerson(Refusal, LookupError):
    """No such person is registered, or no longer."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A browser that showed a valid cookie: whose it is, and how old and how lasting the cookie is."""

    viewer: Viewer
    created_at: datetime
    expires_at: datetime


def digest(token: str) -> str:
    """Return what is kept of a token."""
    return sha256(token.encode("utf-8", "replace")).hexdigest()


def make_signin_token(session: Session, email: str, minutes: int, now: datetime) -> str:
    """Keep a new one-time token for a registered person and return it.  Raises UnknownPerson."""
    person_id = session.execute(
        select(Person.id).where(Person.email == address_key(email), Person.left_at.is_(None))
    ).scalar_one_or_none()
    if person_id is None:
        raise UnknownPerson(f"{email}: no such person is registered; 'tradepost directory show' lists everybody")
    token = secrets.token_urlsafe(32)
    session.add(
        SigninToken(token_sha256=digest(token), person_id=person_id, expires_at=now + timedelta(minutes=minutes))
    )
    return token


def peek_signin_token(session: Session, token: str, now: datetime) -> str | None:
    """Return the email a link would sign in, without using it up; None: used, expired or never made."""
    return session.execute(
        select(Person.email)
        .join(SigninToken, SigninToken.person_id == Person.id)
        .where(
            SigninToken.token_sha256 == digest(token),
            SigninToken.used_at.is_(None),
            SigninToken.expires_at > now,
            Person.left_at.is_(None),
        )
    ).scalar_one_or_none()


def use_signin_token(session: Session, token: str, now: datetime) -> int | None:
    """Use a link up and return whose it is; None: used, expired or never made.  One statement, so it works once."""
    present = select(Person.id).where(Person.left_at.is_(None))
    return session.execute(
        update(SigninToken)
        .where(
            SigninToken.token_sha256 == digest(token),
            SigninToken.used_at.is_(None),
            SigninToken.expires_at > now,
            SigninToken.person_id.in_(present),
        )
        .values(used_at=now)
        .returning(SigninToken.person_id)
    ).scalar_one_or_none()


def start_session(session: Session, person_id: int, now: datetime) -> str:
    """Sign a browser in and return its cookie; what ended long ago is swept away."""
    session.execute(delete(WebSession).where(WebSession.expires_at < now - _KEPT_AFTERWARDS))
    session.execute(delete(SigninToken).where(SigninToken.expires_at < now - _KEPT_AFTERWARDS))
    return _add(session, person_id, now, now + SESSION_LASTS)


def find_session(session: Session, cookie: str, now: datetime) -> SignedIn | None:
    """Return who is signed in by that cookie; None: nobody, or he left the company."""
    row = session.get(WebSession, digest(cookie))
    if row is None or row.revoked_at is not None or row.expires_at <= now:
        return None
    viewer = fetch_viewer(session, row.person_id)
    return None if viewer is None else SignedIn(viewer, row.created_at, row.expires_at)


def rotate_session(session: Session, cookie: str, signed_in: SignedIn, now: datetime) -> str:
    """Replace a cookie that has been used for long.  The new one lasts no longer than the old one would have."""
    session.execute(
        update(WebSession).where(WebSession.token_sha256 == digest(cookie)).values(expires_at=now + ROTATION_GRACE)
    )
    return _add(session, signed_in.viewer.person_id, now, signed_in.expires_at)


def end_session(session: Session, cookie: str, now: datetime) -> None:
    """Sign a browser out."""
    session.execute(update(WebSession).where(WebSession.token_sha256 == digest(cookie)).values(revoked_at=now))


def _add(session: Session, person_id: int, now: datetime, expires_at: datetime) -> str:
    cookie = secrets.token_urlsafe(32)
    session.add(WebSession(token_sha256=digest(cookie), person_id=person_id, created_at=now, expires_at=expires_at))
    return cookie
