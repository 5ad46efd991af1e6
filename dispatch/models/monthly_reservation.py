"""How much of an operator's monthly limit is taken."""

from django.db import models

from ampout.accounts.scoping import AccountOwned


class MonthlyReservation(AccountOwned):
    """What an account with a monthly limit has sent this month, and what is on its way: never less than that.

    It may be more, as what is refused or given up is not taken off: it is counted anew once the limit seems reached.
    """

    id = models.BigAutoField(primary_key=True)
    month = models.DateField(help_text="The first day of the month it is about.")
    reserved = models.PositiveIntegerField(default=0)
    counted_at = models.DateTimeField(null=True, help_text="Empty: it is to be counted before anything is given out.")

    class Meta(AccountOwned.Meta):
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=["account"], name="one_reservation_per_account"),)

    def __str__(self) -> str:
        return f"{self.account_id} {self.month:%Y-%m}: {self.reserved}"
