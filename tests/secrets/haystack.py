"""Looking for secrets in anything, in every spelling that software gives them."""

import base64
import html
import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from tests.secrets.canaries import Canary


@dataclass(frozen=True, slots=True)
class Find:
    """A canary that lies where it must not: which, spelled how, where, and what stands before it."""

    canary: str
    spelling: str
    place: str
    before: str

    def __str__(self) -> str:
        return f"{self.canary} ({self.spelling}) in {self.place}, after {self.before!r}"


def spellings(text: str) -> dict[str, bytes]:
    """How a text may be written, by the name of the way; base64 by what any base64 that holds the text contains."""
    octets = text.encode()
    found = {
        "raw": octets,
        "raw, latin-1": text.encode("latin-1", "replace"),
        "JSON": json.dumps(text)[1:-1].encode(),
        "JSON, UTF-8": json.dumps(text, ensure_ascii=False)[1:-1].encode(),
        "JSON in JSON": json.dumps(json.dumps(text))[3:-3].encode(),
        "repr": repr(text)[1:-1].encode(),
        "repr, other quotes": repr(text + "'")[1:-2].encode(),
        "repr of bytes": repr(octets)[2:-1].encode(),
        "ascii": ascii(text)[1:-1].encode(),
        "backslashes doubled": text.replace("\\", "\\\\").encode(),
        "quoted string": text.replace("\\", "\\\\").replace('"', '\\"').encode(),
        "shell": shlex.quote(text).encode(),
        "URL": quote(text, safe="").encode(),
        "URL path": quote(text).encode(),
        "form": quote_plus(text).encode(),
        "HTML": html.escape(text).encode(),
        "hex": octets.hex().encode(),
        "backwards": text[::-1].encode(),
        "UTF-16": text.encode("utf-16-le"),
        "mojibake": octets.decode("latin-1").encode(),
    }
    for alignment in range(3):
        encoded = base64.b64encode(b"\0" * alignment + octets)
        core = encoded[-(-alignment * 8 // 6) : (alignment + len(octets)) * 8 // 6]
        found[f"base64, alignment {alignment}"] = core
        found[f"base64 for URLs, alignment {alignment}"] = core.translate(bytes.maketrans(b"+/", b"-_"))
    return found


class Search:
    """Made once for all canaries; case does not matter."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._needles: list[tuple[Canary, str, bytes]] = []
        for canary in canaries:
            wanted: dict[bytes, str] = {}
            for spelling, needle in spellings(canary.value).items():
                wanted.setdefault(needle.lower(), spelling)
            for spelling, needle in spellings(canary.token).items():
                wanted.setdefault(needle.lower(), f"its random part, {spelling}")
            self._needles += [(canary, spelling, needle) for needle, spelling in wanted.items()]

    def look(self, place: str, contents: bytes, *, call: str = "") -> list[Find]:
        """What lies there, one find a canary; `call` is what the contents answer, if they do."""
        lowered, finds = contents.lower(), dict[str, Find]()
        for canary, spelling, needle in self._needles:
            at = lowered.find(needle)
            if at >= 0 and canary.name not in finds and not canary.may_be_in(call):
                before = contents[max(0, at - 80) : at].decode("utf-8", "replace")
                finds[canary.name] = Find(canary.name, spelling, place, before)
        return list(finds.values())
