# SPDX-License-Identifier: GPL-3.0-or-later
"""What many tests of this ring share: the models, loaded once."""

import pytest

from classifiers.analyst import TradeAnalyst, load


@pytest.fixture(scope="session")
def analyst() -> TradeAnalyst:
    """The analyst as milter and worker load it."""
    return load()
