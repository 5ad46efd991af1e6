"""A user's mailbox over IMAP, for reading only: folders are EXAMINEd and mails PEEKed at, so nothing in it changes.

Blocking, for one thread at a time. Every answer has an allowance of bytes that follows from what was asked for, and
every stretch of work a deadline, so a server can neither hold us nor fill our memory. All failures are ImapFailure, in
the server's words.
"""

import imaplib
import logging
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from imapclient.datetime_util import format_criteria_date, parse_to_datetime
from imapclient.exceptions import IMAPClientError
from imapclient.imap_utf7 import decode as decode_name
from imapclient.response_parser import parse_response

from ampout.lib import clock
from credentials.gateways.imap_connection import (
    BoundedClient,
    ImapFailure,
    ImapLogin,
    ImapStage,
    Limits,
    close_mailbox,
    explain_failures,
)
from credentials.gateways.imap_login import prepare_login
from dispatch.rules.folders import Folder, ListedFolder, Role, choose_folders
from dispatch.rules.mail.reader import read_mail
from dispatch.rules.mailbox_cursor import spell_set, split_by_weight, valid_uids

logger = logging.getLogger(__name__)

LONGEST_HEADER = 65_536
"""Bytes of a mail's header block that are read (promises 3.2)."""
LONGEST_MAIL = 1_048_576
"""Bytes of a mail that are read (promises 3.2); reports and replies say what they have to say before that."""
AT_ONCE = 1_000_000
"""Bytes asked for at once. A hundred conversations hold a hundred of these at most."""

FIRST_RUN = 16
"""Headers asked for at once before it is known how long they are here."""

_LISTING = "(RFC822.SIZE INTERNALDATE)"
_OVERHEAD = 1_000
"""Bytes of an answer about one mail besides what was asked for; servers add flags and untagged news."""
_SLACK = 100_000
"""Bytes of news that a server may have about a busy mailbox, whatever it was asked."""
_SEARCH_BYTES = 4_000_000
"""Some 500,000 UIDs."""
_LIST_BYTES = 2_000_000
"""Some 20,000 folders."""
_MOST_COPIES = 5

PASSING = re.compile(r"\[(THROTTLED|UNAVAILABLE|INUSE|LIMIT|OVERQUOTA|CONTACTADMIN)\b", re.IGNORECASE)
"""Response codes (RFC 5530, and Yahoo's THROTTLED) that blame the moment rather than the mail."""

_ANSWER = re.compile(rb"\d{1,10} \(.*\)\s*\Z", re.DOTALL)
_UID = re.compile(rb"[( ]UID (\d{1,10})[ )]", re.IGNORECASE)
_SIZE = re.compile(rb"[( ]RFC822\.SIZE (\d{1,18})[ )]", re.IGNORECASE)
_ARRIVED = re.compile(rb'[( ]INTERNALDATE "([^"]{1,64})"', re.IGNORECASE)
_QUOTED = re.compile(rb'[( ]BODY\[[^\]]{0,80}\](?:<\d{1,10}>)? "((?:[^"\\]|\\.)*)"', re.IGNORECASE)


class Withheld(Exception):
    """The server said no to a single mail or folder; the connection is as good as before."""


@dataclass(frozen=True, slots=True)
class FolderState:
    """What EXAMINE says of a folder; `uid_next` where the server tells."""

    uid_validity: int
    uid_next: int | None


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of a mail before it is read: its size in bytes as the server gives it, and its INTERNALDATE."""

    size: int
    internal_date: bytes = b""

    @property
    def arrived_at(self) -> datetime | None:
        """When it arrived; None where the server does not say so in a date's form."""
        try:
            moment: datetime = parse_to_datetime(self.internal_date, normalise=False)
            return moment.astimezone(UTC) if moment.tzinfo else None
        except (ValueError, TypeError, IndexError, OverflowError):
            return None


@dataclass(frozen=True, slots=True)
class WholeMail:
    """A mail as far as it is read, and when it arrived, where the server says so."""

    raw: bytes
    arrived_at: datetime | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What FETCH said of one mail: the words of its answer, and the literal that came with them."""

    words: bytes
    literal: bytes


class OpenMailbox:
    """A connection that is logged in."""

    def __init__(self, login: ImapLogin, client: BoundedClient) -> None:
        self.login = login
        self._client = client
        self._folders: list[Folder] = []
        self._usual_header: int | None = None
        self.has_failed = False
        self.opened_at = clock.utc_now()

    @classmethod
    def open(cls, host: str, port: int, username: str, password: str, limits: Limits) -> "OpenMailbox":
        """Connect and log in within `limits.whole` seconds. Raises ImapFailure."""
        login, connect = prepare_login(host, port, username, password)
        return cls(login, connect(limits))

    def cut_off(self) -> None:
        """End the connection under whoever waits on it; the one call that any thread may make."""
        self.has_failed = True
        self._client.cut_off()

    def close(self) -> None:
        """Close it at once, without a word."""
        self.has_failed = True
        close_mailbox(self._client)

    def log_out(self, seconds: float) -> None:
        """Say goodbye, if the server still listens, and close."""
        try:
            with self.within(seconds):
                self._client.logout()
        except ImapFailure:
            pass
        finally:
            self.close()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """A stretch of work that ends after so many seconds. After a failure nothing more is asked: see `close`."""
        try:
            with explain_failures(self.login, ImapStage.READING):
                self._client.renew(seconds, _SLACK)
                yield
                self._client.rest()
        except Withheld:
            raise
        except BaseException:
            self.has_failed = True
            raise

    # -- Questions. All of them inside `within`.

    def say_hello(self) -> None:
        """Find out whether the server still listens."""
        self._client.noop()

    def folders(self) -> list[Folder]:
        """The folders that matter; the server is asked once a connection."""
        if not self._folders:
            self._folders = choose_folders(self._list())
        return self._folders

    def examine(self, folder: Folder) -> FolderState:
        """Open a folder for reading only. Raises Withheld for one that the server keeps closed, unless it is INBOX."""
        self._client.allow(_SLACK)
        try:
            facts = self._client.examine(folder.wire)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            if folder.role is Role.INBOX or PASSING.search(str(error)):
                raise
            raise Withheld(str(error)) from None
        validity, following = facts.get(b"UIDVALIDITY"), facts.get(b"UIDNEXT")
        if not isinstance(validity, int):
            raise self._failure(f"does not number the mails of {folder.name} (no UIDVALIDITY)")
        return FolderState(validity, following if isinstance(following, int) else None)

    def search_since(self, day: date) -> list[int]:
        """The UIDs of mails that arrived on `day` or later, by the server's calendar."""
        return self._search("SINCE", format_criteria_date(day).decode())

    def search_range(self, first: int, last: int | None = None) -> list[int]:
        """The UIDs from `first` to `last`, or to the end; the last mail's always, whatever `first` is."""
        return self._search("UID", f"{first}:{last or '*'}")

    def headers(self, uids: Sequence[int]) -> dict[int, bytes]:
        """The header blocks of these mails, each cut at LONGEST_HEADER; those that are gone are left out.

        Nothing is asked but the headers: a server may have to open a mail to tell its size. So the first runs are
        short, and later ones as long as the headers seen so far allow.
        """
        found: dict[int, bytes] = {}
        left = list(uids)
        while left:
            size, longest = self._next_run()
            run, left = left[:size], left[size:]
            allowance = _SLACK + len(run) * (longest + _OVERHEAD)
            answers = self._fetch_each(run, f"(BODY.PEEK[HEADER]<0.{LONGEST_HEADER}>)", allowance)
            texts = {uid: _literal(answer, LONGEST_HEADER) for uid, answer in answers.items()}
            self._usual_header = sum(map(len, texts.values())) // len(texts) if texts else LONGEST_HEADER
            found |= texts
        return {uid: found[uid] for uid in uids if found.get(uid)}

    def mails(self, uids: Sequence[int]) -> dict[int, WholeMail]:
        """These mails whole, each cut at LONGEST_MAIL; those that are gone are left out."""
        self._client.allow(_SLACK + _OVERHEAD * len(uids))
        listed = {uid: _read_listing(answer) for uid, answer in self._fetch(uids, _LISTING).items()}
        # Sizes are estimates at some servers.
        weights = {uid: min(LONGEST_MAIL, listing.size * 2 + 16_384) for uid, listing in listed.items()}
        found: dict[int, WholeMail] = {}
        for run in split_by_weight(sorted(listed), weights, AT_ONCE):
            allowance = _SLACK + sum(weights[uid] + _OVERHEAD for uid in run)
            answers = self._fetch_each(run, f"(BODY.PEEK[]<0.{LONGEST_MAIL}>)", allowance)
            for uid, answer in answers.items():
                found[uid] = WholeMail(_literal(answer, LONGEST_MAIL), listed[uid].arrived_at)
        return {uid: mail for uid, mail in found.items() if mail.raw}

    def holds_copy(self, message_ids: Iterable[str]) -> bool:
        """Whether a mail of this folder carries one of these Message-IDs. A search may be vague: the header decides."""
        for message_id in message_ids:
            quoted = message_id.replace("\\", "\\\\").replace('"', '\\"')
            found = self._search("HEADER", "Message-ID", f'"{quoted}"')[-_MOST_COPIES:]
            if found:
                self._client.allow(_SLACK + LONGEST_HEADER * len(found))
                answers = self._fetch(found, f"(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]<0.{LONGEST_HEADER}>)")
                heads = [read_mail(_literal(answer, LONGEST_HEADER)) for answer in answers.values()]
                if any(message_id in head.message_ids("Message-ID") for head in heads):
                    return True
        return False

    # -- How they are asked

    def _list(self) -> list[ListedFolder]:
        """Every folder; none where the server refuses to say, since INBOX is there all the same."""
        known = self._client.ask_capabilities()
        ways: list[tuple[str, ...]] = [("LIST", '""', '"*"')]
        if {b"SPECIAL-USE", b"LIST-EXTENDED"} <= known:
            ways.insert(0, ("LIST", '""', '"*"', "RETURN", "(SPECIAL-USE)"))
        elif b"XLIST" in known and b"SPECIAL-USE" not in known:
            ways.insert(0, ("XLIST", '""', '"*"'))
        for way in ways:
            self._client.allow(_LIST_BYTES)
            try:
                return _read_folders(self._client.list_raw(*way))
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as error:
                logger.info("%s refused %s: %s", self.login.server, way[0], error)
        return []

    def _search(self, *words: str) -> list[int]:
        self._client.allow(_SEARCH_BYTES)
        kind, data = self._client.ask_by_uid("SEARCH", *words)
        if kind != "OK":
            raise self._client.refusal("SEARCH", data)
        # Some servers answer in several lines, some in none, and CONDSTORE adds "(MODSEQ 5)".
        lines = [line.split(b"(")[0] for line in data if isinstance(line, bytes)]
        return valid_uids(int(word) for line in lines for word in line.split() if word.isdigit() and len(word) < 12)

    def _next_run(self) -> tuple[int, int]:
        """How many headers to ask for at once, and how long each may be on average."""
        usual = self._usual_header
        if usual is None:
            return FIRST_RUN, LONGEST_HEADER
        longest = min(LONGEST_HEADER, max(8_192, usual * 3))
        return max(1, AT_ONCE // max(5_000, usual * 2)), longest

    def _fetch_each(self, uids: Sequence[int], items: str, allowance: int) -> dict[int, Answer]:
        """The answers about these mails; where the server says no to all together, they are asked for apart.

        Raises Withheld where it says no to a single one, for a reason that is the mail's own.
        """
        self._client.allow(allowance)
        try:
            return self._fetch(uids, items)
        except _Refused as refused:
            if PASSING.search(str(refused)):
                raise
            if len(uids) == 1:
                raise Withheld(str(refused)) from None
        middle = len(uids) // 2
        return self._halves(uids[:middle], uids[middle:], items, allowance)

    def _halves(self, first: Sequence[int], second: Sequence[int], items: str, allowance: int) -> dict[int, Answer]:
        answers: dict[int, Answer] = {}
        unreadable: Withheld | None = None
        for half in (first, second):
            try:
                answers |= self._fetch_each(half, items, allowance)
            except Withheld as error:
                unreadable = error
        if not answers and unreadable is not None:
            raise unreadable
        return answers

    def _fetch(self, uids: Collection[int], items: str) -> dict[int, Answer]:
        kind, data = self._client.ask_by_uid("FETCH", spell_set(uids), items)
        if kind != "OK":
            raise _Refused(str(self._client.refusal("FETCH", data)))
        wanted = set(uids)
        answers = {uid: answer for uid, answer in read_answers(data) if uid in wanted}
        if not answers and wanted & set(self.search_range(min(wanted), max(wanted))):
            raise self._failure("does not show the mails that it lists")
        return answers

    def _failure(self, words: str) -> ImapFailure:
        return ImapFailure(ImapStage.READING, f"{self.login.server} {words}.")


class _Refused(IMAPClientError):  # type: ignore[misc]  # imapclient has no types
    """FETCH was answered NO."""


# -- Reading answers


def read_answers(data: Iterable[Any]) -> Iterator[tuple[int, Answer]]:
    """What a FETCH said of each mail, by UID, from the pieces that imaplib makes of it.

    imapclient's own reader goes through an answer byte by byte, and takes most of the time of a poll. Raises ValueError
    for what is no answer to a FETCH; those without a UID are news that nobody asked for.
    """
    words: list[bytes] = []
    literal = b""
    for piece in data:
        if isinstance(piece, tuple):
            words.append(piece[0])
            literal = literal or piece[1]
        elif piece is not None:
            whole = b"".join([*words, piece])
            if _ANSWER.match(whole) is None:
                raise ValueError("no answer to FETCH")
            uid = _UID.search(whole)
            if uid is not None:
                yield int(uid[1]), Answer(whole, literal)
            words, literal = [], b""
    if words:
        raise ValueError("half an answer to FETCH")


def _literal(answer: Answer, longest: int) -> bytes:
    """The text of a mail's section; a server that knows no partial reading may send more than was asked for."""
    if answer.literal:
        return answer.literal[:longest]
    quoted = _QUOTED.search(answer.words)
    return re.sub(rb"\\\\(.)", rb"\\1", quoted[1])[:longest] if quoted else b""


def _read_listing(answer: Answer) -> Listing:
    size, arrived = _SIZE.search(answer.words), _ARRIVED.search(answer.words)
    return Listing(int(size[1]) if size else LONGEST_MAIL, arrived[1] if arrived else b"")


def _read_folders(answers: Iterable[Any]) -> list[ListedFolder]:
    """The lines of LIST; what cannot be read of a line costs that line only."""
    lines: list[list[Any]] = []
    for piece in answers:
        if lines and isinstance(lines[-1][-1], tuple):
            lines[-1].append(piece)  # the rest of a line whose name is a literal
        elif piece:
            lines.append([piece])
    return [folder for line in lines if (folder := _read_folder(line)) is not None]


def _read_folder(line: list[Any]) -> ListedFolder | None:
    try:
        flags, delimiter, name = parse_response(line)[:3]
        wire = name if isinstance(name, bytes) else str(name).encode()
        decoded = str(decode_name(wire))
        marks = frozenset(flag.decode("ascii", "replace").lower() for flag in flags)
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError, IMAPClientError):
        return None
    if not decoded.isprintable() or not 0 < len(decoded) <= 500:
        return None
    return ListedFolder(decoded, wire, delimiter.decode("ascii", "replace") if delimiter else "", marks)
