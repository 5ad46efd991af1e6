"""The ways in which a lawful history is broken on purpose, each with the law that the checker has to name."""

from collections.abc import Callable

from tests.faults.checker import Law
from tests.faults.history import Kind
from tests.faults.lawful import BEGIN, Run

Break = Callable[[Run], object]

BREAKS: dict[str, tuple[Law, float | None, Break]] = {}
"""By a sentence: the law that is broken, when that shows (seconds of the run; None: at the end), and how."""


def breaks(law: Law, at: float | None = None) -> Callable[[Break], Break]:
    """Put a way of breaking a law on the list; its name is the sentence."""

    def put(way: Break) -> Break:
        BREAKS[way.__name__.replace("_", " ")] = law, at, way
        return way

    return put


# -- I1


@breaks(Law.TWICE, 2.9)
def a_message_arrives_twice(run: Run) -> None:
    run.again(run.seen(Kind.DELIVERED, message_id="<1.rita of A>"), 2.9)


@breaks(Law.TWICE, 1.9)
def a_step_arrives_under_a_second_message_id(run: Run) -> None:
    anna = run.row("enrollments", id="anna of B")
    run.add("messages", **{**run.row("messages", id="1 anna of B"), "message_id": "<again>", "enrollment": None})
    run.again(
        run.seen(Kind.DELIVERED, message_id="<1.anna of B>"), 1.9, message_id="<again>", recipient=anna["contact"]
    )


@breaks(Law.TWICE)
def the_audit_finds_an_attempt_after_one_that_may_have_delivered(run: Run) -> None:
    broken = "broken  1 never twice: an attempt after one that may have delivered\n        message=1"
    run.audit[:] = [f"audit exits 1: holds   9 tenants are walled\n{broken} CommandError: 1 of 18 checks are broken."]


# -- I2


@breaks(Law.LOST)
def nothing_moves_any_more(run: Run) -> None:
    run.facts["stuck"] = "Nothing moved for 65 s until all is sent."


@breaks(Law.LOST)
def a_message_is_still_planned(run: Run) -> None:
    run.row("messages", id="1 5xx-rcpt+2 of B")["state"] = "planned"


@breaks(Law.LOST)
def a_message_is_cancelled_without_a_reason(run: Run) -> None:
    run.row("messages", id="1 5xx-rcpt+2 of B")["state"] = "cancelled"
    run.tables["suppressions"] = [row for row in run.tables["suppressions"] if row["account"] == "A"]


@breaks(Law.LOST)
def an_enrollment_never_ends(run: Run) -> None:
    run.row("enrollments", id="anna of A")["finished_at"] = None


@breaks(Law.LOST)
def an_enrollment_stops_without_a_reason(run: Run) -> None:
    run.row("enrollments", id="rita of A")["stop_reason"] = ""


@breaks(Law.LOST)
def a_sequence_finishes_without_one_of_its_steps(run: Run) -> None:
    run.row("enrollments", id="anna of A")["steps_due"] = 3


@breaks(Law.LOST)
def a_sequence_finishes_over_a_cancelled_step(run: Run) -> None:
    anna = run.row("enrollments", id="anna of A")
    anna["steps_due"] = 3
    row = {
        **run.row("messages", id="2 anna of A"),
        "step": 3,
        "message_id": "<3>",
        "state": "cancelled",
        "wire_at": None,
    }
    run.add("messages", **{**row, "reason": "paused"})


@breaks(Law.LOST)
def an_accepted_message_was_never_seen(run: Run) -> None:
    run.drop(run.seen(Kind.DELIVERED, message_id="<2.anna of A>"))


@breaks(Law.LOST)
def a_delivered_message_counts_as_refused(run: Run) -> None:
    run.row("messages", id="2 anna of A")["state"] = "refused"


@breaks(Law.LOST)
def a_delivered_message_is_not_in_the_ledger(run: Run) -> None:
    run.again(run.seen(Kind.DELIVERED, message_id="<2.anna of A>"), 70, message_id="<from nowhere>")


@breaks(Law.LOST)
def more_is_in_doubt_than_connections_were_open(run: Run) -> None:
    run.drop(run.seen(Kind.STRIKE))


@breaks(Law.LOST)
def an_acknowledged_contact_is_gone(run: Run) -> None:
    run.note(3, Kind.ANSWERED, call="import", account="A", contacts=["Anna@chaos.example", "gone@chaos.example"])


@breaks(Law.LOST)
def an_acknowledged_enrollment_is_gone(run: Run) -> None:
    run.note(3, Kind.ANSWERED, call="enroll", account="B", enrollment="anna of A")


@breaks(Law.LOST)
def an_acknowledged_campaign_is_gone(run: Run) -> None:
    run.tables["campaigns"] = [row for row in run.tables["campaigns"] if row["account"] == "A"]
    run.note(3, Kind.ANSWERED, call="create", account="A", campaign="campaign gone")
    run.add("campaigns", id="campaign B", account="B", status="completed")


@breaks(Law.LOST)
def an_acknowledged_unsubscription_is_gone(run: Run) -> None:
    run.note(95, Kind.STOPPED, account="B", contact="anna@chaos.example", reason="unsubscribed")


@breaks(Law.LOST)
def an_acknowledged_suppression_is_gone(run: Run) -> None:
    run.note(95, Kind.STOPPED, account="B", contact="anna@chaos.example", reason="manual")


@breaks(Law.LOST)
def an_acknowledged_limit_is_gone(run: Run) -> None:
    run.note(95, Kind.ANSWERED, call="limit", account="A", login="login A", limit=9)
    run.note(96, Kind.ANSWERED, call="limit", account="A", login="login A", limit=8)
    run.row("credentials", login="login A")["daily_limit"] = 9


@breaks(Law.LOST)
def a_kill_by_chance_quarantines_somebody(run: Run) -> None:
    run.row("messages", id="1 5xx-rcpt+2 of B").update(state="quarantined", reason="poison")
    run.tables["suppressions"] = [row for row in run.tables["suppressions"] if row["account"] == "A"]


@breaks(Law.LOST)
def a_reply_never_became_a_fact(run: Run) -> None:
    run.note(80, Kind.MAILED, mailbox="login A", account="A", behaviour="reply", message_id="<1.anna of A>")


@breaks(Law.LOST)
def the_second_of_two_bounces_never_became_a_fact(run: Run) -> None:
    run.again(run.seen(Kind.MAILED, behaviour="bounce"), 81, mail_id="<another>")


@breaks(Law.LOST)
def an_absence_never_became_a_fact(run: Run) -> None:
    run.note(80, Kind.MAILED, mailbox="login A", account="A", behaviour="absence", message_id="<1.anna of A>")


@breaks(Law.LOST)
def the_audit_itself_fails(run: Run) -> None:
    run.audit[:] = ["audit exits 1: Traceback"]


# -- I3


@breaks(Law.CAPS, 11.5)
def a_limit_is_overrun(run: Run) -> None:
    run.facts["limits"]["login A"] = 5


@breaks(Law.CAPS, 11.5)
def a_lowered_limit_is_overrun(run: Run) -> None:
    run.note(10.6, Kind.ANSWERED, call="lower", account="A", login="login A", limit=5)
    run.row("credentials", login="login A")["daily_limit"] = 5


@breaks(Law.CAPS, 11.9)
def refused_attempts_overrun_a_limit(run: Run) -> None:
    run.facts["limits"]["login B"] = 1


@breaks(Law.CAPS)
def the_audit_finds_units_that_disagree(run: Run) -> None:
    run.audit[:] = ["broken  4 caps: units in use equal the messages that hold one"]


# -- I4


@breaks(Law.ORDER, 50.5)
def a_step_arrives_before_the_one_before_it(run: Run) -> None:
    first = run.seen(Kind.DELIVERED, message_id="<1.anna of B>")
    run.drop(first)
    run.again(first, 50.6)


@breaks(Law.ORDER, 60)
def a_step_is_on_the_wire_before_the_one_before_it(run: Run) -> None:
    run.row("messages", id="1 doris of A")["wire_at"] = BEGIN + 60.1


@breaks(Law.ORDER, 60)
def a_step_is_on_the_wire_while_the_one_before_it_is_deferred_and_given_up(run: Run) -> None:
    row = run.row("messages", id="1 doris of A")
    row["state"] = "gave_up"
    entry = run.seen(Kind.DELIVERED, message_id="<1.doris of A>")
    run.entries.remove(entry)
    later = run.seen(Kind.DELIVERED, message_id="<2.doris of A>")
    run.entries.remove(later)
    run.row("messages", id="2 doris of A")["state"] = "unknown"
    run.tables["events"] = [event for event in run.tables["events"] if event["id"] != "gone"]


@breaks(Law.ORDER)
def the_audit_finds_steps_out_of_order(run: Run) -> None:
    run.audit[:] = ["broken  order: no step before the one before it"]


# -- I5


@breaks(Law.STOPS, 60.5)
def a_step_leaves_after_an_unsubscription(run: Run) -> None:
    run.note(55, Kind.STOPPED, account="A", contact="Doris@chaos.example", reason="suppressed")


@breaks(Law.STOPS, 50.5)
def a_step_leaves_after_the_reply_was_told(run: Run) -> None:
    anna = {"enrollment_id": "anna of A"}
    call = {"account": "A", "endpoint": "endpoint A", "type": "enrollment.replied", "data": anna, "body": "b"}
    run.note(49, Kind.CALLED, webhook_id="reply", **call)
    run.row("enrollments", id="anna of A").update(replied_at=BEGIN + 49)
    fact = {"fact": "enrollment.replied:anna of A", "type": "enrollment.replied", "data": anna}
    run.add("events", id="reply", account="A", **fact, recorded_at=BEGIN + 48)
    feedback = {"account": "A", "notice_account": "A", "message_account": "A", "source": "imap", "kind": "reply"}
    run.add("feedback", **feedback, message_id="<1.anna of A>", enrollment="anna of A")


@breaks(Law.STOPS, 50.5)
def a_step_leaves_while_its_campaign_is_paused(run: Run) -> None:
    run.note(49, Kind.STOPPED, account="B", campaign="campaign B", reason="disabled", login="login B")
    run.note(51, Kind.RESUMED, account="B", campaign="campaign B", login="login B")


@breaks(Law.STOPS, 50.5)
def a_step_leaves_from_a_suspended_account(run: Run) -> None:
    run.note(49, Kind.STOPPED, account="B", reason="suspended")


@breaks(Law.STOPS, 50.5)
def a_transaction_begins_after_a_stop_though_its_worker_dates_it_before(run: Run) -> None:
    run.note(49, Kind.STOPPED, account="B", reason="suspended")
    run.row("messages", id="2 anna of B")["wire_at"] = BEGIN + 48


@breaks(Law.STOPS, 50)
def the_wire_comes_after_a_stop_though_nothing_arrives(run: Run) -> None:
    run.note(49, Kind.STOPPED, account="B", reason="suspended")
    run.row("messages", id="2 anna of B")["state"] = "gave_up"
    run.drop(run.seen(Kind.DELIVERED, message_id="<2.anna of B>"))


@breaks(Law.STOPS, 50.5)
def a_transaction_that_had_begun_gets_its_wire_during_a_pause(run: Run) -> None:
    run.note(49.95, Kind.STOPPED, account="B", reason="suspended")
    run.note(50.6, Kind.RESUMED, account="B")
    run.row("messages", id="2 anna of B")["wire_at"] = BEGIN + 50.3


@breaks(Law.STOPS, 50)
def an_attempt_with_a_wire_begins_and_ends_during_a_pause_though_nothing_arrives(run: Run) -> None:
    run.note(49, Kind.STOPPED, account="B", reason="suspended")
    run.note(51.1, Kind.RESUMED, account="B")
    run.row("messages", id="2 anna of B")["state"] = "gave_up"
    run.drop(run.seen(Kind.DELIVERED, message_id="<2.anna of B>"))


@breaks(Law.STOPS)
def the_audit_finds_a_wire_after_a_stop(run: Run) -> None:
    run.audit[:] = ["broken  5 stop facts: nothing on the wire after a stop"]


# -- I6


@breaks(Law.EVENTS)
def a_fact_is_told_twice(run: Run) -> None:
    run.add("events", **run.row("events", fact="enrollment.replied:rita of A"))


@breaks(Law.EVENTS)
def a_fact_is_told_twice_by_two_names(run: Run) -> None:
    event = {**run.row("events", fact="enrollment.replied:rita of A"), "id": "two", "fact": "another name"}
    run.add("events", **event)
    run.again(run.seen(Kind.CALLED, type="enrollment.replied"), 6, webhook_id="two")


@breaks(Law.EVENTS)
def a_message_sent_is_not_told(run: Run) -> None:
    _untell(run, "enrollment.sent:anna of A:2")


@breaks(Law.EVENTS)
def a_bounce_is_not_told(run: Run) -> None:
    _untell(run, "enrollment.bounced:bert of A")


@breaks(Law.EVENTS)
def a_reply_on_record_is_not_told(run: Run) -> None:
    _untell(run, "enrollment.replied:rita of A")
    run.row("enrollments", id="rita of A")["status"] = "sent"


def _untell(run: Run, fact: str) -> None:
    event = run.row("events", fact=fact)
    run.tables["events"].remove(event)
    run.drop(run.seen(Kind.CALLED, webhook_id=event["id"]))


@breaks(Law.EVENTS)
def a_message_is_told_that_was_never_sent(run: Run) -> None:
    run.tell(run.row("enrollments", id="rita of A"), "enrollment.sent", 8, ":2")


@breaks(Law.EVENTS)
def an_end_is_told_that_never_was(run: Run) -> None:
    run.tell(run.row("enrollments", id="anna of A"), "enrollment.bounced", 92)


@breaks(Law.EVENTS)
def a_pause_is_told_of_no_campaign(run: Run) -> None:
    event = {**run.row("events", type="campaign.paused"), "id": "two", "fact": "two", "data": {"campaign_id": "none"}}
    run.add("events", **event)
    run.again(run.seen(Kind.CALLED, type="campaign.paused"), 41, webhook_id="two")


@breaks(Law.EVENTS)
def a_pause_is_not_told(run: Run) -> None:
    run.note(71, Kind.STOPPED, account="A", campaign="campaign A", reason="pause")


@breaks(Law.EVENTS)
def a_pause_is_told_twice_by_two_names(run: Run) -> None:
    event = {**run.row("events", type="campaign.paused"), "id": "two", "fact": "two"}
    run.add("events", **event)
    run.again(run.seen(Kind.CALLED, type="campaign.paused"), 41, webhook_id="two")


@breaks(Law.EVENTS)
def a_mail_is_recorded_twice(run: Run) -> None:
    run.add("feedback", **run.row("feedback", kind="reply"))


@breaks(Law.EVENTS)
def a_receiver_never_hears_of_an_event(run: Run) -> None:
    run.drop(run.seen(Kind.CALLED, type="enrollment.replied"))


@breaks(Law.EVENTS, 70)
def a_receiver_hears_of_an_event_in_other_bytes(run: Run) -> None:
    run.again(run.seen(Kind.CALLED, type="enrollment.replied"), 70, body="another digest")


@breaks(Law.EVENTS, 6)
def a_receiver_hears_of_an_event_that_is_not_in_the_log(run: Run) -> None:
    run.again(run.seen(Kind.CALLED, type="enrollment.sent"), 6, webhook_id="from nowhere")


@breaks(Law.EVENTS)
def the_audit_finds_a_message_without_its_event(run: Run) -> None:
    run.audit[:] = ["broken  7 events: one for every message sent", "        message=1"]


# -- I7


@breaks(Law.TENANTS, 50.5)
def a_message_leaves_through_the_login_of_another_account(run: Run) -> None:
    entry = run.seen(Kind.DELIVERED, message_id="<2.anna of A>")
    run.drop(entry)
    run.again(entry, 50.5, login="login B")


@breaks(Law.TENANTS, 4.5)
def a_forged_reply_counts_for_another_account(run: Run) -> None:
    row = {"account": "A", "notice_account": "B", "message_account": "A", "source": "imap"}
    run.add("feedback", **row, message_id="<1.anna of A>", enrollment="rita of A", kind="reply")


@breaks(Law.TENANTS)
def feedback_of_one_account_is_about_a_message_of_another(run: Run) -> None:
    row = {"account": "A", "notice_account": "A", "message_account": "B", "source": "imap"}
    run.add("feedback", **row, message_id="<1.anna of B>", enrollment=None, kind="bounce")


@breaks(Law.TENANTS)
def somebody_counts_as_replied_without_a_reply_to_the_account(run: Run) -> None:
    run.row("enrollments", id="anna of B")["replied_at"] = BEGIN + 9


@breaks(Law.TENANTS)
def an_event_goes_into_the_log_of_another_account(run: Run) -> None:
    data = {"campaign_id": "campaign A", "reason": "manual"}
    event = {"account": "B", "type": "campaign.paused", "fact": "crossed", "data": data, "recorded_at": BEGIN - 11}
    run.add("events", id="crossed", **event)


@breaks(Law.TENANTS, 70)
def a_receiver_hears_of_another_accounts_event(run: Run) -> None:
    run.again(run.seen(Kind.CALLED, type="enrollment.replied"), 70, account="B", endpoint="endpoint B")


@breaks(Law.TENANTS)
def an_unsubscription_suppresses_the_person_in_another_account(run: Run) -> None:
    row = {"contact": "anna@chaos.example", "kind": "address", "reason": "unsubscribed"}
    run.add("suppressions", account="B", **row)


@breaks(Law.TENANTS)
def the_audit_finds_feedback_about_a_message_of_another_account(run: Run) -> None:
    run.audit[:] = ["broken  9 tenants are walled: what came back is about a message of the same account"]


# -- I8


@breaks(Law.SECRETS)
def a_secret_is_in_a_log(run: Run) -> None:
    run.leaks.append("worker0.log: the password of login A")
