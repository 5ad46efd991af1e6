"""The headers of safety on every kind of answer: API, admin, recipients' pages, errors, files, health (promise F7)."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import Settings

from ampout.lib import content_policy
from dispatch.models import Message
from dispatch.services.unsubscribe import make_token
from tests.conftest import ApiClient
from tests.pages.admin_records import MAKERS

pytestmark = pytest.mark.django_db

PATHS = {
    "/contacts": content_policy.NOTHING,
    "/nothing": content_policy.NOTHING,
    "/healthz": content_policy.NOTHING,
    "/hooks/in/postmark/x": content_policy.NOTHING,
    "/o/x": content_policy.NOTHING,
    "/static/ampout.svg": content_policy.NOTHING,
    "/admin/nothing/": content_policy.ADMIN,
    "/u/x": content_policy.PAGE,
    "/c/x": content_policy.PAGE,
    "/admin": content_policy.PAGE,
    "/admin/login/": content_policy.ADMIN,
}


def ask(method: str, path: str, **facts: Any) -> Any:
    """An answer whose file, if it is one, is closed."""
    answer = Client().generic(method, path, **facts)
    answer.close()
    return answer


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
def test_every_answer_has_them(path: str, method: str) -> None:
    headers = ask(method, path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")


@pytest.mark.parametrize("path", PATHS)
def test_each_kind_of_answer_has_its_policy(path: str) -> None:
    assert ask("GET", path)["Content-Security-Policy"] == PATHS[path]


def test_a_fault_of_ours_has_them_too(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("ampout.api.api_keys.ApiKeys.get", fail)
    answer = Client(raise_request_exception=False).get("/api_keys", headers={"Authorization": f"Bearer {api.key}"})
    assert (answer.status_code, answer["Content-Security-Policy"]) == (500, content_policy.NOTHING)


def test_another_host_is_refused_with_them() -> None:
    answer = Client().get("/contacts", headers={"Host": "attacker.example"})
    assert (answer.status_code, answer["Content-Security-Policy"]) == (400, content_policy.NOTHING)


def test_no_policy_lets_a_script_stand_in_a_page_or_come_from_elsewhere() -> None:
    for policy in (content_policy.NOTHING, content_policy.PAGE, content_policy.ADMIN, content_policy.DOCS):
        directives = dict(part.split(" ", 1) for part in policy.split("; "))
        assert "'unsafe-inline'" not in directives.get("script-src", "")
        assert "http" not in policy
        assert "*" not in policy
        assert directives["frame-ancestors"] == directives["base-uri"] == directives["object-src"] == "'none'"


def test_what_may_be_shown_once_is_kept_by_nobody(api: ApiClient) -> None:
    assert api.post("/api_keys", {"label": "robot"})["Cache-Control"] == "no-store"
    assert "no-store" in Client().get(f"/u/{make_token(MAKERS[Message]().pk)}")["Cache-Control"]


@pytest.fixture
def over_https(settings: Settings) -> Settings:
    """As with an https:// PUBLIC_URL."""
    settings.SECURE_SSL_REDIRECT = settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SECURE_HSTS_SECONDS = 31_536_000
    return settings


@pytest.mark.parametrize("path", ["/contacts", "/nothing", "/u/x", "/admin/login/", "/static/ampout.svg"])
def test_over_https_browsers_are_told_to_stay_there(over_https: Settings, path: str) -> None:
    assert ask("GET", path, secure=True)["Strict-Transport-Security"].startswith("max-age=31536000")
    plain = ask("GET", path)
    assert (plain.status_code, plain["Location"]) == (301, f"https://testserver{path}")


def test_cookies_are_for_us_alone(over_https: Settings, django_user_model: type[User]) -> None:
    django_user_model.objects.create_superuser("olga", password="a long word for Olga")
    client = Client()
    answer: Any = client.post(
        "/admin/login/?next=/admin/", {"username": "olga", "password": "a long word for Olga"}, secure=True
    )
    assert answer.status_code == 302
    session, csrf = answer.cookies["sessionid"], answer.cookies["csrftoken"]
    assert (session["secure"], session["httponly"], session["samesite"]) == (True, True, "Lax")
    assert (csrf["secure"], csrf["httponly"], csrf["samesite"]) == (True, True, "Strict")
    assert client.get("/admin/", secure=True).status_code == 200


def test_the_api_sets_no_cookie_and_believes_none(api: ApiClient, django_user_model: type[User]) -> None:
    assert not api.get("/contacts").cookies
    browser = Client()
    browser.force_login(django_user_model.objects.create_superuser("olga"))
    assert browser.get("/contacts").status_code == 401
    assert browser.post("/contact_imports", {"name": "x"}, content_type="application/json").status_code == 401


@pytest.mark.parametrize("name", ["access_token", "api_key", "key", "token", "authorization"])
def test_a_key_is_not_taken_from_the_address(api: ApiClient, name: str) -> None:
    for given in (str(api.key), f"Bearer {api.key}"):
        assert Client().get("/contacts", {name: given}).status_code == 401


def test_the_admin_takes_no_key(api: ApiClient) -> None:
    answer = Client().get("/admin/", headers={"Authorization": f"Bearer {api.key}"})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/admin/")


def test_the_admin_asks_for_the_token_of_its_form(django_user_model: type[User]) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(django_user_model.objects.create_superuser("olga"))
    assert browser.post("/admin/accounts/account/add/", {"name": "x"}).status_code == 403
    assert browser.post("/admin/logout/").status_code == 403
