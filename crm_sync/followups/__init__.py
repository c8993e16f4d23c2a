# SPDX-License-Identifier: GPL-3.0-or-later
"""What people write and plan beside mail: notes, tasks, calls, meetings; the timeline."""
