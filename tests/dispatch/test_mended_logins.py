"""A login that cannot be used is a problem of its own, and is over as soon as it is mended."""

from cryptography.fernet import Fernet
from django.db import connection

from credentials.models import SmtpCredential
from dispatch.models import Message
from tests.conftest import ApiClient
from tests.dispatch.conftest import Engine
from tests.factories import make_key


def _spoil(credential: SmtpCredential) -> None:
    """Its password was written with a key that nobody has any more."""
    token = Fernet(Fernet.generate_key()).encrypt(b"lost").decode()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE credentials_smtpcredential SET smtp_password = %s WHERE id = %s", [token, credential.pk])


def test_an_unreadable_password_stops_its_own_credential_and_no_other(engine: Engine) -> None:
    campaign = engine.campaign(credentials=2)
    spoilt, sound = campaign.credentials.order_by("created_at")
    _spoil(spoilt)
    engine.enroll(campaign, *(f"ok{number}" for number in range(4)))
    engine.release(campaign)
    engine.run_until(lambda: Message.everywhere.filter(credential=sound, state="accepted").count() >= 2)
    spoilt.refresh_from_db(fields=["last_problem"])
    assert "FIELD_KEYS" in spoilt.last_problem
    api = ApiClient(engine.account, make_key(engine.account).plaintext)
    assert api.get(f"/campaigns/{campaign.pk}").status_code == 200
    engine.assert_lawful()


def test_a_mended_password_is_tried_at_once(engine: Engine) -> None:
    campaign = engine.campaign(credentials=1)
    credential = campaign.credentials.get()
    _spoil(credential)
    engine.enroll(campaign, "ok1")
    engine.release(campaign)
    engine.run_until(lambda: Message.everywhere.filter(state="deferred").exists())
    api = ApiClient(engine.account, make_key(engine.account).plaintext)
    path = f"/campaigns/{campaign.pk}/smtp_credentials/{credential.pk}"
    answer = api.patch(path, {"smtp_password": "mended"})
    assert answer.status_code == 200
    assert not answer.json()["last_problem"]
    engine.run_until(lambda: Message.everywhere.filter(state="accepted").exists())
    engine.assert_lawful()
