"""The metrics of an installation, for Prometheus: names, and the page that is made of the figures.

Every number comes from the database or the broker, none from this process: it does not matter which web process is
asked. No label names an account, a credential, a campaign or a person.
"""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ampout.events.kinds import EventKind
from dispatch.gateways import broker
from dispatch.rules.message_state import MessageState
from dispatch.rules.readiness import Figures, is_clock_wrong
from dispatch.services import watch

_S = MessageState
OUTCOMES = tuple(
    state.value for state in (_S.ACCEPTED, _S.REFUSED, _S.DEFERRED, _S.GAVE_UP, _S.QUARANTINED, _S.UNKNOWN)
)
"""What an attempt can come to."""
SENT = (_S.ACCEPTED.value, _S.UNKNOWN.value)
"""The outcomes of what has left."""
CALLS = ("delivered", "failed")


class Figured(Collector):
    """Metrics of figures that were read before; `queue` is None where the broker does not answer."""

    def __init__(self, figures: Figures, queue: int | None) -> None:
        self.figures = figures
        self.queue = queue

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        yield from self._ages()
        yield from self._work()
        yield from self._broker()
        yield from self._counters()

    def _ages(self) -> Iterator[Metric]:
        figures = self.figures
        told = (
            ("ampout_beat_age_seconds", "Since a tick of beat last reached a worker.", figures.beat_age),
            ("ampout_plan_age_seconds", "Since the planner last came to its end.", figures.plan_age),
            ("ampout_queue_age_seconds", "How late the latest message is that could go.", figures.queue_age),
            ("ampout_poll_lag_seconds", "How late the mailbox is that waits longest to be read.", figures.poll_lag),
            (
                "ampout_judging_lag_seconds",
                "How late the oldest notice is that waits to be judged.",
                figures.judging_lag,
            ),
            ("ampout_webhook_lag_seconds", "How late the oldest call is to a webhook that works.", figures.webhook_lag),
        )
        # What never happened has no age: its metric is absent.
        # A tick in the future is as good as none for so long.
        yield from (GaugeMetricFamily(name, meaning, abs(value)) for name, meaning, value in told if value is not None)

    def _work(self) -> Iterator[Metric]:
        figures = self.figures
        yield _by("ampout_messages", "Messages that have not ended, and unknown ones.", "state", figures.messages)
        told = (
            ("ampout_messages_due", "Messages whose slot or retry has come.", figures.due),
            ("ampout_messages_without_slot", "Planned messages that wait for a slot.", figures.without_slot),
            ("ampout_messages_undecided", "Unknown messages inside their grace period.", figures.undecided),
            ("ampout_claims_stuck", "Messages that dead loops hold and nobody heals.", figures.stuck),
        )
        yield from (GaugeMetricFamily(name, meaning, value) for name, meaning, value in told)
        off = int(figures.sending_off)
        yield GaugeMetricFamily("ampout_sending_off", "Whether nothing may leave, as this is a restored copy.", off)
        wrong = int(is_clock_wrong(figures.wrong_clock_age))
        yield GaugeMetricFamily("ampout_clock_wrong", "Whether a process has another clock than the database.", wrong)
        yield _by("ampout_loops", "Loops with a lease.", "kind", figures.loops)

    def _broker(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("ampout_broker_up", "Whether the broker answers.", int(self.queue is not None))
        if self.queue is not None:
            yield GaugeMetricFamily("ampout_broker_tasks", "Tasks that wait in the broker.", self.queue)

    def _counters(self) -> Iterator[Metric]:
        counts = self.figures.counts
        attempts, events, calls = counts["attempts"], counts["events"], counts["webhook_calls"]
        sends = sum(attempts.get(outcome, 0) for outcome in SENT)
        yield CounterMetricFamily("ampout_sends", "Messages that left: accepted, or unknown.", sends)
        told = {outcome: attempts.get(outcome, 0) for outcome in OUTCOMES}
        yield _counted("ampout_attempts", "SMTP transactions, by what the message became.", "outcome", told)
        told = {kind.value: events.get(kind.value, 0) for kind in EventKind}
        yield _counted("ampout_events", "Events, by type.", "type", told)
        told = {result: calls.get(result, 0) for result in CALLS}
        yield _counted("ampout_webhook_calls", "Calls to webhooks.", "result", told)


def _by(name: str, meaning: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for word, value in values.items():
        family.add_metric([word], value)
    return family


def _counted(name: str, meaning: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, meaning, labels=[label])
    for word, value in values.items():
        family.add_metric([word], value)
    return family


def metrics_page(accepted: str) -> tuple[bytes, str]:
    """The page and its content type, in the newest format that the header `Accept` names.

    Raises DatabaseError where the database gives no figures.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figured(watch.read_figures(), broker.waiting_tasks()))
    encode, content_type = choose_encoder(accepted)
    return encode(registry), content_type
