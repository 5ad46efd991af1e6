"""A private Dovecot: an IMAP server with TLS on loopback whose mailboxes are maildirs under a folder of its own.

The system's Dovecot is neither read nor touched. It is started by whoever runs the tests; root's mailboxes belong to
`nobody`, since Dovecot reads no mail as root.
"""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ampout.supervisor.children import end, spawn
from tests.faults.lab import free_port
from tests.faults.waiting import wait_for
from tests.peers.certificates import Certificates, ServerCertificate

PROGRAMS = ("dovecot", "doveconf")
PASSWORD = "dovecot-canary-77c1"
START_SECONDS = 30
STOP_SECONDS = 10

CONFIGURATION = """\
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
ssl = required
ssl_cert = <{chain}
ssl_key = <{key}
ssl_min_protocol = TLSv1.2
auth_mechanisms = plain login
mail_location = maildir:~/Maildir
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
mail_max_userip_connections = 4
default_process_limit = 400
default_client_limit = 4000
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Junk {{
    auto = create
    special_use = \\Junk
  }}
  mailbox Sent {{
    auto = create
    special_use = \\Sent
  }}
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 400
}}
service stats {{
  chroot =
}}
"""


def why_missing() -> str:
    """Why there can be no Dovecot here; empty where there can be one."""
    missing = [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]
    return f"not installed: {', '.join(missing)} (Debian: dovecot-imapd)" if missing else ""


def is_demanded() -> bool:
    """Whether its tests may not be skipped: in CI, where it can be installed."""
    return os.environ.get("CI") == "true" and shutil.which("apt-get") is not None and os.getuid() == 0


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


class Dovecot:
    """One server; any user name has a mailbox, and PASSWORD opens each."""

    def __init__(self, folder: Path, certificate: ServerCertificate, port: int) -> None:
        self.folder = folder
        self.port = port
        self._certificate = certificate
        self._owner = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._numbers = itertools.count(1)

    def start(self) -> None:
        """Configure and start it; it answers once this returns."""
        for name in ("run", "state", "mail"):
            (self.folder / name).mkdir(exist_ok=True)
        os.chown(self.folder / "mail", self._owner.pw_uid, self._owner.pw_gid)
        user, group = pwd.getpwuid(os.getuid()).pw_name, "nogroup"
        if os.getuid() == 0:
            user = "nobody"
        else:
            group = subprocess.run(["id", "-gn"], check=True, capture_output=True, text=True).stdout.strip()
        facts = {"folder": self.folder, "port": self.port, "user": user, "group": group, "password": PASSWORD}
        facts |= {"uid": self._owner.pw_uid, "gid": self._owner.pw_gid}
        facts |= {"chain": self._certificate.chain, "key": self._certificate.key}
        configuration = self.folder / "dovecot.conf"
        configuration.write_text(CONFIGURATION.format_map(facts))
        program = shutil.which("dovecot", path=_path())
        assert program is not None
        self._process = spawn([program, "-F", "-c", configuration], output=subprocess.DEVNULL)
        wait_for("Dovecot runs", lambda: "starting up" in self.log, START_SECONDS, lambda: self.log)

    def stop(self) -> None:
        """Stop it, with whatever it started."""
        end(self._process, signal.SIGTERM, STOP_SECONDS)

    @property
    def log(self) -> str:
        """What it logged so far."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    # -- Mailboxes, as files

    def maildir(self, user: str, folder: str = "INBOX") -> Path:
        """Where a folder's mails lie."""
        top = self.folder / "mail" / user / "Maildir"
        return top if folder == "INBOX" else top / f".{folder}"

    def deliver(self, user: str, mails: Iterable[bytes], folder: str = "INBOX", flags: str | None = None) -> None:
        """Put mails into a folder: unseen ones into `new`, those with flags (`S`, or none at all) into `cur`."""
        place = self.maildir(user, folder)
        for part in ("new", "cur", "tmp"):
            (place / part).mkdir(parents=True, exist_ok=True)
        for raw in mails:
            name = f"{1_700_000_000 + next(self._numbers)}.M{next(self._numbers)}P1.host"
            path = place / "new" / name if flags is None else place / "cur" / f"{name}:2,{flags}"
            path.write_bytes(raw)
        self._own(self.folder / "mail" / user)

    def forget_numbers(self, user: str, folder: str = "INBOX") -> None:
        """Lose the numbers of a folder, as a repair would: it gets another UIDVALIDITY."""
        for path in self.maildir(user, folder).glob("dovecot*"):
            path.unlink()

    def snapshot(self, user: str) -> dict[str, bytes]:
        """Every mail of a user: its path, which holds its flags, and its bytes."""
        top = self.maildir(user)
        mails = [path for path in top.rglob("*") if path.is_file() and path.parent.name in {"new", "cur"}]
        return {str(path.relative_to(top)): path.read_bytes() for path in mails}

    def _own(self, top: Path) -> None:
        for path in (top, *top.rglob("*")):
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)


@contextmanager
def running_dovecot(certificates: Certificates) -> Iterator[Dovecot]:
    """A server in a folder of its own, which other users may pass: Dovecot reads mail as somebody else."""
    folder = Path(tempfile.mkdtemp(prefix="ampout-dovecot-"))
    folder.chmod(0o755)
    server = Dovecot(folder, certificates.good, free_port())
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
