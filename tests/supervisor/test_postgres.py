import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from ampout.supervisor import identity
from ampout.supervisor.children import descendants, is_running
from ampout.supervisor.errors import StartError
from ampout.supervisor.postgres import WITHOUT_FSYNC, PostgresServer
from ampout.supervisor.programs import find_postgres


def ask(server: PostgresServer, question: str) -> object:
    with psycopg.connect(server.url) as connection:
        row = connection.execute(question).fetchone()
    return row and row[0]


def test_a_new_server_has_its_database_in_utf8(fresh_postgres: PostgresServer) -> None:
    fresh_postgres.start()
    assert (
        ask(fresh_postgres, "SELECT current_database() || ' ' || current_setting('server_encoding')") == "ampout UTF8"
    )


def test_it_listens_on_no_network(postgres: PostgresServer) -> None:
    postgres.start()
    assert ask(postgres, "SHOW listen_addresses") == ""


def test_options_reach_the_server(postgres: PostgresServer) -> None:
    postgres.options["work_mem"] = "7MB"
    postgres.start()
    assert ask(postgres, "SHOW work_mem") == "7MB"


@pytest.mark.parametrize("way", ["fast", "immediate", "kill9"])
def test_committed_data_outlives_every_way_to_stop(postgres: PostgresServer, way: str) -> None:
    postgres.options.clear()
    postgres.start()
    with psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    if way == "kill9":
        postgres.kill9()
    else:
        postgres.stop(way)
    postgres.start()
    assert ask(postgres, "SELECT answer FROM kept") == 42


def test_a_kill_leaves_no_backend_behind(postgres: PostgresServer) -> None:
    postgres.start()
    assert postgres.pid is not None
    family = [postgres.pid, *descendants(postgres.pid)]
    postgres.kill9()
    assert (len(family) > 3, [pid for pid in family if is_running(pid)]) == (True, [])


def test_a_stopped_server_has_no_process_id(postgres: PostgresServer) -> None:
    postgres.start()
    postgres.stop()
    assert postgres.pid is None


def test_data_of_a_version_that_is_not_here_is_refused_by_one_sentence(fresh_postgres: PostgresServer) -> None:
    fresh_postgres.data_dir.mkdir()
    (fresh_postgres.data_dir / "PG_VERSION").write_text("9\n")
    with pytest.raises(StartError, match=r"^The data folder was made by PostgreSQL 9, which was not found here\."):
        fresh_postgres.start()


def test_damaged_data_is_refused_by_one_sentence(fresh_postgres: PostgresServer) -> None:
    fresh_postgres.data_dir.mkdir()
    (fresh_postgres.data_dir / "PG_VERSION").write_text("not a number")
    with pytest.raises(StartError, match=r"is not readable as a database\. Set AMPOUT_DATA to a new folder\.$"):
        fresh_postgres.start()


class GaveUpError(Exception):
    """Raised by a pause that has seen enough."""


def test_a_second_server_waits_for_the_first_to_end(postgres: PostgresServer, run_dir: Path) -> None:
    postgres.start()

    def give_up(_seconds: float) -> None:
        raise GaveUpError

    with pytest.raises(GaveUpError):
        PostgresServer(postgres.data_dir, run_dir, WITHOUT_FSYNC).start(give_up)


def test_a_lock_file_whose_process_is_another_program_is_no_obstacle(
    postgres: PostgresServer, sleeper: "subprocess.Popen[bytes]"
) -> None:
    postgres.start()
    postgres.kill9()
    lock = postgres.data_dir / "postmaster.pid"
    _, rest = lock.read_text().split("\n", 1)
    lock.write_text(f"{sleeper.pid}\n{rest}")
    postgres.start()
    assert ask(postgres, "SELECT 1") == 1


def test_an_option_that_the_server_refuses_is_reported_in_its_own_words(postgres: PostgresServer) -> None:
    postgres.options["no_such_option"] = "1"
    with pytest.raises(StartError, match=r"PostgreSQL did not start: .*no_such_option"):
        postgres.start()


def test_an_interrupted_initdb_leaves_nothing_in_the_way(fresh_postgres: PostgresServer) -> None:
    half = fresh_postgres.data_dir.with_name("postgres.new")
    half.mkdir()
    (half / "PG_VERSION").write_text("15\n")
    fresh_postgres.start()
    assert (ask(fresh_postgres, "SELECT 1"), half.exists()) == (1, False)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_where_user_namespaces_are_closed_root_hands_the_data_to_nobody(
    fresh_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    servants = [pair for pair in identity.candidates() if isinstance(pair[0], identity.Servant)]
    monkeypatch.setattr(identity, "candidates", lambda: servants)
    fresh_postgres.start()
    assert (ask(fresh_postgres, "SELECT 1"), fresh_postgres.data_dir.stat().st_uid) == (1, servants[0][1])


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_data_handed_to_nobody_is_taken_back_when_namespaces_are_open(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = list(identity.candidates())
    monkeypatch.setattr(identity, "candidates", lambda: pairs[1:])
    postgres.start()
    postgres.stop()
    monkeypatch.setattr(identity, "candidates", lambda: pairs[:1])
    postgres.start()
    assert (ask(postgres, "SELECT 1"), postgres.data_dir.stat().st_uid) == (1, 0)


BECOMES_NOBODY = """
import os, pwd, shutil, tempfile
from pathlib import Path
from ampout.supervisor.postgres import WITHOUT_FSYNC, PostgresServer

nobody = pwd.getpwnam("nobody")
os.setgroups([])
os.setresgid(nobody.pw_gid, nobody.pw_gid, nobody.pw_gid)
os.setresuid(nobody.pw_uid, nobody.pw_uid, nobody.pw_uid)
folder = Path(tempfile.mkdtemp(dir="/tmp"))
try:
    server = PostgresServer(folder / "postgres", folder, WITHOUT_FSYNC)
    server.start()
    print(Path(f"/proc/{server.pid}").stat().st_uid == nobody.pw_uid)
    server.stop()
finally:
    shutil.rmtree(folder)
"""


def is_closed_to_others(folder: Path) -> bool:
    return any(not parent.stat().st_mode & 0o001 for parent in [folder, *folder.parents])


@pytest.mark.skipif(os.getuid() != 0, reason="who is not root is the ordinary user of all other tests here")
def test_an_ordinary_user_can_run_it() -> None:
    if is_closed_to_others(find_postgres().folder):
        pytest.skip("PostgreSQL's programs lie in a folder that is closed to other users")
    done = subprocess.run([sys.executable, "-c", BECOMES_NOBODY], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True\n", "")
