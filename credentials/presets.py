"""What is known of mail providers (data/presets.toml): read once, checked strictly, looked up by host.

A credential needs no preset; without one its Message-ID counts as kept and nothing is suggested.
"""

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

DATA_FILE = Path(__file__).parent / "data" / "presets.toml"

_MARK = re.compile(r"\{(id|left|right)\}")
_HOST = re.compile(r"(?!.*\{region\}.*\{region\})([a-z0-9-]|\{region\})+(\.([a-z0-9-]|\{region\})+)+")


class InvalidPresets(ValueError):
    """The data file breaks its own rules; the message names the entry, the problem and the fix."""


class MessageIdTreatment(StrEnum):
    """What a provider does to the Message-ID that we send."""

    KEEPS = "keeps"
    """Ours arrives, thanks to `headers` where there are any."""
    REPLACES = "replaces"
    """Another one arrives; the 250 reply tells which."""
    UNDOCUMENTED = "undocumented"
    """The provider does not say; treated as kept."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One sentence for the mailbox's owner, and where the provider says so."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How many messages one login may send in 24 hours under `plan`, by the provider's own word at `source`."""

    plan: str
    messages: int
    source: str


@dataclass(frozen=True, slots=True)
class SmtpPorts:
    """Submission ports by security, the suggested one first."""

    source: str
    starttls: tuple[int, ...] = ()
    tls: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ImapServer:
    """Where the provider's mailboxes are read."""

    host: str
    port: int
    source: str


@dataclass(frozen=True, slots=True)
class MessageIdFacts:
    """The provider's treatment of the Message-ID: how to keep it, to learn the delivered one, or to be told ours."""

    treatment: MessageIdTreatment
    source: str
    headers: Mapping[str, str]
    reply_pattern: re.Pattern[str] | None
    form: str
    form_source: str
    region_names: Mapping[str, str]
    marks: Mapping[str, str]
    longest_mark: int
    marks_source: str


@dataclass(frozen=True, slots=True)
class Preset:
    """One provider. `region` is set when the preset was found by a host that names one."""

    key: str
    name: str
    hosts: tuple[str, ...]
    smtp: SmtpPorts
    message_id: MessageIdFacts
    imap: ImapServer | None = None
    ceilings: tuple[Ceiling, ...] = ()
    advice: Advice | None = None
    region: str = ""

    @property
    def keep_headers(self) -> dict[str, str]:
        """Headers to add to every message, so that the provider keeps its Message-ID."""
        return dict(self.message_id.headers)

    def marks(self, message_id: str) -> dict[str, str]:
        """Headers by which the provider's reports name this message; empty where they name it by themselves.

        None is given when one would be longer than the provider takes: the mail matters more than its reports.
        """
        left, _, right = message_id.strip("<>").partition("@")
        facts = self.message_id
        found = {name: text.format(id=message_id, left=left, right=right) for name, text in facts.marks.items()}
        return found if all(len(value) <= facts.longest_mark for value in found.values()) else {}

    def delivered_message_id(self, reply_text: str) -> str | None:
        """The Message-ID that arrives instead of ours, in angle brackets, read from the text of the final 250 reply.

        None when ours arrives, or when the reply does not tell.
        """
        facts = self.message_id
        found = facts.reply_pattern.search(reply_text) if facts.reply_pattern else None
        if found is None:
            return None
        region = facts.region_names.get(self.region, self.region)
        return facts.form.format(id=found["id"], region=region)


def preset_for(host: str) -> Preset | None:
    """The provider whose SMTP server `host` is; None for a host that is not known."""
    name = host.lower()
    for pattern, preset in _patterns():
        found = pattern.fullmatch(name)
        if found is not None:
            return replace(preset, region=found.groupdict().get("region", ""))
    return None


@functools.cache
def all_presets() -> tuple[Preset, ...]:
    """Every provider, in the order of the file."""
    return load_presets(DATA_FILE.read_text(encoding="utf-8"))


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], Preset], ...]:
    return tuple((host_pattern(host), preset) for preset in all_presets() for host in preset.hosts)


def host_pattern(host: str) -> re.Pattern[str]:
    """What matches a host of the file, whose one {region} stands for a part of a label."""
    return re.compile(re.escape(host).replace(r"\{region\}", "(?P<region>[a-z0-9-]+)"))


# -- Reading the file


def load_presets(text: str) -> tuple[Preset, ...]:
    """Read and check a data file. Raises InvalidPresets with the first problem."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidPresets(f"The file is not TOML: {error}.") from None
    presets = tuple(_read_preset(key, _Table(key, table)) for key, table in tables.items())
    hosts = [host for preset in presets for host in preset.hosts]
    for host in hosts:
        if hosts.count(host) > 1:
            raise InvalidPresets(f"The host {host} stands twice. Name it in one provider only.")
    return presets


def _read_preset(key: str, table: "_Table") -> Preset:
    preset = Preset(
        key=key,
        name=table.text("name"),
        hosts=table.texts("hosts"),
        smtp=_read_smtp(table.child("smtp")),
        message_id=_read_message_id(table.child("message_id")),
        imap=_read_imap(table.child("imap")) if table.holds("imap") else None,
        ceilings=tuple(_read_ceiling(child) for child in table.children("ceilings")),
        advice=_read_advice(table.child("advice")) if table.holds("advice") else None,
    )
    table.finish()
    _check_hosts(preset)
    return preset


def _check_hosts(preset: Preset) -> None:
    """Hosts are plain names, and all name a region where the delivered Message-ID needs one."""
    for host in preset.hosts:
        if not _HOST.fullmatch(host):
            raise InvalidPresets(
                f"{preset.key}.hosts holds {host!r}. Use a name in lower case with at most one {{region}}."
            )
        if "{region}" in preset.message_id.form and "{region}" not in host:
            raise InvalidPresets(f"{preset.key}.message_id.form needs a region, but the host {host} names none.")


def _read_smtp(table: "_Table") -> SmtpPorts:
    ports = SmtpPorts(table.source(), table.ports("starttls"), table.ports("tls"))
    if not ports.starttls + ports.tls:
        raise InvalidPresets(f"{table.path} names no port. Give starttls or tls.")
    table.finish()
    return ports


def _read_advice(table: "_Table") -> Advice:
    advice = Advice(table.text("text"), table.source())
    table.finish()
    return advice


def _read_imap(table: "_Table") -> ImapServer:
    server = ImapServer(table.text("host"), table.number("port"), table.source())
    table.finish()
    return server


def _read_ceiling(table: "_Table") -> Ceiling:
    ceiling = Ceiling(table.text("plan"), table.number("messages"), table.source())
    table.finish()
    return ceiling


def _read_message_id(table: "_Table") -> MessageIdFacts:
    treatment = table.text("treatment")
    if treatment not in set(MessageIdTreatment):
        raise InvalidPresets(f"{table.path}.treatment is {treatment!r}. Use one of {', '.join(MessageIdTreatment)}.")
    facts = MessageIdFacts(
        treatment=MessageIdTreatment(treatment),
        source=table.source(),
        headers=table.mapping("headers"),
        reply_pattern=table.pattern("reply_pattern"),
        form=table.text("form", ""),
        form_source=table.source("form_source") if table.holds("form_source") else "",
        region_names=table.mapping("region_names"),
        marks=_read_marks(table),
        longest_mark=table.number("longest_mark") if table.holds("longest_mark") else 0,
        marks_source=table.source("marks_source") if table.holds("marks_source") else "",
    )
    table.finish()
    replaces = facts.treatment is MessageIdTreatment.REPLACES
    if replaces != (facts.reply_pattern is not None) or replaces != ("{id}" in facts.form):
        raise InvalidPresets(f"{table.path} needs reply_pattern and a form with {{id}} if it replaces, and only then.")
    return facts


def _read_marks(table: "_Table") -> Mapping[str, str]:
    marks = table.mapping("marks")
    if not all(_MARK.fullmatch(value) for value in marks.values()):
        raise InvalidPresets(f"{table.path}.marks holds something else than {{id}}, {{left}} or {{right}}.")
    if marks and not (table.holds("longest_mark") and table.holds("marks_source")):
        raise InvalidPresets(f"{table.path} has marks, so it needs longest_mark and marks_source.")
    return marks


class _Table:
    """One table of the file. Its keys are taken one by one, so that a key nobody took is an error."""

    def __init__(self, path: str, content: object) -> None:
        if not isinstance(content, dict):
            raise InvalidPresets(f"{path} is not a table.")
        self.path = path
        self._content: dict[str, Any] = dict(content)

    def holds(self, key: str) -> bool:
        """Whether the key is still there."""
        return key in self._content

    def finish(self) -> None:
        """Raise InvalidPresets when a key was not taken."""
        if self._content:
            raise InvalidPresets(f"{self.path}.{min(self._content)} is not known. Remove it, or teach the loader.")

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty, or the default."""
        value = self._take(key, default)
        if not isinstance(value, str) or (value == "" and default is None):
            raise self._wrong(key, "a text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """One text or more."""
        value = self._take(key)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, "a list of texts")
        return tuple(value)

    def source(self, key: str = "source") -> str:
        """The address of the page that says so."""
        value = self.text(key)
        if not value.startswith("https://"):
            raise self._wrong(key, "an https:// address")
        return value

    def number(self, key: str) -> int:
        """A whole number above 0."""
        value = self._take(key)
        if type(value) is not int or value < 1:
            raise self._wrong(key, "a whole number above 0")
        return value

    def ports(self, key: str) -> tuple[int, ...]:
        """A list of ports, empty when absent."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(type(port) is int and 0 < port < 65_536 for port in value):
            raise self._wrong(key, "a list of ports")
        return tuple(value)

    def mapping(self, key: str) -> Mapping[str, str]:
        """Texts by name, empty when absent."""
        value = self._take(key, {})
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise self._wrong(key, "a table of texts")
        return MappingProxyType(value)

    def pattern(self, key: str) -> re.Pattern[str] | None:
        """A regular expression with a group `id`, or None when absent."""
        text = self.text(key, "")
        try:
            pattern = re.compile(text)
        except re.error as error:
            raise self._wrong(key, f"a regular expression ({error})") from None
        if text and "id" not in pattern.groupindex:
            raise self._wrong(key, "a regular expression with a group named id")
        return pattern if text else None

    def child(self, key: str) -> "_Table":
        """The table below this one."""
        return _Table(f"{self.path}.{key}", self._take(key))

    def children(self, key: str) -> list["_Table"]:
        """The tables of a list, empty when absent."""
        value = self._take(key, [])
        if not isinstance(value, list):
            raise self._wrong(key, "a list of tables")
        return [_Table(f"{self.path}.{key}[{index}]", item) for index, item in enumerate(value)]

    def _take(self, key: str, default: object = None) -> Any:
        value = self._content.pop(key, default)
        if value is None:
            raise InvalidPresets(f"{self.path}.{key} is missing.")
        return value

    def _wrong(self, key: str, wanted: str) -> InvalidPresets:
        return InvalidPresets(f"{self.path}.{key} cannot be used. Use {wanted}.")
