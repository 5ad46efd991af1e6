"""Whom a text names, by keyed hashes of the addresses in it; and which of them were erased."""

import uuid
from collections.abc import Collection, Iterator

from campaigns.models import Contact
from dispatch.models import Notice
from dispatch.rules.mail.reader import Mail, read_mail
from dispatch.rules.named_addresses import find_addresses_anywhere, without_addresses
from dispatch.services.matching import digest_of


def digests_in(*texts: str) -> set[bytes]:
    """The keyed hashes of the addresses in these texts."""
    found = {address for text in texts for address in find_addresses_anywhere(text)}
    return {digest for digest in map(digest_of, found) if digest is not None}


def digests_of_notice(notice: Notice, source_of_mails: str) -> list[bytes]:
    """The keyed hashes of the addresses in what is kept of a notice: as it came, and decoded where it is a mail."""
    body = bytes(notice.body)
    texts = [notice.headers, body.decode("utf-8", "replace")]
    if notice.source == source_of_mails and (body or notice.headers):
        texts += _texts_of(read_mail(body or notice.headers.encode()))
    return sorted(digests_in(*texts))


def _texts_of(mail: Mail) -> Iterator[str]:
    """Everything a mail says, decoded, with the mails inside it; the reader bounds how deep they nest."""
    yield from (value for _, value in mail.headers)
    for part in mail.parts:
        yield part.text
        if part.mail is not None:
            yield from _texts_of(part.mail)


def erased_among(account_id: uuid.UUID, digests: Collection[bytes]) -> set[bytes]:
    """Those of these addresses that contacts of the account had who are deleted; not those that a living one has."""
    if not digests:
        return set()
    known = Contact.objects.of(account_id).filter(address_digest__in=list(digests))
    living: dict[bytes, bool] = {}
    for digest, deleted_at in known.order_by().values_list("address_digest", "deleted_at"):
        living[bytes(digest)] = living.get(bytes(digest), False) or deleted_at is None
    return {digest for digest, is_living in living.items() if not is_living}


def without(text: str, digests: Collection[bytes]) -> str:
    """The text without the addresses that have these keyed hashes."""
    return without_addresses(text, lambda address: digest_of(address) in digests)
