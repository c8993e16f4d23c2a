# SPDX-License-Identifier: GPL-3.0-or-later
"""The first tables: people, customers, mail, conversations, rules, bookkeeping."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ROLES = ("rep", "manager", "administrator")
# (role, entity, action, reach): what a role may do without anybody's leave.
_RIGHTS = (
    ("rep", "message", "read", "own"),
    ("manager", "message", "read", "all"),
    ("administrator", "message", "read", "all"),
)


def upgrade() -> None:
    op.create_table(
        "blob",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("octets", _BIG, nullable=False),
        sa.Column("codec", sa.String(length=10), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blob")),
    )
    op.create_table(
        "company",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("policy_version", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_company")),
    )
    op.create_table(
        "directory_change",
        sa.Column("seq", _BIG, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_directory_change")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "maillog_position",
        sa.Column("instance", sa.String(length=255), nullable=False),
        sa.Column("path", sa.String(length=500), nullable=False),
        sa.Column("inode", _BIG, nullable=False),
        sa.Column("offset", _BIG, nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("instance", "path", name=op.f("pk_maillog_position")),
    )
    op.create_table(
        "own_domain",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("position", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_own_domain")),
    )
    op.create_table(
        "pool",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("delivery", sa.String(length=20), nullable=False),
        sa.Column("distribution", sa.String(length=20), nullable=False),
        sa.Column("archive", sa.String(length=320), nullable=False),
        sa.Column("expands", sa.Boolean(), nullable=False),
        sa.Column("turn", _BIG, nullable=False),
        sa.Column("position", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pool")),
        sa.UniqueConstraint("name", name=op.f("uq_pool_name")),
    )
    op.create_table(
        "role",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_role")),
    )
    op.create_table(
        "rule",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("position", _BIG, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("condition", sa.JSON(), nullable=False),
        sa.Column("effects", sa.JSON(), nullable=False),
        sa.Column("version", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule")),
    )
    op.create_table(
        "team",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("parent_id", _BIG, nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["team.id"], name=op.f("fk_team_parent_id_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team")),
        sa.UniqueConstraint("name", name=op.f("uq_team_name")),
    )
    op.create_table(
        "person",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("team_id", _BIG, nullable=True),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("languages", sa.JSON(), nullable=False),
        sa.Column("countries", sa.JSON(), nullable=False),
        sa.Column("is_away", sa.Boolean(), nullable=False),
        sa.Column("substitute_id", _BIG, nullable=True),
        sa.Column("open_conversations", _BIG, nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["role"], ["role.name"], name=op.f("fk_person_role_role")),
        sa.ForeignKeyConstraint(["substitute_id"], ["person.id"], name=op.f("fk_person_substitute_id_person")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_person_team_id_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("email", name=op.f("uq_person_email")),
    )
    op.create_table(
        "pool_address",
        sa.Column("address_key", sa.String(length=320), nullable=False),
        sa.Column("pool_id", _BIG, nullable=False),
        sa.Column("position", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_pool_address_pool_id_pool")),
        sa.PrimaryKeyConstraint("address_key", name=op.f("pk_pool_address")),
    )
    op.create_index(op.f("ix_pool_address_pool_id"), "pool_address", ["pool_id"], unique=False)
    op.create_table(
        "role_right",
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("entity", sa.String(length=40), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("reach", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["role"], ["role.name"], name=op.f("fk_role_right_role_role")),
        sa.PrimaryKeyConstraint("role", "entity", "action", name=op.f("pk_role_right")),
    )
    op.create_table(
        "person_address",
        sa.Column("address_key", sa.String(length=320), nullable=False),
        sa.Column("person_id", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_person_address_person_id_person")),
        sa.PrimaryKeyConstraint("address_key", name=op.f("pk_person_address")),
    )
    op.create_index(op.f("ix_person_address_person_id"), "person_address", ["person_id"], unique=False)
    op.create_table(
        "person_login",
        sa.Column("login", sa.String(length=320), nullable=False),
        sa.Column("person_id", _BIG, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_person_login_person_id_person")),
        sa.PrimaryKeyConstraint("login", name=op.f("pk_person_login")),
    )
    op.create_index(op.f("ix_person_login_person_id"), "person_login", ["person_id"], unique=False)
    op.create_table(
        "pool_member",
        sa.Column("pool_id", _BIG, nullable=False),
        sa.Column("person_id", _BIG, nullable=False),
        sa.Column("position", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_pool_member_person_id_person")),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_pool_member_pool_id_pool")),
        sa.PrimaryKeyConstraint("pool_id", "person_id", name=op.f("pk_pool_member")),
    )
    op.create_index(op.f("ix_pool_member_person_id"), "pool_member", ["person_id"], unique=False)
    op.create_table(
        "scope",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("owner_id", _BIG, nullable=True),
        sa.Column("team_id", _BIG, nullable=True),
        sa.Column("pool_id", _BIG, nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_scope_owner_id_person")),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_scope_pool_id_pool")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_scope_team_id_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scope")),
    )
    op.create_index(op.f("ix_scope_owner_id_id"), "scope", ["owner_id", "id"], unique=False)
    op.create_index(op.f("ix_scope_pool_id_id"), "scope", ["pool_id", "id"], unique=False)
    op.create_index(op.f("ix_scope_team_id_id"), "scope", ["team_id", "id"], unique=False)
    op.create_table(
        "signin_token",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("person_id", _BIG, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_signin_token_person_id_person")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_signin_token")),
    )
    op.create_table(
        "web_session",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("person_id", _BIG, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_web_session_person_id_person")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_web_session")),
    )
    op.create_index(op.f("ix_web_session_person_id"), "web_session", ["person_id"], unique=False)
    op.create_table(
        "customer",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("public_id", sa.String(length=26), nullable=False),
        sa.Column("scope_id", _BIG, nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("name_key", sa.String(length=300), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("grade", sa.String(length=10), nullable=True),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("merged_into", _BIG, nullable=True),
        sa.Column("version", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["merged_into"], ["customer.id"], name=op.f("fk_customer_merged_into_customer")),
        sa.ForeignKeyConstraint(["scope_id"], ["scope.id"], name=op.f("fk_customer_scope_id_scope")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sa.UniqueConstraint("public_id", name=op.f("uq_customer_public_id")),
        sa.UniqueConstraint("scope_id", name=op.f("uq_customer_scope_id")),
    )
    op.create_index(op.f("ix_customer_kind_id"), "customer", ["kind", "id"], unique=False)
    op.create_index(op.f("ix_customer_name_key"), "customer", ["name_key"], unique=False)
    op.create_table(
        "contact",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("customer_id", _BIG, nullable=True),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_contact_customer_id_customer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
    )
    op.create_index(op.f("ix_contact_customer_id"), "contact", ["customer_id"], unique=False)
    op.create_table(
        "conversation",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("public_id", sa.String(length=26), nullable=False),
        sa.Column("scope_id", _BIG, nullable=False),
        sa.Column("customer_id", _BIG, nullable=True),
        sa.Column("assignee_id", _BIG, nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_out_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("merged_into", _BIG, nullable=True),
        sa.Column("version", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["assignee_id"], ["person.id"], name=op.f("fk_conversation_assignee_id_person")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_conversation_customer_id_customer")),
        sa.ForeignKeyConstraint(
            ["merged_into"], ["conversation.id"], name=op.f("fk_conversation_merged_into_conversation")
        ),
        sa.ForeignKeyConstraint(["scope_id"], ["scope.id"], name=op.f("fk_conversation_scope_id_scope")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation")),
        sa.UniqueConstraint("public_id", name=op.f("uq_conversation_public_id")),
    )
    op.create_index(op.f("ix_conversation_assignee_id_status"), "conversation", ["assignee_id", "status"], unique=False)
    op.create_index(op.f("ix_conversation_customer_id"), "conversation", ["customer_id"], unique=False)
    op.create_index(op.f("ix_conversation_scope_id"), "conversation", ["scope_id"], unique=False)
    op.create_index(op.f("ix_conversation_status_last_in_at"), "conversation", ["status", "last_in_at"], unique=False)
    op.create_table(
        "customer_domain",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("customer_id", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_customer_domain_customer_id_customer")),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_customer_domain")),
    )
    op.create_index(op.f("ix_customer_domain_customer_id"), "customer_domain", ["customer_id"], unique=False)
    op.create_table(
        "contact_address",
        sa.Column("address_key", sa.String(length=320), nullable=False),
        sa.Column("contact_id", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_contact_address_contact_id_contact")),
        sa.PrimaryKeyConstraint("address_key", name=op.f("pk_contact_address")),
    )
    op.create_index(op.f("ix_contact_address_contact_id"), "contact_address", ["contact_id"], unique=False)
    op.create_table(
        "conversation_participant",
        sa.Column("conversation_id", _BIG, nullable=False),
        sa.Column("address_key", sa.String(length=320), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name=op.f("fk_conversation_participant_conversation_id_conversation"),
        ),
        sa.PrimaryKeyConstraint("conversation_id", "address_key", name=op.f("pk_conversation_participant")),
    )
    op.create_table(
        "conversation_pool",
        sa.Column("conversation_id", _BIG, nullable=False),
        sa.Column("pool_id", _BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_conversation_pool_conversation_id_conversation")
        ),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_conversation_pool_pool_id_pool")),
        sa.PrimaryKeyConstraint("conversation_id", "pool_id", name=op.f("pk_conversation_pool")),
    )
    op.create_index(op.f("ix_conversation_pool_pool_id"), "conversation_pool", ["pool_id"], unique=False)
    op.create_table(
        "event",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("cause_id", sa.String(length=40), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("conversation_id", _BIG, nullable=True),
        sa.Column("person_id", _BIG, nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_event_conversation_id_conversation")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_event_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("cause_id", "step", name=op.f("uq_event_cause_id_step")),
    )
    op.create_index(op.f("ix_event_conversation_id_id"), "event", ["conversation_id", "id"], unique=False)
    op.create_table(
        "message",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("content_key", sa.String(length=64), nullable=False),
        sa.Column("rfc_message_id", sa.Text(), nullable=False),
        sa.Column("id_digest", sa.String(length=32), nullable=False),
        sa.Column("conversation_id", _BIG, nullable=False),
        sa.Column("scope_id", _BIG, nullable=False),
        sa.Column("direction", sa.String(length=10), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("from_address", sa.String(length=320), nullable=False),
        sa.Column("from_name", sa.String(length=300), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("category", sa.String(length=40), nullable=True),
        sa.Column("priority", sa.String(length=10), nullable=True),
        sa.Column("language", sa.String(length=10), nullable=True),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("is_automatic", sa.Boolean(), nullable=False),
        sa.Column("party_kind", sa.String(length=20), nullable=False),
        sa.Column("contact_id", _BIG, nullable=True),
        sa.Column("operator_id", _BIG, nullable=True),
        sa.Column("has_id_clash", sa.Boolean(), nullable=False),
        sa.Column("defects", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_message_contact_id_contact")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_message_conversation_id_conversation")
        ),
        sa.ForeignKeyConstraint(["operator_id"], ["person.id"], name=op.f("fk_message_operator_id_person")),
        sa.ForeignKeyConstraint(["scope_id"], ["scope.id"], name=op.f("fk_message_scope_id_scope")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("content_key", name=op.f("uq_message_content_key")),
    )
    op.create_index(op.f("ix_message_category_at"), "message", ["category", "at"], unique=False)
    op.create_index(op.f("ix_message_contact_id"), "message", ["contact_id"], unique=False)
    op.create_index(op.f("ix_message_conversation_id_at_id"), "message", ["conversation_id", "at", "id"], unique=False)
    op.create_index(op.f("ix_message_id_digest"), "message", ["id_digest"], unique=False)
    op.create_index(op.f("ix_message_scope_id_at_id"), "message", ["scope_id", "at", "id"], unique=False)
    op.create_table(
        "message_anchor",
        sa.Column("id_digest", sa.String(length=32), nullable=False),
        sa.Column("conversation_id", _BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_message_anchor_conversation_id_conversation")
        ),
        sa.PrimaryKeyConstraint("id_digest", "conversation_id", name=op.f("pk_message_anchor")),
    )
    op.create_index(op.f("ix_message_anchor_conversation_id"), "message_anchor", ["conversation_id"], unique=False)
    op.create_table(
        "activity",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("customer_id", _BIG, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("message_id", _BIG, nullable=True),
        sa.Column("conversation_id", _BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_activity_conversation_id_conversation")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_activity_customer_id_customer")),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_activity_message_id_message")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity")),
    )
    op.create_index(op.f("ix_activity_customer_id_at_id"), "activity", ["customer_id", "at", "id"], unique=False)
    op.create_table(
        "arrival",
        sa.Column("entry_id", sa.String(length=26), nullable=False),
        sa.Column("instance", sa.String(length=255), nullable=False),
        sa.Column("queue_id", sa.String(length=40), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("direction", sa.String(length=10), nullable=False),
        sa.Column("recording", sa.String(length=10), nullable=False),
        sa.Column("envelope_sender", sa.String(length=320), nullable=False),
        sa.Column("envelope", sa.JSON(), nullable=False),
        sa.Column("login", sa.String(length=320), nullable=False),
        sa.Column("operator_id", _BIG, nullable=True),
        sa.Column("rfc_message_id", sa.Text(), nullable=False),
        sa.Column("verdict", sa.JSON(), nullable=False),
        sa.Column("completion", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("message_id", _BIG, nullable=True),
        sa.Column("raw_bytes", _BIG, nullable=False),
        sa.Column("raw_sha256", sa.String(length=64), nullable=True),
        sa.Column("acceptance", sa.String(length=10), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_arrival_message_id_message")),
        sa.ForeignKeyConstraint(["operator_id"], ["person.id"], name=op.f("fk_arrival_operator_id_person")),
        sa.ForeignKeyConstraint(["raw_sha256"], ["blob.sha256"], name=op.f("fk_arrival_raw_sha256_blob")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_arrival")),
    )
    op.create_index(op.f("ix_arrival_acceptance_direction"), "arrival", ["acceptance", "direction"], unique=False)
    op.create_index(op.f("ix_arrival_instance_queue_id"), "arrival", ["instance", "queue_id"], unique=False)
    op.create_index(op.f("ix_arrival_message_id"), "arrival", ["message_id"], unique=False)
    op.create_index(
        "ix_arrival_open",
        "arrival",
        ["arrived_at"],
        unique=False,
        sqlite_where=sa.text("acceptance = 'pending'"),
        postgresql_where=sa.text("acceptance = 'pending'"),
    )
    op.create_table(
        "correction",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("message_id", _BIG, nullable=False),
        sa.Column("person_id", _BIG, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("field", sa.String(length=20), nullable=False),
        sa.Column("old", sa.String(length=40), nullable=True),
        sa.Column("new", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_correction_message_id_message")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_correction_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
    )
    op.create_index(op.f("ix_correction_message_id"), "correction", ["message_id"], unique=False)
    op.create_table(
        "message_part",
        sa.Column("message_id", _BIG, nullable=False),
        sa.Column("part_no", sa.String(length=100), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.String(length=255), nullable=False),
        sa.Column("octets", _BIG, nullable=False),
        sa.Column("is_inline", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_message_part_message_id_message")),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_message_part_sha256_blob")),
        sa.PrimaryKeyConstraint("message_id", "part_no", name=op.f("pk_message_part")),
    )
    op.create_index(op.f("ix_message_part_sha256"), "message_part", ["sha256"], unique=False)
    op.create_table(
        "message_recipient",
        sa.Column("message_id", _BIG, nullable=False),
        sa.Column("address_key", sa.String(length=320), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_message_recipient_message_id_message")),
        sa.PrimaryKeyConstraint("message_id", "address_key", "kind", name=op.f("pk_message_recipient")),
    )
    op.create_index(
        op.f("ix_message_recipient_address_key_message_id"),
        "message_recipient",
        ["address_key", "message_id"],
        unique=False,
    )
    op.create_table(
        "message_text",
        sa.Column("message_id", _BIG, nullable=False),
        sa.Column("new_text", sa.Text(), nullable=False),
        sa.Column("rest", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("entities", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_message_text_message_id_message")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_message_text")),
    )
    op.bulk_insert(sa.table("role", sa.column("name")), [{"name": name} for name in _ROLES])
    columns = ("role", "entity", "action", "reach")
    op.bulk_insert(
        sa.table("role_right", *(sa.column(name) for name in columns)),
        [dict(zip(columns, right, strict=True)) for right in _RIGHTS],
    )
    op.bulk_insert(
        sa.table("company", *(sa.column(name) for name in ("id", "name", "policy_version"))),
        [{"id": 1, "name": "", "policy_version": 0}],
    )


def downgrade() -> None:
    op.drop_table("message_text")
    op.drop_index(op.f("ix_message_recipient_address_key_message_id"), table_name="message_recipient")
    op.drop_table("message_recipient")
    op.drop_index(op.f("ix_message_part_sha256"), table_name="message_part")
    op.drop_table("message_part")
    op.drop_index(op.f("ix_correction_message_id"), table_name="correction")
    op.drop_table("correction")
    op.drop_index(
        "ix_arrival_open",
        table_name="arrival",
        sqlite_where=sa.text("acceptance = 'pending'"),
        postgresql_where=sa.text("acceptance = 'pending'"),
    )
    op.drop_index(op.f("ix_arrival_message_id"), table_name="arrival")
    op.drop_index(op.f("ix_arrival_instance_queue_id"), table_name="arrival")
    op.drop_index(op.f("ix_arrival_acceptance_direction"), table_name="arrival")
    op.drop_table("arrival")
    op.drop_index(op.f("ix_activity_customer_id_at_id"), table_name="activity")
    op.drop_table("activity")
    op.drop_index(op.f("ix_message_anchor_conversation_id"), table_name="message_anchor")
    op.drop_table("message_anchor")
    op.drop_index(op.f("ix_message_scope_id_at_id"), table_name="message")
    op.drop_index(op.f("ix_message_id_digest"), table_name="message")
    op.drop_index(op.f("ix_message_conversation_id_at_id"), table_name="message")
    op.drop_index(op.f("ix_message_contact_id"), table_name="message")
    op.drop_index(op.f("ix_message_category_at"), table_name="message")
    op.drop_table("message")
    op.drop_index(op.f("ix_event_conversation_id_id"), table_name="event")
    op.drop_table("event")
    op.drop_index(op.f("ix_conversation_pool_pool_id"), table_name="conversation_pool")
    op.drop_table("conversation_pool")
    op.drop_table("conversation_participant")
    op.drop_index(op.f("ix_contact_address_contact_id"), table_name="contact_address")
    op.drop_table("contact_address")
    op.drop_index(op.f("ix_customer_domain_customer_id"), table_name="customer_domain")
    op.drop_table("customer_domain")
    op.drop_index(op.f("ix_conversation_status_last_in_at"), table_name="conversation")
    op.drop_index(op.f("ix_conversation_scope_id"), table_name="conversation")
    op.drop_index(op.f("ix_conversation_customer_id"), table_name="conversation")
    op.drop_index(op.f("ix_conversation_assignee_id_status"), table_name="conversation")
    op.drop_table("conversation")
    op.drop_index(op.f("ix_contact_customer_id"), table_name="contact")
    op.drop_table("contact")
    op.drop_index(op.f("ix_customer_name_key"), table_name="customer")
    op.drop_index(op.f("ix_customer_kind_id"), table_name="customer")
    op.drop_table("customer")
    op.drop_index(op.f("ix_web_session_person_id"), table_name="web_session")
    op.drop_table("web_session")
    op.drop_table("signin_token")
    op.drop_index(op.f("ix_scope_team_id_id"), table_name="scope")
    op.drop_index(op.f("ix_scope_pool_id_id"), table_name="scope")
    op.drop_index(op.f("ix_scope_owner_id_id"), table_name="scope")
    op.drop_table("scope")
    op.drop_index(op.f("ix_pool_member_person_id"), table_name="pool_member")
    op.drop_table("pool_member")
    op.drop_index(op.f("ix_person_login_person_id"), table_name="person_login")
    op.drop_table("person_login")
    op.drop_index(op.f("ix_person_address_person_id"), table_name="person_address")
    op.drop_table("person_address")
    op.drop_table("role_right")
    op.drop_index(op.f("ix_pool_address_pool_id"), table_name="pool_address")
    op.drop_table("pool_address")
    op.drop_table("person")
    op.drop_table("team")
    op.drop_table("rule")
    op.drop_table("role")
    op.drop_table("pool")
    op.drop_table("own_domain")
    op.drop_table("maillog_position")
    op.drop_table("directory_change")
    op.drop_table("company")
    op.drop_table("blob")
