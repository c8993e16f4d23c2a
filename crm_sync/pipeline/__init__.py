# SPDX-License-Identifier: GPL-3.0-or-later
"""From first contact to deal: stages, opportunities, products, completeness, grade."""
