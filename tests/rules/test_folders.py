"""Which folders are read: the server's marks first, then the names that mail programs give, in many languages."""

import pytest

from dispatch.rules.folders import Folder, ListedFolder, Role, choose_folders


def listed(name: str, *flags: str, delimiter: str = "/") -> ListedFolder:
    return ListedFolder(name, name.encode(), delimiter, frozenset(flags))


def chosen(*folders: ListedFolder) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for folder in choose_folders(folders):
        names.setdefault(folder.role.value, []).append(folder.name)
    return names


def test_every_mailbox_has_an_inbox() -> None:
    assert choose_folders([]) == [Folder(Role.INBOX, "INBOX", b"INBOX")]


def test_marks_decide_whatever_the_names_are() -> None:
    folders = [listed("INBOX"), listed("A", "\\junk"), listed("B", "\\sent"), listed("Spam"), listed("Sent")]
    assert chosen(*folders) == {"inbox": ["INBOX"], "junk": ["A"], "sent": ["B"]}


def test_gmails_older_marks_are_known() -> None:
    assert chosen(listed("[Gmail]/Corbeille spéciale", "\\spam"))["junk"] == ["[Gmail]/Corbeille spéciale"]


@pytest.mark.parametrize(
    "name",
    [
        *("Junk", "SPAM", "INBOX.Junk E-mail", "[Gmail]/Spam", "Courrier indésirable", "Correo no deseado"),
        *("Posta indesiderata", "Lixo Eletrônico", "Ongewenste e-mail", "Skräppost", "Roskaposti", "Спам"),
        *("迷惑メール", "垃圾邮件", "스팸", "Önemsiz", "Niechciane", "Ανεπιθύμητη αλληλογραφία", "דואר זבל"),
    ],
)
def test_unmarked_junk_is_known_by_its_name(name: str) -> None:
    delimiter = "." if name.startswith("INBOX.") else "/"
    assert chosen(listed(name, delimiter=delimiter))["junk"] == [name]


@pytest.mark.parametrize(
    "name",
    [
        *("Sent", "Sent Items", "[Gmail]/Sent Mail", "Gesendete Objekte", "Éléments envoyés", "Elementos enviados"),
        *("Posta inviata", "Itens Enviados", "Verzonden items", "Skickat", "Lähetetyt", "Отправленные"),
        *("送信済みメール", "已发送", "보낸편지함", "Gönderilmiş Öğeler", "Elementy wysłane"),
    ],
)
def test_unmarked_sent_mail_is_known_by_its_name(name: str) -> None:
    assert chosen(listed(name))["sent"] == [name]


@pytest.mark.parametrize("name", ["Sentinel", "Junkyard", "Spam reports 2024", "Unsent", "Drafts", "Archive"])
def test_other_folders_stay_closed(name: str) -> None:
    assert chosen(listed(name)) == {"inbox": ["INBOX"]}


def test_a_folder_that_cannot_be_opened_is_none() -> None:
    assert chosen(listed("Spam", "\\noselect"), listed("X", "\\junk", "\\nonexistent")) == {"inbox": ["INBOX"]}


def test_a_name_does_not_outweigh_the_servers_mark() -> None:
    assert "junk" not in chosen(listed("Spam", "\\sent"))


def test_the_mailboxs_own_folders_come_before_nested_ones() -> None:
    folders = [listed("Old/2019/Sent"), listed("Sent"), listed("a/b/Spam"), listed("Junk"), listed("x/Spam")]
    assert chosen(*folders) == {"inbox": ["INBOX"], "junk": ["Junk", "x/Spam"], "sent": ["Sent"]}
