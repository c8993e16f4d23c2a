# SPDX-License-Identifier: GPL-3.0-or-later
"""The program's own bookkeeping: what the directory must learn, how far the mail log was read, who is signed in."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm_sync.models.base import Base


class DirectoryChange(Base):
    """A derived key's new value, written in the transaction that changed it.  None: the key is gone."""

    __tablename__ = "directory_change"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(400))
    value: Mapped[bytes | None] = mapped_column(LargeBinary)
    # A number is never given twice, also after old rows were pruned: the directory compares by it.
    __table_args__ = ({"sqlite_autoincrement": True},)


class MaillogPosition(Base):
    """How far a mail log was read; written in the same transaction as what was read there."""

    __tablename__ = "maillog_position"
    instance: Mapped[str] = mapped_column(String(255), primary_key=True)
    path: Mapped[str] = mapped_column(String(500), primary_key=True)
    inode: Mapped[int] = mapped_column(default=0)
    offset: Mapped[int] = mapped_column(default=0)
    cursor: Mapped[str] = mapped_column(Text, default="")
    read_at: Mapped[datetime]


class SigninToken(Base):
    """A one-time sign-in link; only the digest of the token is kept."""

    __tablename__ = "signin_token"
    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class WebSession(Base):
    """A signed-in browser; only the digest of its cookie is kept, so that it can be listed and revoked."""

    __tablename__ = "web_session"
    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
