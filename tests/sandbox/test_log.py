"""The recipients' log: whole lines, on disk before anybody is told, whatever goes wrong."""

import asyncio
import json
import resource
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ampout.sandbox.log import JsonLinesLog, LogNotWrittenError, Record, refused_log_path
from tests.sandbox.running import read_lines

TORN_FILES = [
    (b"", b""),
    (b'{"a": 1}\n', b'{"a": 1}\n'),
    (b'{"a": 1}\n{"b"', b'{"a": 1}\n'),
    (b'{"a"', b""),
    (b'{"a": 1}\n' + b"x" * 200_000, b'{"a": 1}\n'),
]


async def write_all(path: Path, groups: list[list[Record]]) -> None:
    """Write the groups side by side, as many conversations do."""
    log = JsonLinesLog(path)
    await asyncio.gather(*(log.append(group) for group in groups))
    await log.close()


def test_the_refusals_lie_beside_the_log() -> None:
    assert refused_log_path(Path("/some/where/accepted.jsonl")) == Path("/some/where/accepted.refused.jsonl")


def test_a_line_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    path = tmp_path / "new" / "log.jsonl"

    async def write() -> bytes:
        log = JsonLinesLog(path)
        await log.append([{"subject": "Grüße\u2028\ud800"}])
        read_at_once = path.read_bytes()
        await log.close()
        return read_at_once

    assert asyncio.run(write()) == b'{"subject": "Gr\\u00fc\\u00dfe\\u2028\\ud800"}\n'


def test_the_log_is_for_its_owner_alone(tmp_path: Path) -> None:
    asyncio.run(write_all(tmp_path / "log.jsonl", []))
    assert (tmp_path / "log.jsonl").stat().st_mode & 0o777 == 0o600


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.lists(st.integers(), max_size=3), max_size=20))
def test_what_is_written_side_by_side_arrives_whole_and_grouped(tmp_path: Path, groups: list[list[int]]) -> None:
    path = tmp_path / "log.jsonl"
    path.unlink(missing_ok=True)
    asyncio.run(write_all(path, [[{"number": number} for number in group] for group in groups]))
    assert [line["number"] for line in read_lines(path)] == [number for group in groups for number in group]


@pytest.mark.parametrize(("found", "kept"), TORN_FILES)
def test_a_line_torn_by_a_crash_is_taken_away_and_the_rest_kept(tmp_path: Path, found: bytes, kept: bytes) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(found)
    asyncio.run(write_all(path, [[{"c": 3}]]))
    assert path.read_bytes() == kept + b'{"c": 3}\n'


def test_a_full_disk_fails_the_writer_and_leaves_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"

    async def fill() -> None:
        log = JsonLinesLog(path)
        await log.append([{"text": "short"}])
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            with pytest.raises(LogNotWrittenError, match="File too large"):
                await log.append([{"text": "x" * 2000}])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await log.append([{"text": "after"}])
        await log.close()

    asyncio.run(fill())
    assert [json.loads(line)["text"] for line in path.read_text().splitlines()] == ["short", "after"]


def test_a_writer_that_gives_up_disturbs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"

    async def give_up() -> None:
        log = JsonLinesLog(path)
        impatient = asyncio.create_task(log.append([{"who": "impatient"}]))
        patient = asyncio.create_task(log.append([{"who": "patient"}]))
        await asyncio.sleep(0)
        impatient.cancel()
        await patient
        await log.close()
        assert impatient.cancelled()

    asyncio.run(give_up())
    assert [line["who"] for line in read_lines(path)] == ["impatient", "patient"]


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="File exists"):
        JsonLinesLog(tmp_path / "file" / "log.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
