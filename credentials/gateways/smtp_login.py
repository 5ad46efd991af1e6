"""A trial login over SMTP: what exactly works, and what the server says where it does not."""

import asyncio
from dataclasses import replace

from django.conf import settings

from ampout.lib.door import is_declared_insecure
from credentials.gateways.smtp_connection import Deadlines, SmtpConnection, SmtpFailure, SmtpLogin, resolve_target
from credentials.rules.login_check import LoginCheck
from credentials.rules.smtp_words import Failure, Stage

CHECK_DEADLINES = Deadlines(connect=10, reply=20, transaction=45)
"""Shorter than for a delivery: somebody waits for the answer."""


def check_smtp_login(
    host: str,
    port: int,
    username: str,
    password: str,
    *,
    deadlines: Deadlines = CHECK_DEADLINES,
) -> LoginCheck:
    """`check_smtp_login_async` for code without an event loop. Blocks for a minute at most."""
    return asyncio.run(check_smtp_login_async(host, port, username, password, deadlines=deadlines))


async def check_smtp_login_async(
    host: str,
    port: int,
    username: str,
    password: str,
    *,
    deadlines: Deadlines = CHECK_DEADLINES,
) -> LoginCheck:
    """Through the outbound door: connect, TLS, EHLO, AUTH, QUIT. Never raises for what a server does.

    The result's stage is `target`, `connect`, `banner`, `ehlo`, `tls`, `auth` or `done`.
    """
    login = SmtpLogin(
        host=host,
        port=port,
        username=username,
        password=password,
        ca_file=settings.SMTP_CA_FILE,
        ehlo_name=settings.EHLO_NAME,
    )
    try:
        target = await resolve_target(login)
        login = replace(login, insecure=is_declared_insecure(target))
        connection = await SmtpConnection.open(login, target, deadlines)
    except SmtpFailure as failure:
        code = None if failure.reply is None else failure.reply.code
        return LoginCheck(ok=False, stage=_name_stage(failure), code=code, message=failure.sentence)
    await connection.quit()
    return LoginCheck(ok=True, stage="done", code=None, message=f"{login.server} took the login.")


def _name_stage(failure: SmtpFailure) -> str:
    """The failure's stage in the words of a login check."""
    if failure.failure in {Failure.TARGET_REFUSED, Failure.UNRESOLVED}:
        return "target"
    return "tls" if failure.stage is Stage.STARTTLS else failure.stage.value
