"""The mail servers under test, each configured as little as its documentation asks for."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.corpus.lab import Machine


@dataclass(frozen=True, slots=True)
class Server:
    """One mail server: its files, and the shell commands that prepare, start and hurry it."""

    machine: Machine
    files: Mapping[str, str]
    prepare: str
    start: str
    flush: str

    @property
    def domain(self) -> str:
        """The domain that is its own."""
        return self.machine.host.partition(".")[2]

    def configure(self) -> None:
        """Write its files and make what they ask for."""
        for path, text in self.files.items():
            self.machine.write(path, text)
        self.machine.run(self.prepare)

    def restart(self) -> None:
        """Start it afresh, so that it sees the clock as it is set."""
        self.machine.stop()
        self.machine.start(self.start)


FULL = "mkdir -p /var/mail; head -c 99900 /dev/zero > /var/mail/full; chown full /var/mail/full; "
"""The mailbox of "full" has no room left."""

USERS = "for u in alice full forward looper carol; do id $u >/dev/null 2>&1 || useradd -m $u; done; "

POSTFIX_MAIN = """\
compatibility_level = 3.6
maillog_file = /var/log/maillog
myhostname = {host}
mydestination = {local}
mynetworks = 192.0.2.0/24, 127.0.0.0/8
inet_protocols = ipv4
smtp_host_lookup = dns
alias_maps = hash:/etc/postfix/aliases
mailbox_size_limit = 100000
message_size_limit = 100000
bounce_size_limit = 2000
delay_warning_time = 4h
minimal_backoff_time = 1s
smtp_tls_security_level = none
smtp_tls_policy_maps = texthash:/etc/postfix/tls
{more}
"""

ALIASES = """\
team: alice, gone@nowhere.example, someone@unknown.postfix.example
forward: gone.person@exim.example
looper: looper@{other}
piped: "|/bin/false"
"""


def aliases_of(domain: str) -> str:
    """The aliases of a domain; `looper` goes to another server, which sends it back."""
    return ALIASES.format(other="exim.example" if domain != "exim.example" else "postfix.example")


def postfix(machine: Machine, more: str = "", *, local: bool = True) -> Server:
    """Postfix, as an origin and a destination."""
    domain = machine.host.partition(".")[2]
    main = POSTFIX_MAIN.format(host=machine.host, local=f"{domain}, {machine.host}" if local else "", more=more)
    files = {"/etc/postfix/main.cf": main, "/etc/postfix/aliases": aliases_of(domain)}
    files["/etc/postfix/tls"] = "wants-tls.example encrypt\n"
    unjailed = "postconf -F '*/*/chroot=n'"  # a jail would need copies of what the overlay has
    prepare = f"{USERS}{FULL}{unjailed}; postalias hash:/etc/postfix/aliases; postfix check"
    return Server(machine, files, prepare, "postfix start", "postqueue -f")


def home(machine: Machine) -> Server:
    """The sender's own server: keeps whatever comes to its domain in one maildir."""
    more = (
        "virtual_mailbox_domains = outreach.example\nvirtual_mailbox_base = /mail\n"
        "virtual_mailbox_maps = static:all/\nvirtual_uid_maps = static:65534\n"
        "virtual_gid_maps = static:65534\nmessage_size_limit = 10000000\nmailbox_size_limit = 0\n"
        "virtual_mailbox_limit = 0\n"
    )
    made = postfix(machine, more, local=False)
    prepare = "mkdir -p /mail; chown nobody:nogroup /mail; " + made.prepare
    return Server(machine, made.files, prepare, made.start, made.flush)


EXIM = """\
primary_hostname = mail.exim.example
domainlist local_domains = exim.example : mail.exim.example
log_file_path = /var/log/exim4/%slog
acl_smtp_rcpt = check
acl_smtp_data = check_data
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
delay_warning = 4h:24h
message_size_limit = 12000
bounce_return_size_limit = 2K
tls_advertise_hosts =
never_users =
keep_environment =
disable_ipv6 = true
begin acl
check:
  accept hosts = 192.0.2.1 : 192.0.2.10
         control = submission/sender_retain
         control = suppress_local_fixups
  accept hosts = 192.0.2.27
         domains = outreach.example
  deny message = relay not permitted
       !domains = +local_domains
  deny message = Unknown user
       !verify = recipient
  accept
check_data:
  accept
begin routers
remote:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
  no_more
aliases:
  driver = redirect
  allow_fail
  allow_defer
  data = ${lookup{$local_part}lsearch{/etc/exim4/aliases.test}}
  pipe_transport = pipe
vacation:
  driver = accept
  local_parts = lsearch;/etc/exim4/vacations
  condition = ${if !eq{$sender_address}{}}
  transport = vacation
users:
  driver = accept
  check_local_user
  transport = local
  cannot_route_message = Unknown user
begin transports
remote_smtp:
  driver = smtp
  hosts_require_tls = 192.0.2.4
local:
  driver = appendfile
  directory = $home/Maildir
  maildir_format
  quota = ${if eq{$local_part}{full}{500}{0}}
  delivery_date_add
  envelope_to_add
pipe:
  driver = pipe
  user = nobody
  return_fail_output
vacation:
  driver = autoreply
  user = mail
  from = $local_part@$domain
  to = $sender_address
  subject = ${lookup{$local_part}lsearch{/etc/exim4/vacations}}
  headers = "MIME-Version: 1.0\\nContent-Type: text/plain; charset=utf-8\\nContent-Transfer-Encoding: 8bit"
  file = ${lookup{$local_part}lsearch{/etc/exim4/vacation-files}}
  once =
begin retry
*  *  F,4d,1h
"""


def exim(machine: Machine) -> Server:
    """Exim with a configuration file of its own; the mailbox of `full` holds 500 bytes."""
    aliases = aliases_of("exim.example") + "left: :fail: The person has left the company\n"
    aliases += "busy: :defer: The mailbox is being moved\n"
    files = {
        "/etc/exim4/exim4.conf": EXIM,
        "/etc/exim4/aliases.test": aliases,
        "/etc/exim4/vacations": "",
        "/etc/exim4/vacation-files": "",
    }
    prepare = USERS + "mkdir -p /run/exim4 /etc/exim4/texts; chown Debian-exim /run/exim4"
    return Server(machine, files, prepare, "exim4 -bd -oP /run/exim4/exim.pid", "exim4 -qff")


SENDMAIL = """\
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(`debian')dnl
DOMAIN(`debian-mta')dnl
define(`confDOMAIN_NAME', `mail.sendmail.example')dnl
define(`confMAX_MESSAGE_SIZE', `12000')dnl
define(`confTO_QUEUEWARN', `4h')dnl
define(`confMIN_QUEUE_AGE', `0')dnl
define(`confHOST_STATUS_DIRECTORY')dnl
undefine(`confHOST_STATUS_DIRECTORY')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`accept_unresolvable_domains')dnl
DAEMON_OPTIONS(`Family=inet, Name=MTA, Port=25')dnl
LOCAL_DOMAIN(`sendmail.example')dnl
MAILER_DEFINITIONS
MAILER(`local')dnl
MAILER(`smtp')dnl
"""


def sendmail(machine: Machine) -> Server:
    """Sendmail with Debian's m4 files."""
    aliases = aliases_of("sendmail.example") + "postmaster: root\nmailer-daemon: root\n"
    files = {"/etc/mail/test.mc": SENDMAIL, "/etc/mail/aliases": aliases}
    prepare = USERS + (
        "cd /etc/mail && m4 test.mc > sendmail.cf && ln -sf /etc/mail/aliases /etc/aliases; mkdir -p /run/sendmail/mta;"
        "echo 'none:' >> /etc/mail/local-host-names; echo sendmail.example > /etc/mail/local-host-names;"
        "newaliases || true"
    )
    return Server(machine, files, prepare, "sendmail -bd", "sendmail -qf")


OPENSMTPD = """\
table aliases file:/etc/smtpd-aliases
listen on 0.0.0.0 hostname mail.opensmtpd.example
listen on socket
queue ttl 5d
bounce warn-interval 4h, 1d
action "local" maildir alias <aliases>
action "out" relay helo mail.opensmtpd.example
match from any for domain "opensmtpd.example" action "local"
match from any for any action "out"
"""


def opensmtpd(machine: Machine) -> Server:
    """OpenSMTPD."""
    aliases = aliases_of("opensmtpd.example")
    files = {"/etc/smtpd.conf": OPENSMTPD, "/etc/smtpd-aliases": aliases}
    return Server(machine, files, USERS + "true", "smtpd -d", "smtpctl schedule all")


def courier(machine: Machine) -> Server:
    """Courier."""
    files = {
        "/etc/courier/me": "mail.courier.example\n",
        "/etc/courier/dsnfrom": "mailer-daemon@mail.courier.example\n",
        "/etc/courier/defaultdomain": "courier.example\n",
        "/etc/courier/locals": "localhost\ncourier.example\nmail.courier.example\n",
        "/etc/courier/esmtpacceptmailfor": "courier.example\n",
        "/etc/courier/smtpaccess/default": "192.0.2\tallow,RELAYCLIENT\n127.0.0\tallow,RELAYCLIENT\n",
        # Its clock is the true one, as another stops it; so it loses patience early.
        "/etc/courier/queuetime": "100s\n",
        "/etc/courier/warntime": "10s\n",
        "/etc/courier/aliases/test": aliases_of("courier.example").replace('"|/bin/false"', "|/bin/false"),
    }
    settings = {
        "courierd": {"DEFAULTDELIVERY": "./Maildir"},
        "esmtpd": {"BOFHCHECKDNS": "0", "BLACKLISTS": "", "MAILUSER": "courier", "ESMTPDSTART": "YES"},
    }
    edits = [
        f"sed -i 's#^{name}=.*#{name}={value}#' /etc/courier/{file}"
        for file, values in settings.items()
        for name, value in values.items()
    ]
    prepare = USERS + (
        "mkdir -p /run/courier/authdaemon; chown -R courier:courier /run/courier; makesmtpaccess; makealiases; "
        "for u in alice full carol looper; do maildirmake /home/$u/Maildir 2>/dev/null; chown -R $u /home/$u; done; "
    )
    start = "authdaemond start; courier start; courierfilter start; esmtpd start; sleep 9000"
    prepare += "; ".join(edits)
    return Server(machine, files, prepare, start, "courier flush")


DOVECOT = """\
protocols = lmtp
auth_mechanisms = plain
auth_username_format = %n
log_path = /var/log/dovecot.log
mail_location = maildir:/vmail/%n
mail_uid = 65534
mail_gid = 65534
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = /etc/dovecot/people
}}
userdb {{
  driver = passwd-file
  args = /etc/dovecot/people
}}
mail_plugins = quota
protocol lmtp {{
  mail_plugins = quota sieve
  postmaster_address = postmaster@{domain}
}}
plugin {{
  quota = maildir:User quota
  quota_rule = *:storage=10M
  sieve = file:/vmail/%n.sieve
  sieve_extensions = +vnd.dovecot.report
}}
service lmtp {{
  unix_listener /var/spool/postfix/private/dovecot-lmtp {{
    mode = 0666
  }}
}}
ssl = no
"""


def dovecot(machine: Machine) -> Server:
    """Dovecot behind a Postfix that hands everything to its LMTP; `full` has no room."""
    domain = machine.host.partition(".")[2]
    more = (
        f"virtual_mailbox_domains = {domain}\nvirtual_mailbox_maps = static:all\n"
        "virtual_transport = lmtp:unix:private/dovecot-lmtp\n"
    )
    made = postfix(machine, more, local=False)
    people = "alice:{PLAIN}x::::/vmail/alice::\nfull:{PLAIN}x::::/vmail/full::userdb_quota_rule=*:bytes=100\n"
    files = dict(made.files) | {"/etc/dovecot/dovecot.conf": DOVECOT.format(domain=domain)}
    files["/etc/dovecot/people"] = people
    prepare = made.prepare + "; mkdir -p /vmail; chown 65534:65534 /vmail"
    return Server(machine, files, prepare, "dovecot; postfix start", "postqueue -f")


def add_person(machine: Machine, user: str) -> None:
    """Let Dovecot know somebody who has a Sieve script."""
    machine.run(f"echo '{user}:{{PLAIN}}x::::/vmail/{user}::' >> /etc/dovecot/people; chown -R 65534:65534 /vmail")


def dma(machine: Machine) -> Server:
    """DragonFly's mail agent, which has no daemon: a flush delivers."""
    files = {"/etc/dma/dma.conf": "MAILNAME mail.dma.example\n", "/etc/aliases": "root: alice\n"}
    return Server(machine, files, USERS + "true", "true", "dma -q")


def nullmailer(machine: Machine) -> Server:
    """Nullmailer, which leaves everything to a smart host: the Postfix of this lab."""
    files = {
        "/etc/nullmailer/me": "mail.nullmailer.example\n",
        "/etc/nullmailer/remotes": "192.0.2.21 smtp\n",
        "/etc/nullmailer/sendtimeout": "30\n",
        "/etc/nullmailer/pausetime": "1\n",
    }
    spool = "/var/spool/nullmailer"
    prepare = f"test -p {spool}/trigger || mkfifo {spool}/trigger; chown -R mail:mail {spool}"
    start = "setpriv --reuid mail --regid mail --clear-groups nullmailer-send"
    return Server(machine, files, prepare, start, "true")
