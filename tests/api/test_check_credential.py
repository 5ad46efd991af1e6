"""The check of a credential: a real login to servers on loopback, and an answer that says exactly what failed."""

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from tests import factories
from tests.api.answers import assert_code
from tests.api.campaign_bodies import IMAP_PASSWORD, PASSWORD
from tests.conftest import ApiClient
from tests.peers.certificates import Certificates, certificates
from tests.peers.chaos_smtp import ChaosSmtp
from tests.peers.imap_server import ImapScript, running_imap_server

__all__ = ["certificates"]


@pytest.fixture(autouse=True)
def trusting(settings: Settings, certificates: Certificates) -> None:
    """The tests' authority is trusted."""
    settings.SMTP_CA_FILE = str(certificates.authority)


def check(api: ApiClient, account: Account, **fields: Any) -> Any:
    credential = factories.make_credential(account, **({"smtp_host": "localhost", "smtp_password": PASSWORD} | fields))
    campaign = factories.make_campaign(account, credentials=[credential])
    return api.post(f"/campaigns/{campaign.pk}/smtp_credentials/{credential.pk}/check")


def test_a_good_login_is_good(api: ApiClient, account: Account, certificates: Certificates) -> None:
    with ChaosSmtp(certificates, logins={"alice": PASSWORD}) as peer:
        answer = check(api, account, smtp_port=peer.port, smtp_username="alice").json()
    assert (answer["ok"], answer["imap"]) == (True, None)
    assert answer["smtp"] == {
        "ok": True,
        "stage": "done",
        "code": None,
        "message": f"localhost:{peer.port} took the login.",
    }
    assert peer.log == []


def test_a_wrong_password_is_told_in_the_servers_words(
    api: ApiClient, account: Account, certificates: Certificates
) -> None:
    with ChaosSmtp(certificates, logins={"alice": "another"}) as peer:
        response = check(api, account, smtp_port=peer.port, smtp_username="alice")
    answer = response.json()
    assert (response.status_code, answer["ok"]) == (200, False)
    assert (answer["smtp"]["stage"], answer["smtp"]["code"]) == ("auth", 535)
    assert "canary" not in response.content.decode()


def test_the_mailbox_is_tried_too_where_it_is_set(api: ApiClient, account: Account, certificates: Certificates) -> None:
    script = ImapScript(tls=certificates.good.server_context(), password="another")
    with ChaosSmtp(certificates) as peer, running_imap_server(script) as mailbox:
        response = check(
            api,
            account,
            smtp_port=peer.port,
            imap_host="localhost",
            imap_port=mailbox.port,
            imap_username="alice",
            imap_password=IMAP_PASSWORD,
        )
    answer = response.json()
    assert (answer["smtp"]["ok"], answer["imap"]["ok"], answer["imap"]["stage"]) == (True, False, "auth")
    assert answer["ok"] is False
    assert "canary" not in response.content.decode()


def test_a_host_inside_is_refused_without_a_connection(api: ApiClient, account: Account, settings: Settings) -> None:
    settings.ALLOW_PRIVATE_NETWORKS = []
    answer = check(api, account, smtp_host="127.0.0.1", smtp_port=587).json()
    assert (answer["smtp"]["ok"], answer["smtp"]["stage"]) == (False, "target")


def test_a_login_is_tried_five_times_a_minute(api: ApiClient, account: Account) -> None:
    credential = factories.make_credential(account, smtp_host="127.0.0.1", smtp_port=1)
    campaign = factories.make_campaign(account, credentials=[credential])
    path = f"/campaigns/{campaign.pk}/smtp_credentials/{credential.pk}/check"
    assert [api.post(path).status_code for _ in range(6)] == [200, 200, 200, 200, 200, 429]
    response = api.post(path)
    assert_code(response, 429, "rate_limited")
    assert 1 <= int(response["Retry-After"]) <= 60
