# SPDX-License-Identifier: GPL-3.0-or-later
"""What to try while the demo stays up."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.text import Text

from postfix.sandbox.company import Company
from postfix.sandbox.processes import SandboxError
from postfix.sandbox.service_stack import ServiceStack


def render_next_steps(stack: ServiceStack, company: Company, passwords: Mapping[str, str]) -> Text:
    """Return the hints, with addresses, a one-time sign-in link and commands that work as they stand."""
    site = stack.postfix.site
    pool = next(iter(company.pools))
    rep, login = next(iter(company.logins.items()))
    tradepost = shlex.quote(str(Path(sys.executable).with_name("tradepost")))
    config = f"{tradepost} --config {stack.config}"
    arrive = f"curl --url smtp://127.0.0.1:{site.smtp_port} --mail-from you@elsewhere.example"
    submit = f"curl --url smtp://127.0.0.1:{site.submission_port} --user {login}:{passwords[login]} --mail-from {rep}"
    rows = [
        ("look at the mails", _sign_in_link(stack, company)),
        ("the numbers", f"{stack.metrics_url}/metrics  {stack.metrics_url}/healthz"),
        ("why a mail is marked so", f"{tradepost} classify FILE.eml"),
        ("send one from outside", f"{arrive} --mail-rcpt {pool} --upload-file FILE.eml"),
        ("send one as a rep", f"{submit} --mail-rcpt you@elsewhere.example --upload-file FILE.eml"),
        ("or by swaks", f"swaks --server 127.0.0.1:{site.smtp_port} --to {pool} --header 'Subject: price of 500 pcs?'"),
        ("compare log and records", f"{config} reconcile"),
        ("Postfix's log", f"tail -f {site.log}"),
        ("the mailboxes", f"{site.mail}"),
    ]
    text = Text("\nIt stays up until Ctrl-C.  To try next:\n", style="bold")
    for what, how in rows:
        text.append(f"  {what:<24}", style="dim")
        text.append(f"{how}\n", style="default")
    return text


def _sign_in_link(stack: ServiceStack, company: Company) -> str:
    if not stack.is_running("web"):
        return "(the web pages are not running)"
    try:
        return stack.run("web", "sign-in-link", "--person", company.manager).stdout.strip()
    except SandboxError as error:
        return f"({error})"
