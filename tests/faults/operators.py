"""The operator of an account in a fault run: pauses, limits, suppressions, test sends and new people, by the API."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Self

from tests.faults.client import Answer, Client, Stopped
from tests.faults.history import Kind, Recorder
from tests.faults.people import HOME, draw_people
from tests.faults.tenants import Sender, Tenant

ROOM = 1_000_000
"""A daily limit that binds nobody."""
NEW_PEOPLE = 1_000_000
"""Their numbers begin here."""
BETWEEN_SECONDS = (0.4, 1.2)
PAUSE_SECONDS = (0.2, 2.5)


class Operator:
    """One account's operator, in a thread; a context manager.

    `make_room` has all credentials but the first get room for everybody; `finish` ends it, with the campaign unpaused.
    """

    def __init__(
        self, tenant: Tenant, port: int, recorder: Recorder, seed: int, people: Sequence[str], steps: int
    ) -> None:
        self.tenant = tenant
        self.acts: Counter[str] = Counter()
        self.enrolled: list[str] = []
        """Whom the API said to have enrolled."""
        self._recorder = recorder
        self._rng = random.Random(f"{seed} operator {tenant.letter}")
        self._people = people
        self._has_room = False
        self._new = iter(draw_people(seed, 1_000, steps, first=NEW_PEOPLE))
        self._ended = threading.Event()
        self._making_room = threading.Event()
        self._finishing = threading.Event()
        self._client = Client(port, tenant.key, self._ended)
        self._problems: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, name=f"operator {tenant.letter}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join(60)

    def make_room(self) -> None:
        """From its next act on, caps bind only where they always do."""
        self._making_room.set()

    def finish(self) -> None:
        """Let it come to its end."""
        self._making_room.set()
        self._finishing.set()

    @property
    def is_done(self) -> bool:
        """Whether the last call was answered. Raises what went wrong in the thread."""
        if self._problems:
            raise self._problems[0]
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._finishing.wait(self._rng.uniform(*BETWEEN_SECONDS)):
                self._rng.choices(list(self._deeds()), weights=list(self._deeds().values()))[0]()
                if self._making_room.is_set() and not self._has_room:
                    self._make_room()
            self._make_room()
        except Stopped:
            pass
        except BaseException as problem:  # raised again in the main thread
            self._problems.append(problem)

    def _deeds(self) -> dict[Callable[[], None], int]:
        return {
            self._pause: 1,
            self._change_limit: 3,
            self._suppress: 1,
            self._suppress_whose_turn_it_is: 2,
            self._unsubscribe: 1,
            self._send_test: 1,
            self._add_person: 3,
        }

    # -- What an operator does

    def _pause(self) -> None:
        """Hold the campaign for a moment."""
        path = f"/campaigns/{self.tenant.campaign_id}"
        answer = self._call("POST", f"{path}/pause")
        if answer.is_good:
            self._stopped("paused", campaign=self.tenant.campaign_id)
        elif answer.code != "campaign_not_active":
            raise AssertionError(f"pause was answered {answer.status} {answer.body!r}")
        self._finishing.wait(self._rng.uniform(*PAUSE_SECONDS))
        # From here on the pause may be over, whatever becomes of the answer.
        self._recorder.note(Kind.RESUMED, account=self.tenant.account_id, campaign=self.tenant.campaign_id)
        answer = self._call("POST", f"{path}/resume")
        assert answer.is_good or answer.code == "campaign_not_paused", f"resume was answered {answer.body!r}"

    def _change_limit(self) -> None:
        """Lower a limit or give it back, of the first at any time, of the others until they have room."""
        sender = self.tenant.senders[0] if self._has_room else self._rng.choice(self.tenant.senders)
        self._set_limit(sender, self._rng.choice([sender.limit, max(1, sender.limit // 2)]))

    def _set_limit(self, sender: Sender, limit: int) -> None:
        path = f"/campaigns/{self.tenant.campaign_id}/smtp_credentials/{sender.credential_id}"
        answer = self._call("PATCH", path, {"daily_limit": limit})
        self._answered("limit", answer, credential=sender.credential_id, login=sender.login, limit=limit)

    def _suppress(self) -> None:
        """Somebody who is never to be written to again."""
        email = self._rng.choice(self._people)
        if self._call("POST", "/suppressions", {"email": email}).is_good:
            self._stopped("manual", contact=email)

    def _suppress_whose_turn_it_is(self) -> None:
        """Somebody who is next, or is being written to just now."""
        path = f"/messages?state=claimed&campaign_id={self.tenant.campaign_id}&limit=1000"
        claimed = self._call("GET", path).shown
        if claimed:
            email = min(claimed, key=lambda message: message["due_at"])["recipient"]
            if self._call("POST", "/suppressions", {"email": email}).is_good:
                self._stopped("manual", contact=email)

    def _unsubscribe(self) -> None:
        """Somebody who asked for it by telephone."""
        email = self._rng.choice(self._people)
        if self._call("POST", f"/contacts/{self.tenant.contacts[email]}/unsubscribe").is_good:
            self._stopped("unsubscribed", contact=email)

    def _send_test(self) -> None:
        email = f"operator-{self.tenant.letter}+{self.acts['test_send']}@{HOME}"
        answer = self._call("POST", f"/campaigns/{self.tenant.campaign_id}/test_send", {"emails": [email]})
        self._answered("test_send", answer, campaign=self.tenant.campaign_id, contact=email)

    def _add_person(self) -> None:
        """Import one contact, and enroll it into the batch that is on its way."""
        email = next(self._new)
        imported = self._call("POST", "/contact_imports", {"name": email, "contacts": [{"email": email}]})
        self._answered("import", imported, contact=email)
        if not imported.is_good:
            return
        found = self._call("GET", f"/contacts?email={email.replace('+', '%2B')}")
        contact_id = found.shown[0]["id"]
        body = {"contact_id": contact_id, "batch_number": self.tenant.batch}
        enrolled = self._call("POST", f"/campaigns/{self.tenant.campaign_id}/enroll_contact", body)
        self._answered(
            "enroll",
            enrolled,
            contact=email,
            campaign=self.tenant.campaign_id,
            enrollment=enrolled.shown.get("id"),
        )
        if enrolled.is_good:
            self.enrolled.append(email)

    def _make_room(self) -> None:
        """In the end everybody is to be written to."""
        self._has_room = True
        for sender in self.tenant.senders[1:]:
            self._set_limit(sender, ROOM)
        first = self.tenant.senders[0]
        self._set_limit(first, first.limit)

    # -- The calls

    def _call(self, method: str, path: str, body: object = None) -> Answer:
        return self._client.call(method, path, body)

    def _answered(self, call: str, answer: Answer, **facts: object) -> None:
        self.acts[call if answer.is_good else f"{call} refused"] += 1
        if answer.is_good:
            self._recorder.note(Kind.ANSWERED, call=call, account=self.tenant.account_id, **facts)

    def _stopped(self, reason: str, **facts: object) -> None:
        self.acts[reason] += 1
        self._recorder.note(Kind.STOPPED, account=self.tenant.account_id, reason=reason, **facts)
