import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from ampout.supervisor.errors import StartError
from ampout.supervisor.keys import load_installation_id, load_keys


def test_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    first = load_keys(tmp_path / "secrets.json", may_make=True)
    assert load_keys(tmp_path / "secrets.json", may_make=False) == first


def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    load_keys(tmp_path / "secrets.json", may_make=True)
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_the_field_key_is_a_fernet_key(tmp_path: Path) -> None:
    Fernet(load_keys(tmp_path / "secrets.json", may_make=True).field_keys)


def test_two_installations_share_no_key(tmp_path: Path) -> None:
    one, two = (load_keys(tmp_path / name, may_make=True) for name in ("one", "two"))
    names = ("secret_key", "field_keys", "digest_key", "operator_password")
    assert [name for name in names if getattr(one, name) == getattr(two, name)] == []


def test_no_secret_shows_in_the_repr(tmp_path: Path) -> None:
    assert repr(load_keys(tmp_path / "secrets.json", may_make=True)) == "Keys()"


def test_beside_an_existing_database_none_are_made(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"secrets\.json is missing, .* Put it back, or set AMPOUT_DATA to a new"):
        load_keys(tmp_path / "secrets.json", may_make=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "null", "[]", '{"secret_key": "x"}'])
def test_a_damaged_file_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.json").write_text(text)
    with pytest.raises(StartError, match=r"secrets\.json is damaged\. Put a copy of it back"):
        load_keys(tmp_path / "secrets.json", may_make=True)
    assert (tmp_path / "secrets.json").read_text() == text


def test_a_data_folder_has_an_id_of_its_own_that_stays(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    first = load_installation_id(one)
    assert load_installation_id(one) == first
    assert load_installation_id(other) != first
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
