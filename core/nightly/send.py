"""The summary on its way to people: by POST, by mail. What goes wrong here fails nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import smtplib
import urllib.request
from email.message import EmailMessage

from synth.nightly.file import Mail, NightFile
from synth.nightly.summary import Summary, page_of

__all__ = ["send"]

PATIENCE = 10.0
"""Seconds that a server has to answer."""


async def send(summary: Summary, file: NightFile) -> list[str]:
    """Send the summary where the night file says; returns what went wrong, in words."""
    ways = []
    if file.webhook is not None:
        ways.append(lambda hook=file.webhook: _post(summary, hook))
    if file.mail is not None:
        ways.append(lambda mail=file.mail: _mail(summary, mail))
    faults = []
    for way in ways:
        try:
            await asyncio.to_thread(way)
        except _Unset as error:
            faults.append(f"the summary was not sent: the variable {error} is not set")
        except (OSError, ValueError, smtplib.SMTPException) as error:
            faults.append(f"the summary was not sent: {type(error).__name__}")  # its text may be a secret
    return faults


class _Unset(Exception):
    """A variable the night file names is not there."""


def _post(summary: Summary, webhook: str) -> None:
    """The page under `text`, and all of it as JSON."""
    body = json.dumps({"text": page_of(summary), **summary.model_dump(mode="json")}).encode()
    asked = urllib.request.Request(_secret(webhook), body, {"Content-Type": "application/json"})
    urllib.request.urlopen(asked, timeout=PATIENCE).close()


def _mail(summary: Summary, mail: Mail) -> None:
    """The page as plain text, its first line as the subject."""
    message = EmailMessage()
    message["Subject"] = f"Night {summary.night}: {summary.outcome}"
    message["From"], message["To"] = mail.sender, ", ".join(mail.to)
    message.set_content(page_of(summary))
    password = _secret(mail.password) if mail.password else ""
    host, _, port = mail.server.partition(":")
    with smtplib.SMTP(host, int(port or 25), timeout=PATIENCE) as server:
        if mail.tls:
            server.starttls()
        if mail.user:
            server.login(mail.user, password)
        server.send_message(message)


def _secret(named: str) -> str:
    """What is written, or of `env:NAME` what the variable holds."""
    if not named.startswith("env:"):
        return named
    if not (held := os.environ.get(named.removeprefix("env:"), "")):
        raise _Unset(named.removeprefix("env:"))
    return held
