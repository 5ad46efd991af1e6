"""F6, A8: one credential whose secret no key can read holds up nobody else, and says what is wrong with it."""

from django.db import connection

from ampout.lib.crypto import encrypt
from credentials.models import SmtpCredential
from dispatch.models import Lane
from tests import factories
from tests.dispatch.conftest import Engine, message_of


def store_password(credential: SmtpCredential, token: str) -> None:
    """Write the column as it is, as a restore with other keys would."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE credentials_smtpcredential SET smtp_password = %s WHERE id = %s", [token, credential.pk])


def test_a_secret_that_cannot_be_read_delays_its_own_messages_alone(engine: Engine) -> None:
    damaged, sound = engine.credential(), engine.credential()
    _, waiting = engine.released("ok+1", "ok+2", "ok+3", credentials=[damaged])
    _, others = engine.released("ok+4", "ok+5", "ok+6", credentials=[sound])
    store_password(damaged, "written with a key that is gone")
    # The first one meets the problem; the others wait for the credential's back-off.
    engine.run_until(lambda: engine.states() == {"deferred": 1, "planned": 2, "accepted": 3})
    assert {message_of(enrollment).state for enrollment in others} == {"accepted"}
    assert sorted(message_of(enrollment).reason for enrollment in waiting) == [
        "back_off",
        "back_off",
        "no_login_method",
    ]
    problem = SmtpCredential.everywhere.filter(pk=damaged.pk).values_list("last_problem", flat=True).get()
    assert "FIELD_KEYS" in problem
    assert Lane.objects.get(pk=damaged.pk).back_off_until is not None


def test_its_messages_go_once_the_secret_can_be_read_again(engine: Engine) -> None:
    damaged = engine.credential()
    _, (enrollment,) = engine.released("ok+1", credentials=[damaged])
    store_password(damaged, "written with a key that is gone")
    engine.run_until(lambda: engine.states() == {"deferred": 1})
    store_password(damaged, encrypt(factories.SMTP_PASSWORD))
    engine.skip(hours=1)
    engine.run_until(lambda: message_of(enrollment).state == "accepted")
    engine.assert_lawful()
