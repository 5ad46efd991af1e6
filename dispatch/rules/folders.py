"""Which folders of a mailbox matter: what came in, what was taken for junk, what was sent.

The server's own marks count first (RFC 6154: \\Junk, \\Sent; Gmail's older XLIST: \\Spam). Where it marks none, folders
are known by the names that mail programs give them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

INBOX = "INBOX"
MOST_OF_A_ROLE = 2
"""Folders of one role that are read; some mailboxes have a server's and a program's own."""


class Role(StrEnum):
    """What a folder is for."""

    INBOX = "inbox"
    """Where new mail arrives; every mailbox has it (RFC 9051, 5.1)."""
    JUNK = "junk"
    """What the server took for junk: replies and bounces among it."""
    SENT = "sent"
    """Copies of what was sent; searched for messages whose fate nobody knows."""


@dataclass(frozen=True, slots=True)
class ListedFolder:
    """A line of LIST: `name` decoded, `wire` as the server spells it, `flags` in lower case."""

    name: str
    wire: bytes
    delimiter: str = "/"
    flags: frozenset[str] = frozenset()

    @property
    def leaf(self) -> str:
        """The last part of the name, in lower case."""
        last = self.name.rpartition(self.delimiter)[2] if self.delimiter else self.name
        return " ".join(last.split()).casefold()


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder to open, and why."""

    role: Role
    name: str
    wire: bytes


_MARKS = {Role.JUNK: frozenset({"\\junk", "\\spam"}), Role.SENT: frozenset({"\\sent"})}
_CLOSED = frozenset({"\\noselect", "\\nonexistent"})

# Names that Outlook, Exchange, Thunderbird, Apple Mail, Roundcube, Gmail, Yahoo, GMX, Yandex, QQ, Naver … give them.
_NAMES = {
    Role.JUNK: frozenset(
        name.casefold()
        for name in (
            *("junk", "spam", "junk e-mail", "junk email", "junk mail", "junk-e-mail", "bulk", "bulk mail"),
            *("spamverdacht", "spam-verdacht", "unerwünscht", "unerwünschte werbung", "werbung"),
            *("courrier indésirable", "indésirable", "indésirables", "pourriel"),
            *("correo no deseado", "no deseado", "correo basura", "correu brossa"),
            *("posta indesiderata", "indesiderata", "indesiderati"),
            *("lixo eletrônico", "lixo electrónico", "lixo", "correio eletrônico não solicitado"),
            *("ongewenste e-mail", "ongewenst", "ongewenste mail", "reclame"),
            *("skräppost", "søppelpost", "uønsket e-post", "uønsket e-mail", "uønsket mail", "uønsket", "roskaposti"),
            *("wiadomości-śmieci", "wiadomości śmieci", "niechciane", "nevyžádaná pošta", "nevyžiadaná pošta"),
            *("levélszemét", "önemsiz", "önemsiz e-posta", "gereksiz", "gereksiz e-posta", "mesaje nedorite"),
            *("спам", "нежелательная почта", "небажана пошта", "ανεπιθύμητη αλληλογραφία", "ανεπιθύμητα"),
            *(
                "迷惑メール",
                "垃圾邮件",
                "垃圾郵件",
                "垃圾箱",
                "정크 메일",
                "정크메일",
                "스팸",
                "스팸메일함",
                "스팸편지함",
            ),
            *("דואר זבל", "البريد غير الهام", "بريد مزعج", "thư rác", "จดหมายขยะ"),
        )
    ),
    Role.SENT: frozenset(
        name.casefold()
        for name in (
            *("sent", "sent items", "sent messages", "sent mail", "sent-mail", "sent e-mail"),
            *("gesendet", "gesendete", "gesendete elemente", "gesendete objekte", "gesendete nachrichten"),
            *("envoyés", "éléments envoyés", "messages envoyés", "courrier envoyé"),
            *("enviados", "elementos enviados", "mensajes enviados", "enviats", "elements enviats"),
            *("inviati", "inviata", "posta inviata", "elementi inviati", "messaggi inviati"),
            *("itens enviados", "mensagens enviadas", "verzonden", "verzonden items", "verzonden berichten"),
            *("skickat", "skickade", "skickade objekt", "sendt", "sendte elementer", "sendt post", "sendt mail"),
            *("lähetetyt", "lähetetyt viestit", "wysłane", "elementy wysłane", "odeslaná pošta", "odeslané"),
            *("odoslaná pošta", "odoslané", "elküldött", "elküldött elemek", "trimise", "elemente trimise"),
            *("gönderilmiş öğeler", "gönderilmiş", "gönderilenler", "отправленные", "надіслані", "απεσταλμένα"),
            *("送信済み", "送信済みメール", "送信済みアイテム", "已发送", "已发送邮件", "已傳送", "寄件備份", "寄件匣"),
            *("보낸 편지함", "보낸편지함", "보낸 메일함", "보낸메일함", "פריטים שנשלחו", "العناصر المرسلة", "đã gửi"),
        )
    ),
}


def choose_folders(listed: Iterable[ListedFolder]) -> list[Folder]:
    """INBOX, then up to MOST_OF_A_ROLE junk folders and one of sent mail."""
    usable = [folder for folder in listed if not folder.flags & _CLOSED and folder.name.casefold() != "inbox"]
    chosen = [Folder(Role.INBOX, INBOX, INBOX.encode())]
    for role, most in ((Role.JUNK, MOST_OF_A_ROLE), (Role.SENT, 1)):
        marked = [folder for folder in usable if folder.flags & _MARKS[role]]
        known = marked or [folder for folder in usable if _is_known_as(folder, role)]
        chosen += [Folder(role, folder.name, folder.wire) for folder in sorted(known, key=_by_depth)[:most]]
    return chosen


def _is_known_as(folder: ListedFolder, role: Role) -> bool:
    """Whether its name is one of the role's, and no mark of the server says otherwise."""
    others = frozenset().union(*(marks for other, marks in _MARKS.items() if other is not role))
    return folder.leaf in _NAMES[role] and not folder.flags & others


def _by_depth(folder: ListedFolder) -> tuple[int, str]:
    """The mailbox's own folder comes before one of the same name in somebody's archive."""
    return (folder.name.count(folder.delimiter) if folder.delimiter else 0, folder.name)
