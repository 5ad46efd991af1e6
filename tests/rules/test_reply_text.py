"""The new text of a reply: what people wrote stays, what their programs quoted goes."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.classify.reply_text import LONGEST_TEXT, trim_quotation

INTRODUCTIONS = [
    "On Mon, Mar 3, 2025 at 10:00 AM Ann Berg <ann@example.org>\nwrote:",
    "On Mon, Mar 3, 2025 at 10:00 AM\nAnn Berg <ann@example.org> wrote:",
    "On 3 Mar 2025, at 10:00, Ann Berg <ann@example.org> wrote:",
    "Am 05.03.2026 um 10:00 schrieb Ann Berg:",
    "Ann Berg <ann@example.de> schrieb am Mi., 5. März 2026, 10:00:",
    "Le lun. 3 mars 2025 à 10:00, Ann <ann@example.fr> a écrit :",
    "El lun, 3 mar 2025 a las 10:00, Ann (<ann@example.es>) escribió:",
    "Il giorno lun 3 mar 2025 alle ore 10:00 Ann <ann@example.it> ha scritto:",
    "Em seg., 3 de mar. de 2025 às 10:00, Ann <ann@example.br> escreveu:",
    "Op ma 3 mrt 2025 om 10:00 schreef Ann <ann@example.nl>:",
    "Den mån 3 mars 2025 kl 10:00 skrev Ann <ann@example.se>:",
    "man. 3. mar. 2025 kl. 10.00 skrev Ann <ann@example.dk>:",
    "ma 3. maalisk. 2025 klo 10.00 Ann (ann@example.fi) kirjoitti:",
    "pon., 3 mar 2025 o 10:00 Ann <ann@example.pl> napisał(a):",
    "po 3. 3. 2025 v 10:00 odesílatel Ann <ann@example.cz> napsal:",
    "Ann <ann@example.hu> ezt írta (időpont: 2025. márc. 3., H, 10:00):",
    "lun., 3 mar. 2025 la 10:00, Ann <ann@example.ro> a scris:",
    "На пн, 3.03.2025 г. в 10:00 Ann <ann@example.bg> написа:",
    "Στις Δευ 3 Μαρ 2025 στις 10:00, ο χρήστης Ann <ann@example.gr> έγραψε:",
    "пн, 3 мар. 2025 г. в 10:00, Ann <ann@example.ru>:",
    "3 марта 2025 г., 10:00, Ann <ann@example.ru> написал(а):",
    "пн, 3 бер. 2025 р. о 10:00 Ann <ann@example.ua> пише:",
    "Ann <ann@example.tr>, 3 Mar 2025 Pzt, 10:00 tarihinde şunu yazdı:",
    "2025年3月3日(月) 10:00 Ann <ann@example.jp>:",
    "Ann <ann@example.cn> 于2025年3月3日周一 10:00写道：",
    "2025년 3월 3일 (월) 오전 10:00, Ann <ann@example.kr>님이 작성:",
    "\u202bבתאריך יום ב׳, 3 במרץ 2025 ב-10:00 מאת \u202aAnn\u202c\u200f <\u202aann@example.il\u202c\u200f>:\u202c",
    "في الاثنين، 3 مارس 2025 في 10:00 ص تمت كتابة ما يلي بواسطة Ann <ann@example.ae>:",
    "Vào Th 2, 3 thg 3, 2025 vào lúc 10:00 Ann <ann@example.vn> đã viết:",
    "Pada Sen, 3 Mar 2025 pukul 10.00 Ann <ann@example.id> menulis:",
    "pon, 3. ožu 2025. u 10:00 Ann <ann@example.hr> napisao je:",
    "пон, 3. мар 2025. у 10:00 Ann <ann@example.rs> је написао/ла:",
    "Missatge de Ann <ann@example.cat> del dia dl., 3 de març 2025 a les 10:00:",
    "---- On Mon, 03 Mar 2025 10:00:00 +0100 Ann Berg <ann@example.org> wrote ----",
    "-----Ann Berg <ann@example.org> wrote: -----",
]

ORIGINALS = [
    "From: Ann\nSent: Monday\nTo: Bob\nSubject: Hi\n\ntext",
    "Von: Ann <ann@example.de>\nGesendet: Montag\nAn: Bob\nBetreff: Hi",
    "*From:* Ann\n*Date:* Monday\n*Subject:* Hi",
    "________________________________\nFrom: Ann <ann@example.org>\nSent: Monday\nTo: Bob <bob@example.org>",
    "De : Ann\nEnvoyé : lundi\nÀ : Bob\nObjet : Salut",
    "De: Ann\nEnviado el: lunes\nPara: Bob\nAsunto: Hola",
    "Da: Ann\nInviato: lunedì\nA: Bob\nOggetto: Ciao",
    "Van: Ann\nVerzonden: maandag\nAan: Bob\nOnderwerp: Hoi",
    "Från: Ann\nSkickat: måndag\nTill: Bob\nÄmne: Hej",
    "Od: Ann\nWysłano: poniedziałek\nDo: Bob\nTemat: Cześć",
    "От: Ann\nОтправлено: понедельник\nКому: Bob\nТема: Привет",
    "发件人: Ann\n发送时间: 2025\n收件人: Bob\n主题: 你好",
    "差出人: Ann\n送信日時: 2025\n宛先: Bob\n件名: 件名",
    "보낸 사람: Ann\n보낸 날짜: 2025\n받는 사람: Bob\n제목: 안녕",
    "-----Original Message-----\nanything",
    "-------- Original-Nachricht --------\nDatum: Montag",
    "-----Message d'origine-----\nDe : Ann",
    "---------- Forwarded message ---------\nanything",
    "Begin forwarded message:\n\nanything",
    "Début du message réexpédié :\n\nanything",
    "De: Ann\nEnviada em: segunda-feira\nPara: Bob\nAssunto: Oi",
    "Từ: Ann\nĐã gửi: Thứ Hai\nTới: Bob\nChủ đề: Chào",
    "\u200fמאת: Ann\n\u200fנשלח: יום שני\n\u200fאל: Bob\n\u200fנושא: שלום",
    ">>> Ann Berg <ann@example.org> 03/03/25 10:00 AM >>>\nanything",
    "On Mon, Mar 3, 2025 at 10:00, Ann Berg\n<ann@example.org> wrote: anything\nmore",
    "------------------&nbsp;Original&nbsp;------------------\nanything",
    "##- Please type your reply above this line -##\n\nanything",
]


@pytest.mark.parametrize("introduction", INTRODUCTIONS)
@pytest.mark.parametrize("quoted", ["\n> your text\n> more", "\n\nyour text\nmore"])
def test_an_introduction_goes_with_what_it_introduces(introduction: str, quoted: str) -> None:
    new = trim_quotation(f"Yes, fine.\n\nBob\n\n{introduction}{quoted}")
    assert (new.text, new.quotes) == ("Yes, fine.\n\nBob", True)


@pytest.mark.parametrize("original", ORIGINALS)
def test_an_original_below_goes(original: str) -> None:
    new = trim_quotation(f"Yes.\n\n{original}")
    assert (new.text, new.quotes) == ("Yes.", True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("> Shall we?\nYes.\n> When?\nMonday.\n", "Yes.\nMonday."),
        ("AB> Shall we?\nYes.\nAB> When?\nMonday.\n", "Yes.\nMonday."),
        ("Zitat von Ann <ann@example.org>:\n\n> Shall we?\n\nYes.", "Yes."),
        ("Понедельник, 3 марта 2025, 10:00, Вы писали:\n\n> Shall we?\n\nYes.", "Yes."),
        ("On 3 Mar 2025 Ann <ann@example.org> wrote:\n> Shall we?\n\nYes, below.\n", "Yes, below."),
        ("Yes.\n-- \nBob Hall\nSent from my iPhone", "Yes.\n--\nBob Hall\nSent from my iPhone"),
    ],
)
def test_answers_in_between_and_signatures_stay(text: str, expected: str) -> None:
    assert trim_quotation(text).text == expected


@pytest.mark.parametrize(
    "text",
    [
        "As I wrote on 5 May:\nwe are fine.",
        "On 5 May I wrote:\n\nPlease send the contract. Where is it?",
        "##- Please type your reply above this line -##\n\nWe have your request.",
        "From: Berlin\nTo: Munich\nDate: 5 June",
        "Subject: we should talk about it.",
        "Three things:\n1. price: 5\n2. date: Monday\n3. place: here",
        "My address:\nann@example.org",
        "----\nYes\n----\nNo",
    ],
)
def test_what_only_looks_like_a_quotation_stays(text: str) -> None:
    new = trim_quotation(text)
    assert (new.text, new.quotes) == (text, False)


def test_a_mail_that_only_quotes_says_nothing_new() -> None:
    assert trim_quotation("> a\n> b\n").text == ""


def test_the_text_is_bounded() -> None:
    assert len(trim_quotation("word " * 50_000).text) <= LONGEST_TEXT


@given(st.text(max_size=2_000))
def test_new_text_never_raises_and_only_loses(text: str) -> None:
    new = trim_quotation(text).text
    assert len(new) <= len(text)
    assert not any(line.startswith((">", " >")) for line in new.split("\n")[1:])


@pytest.mark.parametrize(
    "piece",
    [
        "a:\n",
        "From:\n",
        "From: x\n",
        "On 5 x wrote:\n",
        "> ",
        "- a",
        "x" * 495 + ":\n",
        "--- ",
        "\n",
        "On 5 wrote @:",
        "a@) ",
        "a@b>c",
        ">>> 1",
    ],
)
def test_hostile_text_costs_little(piece: str) -> None:
    started = time.process_time()
    trim_quotation(piece * (1_000_000 // len(piece)))
    assert time.process_time() - started < 1.5
