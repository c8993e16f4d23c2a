# SPDX-License-Identifier: GPL-3.0-or-later
"""The labelled letters from which the category model is made, and the program that makes it."""
