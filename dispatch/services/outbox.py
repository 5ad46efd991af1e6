"""From claims to bytes: what a batch of claimed messages needs is read in a fixed number of queries, and each step is
compiled once for each of its senders; filling it in is left to the moment of sending.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from django.conf import settings

from ampout.lib.addresses import InvalidAddress, parse_address
from ampout.lib.crypto import DecryptionFailed
from campaigns.models import Contact, SequenceStep
from campaigns.rules.footer import with_footer
from campaigns.rules.merge_tags import compile_template
from campaigns.services.preview import merge_values
from credentials.models import SmtpCredential
from credentials.presets import Preset, preset_for
from dispatch.gateways.smtp_session import Envelope, SmtpLogin
from dispatch.models import Message
from dispatch.rules.compose import (
    BuiltMessage,
    CompiledMessage,
    CompositionReason,
    CompositionRefused,
    MessageFacts,
    build,
    compile_step,
    is_message_id,
)
from dispatch.rules.return_path import make_return_path
from dispatch.rules.wire_hygiene import check_wire
from dispatch.services import tracking
from dispatch.services.claim import Claim
from dispatch.services.failpoints import crash_over
from dispatch.services.unsubscribe import make_token


@dataclass(slots=True)
class Prepared:
    """A claimed message, ready to be filled in and sent; without a login when its credential's secret is unreadable."""

    login: SmtpLogin | None = field(repr=False)
    envelope: Envelope | None
    compiled: CompiledMessage | CompositionRefused
    facts: MessageFacts
    preset: Preset | None
    subject: str = ""

    def build(self, date: datetime) -> tuple[Envelope, bytes]:
        """Envelope and bytes, checked again as a reader would see them. Raises CompositionRefused, HygieneFailed."""
        if isinstance(self.compiled, CompositionRefused):
            # One refusal stands for all messages of the step: a traceback must not grow from one to the next.
            raise self.compiled.with_traceback(None)
        if self.envelope is None:
            raise CompositionRefused("recipient", CompositionReason.INVALID, "It cannot stand in an SMTP envelope.")
        crash_over("compose", self.facts.to_address)
        built: BuiltMessage = build(self.compiled, replace(self.facts, date=date))
        check_wire(built.payload, built.headers, smtputf8=built.smtputf8)
        self.subject = built.subject
        return self.envelope, built.payload

    def delivered_message_id(self, reply_text: str) -> str:
        """The Message-ID the provider gave it, where its preset says that it replaces ours."""
        return _delivered_message_id(self.preset, reply_text)


@dataclass(slots=True)
class Composed:
    """A claimed message whose bytes were made by another process (services/trial); otherwise like Prepared."""

    login: SmtpLogin | None = field(repr=False)
    envelope: Envelope
    payload: bytes = field(repr=False)
    preset: Preset | None
    subject: str

    def build(self, _date: datetime) -> tuple[Envelope, bytes]:
        """Envelope and bytes as they were made and checked, with the date of then."""
        return self.envelope, self.payload

    def delivered_message_id(self, reply_text: str) -> str:
        """The Message-ID the provider gave it, where its preset says that it replaces ours."""
        return _delivered_message_id(self.preset, reply_text)


Outgoing = Prepared | Composed


def _delivered_message_id(preset: Preset | None, reply_text: str) -> str:
    if preset is None:
        return ""
    delivered = preset.delivered_message_id(reply_text) or ""
    # A strange reply must not spoil the thread of the steps to come.
    return delivered if is_message_id(delivered) else ""


def composed(claimed: Claim, envelope: Envelope, payload: bytes, subject: str) -> Composed:
    """Bytes that another process made, with what it takes to send them."""
    credential = SmtpCredential.everywhere.get(pk=claimed.credential_id)
    return Composed(_login(credential), envelope, payload, preset_for(credential.smtp_host), subject)


def prepare(claims: Sequence[Claim]) -> dict[uuid.UUID, Prepared]:
    """What is needed to send these claims, by message id: five queries, however many they are."""
    messages = list(
        Message.everywhere.select_related("account", "campaign").filter(
            pk__in=[claimed.message_id for claimed in claims]
        )
    )
    material = _Material(messages)
    return {message.pk: material.prepare(message) for message in messages}


class _Material:
    """What a batch of messages is made of; each step is compiled once for each sender."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.credentials = {
            row.pk: row for row in SmtpCredential.everywhere.filter(pk__in={m.credential_id for m in messages})
        }
        self.contacts = {row.pk: row for row in Contact.everywhere.filter(pk__in={m.contact_id for m in messages})}
        steps = SequenceStep.objects.filter(campaign_id__in={m.campaign_id for m in messages})
        self.steps: dict[tuple[uuid.UUID | None, int | None], SequenceStep] = {
            (step.campaign_id, step.position): step for step in steps
        }
        self.threads = _threads(messages)
        self.compiled: dict[object, CompiledMessage | CompositionRefused] = {}

    def prepare(self, message: Message) -> Prepared:
        """One message, ready to be filled in."""
        crash_over("prepare", message.recipient)
        credential = self.credentials[message.credential_id]
        preset = preset_for(credential.smtp_host)
        return Prepared(
            login=_login(credential),
            envelope=_envelope(credential, message),
            compiled=self._compiled(message, credential, preset),
            facts=self._facts(message, preset),
            preset=preset,
        )

    def _compiled(
        self, message: Message, credential: SmtpCredential, preset: Preset | None
    ) -> CompiledMessage | CompositionRefused:
        key = (message.campaign_id, message.step_position, message.credential_id)
        if key not in self.compiled:
            step = self.steps.get((message.campaign_id, message.step_position))
            self.compiled[key] = _compile(message, step, credential, preset)
        return self.compiled[key]

    def _facts(self, message: Message, preset: Preset | None) -> MessageFacts:
        contact = self.contacts.get(message.contact_id)
        values = merge_values(contact) if contact is not None else {"email": message.recipient}
        earlier = [row for row in self.threads.get(message.enrollment_id, []) if _position(row) < _position(message)]
        return MessageFacts(
            to_address=_address(message.recipient),
            message_id=message.message_id,
            date=message.created_at,
            values=values,
            unsubscribe_url=f"{settings.PUBLIC_URL}/u/{make_token(message.pk)}",
            open_pixel_url=tracking.open_url(message.pk),
            track=partial(tracking.click_url, message.pk),
            marks=tuple(preset.marks(message.message_id).items()) if preset is not None else (),
            thread=tuple(row.delivered_message_id or row.message_id for row in earlier),
            thread_subject=self._thread_subject(message, earlier, values),
        )

    def _thread_subject(self, message: Message, earlier: Sequence[Message], values: Mapping[str, str]) -> str:
        """The latest subject before this step: as sent, or made from the step where that was not written down.

        A loop that was killed on the wire could not write it, and a test message has no thread.
        """
        sent = {row.step_position: row.subject for row in earlier}
        for position in range((message.step_position or 1) - 1, 0, -1):
            subject = sent.get(position) or self._subject_of_step(message, position, values)
            if subject:
                return subject
        return ""

    def _subject_of_step(self, message: Message, position: int, values: Mapping[str, str]) -> str:
        step = self.steps.get((message.campaign_id, position))
        return compile_template(step.subject, html=False).render(values).strip() if step is not None else ""


def _threads(messages: Sequence[Message]) -> dict[uuid.UUID | None, list[Message]]:
    """The messages sent before, by enrollment, in the order of steps."""
    later = [message.enrollment_id for message in messages if message.enrollment_id and _position(message) > 1]
    threads: dict[uuid.UUID | None, list[Message]] = {}
    sent = Message.everywhere.filter(enrollment_id__in=later, state__in=["accepted", "unknown"])
    for row in sent.order_by("enrollment_id", "step_position"):
        threads.setdefault(row.enrollment_id, []).append(row)
    return threads


def _position(message: Message) -> int:
    """Its step; campaign and test messages always have one."""
    return message.step_position or 0


def _compile(
    message: Message, step: SequenceStep | None, credential: SmtpCredential, preset: Preset | None
) -> CompiledMessage | CompositionRefused:
    if step is None:
        return CompositionRefused("step", CompositionReason.INVALID, "The step was deleted.")
    account, campaign = message.account, message.campaign
    html, text = with_footer(step.body_html or None, step.body_text, account.sender_name, account.postal_address)
    try:
        return compile_step(
            from_name=credential.from_name,
            from_email=_address(credential.from_email),
            subject=step.subject,
            body_text=text,
            body_html=html,
            track_opens=campaign is not None and campaign.track_opens,
            track_clicks=campaign is not None and campaign.track_clicks,
            extra_headers=tuple(preset.keep_headers.items()) if preset is not None else (),
        )
    except CompositionRefused as refusal:
        return refusal


def _address(text: str) -> str:
    """An address with its domain in A-labels; what cannot be read stays as it is, and composition refuses it."""
    try:
        return parse_address(text).envelope
    except InvalidAddress:
        return text


def _envelope(credential: SmtpCredential, message: Message) -> Envelope | None:
    try:
        return Envelope(_return_path(credential, message), _address(message.recipient))
    except ValueError:
        return None


def _return_path(credential: SmtpCredential, message: Message) -> str:
    """Where a bounce goes: the sender's address, with the message's token where its mailbox takes such addresses."""
    sender = _address(credential.from_email)
    if not credential.plus_addressing:
        return sender
    return make_return_path(sender, message.pk, settings.DIGEST_KEY.encode()) or sender


def _login(credential: SmtpCredential) -> SmtpLogin | None:
    try:
        password = credential.smtp_password
    except DecryptionFailed:
        return None
    return SmtpLogin(
        host=credential.smtp_host,
        port=credential.smtp_port,
        username=credential.smtp_username,
        password=password,
        ca_file=settings.SMTP_CA_FILE,
        ehlo_name=settings.EHLO_NAME,
    )
