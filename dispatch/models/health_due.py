"""Credentials whose health has to be judged anew."""

from django.db import models

from ampout.lib import clock


class HealthDue(models.Model):
    """Written in the transaction of a bounce, a complaint or a refused login; taken away by the judgement.

    While there is one, its credential gets no `wire`. Append-only, so that nobody waits for anybody in writing it; a
    process that dies before the judgement leaves it for the next one.
    """

    credential = models.ForeignKey("credentials.SmtpCredential", on_delete=models.CASCADE, related_name="+")
    since = models.DateTimeField(default=clock.utc_now)

    class Meta:
        ordering = ("id",)
        verbose_name_plural = "health due"

    def __str__(self) -> str:
        return f"{self.credential_id} since {self.since:%H:%M:%S}"
