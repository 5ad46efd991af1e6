"""Which language a short text is in: by its script, and by the small words that every sentence has.

The answer serves people who read the verdict, and the order of day and month in dates. A text that tells too little has
no language rather than a wrong one.
"""

import re
from collections import Counter, defaultdict

from dispatch.rules.classify.folding import fold

_READ = 3_000
"""Characters that are looked at."""
_ENOUGH = 2
"""Small words that make a language."""

_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u3400-\u9fff]")),
    ("fa", re.compile("[پچژگ]")),
    ("ar", re.compile("[\u0620-\u06ff]")),
    ("he", re.compile("[\u05d0-\u05ea]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
)
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]+")
_ADDRESS = re.compile(r"\S{0,100}(?:@|://|www\.)\S{0,200}")
_UKRAINIAN = re.compile("[іїєґ]", re.IGNORECASE)
_SERBIAN = re.compile("[јљњћђџ]", re.IGNORECASE)
_RUSSIAN = re.compile("[ыэё]", re.IGNORECASE)

_SMALL_WORDS = {
    "en": """the and you your for with this that will from have are not please thank thanks is am be to of in
    my our we me
        would can it at on""",
    "de": """der die das und nicht ich sie ist mit fur bitte vielen dank ihre wir bin auf von zu im ein eine
    den dem sind
        mich uns wieder ihnen wenden bis""",
    "fr": """le la les des et vous je ne pas pour est une dans votre merci avec sur nous au du bonjour cordialement suis
        actuellement mon cas""",
    "es": """el la los las de que y en por para con su gracias una no es estoy mi se un del hola saludos hasta correo
        favor usted""",
    "it": """il la di che e per non con una sono grazie del della mi in un alla vi le al dal cordiali saluti buongiorno
        fino sua questo""",
    "pt": """o a de que e nao para com uma por obrigado obrigada em um do da meu minha os ate estou sua seu
    atenciosamente
        voce no na""",
    "nl": """de het een en van ik niet voor met op uw is u wij ben dat te bedankt aan bij naar mijn vriendelijke groet
        kunt deze tot""",
    "sv": """och att det som jag inte for ar till med pa en har ditt din tack av vi hej den ett kan min vid om
    halsningar
        ater""",
    "da": """og at det jeg ikke til med pa er en har din tak af vi hej den et kan min ved for mig hilsen venlig fra
        mail igen""",
    "no": """og at det jeg ikke til med pa er en har din takk av vi hei den et kan min ved for meg hilsen vennlig fra
        e-post igjen""",
    "fi": """ja on ei etta olen se kiitos mutta minun sinun voit terveisin asti jos viestisi meidan hei ole ovat tai
        ystavallisin ystavallinen mukaan lomalla""",
    "pl": """i w na nie sie z do jest to prosze dziekuje za od o po ze jestem pan pani panstwa pozdrawiam dzien dobry
        wiadomosc bede""",
    "cs": """a v na se ze je jsem prosim dekuji za od po do nebo vas vam s pozdravem dobry den budu v pripade bych
        kancelari dovolene""",
    "sk": """a v na sa ze je som prosim dakujem za od po do alebo vas vam s pozdravom dobry den budem v pripade by
        kancelarii dovolenke""",
    "hu": """a az es hogy nem egy vagyok kerem koszonom is van de udvozlettel kerjuk en leszek szabadsagon meg tisztelt
        level esetben irodaban""",
    "ro": """si in de la nu pentru cu este va multumesc sunt din o un pe buna ziua sa voi dumneavoastra rog mesajul
        stima fi""",
    "tr": """ve bir bu icin ile da de ne mi tesekkur merhaba lutfen olarak saygilarimla iyi tarihine kadar izindeyim
        ederim gunler acil""",
    "vi": """toi ban la va cua cho trong khong co duoc xin cam on den ngay anh chi vui long se voi nay thoi gian""",
    "id": """saya anda dan yang di untuk dengan tidak ini terima kasih akan dari pada adalah silakan kami atas sampai
        salam hubungi""",
    "hr": """i u na je sam se da za ne hvala molim postovani ste vas do od lijep pozdrav ili cu biti srdacan lep
        mogucnosti""",
    "sl": """in v na je sem se da za ne hvala prosim spostovani ste vas do od lep pozdrav ali bom biti lahko vam
        dopustu""",
    "et": """ja on ei ma olen see teie palun tanan kuni tervitades lugupidamisega tere minu mu puhkusel voi saab
        poorduge""",
    "lv": """un ir es ne par uz no lidz paldies ludzu ar cienu jusu labdien esmu atvalinajuma manas varat""",
    "lt": """ir yra as ne del iki nuo aciu prasau pagarbiai jusu laba diena esu atostogose mano galite kreipkites""",
    "ca": """el la els de i que en per amb gracies una no estic meu meva fins al salutacions correu si us plau""",
    "is": """og ad er eg i til med ekki a thad sem fyrir kvedja takk vid verd""",
}
_LANGUAGES_OF: dict[str, list[str]] = {}
for _language, _words in _SMALL_WORDS.items():
    for _word in dict.fromkeys(_words.split()):
        _LANGUAGES_OF.setdefault(_word, []).append(_language)


def detect_language(text: str) -> str | None:
    """The language (ISO 639-1) of a text; None where it tells too little."""
    text = _ADDRESS.sub(" ", text[:_READ])
    letters = len(_LETTER.findall(text))
    for language, script in _SCRIPTS:
        if len(script.findall(text)) * (20 if language in {"fa", "ja"} else 3) > letters:
            return language
    if len(_CYRILLIC.findall(text)) * 3 > letters:
        return _cyrillic_language(text)
    return _latin_language(text)


def _cyrillic_language(text: str) -> str:
    if _UKRAINIAN.search(text):
        return "uk"
    if _SERBIAN.search(text):
        return "sr"
    if _RUSSIAN.search(text):
        return "ru"
    words = set(_WORD.findall(text.lower()))
    return "bg" if {"съм", "на", "се", "за", "ще", "от"} & words and {"съм", "ще", "ви", "са", "е"} & words else "ru"


def _latin_language(text: str) -> str | None:
    """The language with the most small words; a word that several share counts for each of them in part."""
    score: defaultdict[str, float] = defaultdict(float)
    found: Counter[str] = Counter()
    for word in _WORD.findall(fold(text)):
        languages = _LANGUAGES_OF.get(word, [])
        for language in languages:
            score[language] += 1 / len(languages)
            found[language] += 1
    best = sorted(score, key=lambda language: (-score[language], language))
    return best[0] if best and found[best[0]] >= _ENOUGH else None
