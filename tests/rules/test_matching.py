"""The order of matching, and which recipients of a bounce are ours."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.mail.reader import Mail, read_mail
from dispatch.rules.matching import (
    MOST_IDS,
    Candidate,
    Clues,
    MatchedBy,
    RecipientMatch,
    bracketed,
    known_candidates,
    match_answer,
    match_recipients,
    read_clues,
    senders,
)

ANN, BOB, EVE = b"ann", b"bob", b"eve"
FIRST, SECOND = uuid.UUID(int=1), uuid.UUID(int=2)


def candidate(message_id: uuid.UUID = FIRST, by: MatchedBy = MatchedBy.MESSAGE_ID, to: bytes = ANN) -> Candidate:
    return Candidate(message_id, by, to)


def mail(*lines: str) -> Mail:
    return read_mail("\r\n".join([*lines, "", ""]).encode())


def token_of(address: str) -> uuid.UUID | None:
    """A token that is its message's number."""
    tag = address.partition("@")[0].partition("+")[2]
    return uuid.UUID(int=int(tag)) if tag.isdigit() else None


# -- Clues


def test_ids_come_nearest_first() -> None:
    found = read_clues(
        mail("In-Reply-To: <c@x>", "References: <a@x> <b@x> <c@x>", "From: Bob <bob@x.example>"), token_of, ["<z@x>"]
    )
    assert found == Clues((), ("<z@x>", "<c@x>", "<b@x>", "<a@x>"), ("bob@x.example",))


def test_tokens_are_read_wherever_a_server_says_whom_it_delivered_to() -> None:
    for name in ("To", "Delivered-To", "X-Original-To", "Envelope-To", "Cc"):
        assert read_clues(mail(f"{name}: Ann <ann+2@x.example>"), token_of).tokens == (SECOND,)


def test_a_token_in_any_other_header_says_nothing() -> None:
    assert read_clues(mail("From: ann+2@x.example", "Reply-To: ann+2@x.example"), token_of).tokens == ()


def test_the_sender_stands_in_where_nobody_is_from() -> None:
    assert senders(mail("Sender: bob@x.example")) == ("bob@x.example",)
    assert senders(mail("From: ann@x.example", "Sender: bob@x.example")) == ("ann@x.example",)
    assert senders(mail("Subject: nobody")) == ()


def test_a_bracketed_id_is_one_that_the_ledger_could_hold() -> None:
    assert bracketed(" <a@x> ") == bracketed("a@x") == "<a@x>"
    assert bracketed("") == bracketed("<>") == bracketed("a b@x") == bracketed("x" * 300) == ""


@given(st.lists(st.text(max_size=40), max_size=300))
def test_clues_are_bounded_whatever_a_mail_says(ids: list[str]) -> None:
    found = read_clues(mail("Subject: x"), token_of, ids).message_ids
    assert len(found) <= MOST_IDS
    assert len(set(found)) == len(found)


# -- The order of trust


def test_a_token_goes_before_an_id_and_an_id_before_the_sender() -> None:
    token, named = candidate(FIRST, MatchedBy.TOKEN), candidate(SECOND)
    sender = candidate(uuid.UUID(int=3), MatchedBy.SENDER)
    clues = Clues((FIRST,), ("<b@x>",))
    known = known_candidates(clues, {FIRST: token}, {"<b@x>": named})
    assert known == [token, named]
    assert match_answer(known, sender) == token
    assert match_answer([named], sender) == named
    assert match_answer([], sender) == sender
    assert match_answer([], None) is None


def test_a_message_that_is_named_twice_counts_once_by_the_stronger() -> None:
    token = candidate(FIRST, MatchedBy.TOKEN)
    known = known_candidates(Clues((FIRST,), ("<a@x>",)), {FIRST: token}, {"<a@x>": candidate(FIRST)})
    assert known == [token]


def test_a_token_or_id_of_nobodys_message_leads_nowhere() -> None:
    assert known_candidates(Clues((FIRST,), ("<a@x>",)), {}, {}) == []


# -- Recipients


def test_the_recipient_of_the_message_that_is_named_is_matched() -> None:
    assert match_recipients([ANN], [candidate()], {}) == [RecipientMatch(0, candidate())]


def test_a_recipient_nobody_wrote_to_is_not() -> None:
    assert match_recipients([EVE], [], {}) == []


def test_of_many_only_ours_are_matched() -> None:
    other = candidate(SECOND, MatchedBy.RECIPIENT, BOB)
    found = match_recipients([EVE, ANN, BOB], [candidate()], {BOB: other})
    assert found == [RecipientMatch(1, candidate()), RecipientMatch(2, other)]


def test_the_message_that_is_named_goes_before_the_newest() -> None:
    newest = candidate(SECOND, MatchedBy.RECIPIENT, ANN)
    assert match_recipients([ANN], [candidate()], {ANN: newest}) == [RecipientMatch(0, candidate())]


def test_a_bounce_that_names_nobody_is_about_the_message_it_names() -> None:
    assert match_recipients([], [candidate()], {}) == [RecipientMatch(None, candidate())]


def test_a_bounce_that_names_nobody_and_two_messages_is_about_none() -> None:
    assert match_recipients([], [candidate(), candidate(SECOND, to=BOB)], {}) == []


def test_an_address_behind_ours_is_not_exact() -> None:
    assert match_recipients([EVE], [candidate()], {}) == [RecipientMatch(0, candidate(), exact=False)]


def test_addresses_behind_ours_are_nobodys_where_there_are_several() -> None:
    assert match_recipients([EVE, BOB], [candidate()], {}) == []


@given(
    st.lists(st.sampled_from([ANN, BOB, EVE, b""]), max_size=5),
    st.lists(st.builds(candidate, st.uuids(), st.just(MatchedBy.MESSAGE_ID), st.sampled_from([ANN, BOB])), max_size=3),
)
def test_only_messages_that_something_points_to_are_matched(named: list[bytes], known: list[Candidate]) -> None:
    newest = candidate(SECOND, MatchedBy.RECIPIENT, BOB)
    for match in match_recipients(named, known, {BOB: newest}):
        assert match.candidate in [*known, newest]
        assert not match.exact or match.index is None or named[match.index] == match.candidate.recipient
