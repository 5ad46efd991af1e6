"""Where a mailbox takes tagged addresses, each message names itself in its MAIL FROM, and nowhere that people see."""

from django.conf import settings

from dispatch.models import Message
from dispatch.rules.return_path import read_return_path
from tests.dispatch.conftest import Engine
from tests.peers.oracle_log import Entry


def sent_from(engine: Engine, from_email: str, *, plus_addressing: bool) -> tuple[Message, Entry]:
    """One message of such a mailbox, and what the server was told."""
    credential = engine.credential(from_email=from_email, plus_addressing=plus_addressing)
    engine.released("ok", credentials=[credential])
    engine.run_until_settled(1)
    [entry] = engine.smtp.log
    return Message.everywhere.get(), entry


def test_the_return_path_names_the_message(engine: Engine) -> None:
    message, entry = sent_from(engine, "Ann@sender.example", plus_addressing=True)
    assert entry["sender"].startswith("Ann+")
    assert read_return_path(entry["sender"], settings.DIGEST_KEY.encode()) == message.pk
    assert b"Ann+" not in bytes(entry["body"])
    engine.assert_lawful()


def test_elsewhere_it_is_the_sender(engine: Engine) -> None:
    _, entry = sent_from(engine, "ann@sender.example", plus_addressing=False)
    assert entry["sender"] == "ann@sender.example"


def test_it_is_the_sender_where_the_local_part_leaves_no_room(engine: Engine) -> None:
    address = f"{'a' * 30}@sender.example"
    _, entry = sent_from(engine, address, plus_addressing=True)
    assert entry["sender"] == address
