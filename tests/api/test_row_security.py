"""Behind the first wall stands PostgreSQL's own: a call touches its account's rows only, whatever a query forgot."""

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, ProgrammingError, connection, transaction
from django.db.models import Model
from django.http.response import HttpResponseBase
from django.test import RequestFactory
from psycopg.errors import InsufficientPrivilege
from rest_framework.request import Request
from rest_framework.response import Response

from ampout.accounts.models import Account
from ampout.accounts.row_security import behind_wall, past_the_wall
from ampout.accounts.wall_plan import SHARED, plan_for, table_plans
from ampout.api.resources import Resource
from ampout.lib import sql
from ampout.lib.errors import NotFound
from campaigns.models import Campaign, CampaignCredential, Contact, Outreach
from dispatch.models import MxVerdict
from tests import factories
from tests.conftest import ApiClient
from tests.pages.admin_records import MAKERS

TENANT_MODELS = [model for model in MAKERS if plan_for(model).granted and plan_for(model).condition is not None]
CLOSED_TABLES = {
    *("auth_user", "auth_group", "auth_permission", "auth_user_groups", "auth_user_user_permissions"),
    *("auth_group_permissions", "django_admin_log", "django_content_type", "django_session"),
    *("dispatch_deliveryworker", "events_webhookloop", "accounts_installation"),
    *("dispatch_tick", "dispatch_factcount", "dispatch_countmark"),
}
"""Of the operators, the loops, and the whole installation: no call needs them."""
ASKED_PAST_THE_WALL = {"notice_by_address"}
WHO = "SELECT current_user, coalesce(current_setting('ampout.account', true), '')"


def is_refused(statement: str) -> bool:
    try:
        with transaction.atomic():
            sql.execute(statement)
    except ProgrammingError as error:
        return isinstance(error.__cause__, InsufficientPrivilege)
    return False


# -- What the wall shows


@pytest.mark.parametrize("model", TENANT_MODELS, ids=lambda model: model.__name__)
def test_rows_of_others_are_out_of_reach(account: Account, model: type[Model]) -> None:
    """For reading, changing and deleting; and none can be made."""
    foreign = MAKERS[model]()
    table, column = model._meta.db_table, model._meta.pk.column
    key = {"pk": foreign.pk}
    sql.execute(f"CREATE TEMPORARY TABLE foreign_row AS SELECT * FROM {table} WHERE {column} = %(pk)s", key)
    sql.execute("GRANT SELECT ON foreign_row TO PUBLIC")
    with behind_wall(account.pk):
        assert not model._base_manager.filter(pk=foreign.pk).exists()
        assert sql.fetch(f"SELECT 1 FROM {table}") == ([(1,)] if model is Account else [])
        assert sql.execute(f"UPDATE {table} SET {column} = {column} WHERE {column} = %(pk)s", key) == 0
        assert sql.execute(f"DELETE FROM {table} WHERE {column} = %(pk)s", key) == 0
        assert is_refused(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM foreign_row")
    assert sql.fetch(f"SELECT * FROM foreign_row EXCEPT SELECT * FROM {table}") == []


def test_own_rows_are_all_there(account: Account, other_account: Account) -> None:
    campaign = factories.make_campaign(account, steps=2, credentials=[factories.make_credential(account)])
    factories.make_campaign(other_account, steps=2, credentials=[factories.make_credential(other_account)])
    with behind_wall(account.pk):
        assert Campaign.everywhere.get() == campaign
        assert CampaignCredential.objects.get().campaign == campaign
        assert Outreach.everywhere.create(account=account, name="mine").pk
        assert Campaign.everywhere.update(name="ours") == 1


def test_an_own_row_cannot_be_given_away(account: Account, other_account: Account) -> None:
    factories.make_outreach(account)
    with behind_wall(account.pk):
        assert is_refused(f"UPDATE campaigns_outreach SET account_id = '{other_account.pk}'")


@pytest.mark.parametrize("table", sorted(CLOSED_TABLES))
def test_what_is_nobodys_is_closed(account: Account, table: str) -> None:
    with behind_wall(account.pk):
        assert is_refused(f"SELECT * FROM {table}")


def test_what_is_shared_is_open_to_all(account: Account) -> None:
    verdict = MAKERS[MxVerdict]()
    with behind_wall(account.pk):
        assert MxVerdict.objects.filter(pk=verdict.pk).update(status="absent") == 1


def test_every_table_is_an_accounts_or_named_here() -> None:
    """A model that is new must lead to an account, or be written down as shared or closed; one that does is tried."""
    plans = list(table_plans())
    assert {plan.table for plan in plans if not plan.granted} == CLOSED_TABLES
    assert len([plan for plan in plans if plan.condition is None]) == len(SHARED)
    tried = {model._meta.db_table for model in TENANT_MODELS}
    assert {plan.table for plan in plans if plan.granted and plan.condition} == tried


def test_the_account_is_read_once_a_query(account: Account) -> None:
    """And the indexes of the lists are used as without the wall."""
    page = Contact.objects.of(account).order_by("-created_at", "pk")[:50]
    with behind_wall(account.pk):
        # Whatever pages and statistics other tests left behind: by an index that has this order.
        for way in ("seqscan", "bitmapscan", "sort"):
            sql.execute(f"SET LOCAL enable_{way} = off")
        plan = page.explain(verbose=True).splitlines()
    assert any("contact_by_account" in line for line in plan)
    assert [line for line in plan if "current_setting" in line and "Output:" not in line] == []
    assert sum(line.strip().startswith("InitPlan") for line in plan) == 2


def test_every_index_serves_behind_the_wall(db: None) -> None:
    """PostgreSQL asks an index nothing that might leak a row before its policy: columns will do, and CASE of them."""
    indexes = sql.fetch(
        "SELECT indexrelid::regclass::text, indrelid::regclass::text, coalesce(pg_get_expr(indexprs, indrelid), '') "
        "FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam "
        "WHERE indexprs IS NOT NULL OR amname <> 'btree'"
    )
    ours = {plan.table for plan in table_plans()}
    of_no_use = {name for name, table, text in indexes if table in ours and not text.lstrip().startswith("CASE")}
    assert of_no_use == ASKED_PAST_THE_WALL


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_asked_past_the_wall_is_followed_by_the_wall(both: ApiClient, method: str) -> None:
    def act() -> list[list[str]]:
        first = outreaches()
        with past_the_wall():
            return [first, outreaches()]

    for _ in range(2):
        answer: Any = call(both, lambda: [*act(), outreaches()], method)
        assert answer.data == [["mine"], ["foreign", "mine"], ["mine"]]


def test_a_part_that_is_rolled_back_after_stepping_out_is_behind_the_wall(both: ApiClient) -> None:
    def act() -> list[str]:
        with transaction.atomic():
            with past_the_wall():
                assert outreaches() == ["foreign", "mine"]
            transaction.set_rollback(True)
        return outreaches()

    answer: Any = call(both, act, "POST")
    assert answer.data == ["mine"]


def test_nothing_is_stepped_out_of_where_no_call_is_answered(both: ApiClient) -> None:
    with past_the_wall():
        assert outreaches() == ["foreign", "mine"]


# -- A call from its beginning to its end


class Careless(Resource):
    """A resource whose handler does what a test says, to all that it can reach."""

    act: Any = None
    prepare: Any = None

    def get(self, _request: Request) -> Response:
        return Response(self.act())

    def prepare_post(self, _request: Request) -> None:
        """What comes before the transaction of a call."""
        if self.prepare is not None:
            self.prepare()

    def post(self, _request: Request) -> Response:
        return Response(self.act())


def call(
    client: ApiClient, act: Callable[[], Any], method: str = "GET", *, prepare: Any = None, **headers: str
) -> HttpResponseBase:
    named = {"Authorization": f"Bearer {client.key}"} | {name.replace("_", "-"): text for name, text in headers.items()}
    request = RequestFactory(REMOTE_ADDR=client.address).generic(method, "/careless", headers=named)
    return Careless.as_view(act=act, prepare=prepare)(request)


def outreaches() -> list[str]:
    return sorted(Outreach.everywhere.values_list("name", flat=True))


@pytest.fixture
def both(api: ApiClient, other_account: Account) -> ApiClient:
    """Alice's client, where she and Bob have something each."""
    factories.make_outreach(api.account, name="mine")
    factories.make_outreach(other_account, name="foreign")
    return api


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_handler_that_forgets_the_scope_finds_its_own(both: ApiClient, method: str) -> None:
    def act() -> list[list[str]]:
        first = outreaches()
        with transaction.atomic():
            return [first, outreaches(), outreaches()]

    answer: Any = call(both, act, method)
    assert answer.data == [["mine"]] * 3
    assert outreaches() == ["foreign", "mine"]


@pytest.mark.django_db(transaction=True)
def test_what_comes_before_the_transaction_is_behind_the_wall(both: ApiClient) -> None:
    seen: list[str] = []
    call(both, outreaches, "POST", prepare=lambda: seen.extend([*outreaches(), *outreaches()]))
    assert seen == ["mine", "mine"]


@pytest.mark.django_db(transaction=True)
def test_a_part_that_is_rolled_back_leaves_the_wall(both: ApiClient) -> None:
    def act() -> list[str]:
        with transaction.atomic():
            Outreach.everywhere.all().delete()
            transaction.set_rollback(True)
        return outreaches()

    answer: Any = call(both, act, "POST")
    assert answer.data == ["mine"]


@pytest.mark.django_db(transaction=True)
def test_what_follows_the_commit_is_behind_the_wall(both: ApiClient) -> None:
    seen: list[str] = []
    call(both, lambda: transaction.on_commit(lambda: seen.extend(outreaches())), "POST")
    assert seen == ["mine"]


@pytest.mark.django_db(transaction=True)
def test_calls_with_an_idempotency_key_too(both: ApiClient) -> None:
    first: Any = call(both, outreaches, "POST", idempotency_key="once")
    again: Any = call(both, outreaches, "POST", idempotency_key="once")
    assert first.data == ["mine"]
    assert again.content == b'["mine"]'


def fail() -> None:
    raise ZeroDivisionError


def go_missing() -> None:
    raise NotFound("outreach_not_found")


ENDINGS: dict[str, Callable[[], Any]] = {
    "an answer": outreaches,
    "a refusal": go_missing,
    "a fault": fail,
    "a fault of the database": lambda: sql.fetch("SELECT 1 / 0"),
    "nothing asked": lambda: None,
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_left_on_the_connection(both: ApiClient, ending: str, method: str) -> None:
    server_process = sql.fetch("SELECT pg_backend_pid()")
    before = sql.fetch(WHO)
    for _ in range(2):
        try:
            call(both, lambda: (outreaches(), ENDINGS[ending]()), method)
        except Exception:  # the handler of faults gives it to Django
            assert "fault" in ending
    assert sql.fetch(WHO) == before
    assert sql.fetch("SELECT pg_backend_pid()") == server_process
    assert outreaches() == ["foreign", "mine"]


@pytest.mark.django_db(transaction=True)
def test_calls_of_two_accounts_take_turns_on_one_connection(both: ApiClient, other_api: ApiClient) -> None:
    answers: list[Any] = [call(client, outreaches, "POST") for client in (both, other_api, both)]
    assert [answer.data for answer in answers] == [["mine"], ["foreign"], ["mine"]]


@pytest.mark.django_db(transaction=True)
def test_a_lost_connection_takes_the_wall_along(both: ApiClient) -> None:
    def lose() -> list[str]:
        outreaches()
        with psycopg.connect(**connection.get_connection_params()) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
        return outreaches()

    with pytest.raises(OperationalError):
        call(both, lose)
    connection.close_if_unusable_or_obsolete()
    answer: Any = call(both, outreaches)
    assert answer.data == ["mine"]
    assert outreaches() == ["foreign", "mine"]


def test_a_transaction_around_the_call_goes_on_without_the_wall(both: ApiClient) -> None:
    before = sql.fetch(WHO)
    call(both, outreaches, "POST")
    assert sql.fetch(WHO) == before
    assert outreaches() == ["foreign", "mine"]


def test_many_statements_at_once_do_not_slip_by(account: Account) -> None:
    with (
        behind_wall(account.pk),
        pytest.raises(ProgrammingError, match="executemany"),
        connection.cursor() as cursor,
    ):
        cursor.executemany("DELETE FROM campaigns_outreach WHERE id = %s", [[uuid.uuid4()]])
