"""Months, weekdays and the words around dates of return, in the languages of automatic replies; all folded.

A word of five letters or more stands for its inflected forms too (`januar` for `januara`), a shorter one for itself.
"""

from collections.abc import Mapping

from dispatch.rules.classify.folding import fold_line

_STEM_LENGTH = 5
_LONGEST_ENDING = 5

# Twelve months a line, parted by commas; forms of one month by blanks.
_MONTHS = {
    "en": "january jan, february feb, march mar, april apr, may, june jun, july jul, august aug, september sept sep, "
    "october oct, november nov, december dec",
    "de": "januar janner jan, februar feber feb, märz mrz, april apr, mai, juni jun, juli jul, august aug, "
    "september sept sep, oktober okt, november nov, dezember dez",
    "fr": "janvier janv jan, février févr fev, mars, avril avr, mai, juin, juillet juil, août, septembre sept, "
    "octobre oct, "
    "novembre nov, décembre déc",
    "es": "enero ene, febrero feb, marzo mar, abril abr, mayo may, junio jun, julio jul, agosto ago, "
    "septiembre setiembre sept sep, octubre oct, noviembre nov, diciembre dic",
    "it": "gennaio gen, febbraio feb, marzo mar, aprile apr, maggio mag, giugno giu, luglio lug, agosto ago, "
    "settembre set, "
    "ottobre ott, novembre nov, dicembre dic",
    "pt": "janeiro jan, fevereiro fev, março mar, abril abr, maio mai, junho jun, julho jul, agosto ago, setembro set, "
    "outubro out, novembro nov, dezembro dez",
    "nl": "januari jan, februari feb, maart mrt, april apr, mei, juni jun, juli jul, augustus aug, september sept sep, "
    "oktober okt, november nov, december dec",
    "sv": "januari jan, februari feb, mars mar, april apr, maj, juni jun, juli jul, augusti aug, september sept sep, "
    "oktober okt, november nov, december dec",
    "da": "januar jan, februar feb, marts mar, april apr, maj, juni jun, juli jul, august aug, september sept sep, "
    "oktober okt, november nov, december dec",
    "no": "januar jan, februar feb, mars mar, april apr, mai, juni jun, juli jul, august aug, september sept sep, "
    "oktober okt, november nov, desember des",
    "fi": "tammikuu, helmikuu, maaliskuu, huhtikuu, toukokuu, kesäkuu, heinäkuu, elokuu, syyskuu, lokakuu, marraskuu, "
    "joulukuu",
    "pl": "styczeń stycznia sty, luty lutego lut, marzec marca mar, kwiecień kwietnia kwi, maj maja, "
    "czerwiec czerwca cze, "
    "lipiec lipca lip, sierpień sierpnia sie, wrzesień września wrz, październik paź, listopad lis, "
    "grudzień grudnia gru",
    "cs": "leden ledna, únor února, březen března, duben dubna, květen května, červen června, červenec července, "
    "srpen srpna, září, říjen října, listopad, prosinec prosince",
    "sk": "január, február, marec marca, apríl, máj mája, jún júna, júl júla, august, september septembra, "
    "október októbra, november novembra, december decembra",
    "hu": "január jan, február feb, március márc, április ápr, május máj, június jún, július júl, augusztus aug, "
    "szeptember szept, október okt, november nov, december dec",
    "ro": "ianuarie ian, februarie feb, martie mar, aprilie apr, mai, iunie iun, iulie iul, august aug, "
    "septembrie sept, "
    "octombrie oct, noiembrie noi, decembrie dec",
    "bg": "януари, февруари, март, април, май, юни, юли, август, септември, октомври, ноември, декември",
    "el": "ιανουάριος ιανουαρίου ιαν, φεβρουάριος φεβρουαρίου φεβ, μάρτιος μαρτίου μαρ, απρίλιος απριλίου απρ, "
    "μάιος μαΐου, "
    "ιούνιος ιουνίου ιουν, ιούλιος ιουλίου ιουλ, αύγουστος αυγούστου αυγ, σεπτέμβριος σεπτεμβρίου σεπ, "
    "οκτώβριος οκτωβρίου οκτ, νοέμβριος νοεμβρίου νοε, δεκέμβριος δεκεμβρίου δεκ",
    "ru": "январь января янв, февраль февраля фев, март марта, апрель апреля апр, май мая, июнь июня, июль июля, "
    "август авг, "
    "сентябрь сентября сен, октябрь октября окт, ноябрь ноября ноя, декабрь декабря дек",
    "uk": "січень січня, лютий лютого, березень березня, квітень квітня, травень травня, червень червня, липень липня, "
    "серпень серпня, вересень вересня, жовтень жовтня, листопад, грудень грудня",
    "tr": "ocak oca, şubat şub, mart mar, nisan nis, mayıs may, haziran haz, temmuz tem, ağustos ağu, eylül eyl, "
    "ekim eki, "
    "kasım kas, aralık ara",
    "id": "januari jan, februari feb, maret mac, april apr, mei, juni jun, juli julai jul, agustus ogos agt, "
    "september sep, "
    "oktober okt, november nov, desember disember des",
    "hr": "siječanj siječnja sij, veljača veljače velj, ožujak ožujka ožu, travanj travnja tra, svibanj svibnja svi, "
    "lipanj lipnja lip, srpanj srpnja srp, kolovoz kol, rujan rujna ruj, listopad lis, studeni studenog stu, "
    "prosinac prosinca pro",
    "sr": "januar јануар, februar фебруар, mart marta март марта, april април, maj maja мај маја, jun juna јун јуна, "
    "jul jula јул јула, avgust август, septembar septembra септембар септембра, oktobar oktobra октобар октобра, "
    "novembar novembra новембар новембра, decembar decembra децембар децембра",
    "sl": "januar, februar, marec marca, april, maj maja, junij, julij, avgust, september septembra, oktober oktobra, "
    "november novembra, december decembra",
    "et": "jaanuar, veebruar, märts, aprill, mai, juuni, juuli, august, september, oktoober oktoobri, november, "
    "detsember",
    "lv": "janvāris janvār, februāris februār, marts martā martam, aprīlis aprīl, maijs maija maijam maijā, "
    "jūnijs jūnij, jūlijs jūlij, augusts august, septembris septembr, oktobris oktobr, novembris novembr, "
    "decembris decembr",
    "lt": "sausio, vasario, kovo, balandžio, gegužės, birželio, liepos, rugpjūčio, rugsėjo, spalio, lapkričio, "
    "gruodžio",
    "ca": "gener, febrer, març, abril, maig, juny, juliol, agost, setembre, octubre, novembre, desembre",
    "is": "janúar, febrúar, mars, apríl, maí, júní, júlí, ágúst, september, október, nóvember, desember",
    "eu": "urtarril, otsail, martxo, apiril, maiatz, ekain, uztail, abuztu, irail, urri, azaro, abendu",
    "gl": "xaneiro, febreiro, marzo, abril, maio, xuño, xullo, agosto, setembro, outubro, novembro, decembro",
    "kk": "қаңтар, ақпан, наурыз, сәуір, мамыр, маусым, шілде, тамыз, қыркүйек, қазан, қараша, желтоқсан",
    "be": "студзеня, лютага, сакавіка, красавіка, мая, чэрвеня, ліпеня, жніўня, верасня, кастрычніка, лістапада, "
    "снежня",
    "ar": "يناير, فبراير, مارس, أبريل إبريل, مايو, يونيو, يوليو, أغسطس, سبتمبر, أكتوبر, نوفمبر, ديسمبر",
    "he": "ינואר בינואר לינואר, פברואר בפברואר לפברואר, מרץ במרץ למרץ, אפריל באפריל לאפריל, מאי במאי למאי, "
    "יוני ביוני ליוני, "
    "יולי ביולי ליולי, אוגוסט באוגוסט לאוגוסט, ספטמבר בספטמבר לספטמבר, אוקטובר באוקטובר לאוקטובר, "
    "נובמבר בנובמבר לנובמבר, דצמבר בדצמבר לדצמבר",
}

# Seven weekdays a line, from Monday on.
_WEEKDAYS = (
    "monday mon, tuesday tues tue, wednesday wed, thursday thurs thu, friday fri, saturday sat, sunday sun",
    "montag, dienstag, mittwoch, donnerstag, freitag, samstag sonnabend, sonntag",
    "lundi, mardi, mercredi, jeudi, vendredi, samedi, dimanche",
    "lunes, martes, miércoles, jueves, viernes, sábado, domingo",
    "lunedì, martedì, mercoledì, giovedì, venerdì, sabato, domenica",
    "segunda, terça, quarta, quinta, sexta, sábado, domingo",
    "maandag, dinsdag, woensdag, donderdag, vrijdag, zaterdag, zondag",
    "måndag, tisdag tirsdag, onsdag, torsdag, fredag, lördag, söndag",
    "maanantai, tiistai, keskiviikko, torstai, perjantai, lauantai, sunnuntai",
    "poniedziałek poniedziałku, wtorek wtorku, środa środę środy, czwartek czwartku, piątek piątku, sobota, niedziela",
    "pondělí, úterý úterek, středa středu, čtvrtek čtvrtku, pátek pátku, sobota sobotu, neděle",
    "pondelok pondelka, utorok utorka, streda stredu, štvrtok štvrtka, piatok piatka, sobota sobotu, nedeľa",
    "hétfő, kedd kedden, szerda szerdán, csütörtök, péntek, szombat, vasárnap",
    "luni, marți, miercuri, joi, vineri, sâmbătă, duminică",
    "понедельник, вторник, среда среду, четверг, пятница пятницу, суббота субботу, воскресенье",
    "понеділок понеділка, вівторок вівторка, середа середу, четвер, п'ятниця п'ятницю, субота, неділя",
    "понеделник, вторник, сряда, четвъртък, петък, събота, неделя",
    "δευτέρα, τρίτη, τετάρτη, πέμπτη, παρασκευή, σάββατο, κυριακή",
    "pazartesi, salı, çarşamba, perşembe, cuma, cumartesi, pazar",
    "senin, selasa, rabu, kamis, jumat, sabtu, minggu",
    "ponedjeljak ponedjeljka, utorak utorka, srijeda srijedu, četvrtak četvrtka, petak petka, subota subotu, nedjelja",
    "ponedeljak ponedeljka, utorak utorka, sreda sredu, četvrtak četvrtka, petak petka, subota subotu, nedelja nedelju",
    "الاثنين, الثلاثاء, الأربعاء, الخميس, الجمعة, السبت, الأحد",
)

# Words beside a date. A ~ is the rest of a word.
_RETURN = """
    back|return~|resum~|reopen~|zurück~|wieder|rückkehr~|retour|rentre~|reprise|reprend~|reviens|reviendr~
    rouvr~|regres~
    vuelv~|volver~|vuelta|reincorpor~|retorn~|retom~|rientr~|torno|torner~|ritorn~|ripren~|riapr~|volto|voltar~
    volta|terug
    weer|tillbaka|åter|tillbaks|tilbage|tilbake|palaan|palaamme|takaisin|tavoitettavissa|wrac~|wróc~|powr~|vrát~|vrac~
    zpět|zpátky|návrat~|opět|späť|opäť|visszat~|vissza|újra|ismét|revin~|reveni|întor~|din nou|върн~|връщ~
    отново|επιστρ~
    πίσω|верн~|возвра~|снова|выйд~|выхожу|поверн~|поверт~|знову|dönec~|dönü~|tekrar|geri|出社|戻|復帰|再開|通常
    返回|回来|回來
    返岗|恢复|恢復|上班|복귀|돌아|출근|재개|سأعود|أعود|العودة|אחזור|חוזר~|אשוב|trở lại|quay lại|trở về|kembali
    ponovn~|ponovo
    natrag|vratit~|vrnem|vrnil~|nazaj|vračam|tagasi|naas~|atgriez~|grįš~|grįžt~|tornaré|aftur
"""
_UNTIL = """
    until|till|til|bis|jusqu~|hasta|fino|até|tot|till|til|indtil|asti|saakka|do|până|до|по|eddig|bet|ata|arte|дейін|έως|μέχρι|ως|kadar|まで
    至|到|为止|為止
    까지|حتى|لغاية|עד|đến|sampai|hingga|kuni|līdz|iki|fins|ig|áig|éig|jusque
"""
_INCLUDING = """
    through|thru|inclusive|including|incl|einschließlich|einschl|inklusive|inkl|inclus|incluido|compreso|incluso
    t/m|tot en met|t.o.m|t.o.m.|tom|till och med|til og med|włącznie|včetně|vrátane|включительно|включно|включително
    đến hết|s/d
"""

_BEHIND = """
    asti|saakka|kadar|arte|дейін|まで|까지|ig|áig|éig|inclusive|including|incl|inklusive|inkl|inclus|incluido|compreso
    incluso|włącznie
    včetně|vrátane|включительно|включно|出社|戻|復帰|再開|通常|返回|回来|回來|返岗|恢复|恢復|上班|복귀|돌아
    출근|재개|vissza|újra
    ismét|dönec~|dönü~|为止|為止|einschließlich
"""


def _forms(lines: str) -> list[list[str]]:
    return [fold_line(forms).split() for forms in lines.split(",")]


MONTHS: Mapping[str, Mapping[str, int]] = {
    language: {form: number for number, forms in enumerate(_forms(lines), start=1) for form in forms}
    for language, lines in _MONTHS.items()
}
"""The number of each month's forms, by language."""

WEEKDAYS: Mapping[str, int] = {
    form: number for lines in _WEEKDAYS for number, forms in enumerate(_forms(lines)) for form in forms
}
"""The number of each weekday's forms; Monday is 0."""


def _words(lines: str) -> tuple[str, ...]:
    return tuple(fold_line(word) for word in lines.replace("\n", "|").split("|") if word.strip())


RETURN_WORDS, UNTIL_WORDS, INCLUDING_WORDS = _words(_RETURN), _words(_UNTIL), _words(_INCLUDING)
POSTPOSITIONS = _words(_BEHIND)
"""Those of them that stand right behind the date."""


def month_of(word: str, language: str | None) -> int | None:
    """The number of the month that a folded word names, in that language if it has the word, else in another."""
    first = [language] if language is not None and language in MONTHS else []
    for name in [*first, *MONTHS]:
        found = _look_up(MONTHS[name], word)
        if found is not None:
            return found
    return None


def weekday_of(word: str) -> int | None:
    """The number of the weekday that a folded word names; Monday is 0."""
    return _look_up(WEEKDAYS, word)


def _look_up(forms: Mapping[str, int], word: str) -> int | None:
    """The number of the longest form that the word is, or begins with."""
    for length in range(len(word), max(len(word) - _LONGEST_ENDING, _STEM_LENGTH) - 1, -1):
        if word[:length] in forms:
            return forms[word[:length]]
    return forms.get(word)
