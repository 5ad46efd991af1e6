"""The IMAP server of the senders' mailboxes: pymap speaks the protocol, mailboxes.py keeps the mail.

TLS from the first byte (RFC 8314), LOGIN and AUTHENTICATE PLAIN. The folders are read-only: INBOX, Junk and Sent, the
latter two marked as such (RFC 6154). Why not pymap's own storage: docs/decisions/0005-sandbox-mailboxes.md.
"""

# ruff: noqa: ARG002 -- the signatures are pymap's
import asyncio
import ssl
from argparse import Namespace
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NoReturn, cast
from uuid import uuid4

from proxyprotocol.result import ProxyResultUnknown
from proxyprotocol.sock import SocketInfo
from pymap.backend.mailbox import MailboxDataInterface, MailboxSetInterface
from pymap.backend.session import BaseSession
from pymap.concurrent import Event, ReadWriteLock
from pymap.config import BackendCapability, IMAPConfig
from pymap.exceptions import AuthorizationFailure, InvalidAuth, MailboxReadOnly, NotAllowedError
from pymap.flags import FlagOp
from pymap.imap import IMAPServer
from pymap.interfaces.login import IdentityInterface, LoginInterface
from pymap.interfaces.message import CachedMessage
from pymap.interfaces.token import TokensInterface
from pymap.listtree import ListTree
from pymap.mailbox import MailboxSnapshot
from pymap.message import BaseLoadedMessage, BaseMessage
from pymap.mime import MessageContent
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials import FetchRequirement, ObjectId
from pymap.parsing.specials.flag import Flag
from pymap.selected import SelectedMailbox, SelectedSet
from pymap.token import AllTokens
from pymap.user import UserMetadata
from pysasl.creds.server import ServerCredentials
from pysasl.identity import ClearIdentity

from ampout.sandbox.logins import LOGIN
from ampout.sandbox.mailboxes import SPECIAL_USE, Folder, Mailboxes, StoredMail

CONNECTION_LIMIT = 500
"""Conversations side by side; further ones are told BYE at once."""
COMMAND_LIMIT = 65_536
"""Bytes of a line and of a literal; nothing a client has reason to say to a read-only server is longer."""
IDLE_SECONDS = 1800.0
"""Silence after which a connection is closed (RFC 9051, section 5.4, asks for 30 minutes)."""


class Mail(BaseMessage):
    """A mail as pymap sees it; its content is read from the file when a command needs it."""

    __slots__ = ("_stored",)

    def __init__(self, stored: StoredMail) -> None:
        super().__init__(stored.uid, stored.arrived_at, ())
        self._stored = stored

    async def load_content(self, requirement: FetchRequirement) -> BaseLoadedMessage:
        """The parsed mail, as far as ``requirement`` asks for it; none where its file is gone."""
        if requirement.has_none(FetchRequirement.CONTENT):
            return BaseLoadedMessage(self, requirement, None)
        whole = bool(requirement & FetchRequirement.BODY)
        # Another thread: other conversations go on while a large mail is parsed.
        return BaseLoadedMessage(self, requirement, await asyncio.to_thread(_parse, self._stored, whole=whole))


def _parse(stored: StoredMail, *, whole: bool) -> MessageContent | None:
    try:
        raw = stored.path.read_bytes()
        return MessageContent.parse(raw if whole else b"".join(raw.partition(b"\r\n\r\n")[:2]))
    except (OSError, RecursionError):
        return None


class FolderView(MailboxDataInterface[Mail]):
    """One folder as pymap sees it: what lies in it is read, and nothing is changed."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._selected_set = SelectedSet()
        self._lock = ReadWriteLock.for_asyncio()

    @property
    def mailbox_id(self) -> ObjectId:
        """The folder's name among all folders."""
        return ObjectId(b"F" + self._folder.identifier.encode("ascii"))

    @property
    def readonly(self) -> bool:
        """Always."""
        return True

    @property
    def uid_validity(self) -> int:
        """As written down when the folder was made."""
        return self._folder.uid_validity

    @property
    def messages_lock(self) -> ReadWriteLock:
        """Never contended, for nothing here is changed in place."""
        return self._lock

    @property
    def selected_set(self) -> SelectedSet:
        """Who has the folder open."""
        return self._selected_set

    async def update_selected(self, selected: SelectedMailbox, *, wait_on: Event | None = None) -> SelectedMailbox:
        """Tell a session what has arrived since it last asked; ``wait_on`` (IDLE) waits up to a second for that."""
        if wait_on is not None:
            await self._wait_for_mail(wait_on)
        known: int = selected.mod_sequence or 0
        selected.mod_sequence = len(self._folder.mails)
        selected.add_updates([Mail(stored) for stored in self._folder.mails[known : selected.mod_sequence]], [])
        return selected

    async def _wait_for_mail(self, wait_on: Event) -> None:
        arrived = wait_on.or_event()
        self._folder.listeners.append(arrived)
        try:
            await arrived.wait(timeout=1.0)
        finally:
            self._folder.listeners.remove(arrived)

    async def get(self, uid: int, cached_msg: CachedMessage) -> Mail:
        """The mail of this UID: as it was, for none changes."""
        return cast("Mail", cached_msg)

    async def messages(self) -> AsyncIterator[Mail]:
        """All mails, the oldest first."""
        for stored in self._folder.mails:
            yield Mail(stored)

    async def snapshot(self) -> MailboxSnapshot:
        """What SELECT and STATUS show."""
        count = len(self._folder.mails)
        first_unseen = 1 if count else None
        return MailboxSnapshot(
            self.mailbox_id, True, self.uid_validity, (), frozenset(), count, 0, count, first_unseen,
            self._folder.next_uid,
        )  # fmt: skip

    async def claim_recent(self, selected: SelectedMailbox) -> None:
        """Nothing is recent."""

    async def cleanup(self) -> None:
        """Nothing is left behind."""

    async def append(self, append_msg: AppendMessage, *, recent: bool = False) -> NoReturn:
        """Refused."""
        raise MailboxReadOnly

    async def copy(self, uid: int, destination: "FolderView", *, recent: bool = False) -> NoReturn:
        """Refused."""
        raise MailboxReadOnly

    async def move(self, uid: int, destination: "FolderView", *, recent: bool = False) -> NoReturn:
        """Refused."""
        raise MailboxReadOnly

    async def update(self, uid: int, cached_msg: CachedMessage, flag_set: frozenset[Flag], mode: FlagOp) -> Mail:
        """A mail looked at without PEEK: nothing marks it."""
        return await self.get(uid, cached_msg)

    async def delete(self, uids: Iterable[int]) -> None:
        """Refused."""
        raise MailboxReadOnly


class FolderSet(MailboxSetInterface[FolderView]):
    """The folders of one login."""

    def __init__(self, login: str, mailboxes: Mailboxes) -> None:
        self._login = login
        self._mailboxes = mailboxes

    @property
    def delimiter(self) -> str:
        """Between the levels of folders; there is one level."""
        return "/"

    async def list_mailboxes(self) -> ListTree:
        """The same for everybody."""
        return ListTree(self.delimiter).update(*SPECIAL_USE)

    async def list_subscribed(self) -> ListTree:
        """All of them."""
        return await self.list_mailboxes()

    async def get_mailbox(self, name: str) -> FolderView:
        """A folder. Raises KeyError."""
        return FolderView(self._mailboxes.folder(self._login, name))

    async def set_subscribed(self, name: str, subscribed: bool) -> None:
        """Refused, as all changes are."""
        raise NotAllowedError("The sandbox's folders are read-only.")

    async def add_mailbox(self, name: str) -> NoReturn:
        """Refused."""
        raise NotAllowedError("The sandbox's folders are read-only.")

    async def delete_mailbox(self, name: str) -> None:
        """Refused."""
        raise NotAllowedError("The sandbox's folders are read-only.")

    async def rename_mailbox(self, before: str, after: str) -> None:
        """Refused."""
        raise NotAllowedError("The sandbox's folders are read-only.")


class Session(BaseSession[Mail]):
    """A logged-in conversation."""

    def __init__(self, login: str, config: "Config", mailboxes: Mailboxes) -> None:
        super().__init__(login)
        self._config = config
        self._folders = FolderSet(login, mailboxes)

    @property
    def config(self) -> "Config":
        """The server's settings."""
        return self._config

    @property
    def mailbox_set(self) -> FolderSet:
        """The login's folders."""
        return self._folders

    async def list_mailboxes(
        self, ref_name: str, filter_: str, subscribed: bool = False, selected: SelectedMailbox | None = None
    ) -> tuple[Iterable[tuple[str, str | None, Sequence[bytes]]], SelectedMailbox | None]:
        """LIST, with what each folder is for (RFC 6154, section 2, lets servers say so unasked)."""
        listed, updated = await super().list_mailboxes(ref_name, filter_, subscribed, selected)
        return [
            (name, delimiter, [*attributes, *filter(None, [SPECIAL_USE.get(name)])])
            for name, delimiter, attributes in listed
        ], updated


class Identity(IdentityInterface):
    """Somebody who gave a login and its password."""

    def __init__(self, login: str, config: "Config", mailboxes: Mailboxes) -> None:
        self._login = login
        self._config = config
        self._mailboxes = mailboxes

    @property
    def name(self) -> str:
        """The login."""
        return self._login

    @property
    def roles(self) -> frozenset[str]:
        """None."""
        return frozenset()

    @asynccontextmanager
    async def new_session(self) -> AsyncIterator[Session]:
        """A conversation."""
        yield Session(self._login, self._config, self._mailboxes)

    async def new_token(self, *, expiration: datetime | None = None) -> None:
        """There are no tokens."""

    async def get(self) -> UserMetadata:
        """What there is to know of the login."""
        return UserMetadata(self._config, self._login)

    async def set(self, metadata: UserMetadata) -> NoReturn:
        """Refused."""
        raise NotAllowedError("The sandbox's logins are fixed.")

    async def delete(self) -> NoReturn:
        """Refused."""
        raise NotAllowedError("The sandbox's logins are fixed.")


class Login(LoginInterface):
    """Who may log in: the senders, with the sandbox's password."""

    def __init__(self, config: "Config", mailboxes: Mailboxes, password: str) -> None:
        self._config = config
        self._mailboxes = mailboxes
        self._password = password

    @property
    def tokens(self) -> TokensInterface:
        """pymap asks for it; there are none."""
        return AllTokens(self._config)

    async def authenticate(self, credentials: ServerCredentials) -> Identity:
        """The login in ``credentials``. Raises InvalidAuth."""
        login = credentials.authcid
        try:
            right = LOGIN.fullmatch(login) is not None and credentials.verify(ClearIdentity(login, self._password))
        except ValueError:  # bytes that are no UTF-8, or characters that no password may have (RFC 4013)
            right = False
        if not right:
            raise InvalidAuth
        return Identity(login, self._config, self._mailboxes)

    async def authorize(self, authenticated: IdentityInterface, authzid: str) -> Identity:
        """The same person. Raises AuthorizationFailure for another."""
        if authzid not in {"", authenticated.name}:
            raise AuthorizationFailure
        return Identity(authenticated.name, self._config, self._mailboxes)


class Config(IMAPConfig):
    """pymap's settings, for a server whose TLS is up before it is asked."""

    def __init__(self) -> None:
        super().__init__(
            Namespace(passlib_cfg=None, proxy_protocol=None),
            host=None,
            port=0,
            tls_enabled=False,
            reject_dnsbl=False,
            max_append_len=COMMAND_LIMIT,
        )

    @property
    def backend_capability(self) -> BackendCapability:
        """IDLE, and no extension that changes anything."""
        return BackendCapability(idle=True, object_id=False, multi_append=False)

    @property
    def login_capability(self) -> Sequence[bytes]:
        """What is offered once logged in."""
        return [b"IDLE", b"CHILDREN", b"SPECIAL-USE"]

    @property
    def greeting(self) -> bytes:
        """The first line."""
        return b"Ampout sandbox: nothing leaves this machine"


class BoundedReader:
    """What a client sends, line by line and literal by literal; one that says too much, or nothing, has left."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def readline(self) -> bytes:
        """A line. Raises EOFError."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                return await self._reader.readline()
        except (TimeoutError, ValueError) as error:
            raise EOFError from error

    async def readexactly(self, count: int) -> bytes:
        """A literal. Raises EOFError."""
        if count > COMMAND_LIMIT:
            raise EOFError
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                return await self._reader.readexactly(count)
        except TimeoutError as error:
            raise EOFError from error


async def start_imap_server(
    mailboxes: Mailboxes, *, password: str, host: str, port: int, context: ssl.SSLContext
) -> asyncio.Server:
    """Listen on ``host`` (an IP address) and ``port`` (0: any free one), TLS from the first byte; raises OSError."""
    config = Config()
    serve = IMAPServer(Login(config, mailboxes, password), config)
    connected: set[asyncio.StreamWriter] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(connected) >= CONNECTION_LIMIT:
            writer.write(b"* BYE Too many connections\r\n")
            writer.close()
            return
        connected.add(writer)
        facts = SocketInfo.get(writer, ProxyResultUnknown(), unique_id=uuid4().bytes)
        try:
            await serve(BoundedReader(reader), writer, facts)  # type: ignore[arg-type]
        finally:
            connected.discard(writer)

    return await asyncio.start_server(converse, host, port, ssl=context, limit=COMMAND_LIMIT, backlog=512)
