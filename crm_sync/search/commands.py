# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost search`: find any mail, customer or note; check the index, or make it anew."""

from collections.abc import Sequence
from contextlib import closing

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from crm_sync.command_output import acting, as_json, as_person, echo_rows, printable, shown_time
from crm_sync.commands import ready_database
from crm_sync.search.answers import Answer, Hit
from crm_sync.search.highlights import Excerpt
from crm_sync.search.rebuilding import IndexState, check_index, rebuild_index
from crm_sync.search.searching import MOST_HITS, SORTS
from crm_sync.search.searching import search as find_answer
from crm_sync.search.suggestions import suggest as find_suggestions
from tradepost.cli import Invocation


class _Search(click.Group):
    """`tradepost search WORDS` is short for `tradepost search find WORDS`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = ["find", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Search)
def search() -> None:
    """Find any mail, customer or note: `tradepost search WORDS`.

    Words stand in any order; "words in a row"; -unwanted; this OR that; hing* for what begins so.  Fields: subject: from: to:
    file: has:attachment category: lang: priority: customer: owner: status: before: after: on: (2026, 2026-03, 2026-03-02) and
    in:mail, in:customer, in:note.
    """


@search.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True)
@click.option("--sort", type=click.Choice(SORTS), default="date", show_default=True, help="Newest or best first.")
@click.option("--limit", type=click.IntRange(1, MOST_HITS), default=50, show_default=True)
@click.option("--before", metavar="CURSOR", help="The next page: what the page before said.")
@as_person
@as_json
@click.pass_obj
def find(
    invocation: Invocation,
    words: Sequence[str],
    sort: str,
    limit: int,
    before: str | None,
    person: str | None,
    as_json: bool,
) -> None:
    """Find what WORDS say; for words that are commands too (check)."""
    with acting(invocation, person, writes=False) as (session, viewer):
        answer = find_answer(session, viewer, " ".join(words), sort=sort, limit=limit, before=before)
    if as_json:
        click.echo(msgspec.json.encode(answer).decode())
        return
    if answer.customers:
        _echo_hits(answer.customers)
        click.echo()
    _echo_hits(answer.hits)
    click.echo(_closing_line(answer))


def _echo_hits(hits: Sequence[Hit]) -> None:
    columns = (
        ("id", lambda hit: hit.id),
        ("when", lambda hit: shown_time(hit.at)),
        ("kind", lambda hit: hit.kind),
        ("who", lambda hit: hit.from_name or hit.from_address or (hit.customer.name if hit.customer else "")),
        ("what", lambda hit: _marked(hit.title) or _marked(hit.excerpt)),
        ("found", lambda hit: _marked(hit.excerpt) if hit.title.text else ""),
    )
    echo_rows(hits, columns, to_json=False, none="nothing found")


def _marked(shown: Excerpt) -> str:
    """Return a piece of text with [what was found] in brackets."""
    pieces, place = [], 0
    for start, end in shown.marks:
        pieces += [shown.text[place:start], "[", shown.text[start:end], "]"]
        place = end
    return printable("".join([*pieces, shown.text[place:]]))


def _closing_line(answer: Answer) -> str:
    total = f"{answer.total:,}{'+' if answer.is_more else ''} found"
    return f"{total}; next page: --before {answer.next}" if answer.next else total


@search.command()
@click.argument("beginning")
@click.option("--limit", type=click.IntRange(1, 50), default=8, show_default=True)
@as_person
@as_json
@click.pass_obj
def suggest(invocation: Invocation, beginning: str, limit: int, person: str | None, as_json: bool) -> None:
    """Name customers and colleagues whose names begin so."""
    with acting(invocation, person, writes=False) as (session, viewer):
        found = find_suggestions(session, viewer, beginning, limit=limit)
    columns = (
        ("kind", lambda one: one.kind),
        ("id", lambda one: one.id),
        ("name", lambda one: one.label),
        ("", lambda one: one.hint),
    )
    echo_rows(found, columns, to_json=as_json, none="nothing begins so")


@search.command()
@as_json
@click.pass_obj
def check(invocation: Invocation, as_json: bool) -> None:
    """Compare the index with the records; status 1 when something lacks or is too much."""
    with ready_database(invocation.settings) as opened, opened.reading() as session:
        state = check_index(session)
    click.echo(msgspec.json.encode(state).decode() if as_json else _as_line(state))
    if not state.is_complete:
        raise click.exceptions.Exit(1)


def _as_line(state: IndexState) -> str:
    line = f"{state.letters:,} letters, {state.records:,} other records: "
    if state.is_complete:
        return f"{line}all are in the index"
    return f"{line}{state.missing:,} are not in the index, {state.superfluous:,} rows too many; run 'tradepost search rebuild'"


@search.command()
@click.option("--all", "anew", is_flag=True, help="Throw the index away first.")
@click.pass_obj
def rebuild(invocation: Invocation, anew: bool) -> None:
    """Bring the index in step with the records.  Cut short, it goes on where it stood when it is run again."""
    with ready_database(invocation.settings) as opened:
        with opened.reading() as session:
            state = check_index(session)
        wanted = state.letters + state.records if anew else state.missing + state.superfluous
        done = 0
        with (
            Progress(console=Console(stderr=True), transient=True) as progress,
            closing(rebuild_index(opened, anew=anew)) as pieces,
        ):
            task = progress.add_task("index", total=wanted)
            for piece in pieces:
                done += piece
                progress.update(task, completed=done)
    click.echo(f"indexed: {done:,}")
