"""Out-of-office notes: what the software of ten languages writes for people who are away."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from ampout.sandbox.delivered import Delivered
from ampout.sandbox.letters import Field, answer_fields, new_message_id, text, write_mail

DAYS_AWAY = (3, 10)
"""The fewest and most days until somebody is back."""


@dataclass(frozen=True, slots=True)
class Wording:
    """How one language says it: the prefix of the subject, and the body; `{back}` is the day of return."""

    subject: str
    body: str
    dated: str = ""
    """The body with a day of return; empty where no recipient writes one."""
    months: str = ""
    """The names of the months, January first, as they stand in a date."""
    day: str = "{day} {month} {year}"


WORDINGS: Mapping[str, Wording] = {
    "de": Wording(
        "Automatische Antwort: ",
        "Guten Tag,\n\nvielen Dank für Ihre Nachricht. Ich bin zurzeit nicht im Büro und lese meine E-Mails nicht.\n",
        "Guten Tag,\n\nich bin derzeit nicht im Büro. Ab dem {back} bin ich wieder erreichbar.\n",
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "{day}. {month} {year}",
    ),
    "en": Wording(
        "Automatic reply: ",
        "Hello,\n\nthank you for your message. I am out of the office with limited access to email.\n",
        "Hello,\n\nI am currently out of the office and will be back on {back}.\n",
        "January February March April May June July August September October November December",
    ),
    "es": Wording(
        "Respuesta automática: ",
        "Hola:\n\nGracias por su mensaje. Actualmente estoy fuera de la oficina y no puedo responder.\n",
        "Hola:\n\nEstoy fuera de la oficina. Volveré el {back}.\n",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "{day} de {month} de {year}",
    ),
    "fr": Wording(
        "Réponse automatique : ",
        "Bonjour,\n\nje suis actuellement absent du bureau et je n'ai pas accès à ma messagerie.\n",
        "Bonjour,\n\nje suis absent du bureau. Je serai de retour le {back}.\n",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    ),
    "it": Wording(
        "Risposta automatica: ",
        "Buongiorno,\n\ngrazie per il messaggio. Sono fuori ufficio e risponderò al mio rientro.\n",
    ),
    "ja": Wording(
        "自動応答: ",
        "ご連絡ありがとうございます。\nただいま不在にしております。戻り次第、ご返信いたします。\n",
    ),
    "nl": Wording(
        "Automatisch antwoord: ",
        "Goedendag,\n\nbedankt voor uw bericht. Ik ben op dit moment afwezig en lees mijn e-mail niet.\n",
    ),
    "pl": Wording(
        "Odpowiedź automatyczna: ",
        "Dzień dobry,\n\ndziękuję za wiadomość. Jestem obecnie poza biurem i odpowiem po powrocie.\n",
    ),
    "pt": Wording(
        "Resposta automática: ",
        "Olá,\n\nobrigado pela sua mensagem. Estou fora do escritório e responderei quando voltar.\n",
    ),
    "sv": Wording(
        "Autosvar: ",
        "Hej,\n\ntack för ditt meddelande. Jag är inte på kontoret just nu och läser inte min e-post.\n",
    ),
}
"""Language (ISO 639-1) → its words."""

DATED = tuple(language for language, wording in WORDINGS.items() if wording.dated)
"""The languages in which somebody names the day of return."""


def write_absence(mail: Delivered, language: str, dice: Random) -> bytes:
    """A note without a day of return, by Exchange, Gmail or Sieve."""
    wording = WORDINGS[language]
    return _note(mail, wording.subject, wording.body, dice.choice(DIALECTS), dice)


def write_dated_absence(mail: Delivered, dice: Random) -> bytes:
    """A note that names the day of return."""
    wording = WORDINGS[dice.choice(DATED)]
    back = return_date(mail, dice)
    month = wording.months.split()[back.month - 1]
    shown = wording.day.format(day=back.day, month=month, year=back.year)
    return _note(mail, wording.subject, wording.dated.format(back=shown), dice.choice(DIALECTS), dice)


def write_plain_absence(mail: Delivered, dice: Random) -> bytes:
    """A note by a program that says in no header that it is one."""
    return _note(mail, "Out of office: ", WORDINGS["en"].body, (), dice)


def return_date(mail: Delivered, dice: Random) -> date:
    """When somebody is back who went away before ``mail`` came."""
    return mail.received_at.date() + timedelta(days=dice.randint(*DAYS_AWAY))


EXCHANGE: tuple[Field, ...] = (("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All"))
GMAIL: tuple[Field, ...] = (("Auto-Submitted", "auto-replied"), ("Precedence", "bulk"), ("X-Autoreply", "yes"))
SIEVE: tuple[Field, ...] = (("Auto-Submitted", "auto-replied (vacation)"),)
DIALECTS = (EXCHANGE, GMAIL, SIEVE)
"""By which header fields programs say that they write, not people (RFC 3834, section 5, and the vendors' own)."""


def _note(mail: Delivered, prefix: str, body: str, marks: tuple[Field, ...], dice: Random) -> bytes:
    fields = answer_fields(mail, prefix + mail.subject, new_message_id(dice, f"auto.{mail.domain}"))
    signed = f"{body}\n{mail.recipient_name}\n"
    return write_mail([*fields, *marks], text(signed, encoding=dice.choice(("quoted-printable", "base64"))))
