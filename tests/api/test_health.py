"""Whether the web process is alive, asked by whoever."""

from django.test import Client


def test_a_load_balancer_that_asks_by_address_gets_an_answer() -> None:
    answer = Client().get("/healthz", headers={"host": "10.1.2.3:8000"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
