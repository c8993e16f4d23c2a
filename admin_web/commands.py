# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost web` serves the pages; `tradepost web sign-in-link` lets a person in."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import click
from flask import Flask

from admin_web.app import create_app
from admin_web.browser_sessions import make_signin_token
from admin_web.form_key import read_or_make_form_key
from admin_web.serving import open_listener, serve, url_of
from crm_sync.database import WorkerLock, open_database
from crm_sync.schema import check_schema
from tradepost.cli import Invocation
from tradepost.errors import Refusal
from tradepost.settings import Settings
from tradepost.translation import read_endpoint

log = logging.getLogger("tradepost.web")


@click.group(invoke_without_command=True)
@click.pass_obj
@click.pass_context
def web(ctx: click.Context, invocation: Invocation) -> None:
    """Serve the web pages, or let somebody in."""
    if ctx.invoked_subcommand is None:
        _serve(invocation.settings)


def _serve(settings: Settings) -> None:
    _check(settings)
    with WorkerLock(settings.paths.state / "web.lock", "web process"):
        listener = open_listener(settings.web)
        address = url_of(listener)
        # Looked into at every page, and perhaps none of those who count there has been started yet.
        settings.metrics_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _address_file(settings).write_text(address + "\n")
        click.echo(f"{address}/  (sign in: tradepost web sign-in-link --person ADDRESS)")
        log.info("serving %s", address)
        serve(lambda: _make_app(settings), listener)


def _address_file(settings: Settings) -> Path:
    """Where the serving process says which address it has: with port 0 nobody else knows."""
    return settings.paths.runtime / "web.address"


def _check(settings: Settings) -> None:
    """Refuse here, in a line, what would otherwise end the serving process; nothing stays open over its fork."""
    read_or_make_form_key(settings.paths.state / "web.key")
    if settings.translation.url:
        read_endpoint(settings.translation)
    database = open_database(settings.database_url)
    try:
        check_schema(database)
    finally:
        database.close()


def _make_app(settings: Settings) -> Flask:
    return create_app(settings, open_database(settings.database_url))


@web.command("sign-in-link")
@click.option("--person", required=True, metavar="ADDRESS", help="E-mail address of a registered person.")
@click.option(
    "--minutes", default=30, show_default=True, type=click.IntRange(1, 10080), help="How long the link may be used."
)
@click.option("--base", metavar="URL", help="Address of the pages, when a proxy or a chosen port makes it another one.")
@click.pass_obj
def sign_in_link(invocation: Invocation, person: str, minutes: int, base: str | None) -> None:
    """Print a link that signs a person in, once."""
    settings = invocation.settings
    address = (base or _base(settings)).rstrip("/")
    database = open_database(settings.database_url)
    try:
        check_schema(database)
        with database.writing() as session:
            token = make_signin_token(session, person, minutes, datetime.now(UTC))
    finally:
        database.close()
    click.echo(f"{address}/sign-in?token={token}")


def _base(settings: Settings) -> str:
    web = settings.web
    if web.behind_tls_proxy and web.trusted_hosts:
        return f"https://{web.trusted_hosts[0]}"
    if web.port:
        return f"http://[{web.host}]:{web.port}" if ":" in web.host else f"http://{web.host}:{web.port}"
    try:
        return _address_file(settings).read_text().strip()
    except FileNotFoundError:
        raise Refusal(
            "[web] port: is 0, and 'tradepost web' does not run yet; start it first, or give --base"
        ) from None
