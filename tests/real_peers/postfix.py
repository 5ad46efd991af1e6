"""A private Postfix: a submission server with STARTTLS and SASL on loopback, whose mailboxes are maildirs.

Configuration, queue, logins and mailboxes are under a folder of its own; the system's Postfix is neither read nor
touched. It has to be started by root, as any Postfix, and ends with the process that started it.
"""

import email
import email.policy
import os
import pwd
import shutil
import signal
import subprocess
from email.message import EmailMessage
from pathlib import Path

from ampout.supervisor.children import end, spawn
from tests.faults.waiting import wait_for
from tests.peers.certificates import ServerCertificate

PROGRAMS = ("postfix", "postconf", "saslpasswd2")
START_SECONDS = 30
STOP_SECONDS = 10

MAIN = """\
compatibility_level = 3.6
config_directory = {folder}/etc
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
myhostname = mail.peer.test
mydestination =
local_recipient_maps =
alias_maps =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/etc/mailboxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_chain_files = {key}, {chain}
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
smtpd_sasl_authenticated_header = yes
smtpd_tls_received_header = yes
cyrus_sasl_config_path = {folder}/etc/sasl
smtpd_sender_login_maps = texthash:{folder}/etc/senders
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_relay_restrictions = permit_sasl_authenticated, reject
"""

# Not in a chroot, which would need copies of libraries.
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup   unix       n - n 60 1 pickup
cleanup  unix       n - n - 0 cleanup
qmgr     unix       n - n 300 1 qmgr
tlsmgr   unix       - - n 1000? 1 tlsmgr
rewrite  unix       - - n - - trivial-rewrite
bounce   unix       - - n - 0 bounce
defer    unix       - - n - 0 bounce
trace    unix       - - n - 0 bounce
virtual  unix       - n n - - virtual
error    unix       - - n - - error
anvil    unix       - - n - 1 anvil
postlog  unix-dgram n - n - 1 postlogd
"""

SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {folder}/etc/sasldb2
mech_list: PLAIN LOGIN
"""


def why_missing() -> str:
    """Why there can be no Postfix here; empty where there can be one."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: postfix, sasl2-bin, libsasl2-modules)"
    return "" if os.getuid() == 0 else "only root can start a Postfix"


def is_demanded() -> bool:
    """Whether its tests may not be skipped: in CI, where it can be installed and started."""
    return os.environ.get("CI") == "true" and shutil.which("apt-get") is not None and os.getuid() == 0


class Postfix:
    """One server with one login and the mailboxes of `recipients`, which are all in one domain.

    `folder` must be one that other users may pass, as Postfix runs its parts as users of its own.
    """

    def __init__(self, folder: Path, certificate: ServerCertificate, port: int) -> None:
        self.folder = folder
        self.port = port
        self._certificate = certificate

    def start(self, username: str, password: str, recipients: list[str]) -> None:
        """Configure and start it; it answers once this returns."""
        self._configure(username, recipients)
        self._add_login(username, password)
        subprocess.run(["postfix", "-c", self._etc, "check"], check=True, capture_output=True, timeout=START_SECONDS)
        program = Path(self._setting("daemon_directory")) / "master"
        self._master = spawn([program, "-c", self._etc, "-s"], output=subprocess.DEVNULL, death_signal=signal.SIGTERM)
        wait_for("Postfix runs", lambda: "daemon started" in self.log, START_SECONDS, lambda: self.log)

    def stop(self) -> None:
        """Stop it, with whatever it started."""
        end(self._master, signal.SIGTERM, STOP_SECONDS)

    @property
    def log(self) -> str:
        """What it logged so far."""
        path = self.folder / "maillog"
        return path.read_text() if path.exists() else ""

    def mailbox(self, recipient: str) -> list[EmailMessage]:
        """The messages that were delivered to a recipient, oldest first."""
        files = sorted((self.folder / "mail" / recipient).glob("new/*"), key=lambda path: path.stat().st_mtime_ns)
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in files]

    @property
    def _etc(self) -> Path:
        return self.folder / "etc"

    def _setting(self, name: str) -> str:
        answer = subprocess.run(["postconf", "-h", name], check=True, capture_output=True, text=True)
        return answer.stdout.strip()

    def _configure(self, username: str, recipients: list[str]) -> None:
        for name in ("etc", "etc/sasl", "queue", "data", "mail"):
            (self.folder / name).mkdir()
        postfix, nobody = pwd.getpwnam(self._setting("mail_owner")), pwd.getpwnam("nobody")
        os.chown(self.folder / "data", postfix.pw_uid, -1)
        os.chown(self.folder / "mail", nobody.pw_uid, nobody.pw_gid)
        domain = recipients[0].rpartition("@")[2]
        facts = {"folder": self.folder, "port": self.port, "domain": domain}
        facts |= {"uid": nobody.pw_uid, "gid": nobody.pw_gid}
        facts |= {"key": self._certificate.key, "chain": self._certificate.chain}
        # Debian's Postfix looks into this folder whatever it is told.
        files = {"main.cf": MAIN, "master.cf": MASTER, "sasl/smtpd.conf": SASL}
        for name, text in files.items():
            (self._etc / name).write_text(text.format_map(facts))
        (self._etc / "mailboxes").write_text("".join(f"{recipient} {recipient}/\n" for recipient in recipients))
        (self._etc / "senders").write_text(f"{username} {username}\n")

    def _add_login(self, username: str, password: str) -> None:
        name, _, realm = username.partition("@")
        database = self._etc / "sasldb2"
        subprocess.run(
            ["saslpasswd2", "-p", "-c", "-f", database, "-u", realm, name], input=password.encode(), check=True
        )
        database.chmod(0o644)  # a password of this run; Postfix wants its files to be root's
