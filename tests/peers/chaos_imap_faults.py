"""The faults of the chaos IMAP server, by name: each may answer a command in its own way.

Those in HARMLESS are odd but allowed, or a stranger's habit: mail has to be read all the same. The others have to end
in a back-off with a sentence.
"""

from collections.abc import Callable

from tests.peers.chaos_imap import Conversation, Gone

Fault = Callable[[Conversation, str, str], bool]
PLENTY = 8_000_000

FAULTS: dict[str, Fault] = {}
HARMLESS: set[str] = set()


def fault(made: Fault) -> Fault:
    """Register a fault under its function's name."""
    FAULTS[made.__name__] = made
    return made


def harmless(made: Fault) -> Fault:
    """Register an oddity that must do no harm."""
    HARMLESS.add(made.__name__)
    return fault(made)


def _reads_mail(command: str, rest: str) -> bool:
    return command == "uid_fetch" and "BODY.PEEK" in rest


# -- What ends a poll


@fault
def bye_mid_fetch(self: Conversation, command: str, rest: str) -> bool:
    """Half a mail, and goodbye."""
    if not _reads_mail(command, rest):
        return False
    self.say(b"* 1 FETCH (UID 1 BODY[HEADER]<0> {500}\r\nFrom: somebody\r\n* BYE we are closing\r\n")
    raise Gone


@fault
def bye_at_examine(self: Conversation, command: str, _rest: str) -> bool:
    """A word of farewell instead of an answer."""
    if command != "examine":
        return False
    self.say("* BYE too many connections from your address\r\n")
    raise Gone


@fault
def literal_too_short(self: Conversation, command: str, rest: str) -> bool:
    """Fewer bytes come than were announced."""
    if not _reads_mail(command, rest):
        return False
    self.say(b"* 1 FETCH (UID 1 BODY[HEADER]<0> {5000}\r\nFrom: somebody\r\n\r\n)\r\n")
    self.done()
    return True


@fault
def literal_too_long(self: Conversation, command: str, rest: str) -> bool:
    """More bytes come than were announced."""
    if not _reads_mail(command, rest):
        return False
    self.say(b"* 1 FETCH (UID 1 BODY[HEADER]<0> {5}\r\nFrom: somebody\r\nTo: you\r\n\r\n)\r\n")
    self.done()
    return True


@fault
def literal_of_ten_gigabytes(self: Conversation, command: str, rest: str) -> bool:
    """A mail that would fill the machine."""
    if not _reads_mail(command, rest):
        return False
    self.say(b"* 1 FETCH (UID 1 BODY[HEADER]<0> {10000000000}\r\n")
    self.peer.released.wait(20)
    raise Gone


@fault
def throttled_search(self: Conversation, command: str, _rest: str) -> bool:
    """The moment is to blame."""
    if command != "uid_search":
        return False
    self.say(f"{self.tag} NO [THROTTLED] come back later\r\n")
    return True


@fault
def throttled_fetch(self: Conversation, command: str, _rest: str) -> bool:
    """The moment is to blame, not the mails."""
    if command != "uid_fetch":
        return False
    self.say(f"{self.tag} NO [THROTTLED] come back later\r\n")
    return True


@fault
def bad_password(_self: Conversation, _command: str, _rest: str) -> bool:
    """The server itself refuses these logins."""
    return False


@fault
def a_byte_a_second(self: Conversation, command: str, _rest: str) -> bool:
    """Each wait is short, and there is no end to them."""
    if command != "uid_search":
        return False
    while not self.peer.released.wait(0.2):
        self.say("*")
    raise Gone


@fault
def silent(self: Conversation, command: str, _rest: str) -> bool:
    """No answer at all."""
    if command != "examine":
        return False
    self.peer.released.wait(30)
    raise Gone


@fault
def flood(self: Conversation, command: str, _rest: str) -> bool:
    """Untagged news without end."""
    if command != "uid_search":
        return False
    for _ in range(PLENTY // 14_000):
        self.say("* 3 EXISTS \r\n" * 1_000)
    raise Gone


@fault
def endless_line(self: Conversation, command: str, _rest: str) -> bool:
    """One line without end."""
    if command != "list":
        return False
    self.say("* LIST (")
    for _ in range(PLENTY // 1_000):
        self.say("x" * 1_000)
    raise Gone


@fault
def garbage(self: Conversation, command: str, _rest: str) -> bool:
    """Bytes that are nothing."""
    if command != "uid_search":
        return False
    self.say(bytes(range(256)) * 4 + b"\r\n")
    return True


@fault
def no_uid_validity(self: Conversation, command: str, _rest: str) -> bool:
    """A folder without lasting numbers."""
    if command != "examine":
        return False
    self.say("* 3 EXISTS\r\n")
    self.done("[READ-ONLY] done")
    return True


@fault
def refuses_every_mail(self: Conversation, command: str, rest: str) -> bool:
    """No mail can be read, and no code says why."""
    if not _reads_mail(command, rest):
        return False
    self.say(f"{self.tag} NO cannot read it\r\n")
    return True


@fault
def broken_numbers(self: Conversation, command: str, _rest: str) -> bool:
    """Answers about things that are no numbers."""
    if command != "uid_fetch":
        return False
    self.say('* x FETCH (UID "1" RFC822.SIZE (1 2) BODY[HEADER] NIL\r\n')
    self.done()
    return True


# -- What must do no harm


@harmless
def answers_twice(self: Conversation, command: str, rest: str) -> bool:
    """Every FETCH is answered twice."""
    if command != "uid_fetch":
        return False
    for mail in self.asked(rest) * 2:
        self.say(self.answer(mail, rest))
    self.done()
    return True


@harmless
def descending(self: Conversation, command: str, rest: str) -> bool:
    """The newest comes first."""
    if command == "uid_search":
        self.say(f"* SEARCH {' '.join(map(str, reversed(self.found(rest))))}\r\n")
    elif command == "uid_fetch":
        for mail in reversed(self.asked(rest)):
            self.say(self.answer(mail, rest))
    else:
        return False
    self.done()
    return True


@harmless
def shrinks(self: Conversation, command: str, _rest: str) -> bool:
    """Mails are expunged while we read."""
    if command == "uid_fetch":
        self.say("* 2 EXPUNGE\r\n* 1 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\n")
    return False


@harmless
def talkative(self: Conversation, command: str, _rest: str) -> bool:
    """News, warnings and alerts around every answer."""
    if command in {"uid_fetch", "uid_search", "examine", "noop"}:
        self.say("* OK [ALERT] quota nearly full\r\n* 77 EXISTS\r\n* NO careful\r\n* 3 FETCH (UID 3 FLAGS ())\r\n" * 50)
    return False


@harmless
def several_search_lines(self: Conversation, command: str, rest: str) -> bool:
    """A line for each number, none where nothing is found."""
    if command != "uid_search":
        return False
    for uid in self.found(rest):
        self.say(f"* SEARCH {uid}\r\n")
    self.done()
    return True


@harmless
def modseq(self: Conversation, command: str, rest: str) -> bool:
    """As CONDSTORE has it (RFC 7162)."""
    if command != "uid_search":
        return False
    self.say(f"* SEARCH {' '.join(map(str, self.found(rest)))} (MODSEQ 917162500)\r\n")
    self.done()
    return True


@harmless
def lies_about_sizes(self: Conversation, command: str, rest: str) -> bool:
    """RFC822.SIZE says nothing, INTERNALDATE is no date."""
    if command != "uid_fetch" or "RFC822.SIZE" not in rest:
        return False
    for mail in self.asked(rest):
        self.say(f'* 1 FETCH (UID {mail.uid} RFC822.SIZE 0 INTERNALDATE "yesterday")\r\n')
    self.done()
    return True


@harmless
def hangs_up_between_polls(self: Conversation, command: str, _rest: str) -> bool:
    """A resting connection is closed, as servers do after half an hour."""
    if command != "noop":
        return False
    self.say("* BYE autologout\r\n")
    raise Gone


@harmless
def without_lists(self: Conversation, command: str, _rest: str) -> bool:
    """LIST is refused; INBOX is there all the same."""
    if command != "list":
        return False
    self.say(f"{self.tag} NO not for you\r\n")
    return True


@harmless
def deep_nesting(self: Conversation, command: str, _rest: str) -> bool:
    """Answers that recursive readers drown in."""
    deep = "(" * 20_000 + ")" * 20_000
    if command == "list":
        self.say(f'* LIST {deep} "/" "deep"\r\n')
    elif command == "uid_fetch":
        self.say(f"* 1 FETCH (X {deep})\r\n")
    return False


@fault
def shows_nothing(self: Conversation, command: str, _rest: str) -> bool:
    """Mails are listed and never shown."""
    if command != "uid_fetch":
        return False
    self.done()
    return True


@harmless
def odd_folder_names(self: Conversation, command: str, _rest: str) -> bool:
    """UTF-7, broken UTF-7, literals, 8-bit names, NIL delimiters."""
    if command != "list":
        return False
    self.say('* LIST (\\HasNoChildren) "/" "&BCEEPwQwBDw-"\r\n* LIST () "/" "&broken"\r\n* LIST () "/" "&@@@-"\r\n')
    self.say(b'* LIST () "/" {8}\r\n\xff\xfe folder\r\n* LIST () NIL "odd"\r\n* LIST () "/" 12\r\n* LIST (\r\n')
    self.done()
    return True


@fault
def ends_at_the_second_mail(self: Conversation, command: str, rest: str) -> bool:
    """One mail is damaged, and the server gives up whenever it is to be read."""
    if _reads_mail(command, rest) and any(mail.uid == 2 for mail in self.asked(rest)):
        raise Gone
    return False


@harmless
def refuses_the_second_mail(self: Conversation, command: str, rest: str) -> bool:
    """One mail is damaged, and every FETCH that names it is refused."""
    if _reads_mail(command, rest) and any(mail.uid == 2 for mail in self.asked(rest)):
        self.say(f"{self.tag} NO [SERVERBUG?] cannot read it\r\n")
        return True
    return False
