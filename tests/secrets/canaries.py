"""Unique random secrets, each in a form that something stumbles over."""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from cryptography.fernet import Fernet

NOWHERE = "(?!)"
SHORTEST_TOKEN = 8
"""Characters; shorter ones would be found by chance."""


@dataclass(frozen=True, slots=True)
class Canary:
    """A secret. `value` is all of it; `shown` matches the calls ("POST /api_keys 201") whose answer may hold it."""

    name: str
    value: str = field(repr=False)
    shown: str = NOWHERE

    @property
    def token(self) -> str:
        """Its random part, which gives away also what was cut short."""
        longest: str = max(re.findall(r"[0-9A-Za-z]+", self.value), key=len)
        return longest if len(longest) >= SHORTEST_TOKEN else self.value

    def may_be_in(self, call: str) -> bool:
        """Whether the answer to this call is where it is shown. An answer may repeat its own address."""
        return self.value in call or re.fullmatch(self.shown, call) is not None


_TRICKY = {
    "plain": "canary{}",
    "quotes": "c4n\"ary'`{}' & <b>\"",
    "percent": "c4n%41ry%s%%{}{{0}}$HOME;#?/@:",
    "unicode": "cänäry\u00a0鍵🔑{}é",
    "backslash": "c4n\\ary\\n\\x41{}\\",
    "long": "{}" + "L0ng" * 150,
    "blanks": " canary  {} ",
}


class Canaries:
    """All secrets of a run: ours from the beginning, and those that the product makes once it has shown them."""

    def __init__(self) -> None:
        self._all: dict[str, Canary] = {}
        for name in ("SECRET_KEY", "DIGEST_KEY"):
            self.add(name, secrets.token_urlsafe(48))
        self.add("FIELD_KEYS", Fernet.generate_key().decode())
        for name in ("database password", "broker password"):
            self.add(name, secrets.token_hex(12))
        self.add("operator password", self.tricky("quotes"))
        self.add("wrong operator password", self.tricky("unicode"))
        self.add("wrong API key", f"ak_live_{secrets.token_hex(20)}")
        self.add("wrong hook secret", secrets.token_hex(12))
        self.add("signing key", self.tricky("plain"))

    @staticmethod
    def tricky(kind: str) -> str:
        """A new secret of a tricky form."""
        return _TRICKY[kind].replace("{}", secrets.token_hex(8), 1)

    @staticmethod
    def kinds() -> Iterator[str]:
        """The tricky forms."""
        yield from _TRICKY

    def add(self, name: str, value: str, shown: str = NOWHERE) -> str:
        """One more; returns its value."""
        self._all[name] = Canary(name, value, shown)
        return value

    def __getitem__(self, name: str) -> str:
        return self._all[name].value

    def __iter__(self) -> Iterator[Canary]:
        yield from self._all.values()

    def quoted(self, name: str) -> str:
        """As it stands in a URL."""
        return quote(self[name], safe="")
