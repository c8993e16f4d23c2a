# SPDX-License-Identifier: GPL-3.0-or-later
"""Every number this program counts.  Labels are closed sets, all set to 0 at start: the first failure is a change.

prometheus-client keeps the values of several processes in files; `prepare` must run before this module is imported.
"""

from prometheus_client import Counter

DIRECTORY_UNKNOWNS = Counter(
    "tradepost_directory_unknowns_total", "Lookups that the directory could not answer.", ["cause"]
)
for _cause in ("no-mark", "stale", "error", "slow"):
    DIRECTORY_UNKNOWNS.labels(_cause)
