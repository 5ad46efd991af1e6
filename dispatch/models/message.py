"""The ledger: one row for each step to each contact, and one for each SMTP transaction."""

import uuid

from django.db import models
from django.db.models import Case, Q, When

from ampout.accounts.models import client_kind_field
from ampout.accounts.scoping import AccountOwned
from ampout.lib import clock
from ampout.lib.fields import status_constraint, status_field
from campaigns.models import Enrollment
from dispatch.rules.message_state import MessageState


class Message(AccountOwned):
    """One step to one contact, or one test message. Its Message-ID is made once and kept on retries."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Without indexes of their own where one below begins with them: each costs at every move of the message.
    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE, related_name="+", db_index=False)
    stream = models.CharField(max_length=16, choices=[("campaign", "campaign"), ("test", "test")], default="campaign")
    campaign = models.ForeignKey(
        "campaigns.Campaign", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    enrollment = models.ForeignKey(
        "campaigns.Enrollment", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    contact = models.ForeignKey("campaigns.Contact", null=True, on_delete=models.SET_NULL, related_name="+")
    credential = models.ForeignKey(
        "credentials.SmtpCredential", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    step_position = models.PositiveSmallIntegerField(null=True)
    recipient = models.CharField(max_length=320, blank=True, help_text="Emptied at erasure.")
    recipient_digest = models.BinaryField(max_length=32, help_text="Keyed hash of the address; stays.")
    domain_digest = models.BinaryField(max_length=32)
    message_id = models.CharField(max_length=255, unique=True)
    delivered_message_id = models.CharField(max_length=255, blank=True, help_text="Where the provider replaced ours.")
    subject = models.CharField(max_length=2_000, blank=True, help_text="As sent; emptied at erasure.")
    state = status_field(MessageState, MessageState.PLANNED)
    reason = models.CharField(max_length=48, blank=True, help_text="Why it is in this state.")
    due_at = models.DateTimeField(null=True, help_text="Its slot, or its next retry; empty while it has none.")
    gap_seed = models.BigIntegerField(default=0)
    gap_seconds = models.PositiveIntegerField(default=0, help_text="Drawn once, from the seed.")
    usage_day = models.DateField(null=True, help_text="The UTC day whose cap it holds one unit of.")
    worker_id = models.UUIDField(null=True)
    fence = models.PositiveIntegerField(default=0, help_text="Counts claims; an older claimant's moves fail.")
    # Not "positive": to add a column with a check is to read the whole table, locked.
    deaths = models.SmallIntegerField(
        default=0, db_default=0, help_text="How many processes died while they held it, by its fault perhaps."
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    first_attempt_at = models.DateTimeField(null=True)
    wire_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    reply_code = models.PositiveSmallIntegerField(null=True)
    reply_text = models.CharField(max_length=1_000, blank=True)
    bounced_at = models.DateTimeField(null=True, help_text="When it was first reported as returned after acceptance.")
    bounce_kind = models.CharField(
        max_length=4,
        blank=True,
        default="",
        db_default="",
        choices=[("hard", "hard"), ("soft", "soft")],
        help_text="Hard: the address is no good.",
    )
    client_kind = client_kind_field("The kind of the key that released its batch, or sent the test.")
    complained_at = models.DateTimeField(null=True, help_text="When its recipient reported it as unwanted.")
    created_at = models.DateTimeField(default=clock.utc_now, editable=False)

    class Meta(AccountOwned.Meta):
        ordering = ("-created_at", "id")
        constraints = (
            models.UniqueConstraint(fields=["enrollment", "step_position"], name="one_message_per_step"),
            status_constraint("state", MessageState, "message_state_known"),
        )
        indexes = (
            # The deliver loop's: what is due.
            models.Index(
                fields=["due_at"],
                condition=Q(state__in=["planned", "deferred"], due_at__isnull=False),
                name="message_due",
            ),
            # The planner's: what lost its slot and wants a new one.
            models.Index(
                fields=["campaign"], condition=Q(state="planned", due_at__isnull=True), name="message_unplanned"
            ),
            # The planner's: units to give back.
            models.Index(
                fields=["credential"],
                condition=Q(
                    usage_day__isnull=False,
                    due_at__isnull=True,
                    first_attempt_at__isnull=True,
                    state__in=["planned", "cancelled"],
                ),
                name="message_unit_to_return",
            ),
            models.Index(
                fields=["credential", "usage_day"],
                condition=Q(usage_day__isnull=False),
                name="message_by_usage_day",
            ),
            models.Index(fields=["worker_id"], condition=Q(state__in=["claimed", "wire"]), name="message_by_worker"),
            models.Index(
                fields=["credential", "state"],
                condition=Q(state__in=["planned", "deferred"]),
                name="message_unstarted",
            ),
            # The lists of the API: all, of a state, of a campaign, of both; by the last, too, what is under way.
            models.Index(fields=["account", "-created_at", "id"], name="message_by_account"),
            models.Index(fields=["account", "state", "-created_at", "id"], name="message_by_state"),
            models.Index(fields=["campaign", "-created_at", "id"], name="message_by_campaign"),
            models.Index(fields=["campaign", "state", "-created_at", "id"], name="message_by_campaign_state"),
            models.Index(fields=["account", "recipient_digest"], name="message_by_recipient"),
            models.Index(fields=["credential", "wire_at"], name="message_by_credential"),
            # What a credential sent before it was enabled anew; a refusal before the body has no `wire`.
            models.Index(
                "credential",
                # As COALESCE it would be of no use behind the wall of accounts, which takes that for a leak.
                Case(When(wire_at__isnull=True, then="settled_at"), default="wire_at"),
                condition=Q(state__in=["accepted", "unknown", "refused"]),
                name="message_answered",
            ),
            # What nobody knows the fate of, over all accounts: what monitors ask for.
            models.Index(fields=["wire_at"], condition=Q(state="unknown"), name="message_undecided"),
            # What a reply or a bounce refers to, where the provider replaced our Message-ID.
            models.Index(
                fields=["delivered_message_id"],
                condition=~Q(delivered_message_id=""),
                name="message_by_delivered_id",
            ),
        )

    def __str__(self) -> str:
        return f"{self.message_id} {self.state}"

    @property
    def place(self) -> tuple[Enrollment, int]:
        """The enrollment and the position of a campaign message. Raises ValueError for one without an enrollment."""
        if self.enrollment is None or self.step_position is None:
            raise ValueError(f"{self.message_id} belongs to no sequence.")
        return self.enrollment, self.step_position


class Attempt(AccountOwned):
    """One SMTP transaction, or the end of one by a crash. Append-only."""

    id = models.BigAutoField(primary_key=True)
    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="attempt_rows")
    credential = models.ForeignKey(
        "credentials.SmtpCredential", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    worker_id = models.UUIDField(null=True)
    fence = models.PositiveIntegerField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField()
    stage = models.CharField(max_length=16, blank=True)
    state = models.CharField(max_length=24, help_text="What the message became.")
    reason = models.CharField(max_length=48, blank=True)
    reply_code = models.PositiveSmallIntegerField(null=True)
    reply_text = models.CharField(max_length=1_000, blank=True)
    is_evidence = models.BooleanField(default=False, help_text="A late answer or a fenced worker's: moved nothing.")

    class Meta(AccountOwned.Meta):
        ordering = ("-id",)
        # How a credential's latest transactions ended.
        indexes = (models.Index(fields=["credential", "-id"], name="attempt_by_credential"),)

    def __str__(self) -> str:
        return f"{self.message_id} #{self.fence} {self.state}"
