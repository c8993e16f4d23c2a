# SPDX-License-Identifier: GPL-3.0-or-later
"""Journal entries become records: models, migrations, matching, recording, confirmation, projection."""
