"""The tables of mail providers, written from credentials/data/presets.toml.

After a change of that file: `python -m tests.docs.presets_page` writes them into the pages anew.
"""

from collections.abc import Callable

from credentials.presets import MessageIdTreatment, Preset, all_presets
from tests.docs.pages import DOCS, read

TREATMENTS = {
    MessageIdTreatment.KEEPS: "keeps ours",
    MessageIdTreatment.REPLACES: "replaces it; the 250 reply tells the new one",
    MessageIdTreatment.UNDOCUMENTED: "does not say; taken as kept",
}


def table(head: tuple[str, ...], cells: Callable[[Preset], tuple[str, ...]]) -> str:
    """A table with a row for each provider."""
    lines = [head, ("---",) * len(head), *(cells(preset) for preset in all_presets())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def ports(preset: Preset) -> str:
    found = {"STARTTLS": preset.smtp.starttls, "TLS": preset.smtp.tls}
    return "; ".join(f"{name} {', '.join(map(str, numbers))}" for name, numbers in found.items() if numbers)


def ceilings(preset: Preset) -> str:
    return "; ".join(f"{ceiling.messages} ({ceiling.plan})" for ceiling in preset.ceilings) or "by contract"


def imap(preset: Preset) -> str:
    return f"`{preset.imap.host}`, {preset.imap.port}" if preset.imap else "none"


def message_id(preset: Preset) -> str:
    words = TREATMENTS[preset.message_id.treatment]
    headers = ", ".join(f"`{name}: {value}`" for name, value in preset.keep_headers.items())
    marks = ", ".join(f"`{name}`" for name in preset.message_id.marks)
    words = f"{words}, as we add {headers}" if headers else words
    return f"{words}; its reports name it by {marks}" if marks else words


def sources(preset: Preset) -> str:
    facts = [preset.smtp, preset.imap, preset.message_id, preset.advice, *preset.ceilings]
    found = [fact.source for fact in facts if fact is not None]
    found += [preset.message_id.marks_source] if preset.message_id.marks else []
    return " ".join(f"[{number}]({source})" for number, source in enumerate(dict.fromkeys(found), start=1))


def reference() -> str:
    """All that is known of each provider."""
    head = ("key", "provider", "SMTP hosts", "ports", "IMAP", "messages in 24 hours", "Message-ID", "sources")
    return table(
        head,
        lambda preset: (
            f"`{preset.key}`",
            preset.name,
            " ".join(f"`{host}`" for host in preset.hosts),
            ports(preset),
            imap(preset),
            ceilings(preset),
            message_id(preset),
            sources(preset),
        ),
    )


def overview() -> str:
    """What somebody needs who connects a mailbox."""
    return table(
        ("provider", "`preset`", "host and port", "good to know"),
        lambda preset: (
            preset.name,
            f"`{preset.key}`",
            f"`{preset.hosts[0]}`, {(preset.smtp.starttls + preset.smtp.tls)[0]}",
            preset.advice.text if preset.advice else "",
        ),
    )


TABLES = {"reference/presets.md": reference, "howto/connect-a-mailbox.md": overview}
BEGIN, END = "<!-- from credentials/data/presets.toml -->\n", "<!-- end -->\n"


def written_anew(name: str) -> str:
    """The page with its table as it should be."""
    before, _, rest = read(name).partition(BEGIN)
    return before + BEGIN + "\n" + TABLES[name]() + "\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    for page in TABLES:
        (DOCS / page).write_text(written_anew(page), encoding="utf-8")
