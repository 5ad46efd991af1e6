"""A trial login over IMAP: what exactly works, and what the server says where it does not."""

from collections.abc import Callable

from django.conf import settings

from ampout.lib.door import IMAP_PORTS, TargetRefused, TargetUnresolved, check_target, is_declared_insecure
from credentials.gateways.imap_connection import (
    BoundedClient,
    ImapFailure,
    ImapLogin,
    ImapStage,
    Limits,
    close_mailbox,
    explain_failures,
    open_mailbox,
)
from credentials.rules.login_check import LoginCheck


def prepare_login(
    host: str, port: int, username: str, password: str, *, starttls: bool | None = None
) -> tuple[ImapLogin, Callable[[Limits], BoundedClient]]:
    """The login, and what opens it. Blocks for the look-up of the host. Raises ImapFailure."""
    try:
        target = check_target(host, port, ports=IMAP_PORTS)
    except (TargetRefused, TargetUnresolved) as refusal:
        raise ImapFailure(ImapStage.TARGET, refusal.message) from None
    login = ImapLogin(
        host=target.host,
        port=port,
        username=username,
        password=password,
        ca_file=settings.SMTP_CA_FILE,
        insecure=is_declared_insecure(target),
        starttls=starttls,
    )
    return login, lambda limits: open_mailbox(login, target, limits)


def check_imap_login(
    host: str,
    port: int,
    username: str,
    password: str,
    *,
    starttls: bool | None = None,
    limits: Limits | None = None,
) -> LoginCheck:
    """Log in, open INBOX for reading only, log out. Blocks up to about a minute; never raises for what a server does.

    `starttls` says how TLS begins (None: by STARTTLS on port 143, from the first byte elsewhere). The result's stage is
    one of ImapStage.
    """
    try:
        login, connect = prepare_login(host, port, username, password, starttls=starttls)
        client = connect(limits or Limits())
        try:
            with explain_failures(login, ImapStage.INBOX):
                client.select_folder("INBOX", readonly=True)
                client.logout()
        finally:
            close_mailbox(client)
    except ImapFailure as failure:
        return LoginCheck(ok=False, stage=failure.stage, code=None, message=failure.sentence)
    return LoginCheck(ok=True, stage=ImapStage.DONE, code=None, message=f"{login.server} took the login.")
