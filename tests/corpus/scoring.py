"""How the classifier does on the corpus: `python -m tests.corpus.scoring` writes the figures into docs."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dispatch.knowledge import load_knowledge
from dispatch.rules.classify.classifier import classify
from dispatch.rules.classify.verdict import Classification, FailedRecipient, MailKind
from dispatch.rules.mail.reader import read_mail
from tests.corpus.labels import Label, Recipient, read_labels

PAGE = Path(__file__).resolve().parents[2] / "docs/explanation/accuracy.md"
START, END = "<!-- scored -->", "<!-- /scored -->"
KINDS = tuple(MailKind)


@dataclass(frozen=True, slots=True)
class Judged:
    """One mail with what it is and what it was taken for."""

    label: Label
    verdict: Classification

    @property
    def is_right(self) -> bool:
        """Whether the kind is right."""
        return self.verdict.kind == self.label.kind

    @property
    def pairs(self) -> list[tuple[Recipient, FailedRecipient]]:
        """The recipients that were found, each with what was found."""
        if self.verdict.kind != MailKind.BOUNCE or self.label.kind != MailKind.BOUNCE:
            return []
        return [
            (recipient, found)
            for recipient in self.label.recipients
            for found in _first(self.verdict.recipients, recipient)
        ]

    @property
    def wrong_recipients(self) -> list[FailedRecipient]:
        """Those that a bounce was said to be about, and that are no recipient of it."""
        known = {name for recipient in self.label.recipients for name in (recipient.address, *recipient.also)}
        reported = self.verdict.recipients if self.verdict.kind == MailKind.BOUNCE else ()
        bounced = known if self.label.kind == MailKind.BOUNCE else set()
        return [found for found in reported if found.address not in bounced]


def _first(found: Iterable[FailedRecipient], recipient: Recipient) -> list[FailedRecipient]:
    names = (recipient.address, *recipient.also)
    return [one for one in found if one.address in names][:1]


def judge(label: Label) -> Judged:
    """Classify one mail as the product does."""
    mail = read_mail(label.content)
    verdict = classify(mail, load_knowledge(), received_on=label.received_on, refers_to_us=label.refers)
    return Judged(label, verdict)


class Score:
    """The figures of the whole corpus; ratios are between 0 and 1."""

    def __init__(self, judged: Iterable[Judged]) -> None:
        self.judged = tuple(judged)

    def of(self, kind: MailKind) -> list[Judged]:
        """The mails that are of a kind."""
        return [one for one in self.judged if one.label.kind == kind]

    @cached_property
    def recipient_recall(self) -> float:
        """Of the recipients of the bounces, the share that was found."""
        return self._found / sum(len(one.label.recipients) for one in self.of(MailKind.BOUNCE))

    @cached_property
    def recipient_precision(self) -> float:
        """Of the recipients that were said to have bounced, the share that has."""
        return self._found / (self._found + sum(len(one.wrong_recipients) for one in self.judged))

    @cached_property
    def hardness(self) -> float:
        """Of the recipients found, the share that was rightly called hard or soft."""
        return sum(recipient.hard == found.hard for one in self.judged for recipient, found in one.pairs) / self._found

    @cached_property
    def auto_reply_recall(self) -> float:
        """Of the automatic replies, the share that was found."""
        return self._share(self.of(MailKind.AUTO_REPLY), lambda one: one.is_right)

    @cached_property
    def return_dates(self) -> float:
        """Of the automatic replies that state a date of return, the share whose date was read."""
        dated = [one for one in self.of(MailKind.AUTO_REPLY) if one.label.return_date]
        return self._share(dated, lambda one: one.verdict.return_date == one.label.return_date)

    @cached_property
    def delays_as_bounces(self) -> int:
        """Delays that were taken for bounces."""
        return sum(one.verdict.kind == MailKind.BOUNCE for one in self.of(MailKind.DELAY))

    @cached_property
    def replies_lost(self) -> int:
        """People's replies that were taken for something else."""
        return sum(not one.is_right for one in self.of(MailKind.REPLY))

    @cached_property
    def false_replies(self) -> int:
        """Bounces, delays and other mail of machines that was taken for a person's."""
        people = (MailKind.REPLY, MailKind.UNSUBSCRIBE)
        return sum(one.verdict.kind in people for one in self.judged if one.label.kind not in people)

    @cached_property
    def confusion(self) -> Counter[tuple[str, str]]:
        """How many mails of a kind were taken for a kind."""
        return Counter((one.label.kind, str(one.verdict.kind)) for one in self.judged)

    @property
    def _found(self) -> int:
        return sum(len(one.pairs) for one in self.judged)

    def _share(self, judged: list[Judged], holds: Callable[[Judged], bool]) -> float:
        return sum(map(holds, judged)) / len(judged)

    def misses(self) -> list[str]:
        """What went wrong, a line a mail."""
        return [f"`{one.label.path}`: {words}" for one in self.judged if (words := _miss(one))]


def _miss(one: Judged) -> str:
    problems = []
    if not one.is_right:
        problems.append(f"a {one.label.kind}, taken for {one.verdict.kind}")
    elif one.label.kind == MailKind.BOUNCE:
        found = {recipient.address for recipient, _ in one.pairs}
        problems += [f"{r.address} not found" for r in one.label.recipients if r.address not in found]
    problems += [f"{wrong.address} is no recipient of it" for wrong in one.wrong_recipients]
    words = {True: "hard", False: "soft"}
    problems += [f"{r.address} is {words[r.hard]}" for r, found in one.pairs if r.hard != found.hard]
    stated = one.label.return_date
    if one.is_right and stated and one.verdict.return_date != stated:
        problems.append(f"back on {stated}, read as {one.verdict.return_date or 'no date'}")
    return "; ".join(problems)


def score() -> Score:
    """Classify the whole corpus."""
    return Score([judge(label) for label in read_labels()])


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def render(scored: Score) -> str:
    """The figures, the confusion table and the misses, as the page has them."""
    kinds = [kind for kind in KINDS if any(kind in pair for pair in scored.confusion)]
    figures = [
        ("recipients of bounces found", _percent(scored.recipient_recall), "≥ 95 %"),
        ("recipients found that did bounce", _percent(scored.recipient_precision), "≥ 97 %"),
        ("of them rightly called hard or soft", _percent(scored.hardness), "≥ 90 %"),
        ("delays counted as bounces", str(scored.delays_as_bounces), "0"),
        ("automatic replies found", _percent(scored.auto_reply_recall), "≥ 95 %"),
        ("return dates read, where one is stated", _percent(scored.return_dates), ""),
        ("people's replies lost", str(scored.replies_lost), "0"),
        ("machines' mail taken for a reply", str(scored.false_replies), ""),
    ]
    lines = [f"{len(scored.judged)} mails.", "", "| figure | measured | wanted |", "|---|---|---|"]
    lines += [f"| {name} | {measured} | {wanted} |" for name, measured, wanted in figures]
    lines += ["", "Rows: what the mails are. Columns: what they were taken for.", ""]
    lines += [f"| | {' | '.join(kinds)} |", f"|---|{'---|' * len(kinds)}"]
    for kind in kinds:
        counts = [str(scored.confusion[kind, taken] or "") for taken in kinds]
        lines.append(f"| {kind} | {' | '.join(counts)} |")
    misses = scored.misses()
    lines += ["", f"## The misses ({len(misses)})", "", *([f"- {miss}" for miss in misses] or ["None."])]
    return "\n".join(lines) + "\n"


def stated() -> str:
    """What the page says now."""
    return PAGE.read_text(encoding="utf-8").partition(f"{START}\n")[2].partition(END)[0]


def main() -> None:
    """Write the page's figures anew, and print them."""
    fresh = render(score())
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    PAGE.write_text(f"{before}{START}\n{fresh}{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(fresh)


if __name__ == "__main__":
    main()
