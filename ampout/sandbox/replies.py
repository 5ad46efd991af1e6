"""What people write back: a few words on top, the message they answer below, as the mail program of each does it."""

from datetime import datetime
from html import escape
from random import Random

from ampout.sandbox.delivered import Delivered
from ampout.sandbox.letters import Field, answer_fields, make_boundary, multipart, new_message_id, text, write_mail

ANSWERS = (
    "Hi,\n\nthanks for your message. Yes, please send it over.\n\nBest,\n{name}",
    "Sounds interesting. Could you call me on Thursday afternoon?\n\n{name}",
    "Thank you, but we have moved into new rooms just now, so this is not for us now.\n\nKind regards\n{name}",
    "Hello,\n\nwho else have you worked with? I have passed this on to a colleague.\n\n{name}\nSent from my phone",
    "Guten Tag,\n\nvielen Dank für Ihre Nachricht. Schicken Sie mir den Leitfaden gern zu.\n\nViele Grüße\n{name}",
    "Bonjour,\n\nmerci pour votre message, cela m'intéresse. Pouvez-vous m'envoyer le guide ?\n\nCordialement\n{name}",
    "Hola:\n\nMuchas gracias, me gustaría recibir la guía.\n\nUn saludo,\n{name}",
    "Dzień dobry,\n\nproszę o przesłanie przewodnika.\n\nPozdrawiam\n{name}",
)
"""What people say who are asked whether they want a guide."""

REMOVALS = (
    "Please remove me from your list.\n\n{name}",
    "Hello,\n\nplease unsubscribe me. I am not interested.\n\n{name}",
    "Bitte nehmen Sie mich aus Ihrem Verteiler.\n\n{name}",
    "Merci de me désinscrire de votre liste.\n\n{name}",
    "Por favor, dame de baja de esta lista.\n\n{name}",
    "Stop emailing me.",
)
"""What people say who want no more mail."""


def write_reply(mail: Delivered, dice: Random) -> bytes:
    """An answer in plain text."""
    return _plain(mail, dice.choice(ANSWERS), dice)


def write_removal(mail: Delivered, dice: Random) -> bytes:
    """A request for no more mail, in plain text."""
    return _plain(mail, dice.choice(REMOVALS), dice)


def write_html_reply(mail: Delivered, dice: Random) -> bytes:
    """An answer in HTML with a plain alternative, as Outlook, Gmail or Apple Mail write it."""
    words = dice.choice(ANSWERS).format(name=mail.recipient_name)
    program = dice.choice((_outlook, _gmail, _apple_mail))
    plain, html, more, style = program(mail, words)
    part = multipart("alternative", [text(plain), text(html, "html")], make_boundary(dice, style))
    return write_mail([*_fields(mail, dice), *more], part)


def reply_subject(subject: str) -> str:
    """The subject of an answer."""
    return subject if subject[:3].lower() == "re:" else f"Re: {subject}"


def quoted(words: str) -> str:
    """Every line behind a ``>``."""
    return "\n".join(f"> {line}" if line else ">" for line in words.strip().split("\n"))


def _plain(mail: Delivered, words: str, dice: Random) -> bytes:
    said = words.format(name=mail.recipient_name)
    body = f"{said}\n\n{_on_wrote(mail)}\n\n{quoted(mail.text)}\n"
    return write_mail([*_fields(mail, dice), ("User-Agent", "Mozilla Thunderbird")], text(body, encoding="base64"))


def _fields(mail: Delivered, dice: Random) -> list[Field]:
    return answer_fields(mail, reply_subject(mail.subject), new_message_id(dice, f"mail.{mail.domain}"))


def _outlook(mail: Delivered, words: str) -> tuple[str, str, list[Field], str]:
    """Outlook repeats the header below a rule."""
    facts = [
        ("From", f"{mail.from_name} <{mail.from_address}>"),
        ("Sent", _long_date(mail.received_at)),
        ("To", mail.recipient),
        ("Subject", mail.subject),
    ]
    plain = f"{words}\n\n" + "\n".join(f"{name}: {value}" for name, value in facts) + f"\n\n{mail.text}"
    shown = "<br>".join(f"<b>{name}:</b> {escape(value)}" for name, value in facts)
    html = (
        f'<html><head><meta name="Generator" content="Microsoft Word 15 (filtered medium)"></head>'
        f'<body lang="EN-GB"><div class="WordSection1"><p class="MsoNormal">{_as_html(words)}</p>'
        f'<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm">'
        f'<p class="MsoNormal">{shown}</p></div>{_original(mail)}</div></body></html>\n'
    )
    return plain, html, [("Thread-Topic", mail.subject), ("X-MS-Has-Attach", "")], "_000_{}_"


def _gmail(mail: Delivered, words: str) -> tuple[str, str, list[Field], str]:
    plain = f"{words}\n\n{_on_wrote(mail)}\n\n{quoted(mail.text)}\n"
    html = (
        f'<div dir="ltr">{_as_html(words)}</div><br><div class="gmail_quote gmail_quote_container">'
        f'<div dir="ltr" class="gmail_attr">{escape(_on_wrote(mail))}<br></div><blockquote class="gmail_quote" '
        f'style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);padding-left:1ex">'
        f"{_original(mail)}</blockquote></div>\n"
    )
    return plain, html, [], "000000000000{}"


def _apple_mail(mail: Delivered, words: str) -> tuple[str, str, list[Field], str]:
    when = f"{mail.received_at:%d %b %Y}, at {mail.received_at:%H:%M}"
    intro = f"On {when}, {mail.from_name} <{mail.from_address}> wrote:"
    plain = f"{words}\n\n\n> {intro}\n> \n{quoted(mail.text)}\n"
    html = (
        f'<html><body>{_as_html(words)}<br><div><br><blockquote type="cite"><div>{escape(intro)}</div><br>'
        f"<div>{_original(mail)}</div></blockquote></div><br></body></html>\n"
    )
    return plain, html, [("X-Mailer", "Apple Mail (2.3826.300.87)")], "Apple-Mail=_{}"


def _on_wrote(mail: Delivered) -> str:
    """The line above a quotation, as Gmail and Thunderbird write it."""
    when = f"{mail.received_at:%a, %b} {mail.received_at.day}, {mail.received_at:%Y at %H:%M}"
    return f"On {when} {mail.from_name} <{mail.from_address}> wrote:"


def _long_date(moment: datetime) -> str:
    return f"{moment:%A, %B} {moment.day}, {moment:%Y %H:%M}"


def _as_html(words: str) -> str:
    return escape(words).replace("\n", "<br>\n")


def _original(mail: Delivered) -> str:
    """The answered message inside of the answer; its images stay out, as they do where images are blocked."""
    return f"<div>{_as_html(mail.text)}</div>"
