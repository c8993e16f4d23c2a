# SPDX-License-Identifier: GPL-3.0-or-later
"""What the templates may call: labels, quantities, hostile text, reasons."""

from collections.abc import Mapping

from flask import Flask
from flask_babel import LazyString, lazy_gettext

from admin_web.hostile import TEXT_LIMIT, render_hostile, render_line
from admin_web.labels import list_facts, render_country, render_label, render_language
from admin_web.marks import Decider, list_reasons
from admin_web.quantities import render_age, render_number, render_octets, render_stamp
from admin_web.reasons import advise, explain_country, explain_reason, explain_warning
from tradepost.suspicion import is_alarming

DECIDERS: Mapping[Decider, LazyString] = {
    Decider.ARRIVAL: lazy_gettext("the milter"),
    Decider.COMPLETION: lazy_gettext("the worker"),
    Decider.SECOND_OPINION: lazy_gettext("a second opinion"),
    Decider.PERSON: lazy_gettext("a person"),
    Decider.RECORDS: lazy_gettext("the records since"),
    Decider.OPEN: lazy_gettext("nobody yet"),
}


def install_words(app: Flask) -> None:
    """Offer the words to the templates as filters."""
    app.jinja_env.filters.update(
        label=render_label,
        country=render_country,
        language=render_language,
        shown=render_hostile,
        line=render_line,
        stamp=render_stamp,
        age=render_age,
        octets=render_octets,
        number=render_number,
        reason=explain_reason,
        warning=explain_warning,
        advice=advise,
        alarming=is_alarming,
        country_evidence=explain_country,
        reason_names=list_reasons,
        facts=list_facts,
    )
    app.jinja_env.globals.update(deciders=DECIDERS, text_limit=TEXT_LIMIT)
