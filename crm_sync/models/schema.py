# SPDX-License-Identifier: GPL-3.0-or-later
"""Every table, imported once, so that `metadata` is complete wherever it is compared or created."""

from crm_sync.models import (
    choices,
    conversations,
    customers,
    duplicates,
    fields,
    followups,
    mail,
    maillog,
    operations,
    people,
    pipeline,
    public_pool,
    rules,
    search,
    service,
    timers,
)
from crm_sync.models.base import Base

TABLES = (
    choices,
    conversations,
    customers,
    duplicates,
    fields,
    followups,
    mail,
    maillog,
    operations,
    people,
    pipeline,
    public_pool,
    rules,
    search,
    service,
    timers,
)
metadata = Base.metadata
