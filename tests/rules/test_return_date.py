"""Dates of return: in the languages and forms of automatic replies, and only future ones."""

import time
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.classify.return_date import find_return_date

JULY = date(2026, 7, 20)
"""A Monday."""
DECEMBER = date(2026, 12, 20)

SUMMER = [
    ("en", "back in the office on August 15th, 2026", "2026-08-15"),
    ("en", "I will return Monday.", "2026-07-27"),
    ("en", "returning Monday, July 27.", "2026-07-27"),
    ("en", "I'll be out Thursday and Friday, returning Monday, July 27.", "2026-07-27"),
    ("en", "away from 12/08/2026 to 12/19/2026", "2026-12-19"),
    ("en", "I am out of the office from August 1 to 14.", "2026-08-14"),
    ("en", "from Aug 1 through Aug 14", "2026-08-15"),
    ("en", "Out of office 1-14 August.", "2026-08-14"),
    ("en", "I will be out of office 8/1-8/14.", "2026-08-14"),
    ("de", "Ich bin bis einschl. 14.08.26 abwesend.", "2026-08-15"),
    ("fi", "Olen lomalla 1.-14.8.", "2026-08-14"),
    ("he", "אחזור למשרד ב-14 באוגוסט.", "2026-08-14"),
    ("en", "AUTO: Ann is out of the office (returning 12/03/2026)", "2026-12-03"),
    ("en", "out starting 07/13/2026 and will not return until 07/27/2026.", "2026-07-27"),
    ("de", "Ich bin vom 1. bis 14. August im Urlaub", "2026-08-14"),
    ("de", "Ich bin bis einschließlich 14.8. weg", "2026-08-15"),
    ("de", "Ich bin bis 14.08.2026 abwesend.", "2026-08-14"),
    ("de", "Ich bin erst wieder am Montag, den 27. Juli im Büro", "2026-07-27"),
    ("de", "Vom 20.07.2026 bis zum 31.07.2026 bin ich nicht im Büro.", "2026-07-31"),
    ("de", "Ich werde ab 13.07.2026 nicht im Büro sein. Ich kehre zurück am 27.07.2026.", "2026-07-27"),
    ("fr", "de retour le 12/08/2026", "2026-08-12"),
    ("fr", "Je suis absent du 1er au 14 août", "2026-08-14"),
    ("fr", "jusqu'au lundi 17 août inclus", "2026-08-18"),
    ("es", "Regresaré el 15 de agosto de 2026.", "2026-08-15"),
    ("es", "del 1 al 14 de agosto", "2026-08-14"),
    ("it", "rientro il 20 agosto", "2026-08-20"),
    ("it", "fino al 20/08/2026", "2026-08-20"),
    ("pt", "Retorno no dia 15/08", "2026-08-15"),
    ("nl", "afwezig t/m 14 augustus", "2026-08-15"),
    ("nl", "Vanaf 15 augustus ben ik weer bereikbaar", "2026-08-15"),
    ("sv", "tillbaka den 8 augusti 2026", "2026-08-08"),
    ("sv", "till och med 14 augusti", "2026-08-15"),
    ("da", "tilbage den 15. august", "2026-08-15"),
    ("no", "Jeg er tilbake mandag 3. august", "2026-08-03"),
    ("fi", "Olen lomalla 14.8. asti", "2026-08-14"),
    ("fi", "Palaan töihin 15. elokuuta", "2026-08-15"),
    ("pl", "do 14 sierpnia", "2026-08-14"),
    ("cs", "do 14. srpna", "2026-08-14"),
    ("hu", "augusztus 14-ig szabadságon vagyok", "2026-08-14"),
    ("hu", "2026. augusztus 15-én újra elérhető leszek", "2026-08-15"),
    ("ro", "până pe 14 august", "2026-08-14"),
    ("bg", "до 14 август", "2026-08-14"),
    ("el", "έως τις 14 Αυγούστου", "2026-08-14"),
    ("ru", "Я в отпуске с 1 по 14 августа", "2026-08-14"),
    ("ru", "вернусь 15.08.2026 г.", "2026-08-15"),
    ("uk", "до 14 серпня", "2026-08-14"),
    ("tr", "14 Ağustos 2026 tarihine kadar izindeyim", "2026-08-14"),
    ("ja", "2026年8月15日まで休暇です", "2026-08-15"),
    ("ja", "8月1日~15日まで不在", "2026-08-15"),
    ("ja", "8月27日に出社予定です", "2026-08-27"),
    ("zh", "我将于8月15日返回", "2026-08-15"),
    ("ko", "8월 1일부터 8월 14일까지 휴가", "2026-08-14"),
    ("ar", "حتى 14 أغسطس 2026", "2026-08-14"),
    ("he", "עד 14 באוגוסט", "2026-08-14"),
    ("vi", "trở lại vào ngày 15 tháng 8", "2026-08-15"),
    ("id", "sampai 14 Agustus 2026", "2026-08-14"),
    ("lt", "iki rugpjūčio 14 d.", "2026-08-14"),
    ("lv", "līdz 14. augustam", "2026-08-14"),
    ("et", "kuni 14. augustini", "2026-08-14"),
]

WINTER = [
    ("en", "I am out until 3 January.", "2027-01-03"),
    ("en", "I will be back on Monday 5th January.", "2027-01-05"),
    ("en", "I am on leave until the 5th of January, 2027", "2027-01-05"),
    ("en", "until 2027-01-05", "2027-01-05"),
    ("de", "Ab dem 7.1. bin ich wieder erreichbar.", "2027-01-07"),
    ("de", "Ich bin ab dem 20.12. im Urlaub und ab dem 7.1. wieder da", "2027-01-07"),
]


@pytest.mark.parametrize(("language", "text", "expected"), SUMMER)
def test_a_stated_day_is_found(language: str, text: str, expected: str) -> None:
    assert find_return_date(text, language=language, received_on=JULY) == date.fromisoformat(expected)


@pytest.mark.parametrize(("language", "text", "expected"), WINTER)
def test_a_day_of_the_next_year_is_found(language: str, text: str, expected: str) -> None:
    assert find_return_date(text, language=language, received_on=DECEMBER) == date.fromisoformat(expected)


def test_one_word_means_two_months() -> None:
    assert find_return_date("do 14. srpnja", language="hr", received_on=date(2026, 7, 1)) == date(2026, 7, 14)
    assert find_return_date("do 14 listopada", language="hr", received_on=JULY) == date(2026, 10, 14)
    assert find_return_date("do 14 listopada", language="pl", received_on=JULY) == date(2026, 11, 14)


def test_of_two_readings_the_sooner_one_counts_in_english() -> None:
    assert find_return_date("until 12/08/2026", language="en", received_on=JULY) == date(2026, 8, 12)
    assert find_return_date("until 12/08/2026", language="en", received_on=date(2026, 9, 1)) == date(2026, 12, 8)


@pytest.mark.parametrize(
    "text",
    [
        "until 31 February",
        "back on 3 March 2025",
        "back on 3 March 2029",
        "until 10 July",
        "Thank you for your message of 3 August. I will reply soon.",
        "Call 555-1234 until 5pm. 24/7 support. Room 3.14",
        "I work 9.30 - 17.00 until further notice",
        "until 99/99/2026",
        "",
    ],
)
def test_what_is_past_impossible_or_no_date_of_return_is_none(text: str) -> None:
    assert find_return_date(text, language="en", received_on=JULY) is None


@given(
    st.text(max_size=500), st.sampled_from(["en", "de", "hu", "ja", None]), st.dates(date(2020, 1, 1), date(2040, 1, 1))
)
def test_a_date_is_never_past_nor_more_than_a_year_ahead(text: str, language: str | None, received_on: date) -> None:
    found = find_return_date(f"back on {text}", language=language, received_on=received_on)
    assert found is None or received_on <= found <= received_on + timedelta(days=367)


@given(st.integers(1, 300), st.sampled_from(["%d.%m.%Y", "%Y-%m-%d", "%d %B %Y", "%B %d, %Y"]))
def test_every_near_day_is_read_back_from_any_form(days: int, form: str) -> None:
    day = JULY + timedelta(days=days)
    assert find_return_date(f"I am back on {day.strftime(form)}", language="en", received_on=JULY) == day


@pytest.mark.parametrize("piece", ["1 a ", "until ", "1.1.", "1月", "jan ", "a", "from 1 ", "until 1 January ", "日"])
def test_hostile_text_costs_little(piece: str) -> None:
    started = time.process_time()
    find_return_date(piece * 20_000, language="en", received_on=JULY)
    assert time.process_time() - started < 0.5
