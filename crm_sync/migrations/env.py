# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by Alembic: migrate over the connection, and inside the transaction, that crm_sync.schema hands in."""

from alembic import context

from crm_sync.models.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
