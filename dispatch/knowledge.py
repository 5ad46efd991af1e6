"""The knowledge about mail of machines (dispatch/data/*.toml): read once, checked strictly."""

import functools
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dispatch.rules.classify.auto_reply_knowledge import read_auto_reply_knowledge
from dispatch.rules.classify.bounce_knowledge import BounceKnowledge, read_bounce_knowledge
from dispatch.rules.classify.knowledge import InvalidKnowledge, Knowledge

DATA = Path(__file__).parent / "data"


@functools.cache
def load_knowledge() -> Knowledge:
    """All of it. Raises InvalidKnowledge with the first problem of a file."""
    return Knowledge(
        bounces=load_bounces(),
        auto_replies=read_auto_reply_knowledge(read_tables("auto_replies.toml")),
    )


@functools.cache
def load_bounces() -> BounceKnowledge:
    """The part that the replies of servers are read by. Raises InvalidKnowledge."""
    return read_bounce_knowledge(read_tables("bounces.toml"))


def read_tables(name: str) -> Mapping[str, Any]:
    """The tables of one data file. Raises InvalidKnowledge when it is not TOML."""
    try:
        return tomllib.loads((DATA / name).read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InvalidKnowledge(f"dispatch/data/{name} is not TOML: {error}.") from None
