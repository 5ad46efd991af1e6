"""Who does what about a mail, decided by the mail alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampout.sandbox.absences import WORDINGS
from ampout.sandbox.mailboxes import INBOX, JUNK
from ampout.sandbox.reactions import Kind, Letter, is_passive, react
from ampout.sandbox.recipients import UNCHANGING, Behaviour
from ampout.sandbox.visits import PEOPLE, PROXIES, Agent, Visit
from tests.sandbox.deliveries import BOUNCES_TO, LOGIN, MESSAGE_ID, WEB, make_delivered

AWAY = [Behaviour(f"ooo-{language}") for language in WORDINGS]
PEOPLE_ONCE = [Behaviour.REPLY, Behaviour.REPLY_HTML, Behaviour.REMOVE, Behaviour.ONECLICK, Behaviour.COMPLAIN]
DSN = [behaviour for behaviour in Behaviour if behaviour.value.startswith("dsn-")]
PASSIVE = {Behaviour.ACCEPTS, Behaviour.GREYLIST, Behaviour.FULL, Behaviour.SLOW, *UNCHANGING}
THREAD = ("<one@x>", "<two@x>")


def test_only_those_that_the_first_release_knew_do_nothing() -> None:
    assert {behaviour for behaviour in Behaviour if is_passive(behaviour)} == PASSIVE


@given(st.sampled_from(Behaviour), st.sampled_from([(), THREAD]))
def test_the_same_mail_has_the_same_consequences(behaviour: Behaviour, thread: tuple[str, ...]) -> None:
    assert react(behaviour, make_delivered(behaviour, thread)) == react(behaviour, make_delivered(behaviour, thread))


@given(st.sampled_from(Behaviour))
def test_every_act_comes_within_the_longest_wait(behaviour: Behaviour) -> None:
    acts = react(behaviour, make_delivered(behaviour, THREAD)) + react(behaviour, make_delivered(behaviour))
    assert all(0 <= reaction.after <= 1 for reaction in acts)
    assert bool(acts) is not is_passive(behaviour)


@pytest.mark.parametrize("behaviour", PEOPLE_ONCE)
def test_people_act_at_the_first_mail_of_a_thread_only(behaviour: Behaviour) -> None:
    assert len(react(behaviour, make_delivered(behaviour))) == 1
    assert react(behaviour, make_delivered(behaviour, THREAD)) == ()


@pytest.mark.parametrize("behaviour", [*AWAY, Behaviour.OOO_DATE, Behaviour.OOO_PLAIN, *DSN])
def test_programs_answer_every_mail(behaviour: Behaviour) -> None:
    for thread in ((), THREAD):
        assert len(react(behaviour, make_delivered(behaviour, thread))) == 1


@pytest.mark.parametrize("behaviour", [*AWAY, Behaviour.OOO_DATE, Behaviour.OOO_PLAIN])
def test_programs_never_answer_programs(behaviour: Behaviour) -> None:
    assert react(behaviour, replace(make_delivered(behaviour), is_automatic=True)) == ()


@pytest.mark.parametrize("behaviour", DSN)
def test_no_notice_is_written_about_a_notice(behaviour: Behaviour) -> None:
    assert react(behaviour, replace(make_delivered(behaviour), sender="")) == ()


@pytest.mark.parametrize(("thread", "acts"), [((), 0), (THREAD[:1], 0), (THREAD, 1)])
def test_who_leaves_later_reads_two_mails_first(thread: tuple[str, ...], acts: int) -> None:
    assert len(react(Behaviour.OOO_LATER, make_delivered(Behaviour.OOO_LATER, thread))) == acts


def letter_to(behaviour: Behaviour) -> str:
    [reaction] = react(behaviour, make_delivered(behaviour))
    assert isinstance(reaction.act, Letter)
    return reaction.act.to


def test_answers_go_to_who_wrote_notices_to_the_envelope_and_complaints_to_the_login() -> None:
    assert {letter_to(behaviour) for behaviour in (Behaviour.REPLY, *AWAY)} == {LOGIN}
    assert {letter_to(behaviour) for behaviour in DSN} == {BOUNCES_TO}
    assert letter_to(Behaviour.COMPLAIN) == LOGIN


def test_some_answers_are_taken_for_junk_and_no_notice_is() -> None:
    names = [f"person.{number}" for number in range(100)]

    def folders(behaviour: Behaviour) -> set[str]:
        acts = [react(behaviour, make_delivered(behaviour, name=name))[0].act for name in names]
        return {act.folder for act in acts if isinstance(act, Letter)}

    assert folders(Behaviour.REPLY) == folders(Behaviour.OOO_DE) == {INBOX, JUNK}
    assert folders(Behaviour.DSN_POSTFIX) == folders(Behaviour.COMPLAIN) == {INBOX}


def visits(behaviour: Behaviour) -> list[tuple[Kind, str, str]]:
    reactions = react(behaviour, make_delivered(behaviour))
    return [(one.kind, one.act.method, one.act.url) for one in reactions if isinstance(one.act, Visit)]


def agents(behaviour: Behaviour) -> set[Agent]:
    names = [f"person.{number}" for number in range(50)]
    reactions = [one for name in names for one in react(behaviour, make_delivered(behaviour, name=name))]
    return {one.act.agent for one in reactions if isinstance(one.act, Visit)}


def test_readers_fetch_the_pixel_and_clickers_the_first_link() -> None:
    pixel = (Kind.OPEN, "GET", f"{WEB}/o/pixel")
    assert visits(Behaviour.OPEN) == [pixel]
    assert visits(Behaviour.CLICK) == [pixel, (Kind.CLICK, "GET", f"{WEB}/c/guide")]
    assert visits(Behaviour.OPEN_PROXY) == [(Kind.PROXY, "GET", f"{WEB}/o/pixel")]


def test_scanners_look_at_everything_at_once_and_post_nothing() -> None:
    seen = visits(Behaviour.OPEN_SCANNER)
    assert {url for _, _, url in seen} == {f"{WEB}/o/pixel", f"{WEB}/c/guide", f"{WEB}/u/token"}
    assert {(kind, method) for kind, method, _ in seen} == {(Kind.SCAN, "HEAD"), (Kind.SCAN, "GET")}
    assert {one.after for one in react(Behaviour.OPEN_SCANNER, make_delivered(Behaviour.OPEN_SCANNER))} == {0}


def test_who_visits_says_so() -> None:
    assert agents(Behaviour.OPEN) == set(PEOPLE)
    assert agents(Behaviour.OPEN_PROXY) == set(PROXIES)
    assert agents(Behaviour.OPEN_SCANNER) == {Agent.SCANNER}


def test_one_click_posts_what_rfc_8058_says_and_nothing_where_it_is_not_offered() -> None:
    [reaction] = react(Behaviour.ONECLICK, make_delivered(Behaviour.ONECLICK))
    assert reaction.act == Visit(f"{WEB}/u/token", Agent.PROVIDER, "POST", "List-Unsubscribe=One-Click")
    assert react(Behaviour.ONECLICK, replace(make_delivered(Behaviour.ONECLICK), one_click="")) == ()


@pytest.mark.parametrize("behaviour", [one for one in Behaviour if one in {*PEOPLE_ONCE, *AWAY, *DSN}])
def test_every_mail_names_the_one_it_is_about(behaviour: Behaviour) -> None:
    for reaction in react(behaviour, make_delivered(behaviour)):
        if isinstance(reaction.act, Letter):
            assert MESSAGE_ID.encode() in reaction.act.raw
