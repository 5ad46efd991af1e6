"""The operator's page of the documentation, kept true."""

from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.management import get_commands

from ampout.api.admin.base import PAGE_SIZE, RecordAdmin
from ampout.api.admin.site import figures

PAGE = (Path(__file__).parent.parent.parent / "docs" / "howto" / "operate.md").read_text()


def described_actions() -> list[str]:
    """The words of every action of every model."""
    admins: list[Any] = [
        admin.site.get_model_admin(model) for model in apps.get_models() if admin.site.is_registered(model)
    ]
    ours = [of_model for of_model in admins if isinstance(of_model, RecordAdmin)]
    return [getattr(of_model, str(name)).short_description for of_model in ours for name in of_model.actions or ()]


def test_every_action_is_explained() -> None:
    descriptions = described_actions()
    assert len(descriptions) == 15
    assert [words for words in descriptions if f"| {words} |" not in PAGE] == []


@pytest.mark.django_db
def test_every_figure_of_the_first_page_is_explained() -> None:
    assert [figure.title for figure in figures() if f"| {figure.title} |" not in PAGE] == []


def test_what_the_page_names_is_there() -> None:
    assert {"audit", "createsuperuser", "changepassword"} <= set(get_commands())
    assert f"up to {PAGE_SIZE} records" in PAGE
