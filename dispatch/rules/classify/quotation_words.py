"""The words by which mail programs introduce what they quote, in the languages they speak; all folded by `fold_line`.

The words are facts of the programs' user interfaces (Outlook, Apple Mail, Gmail, Thunderbird, Yahoo, Lotus Notes).
"""

from dispatch.rules.classify.folding import fold_line


def _words(text: str) -> frozenset[str]:
    """The entries of a text, parted by bars and line ends, folded."""
    return frozenset(fold_line(word) for word in text.replace("\n", "|").split("|")) - {""}


WROTE = _words(
    """
    wrote|writes|said|schrieb|geschrieben|hat geschrieben|a ecrit|ecrit|ecrivait|ha escrito|escribio|ha scritto|scrive
    scritto|escreveu|schreef|geschreven|heeft geschreven|skrev|skrifadi|kirjoitti|napisal|napisala|napisal(a)|pisze
    napsal|napsala|napsal(a)|napisal/a|pise|irta|ezt irta|a scris|scris|написа|εγραψε|написал|написала|написал(а)|пишет
    написав|написала|написав(ла)|пише|пише|yazdi|sunu yazdi|が書きました|さんは書きました|のメール|写道|寫道|写到
    님이 작성|작성|كتب|كتبت|كتب/كتبت|כתב|כתבה|מאת|נכתב על ידי|نوشت|da viet|viet|menulis|menulis pada|tulis|เขียนว่า
    je napisao|je napisala|napisao|napisala|napisao/la|je napisal|je napisala|je napisal/a|kirjutas|rakstija|rase|parase
    va escriure|escrigue
    је написао|је написала|је написао/ла|je napisao/la|quoting|zitat von|citando|missatge de
    schrieben|schriebst|avez ecrit|as ecrit|писал|писала|писали|scrivevi|escribiste|you wrote|scrisse
    idatzi du|ने लिखा|wrote on|escribiu|a scris urmatoarele|schrijft|schreibt|skriver|scribeva
    """
)
"""Verbs of the line above a quotation: `On … Ann Berg wrote:`."""

OPENERS = _words(
    """
    on|am|le|el|il|em|op|den|dne|dna|w dniu|dnia|на|στις|στις|pada|vao|je|il giorno|il giorno|no dia|a|at|from
    in|o|u|dana
    lor|в|у|ma|ti|ke|to|pe|la|su|pa|в|от|em|el dia|le|am|den|vào|pe|in data|klo|kl|kpl|em|era|datum|בתאריך|في
    بتاريخ|בתאריך
    ב|เมื่อ|于|在|il|upon|dana|zi|data|ziua|data de|ser|ons|tor|fre|lor|son|man|tir|tirs|tors|mon|tue|wed|thu
    fri|sat|sun
    """
)
"""What such a line begins with."""

FROM, DATE, TO, CC, SUBJECT = "from", "date", "to", "cc", "subject"

_LABELS = {
    FROM: """from|von|de|da|van|fran|fra|lahettaja|od|felado|kitol|expeditor|de la|от|от кого|від|απο|kimden|gonderen
        差出人|送信者|发件人|寄件者|寄件人|보낸 사람|보낸사람|من|מאת|tu|dari|daripada|salje|saatja|no|nuo
        remitente|mittente
        remetente|expediteur|absender|avsender|afsender|avsandare|afzender|nadawca|odesilatel|odosielatel|отправитель
        відправник|подател|posiljatelj|siuntejas|sutitajs|fra og med|จาก|gonderici|ot|sendt af""",
    DATE: """date|sent|gesendet|datum|envoye|date d'envoi|enviado|enviado el|enviado em|fecha|inviato|data|verzonden
        enviada|enviada em|enviat|enviat el|date sent|sent on|gesendet am|verzonden op
        skickat|skickades|sendt|sendt den|dato|lahetetty|paivamaara|wyslano|wyslany|odeslano|odoslane|datum odeslani
        elkuldve|kuldve|datum|trimis|изпратено|дата|ημερομηνια|σταλθηκε|отправлено|дата отправки|надіслано|gonderildi
        gonderilme|tarih|送信日時|日時|日付|发送时间|寄件日期|日期|时间|傳送時間|보낸 날짜|날짜|보낸날짜|تاريخ
        التاريخ|أرسل
        تم الإرسال|תאריך|נשלח|ngay|da gui|tanggal|dikirim|dihantar|tarikh|poslano|poslato|kuupaev|saadetud|datums
        nosutits|issiusta|วันที่|ส่ง|gonderme tarihi|received|eingegangen""",
    TO: """to|an|a|para|per a|toi
        aan|till|til|vastaanottaja|do|komu|pro|cimzett|catre|до|към|προς|кому|kime|alici|宛先|收件人
        收件者|받는 사람|받는사람|إلى|אל|den|kepada|ke|prima|za|saaja|kam|kam|ถึง|destinatario|destinataire|empfanger
        mottagare|modtager|mottaker|ontvanger|adresat|prijemce|prijemca|получатель|одержувач|получател|gavejas
        destinatari
        kellele|kanim""",
    CC: """cc|kopie|kopi|kopio|copie|copia|dw|kopie|masolat|копия|копія|κοινοποιηση|bilgi|抄送|副本|참조|نسخة|עותק""",
    SUBJECT: """subject|betreff|objet|asunto|oggetto|assunto|onderwerp|amne|arende|emne|aihe|temat|predmet|targy
        subiect|относно|тема|θεμα|konu|件名|主题|主題|主旨|제목|الموضوع|נושא|chu de|tieu de|subjek|perihal|teema|temats
        tema|หัวเรื่อง|เรื่อง|predmet|zadeva|assumpte|efni|re""",
}
LABELS = {word: kind for kind, words in _LABELS.items() for word in _words(words)}
"""What each label of a quoted header says: `Von:` is `from`."""

SEPARATORS = _words(
    """
    original message|original mail|original email|original appointment|forwarded message|forwarded mail|begin forwarded
    begin forwarded message|ursprungliche nachricht|original-nachricht|originalnachricht|originalmail|urspr. nachricht
    weitergeleitete nachricht|anfang der weitergeleiteten nachricht|anfang der weitergeleiteten e-mail
    message d'origine|message original|message initial|message transfere|courriel original|debut du message reexpedie
    debut du message transfere|mensaje original|mensaje reenviado|inicio del mensaje reenviado|messaggio originale
    messaggio originario|messaggio inoltrato|inizio messaggio inoltrato|mensagem original|mensagem encaminhada
    inicio da mensagem reencaminhada|mensagem reencaminhada|oorspronkelijk bericht|origineel bericht
    doorgestuurd bericht|begin doorgestuurd bericht|ursprungligt meddelande|originalmeddelande|vidarebefordrat brev
    vidarebefordrat meddelande|vidarebefordrat mejl|oprindelig meddelelse|original meddelelse|opprinnelig melding
    videresendt besked|videresendt meddelelse|videresendt melding|videresendt e-post|alkuperainen viesti
    valitetty viesti|edelleen lahetetty viesti|wiadomosc oryginalna|oryginalna wiadomosc|wiadomosc przekazana dalej
    przekazana wiadomosc|puvodni zprava|predana zprava|preposlana zprava|povodna sprava|preposlana sprava
    eredeti uzenet|tovabbitott uzenet|mesaj original|mesajul original|mesaj redirectionat|оригинално съобщение
    оригинално писмо|препратено съобщение|αρχικο μηνυμα|προωθημενο μηνυμα|исходное сообщение|исходное письмо
    пересылаемое сообщение|пересланное сообщение|оригинальное сообщение|оригинал|вихідне повідомлення
    переслане повідомлення|оригінальне повідомлення|ozgun ileti|orijinal mesaj|orijinal ileti|iletilmis mesaj
    iletilen mesaj|元のメッセージ|転送メッセージ|転送されたメッセージ|オリジナルメッセージ|original|原始邮件
    原始郵件|转发邮件|轉寄郵件
    转发的邮件|转发邮件信息|轉寄訊息|原始訊息|원본 메시지|원본 메일|전달된 메시지|전달된 메일|الرسالة الأصلية
    رسالة أصلية
    رسالة معاد توجيهها|הודעה מקורית|הודעה שהועברה|thu goc|tin nhan goc|thu chuyen tiep|pesan asli|pesan terusan
    mesej asal|izvorna poruka|originalna poruka|proslijedena poruka|prosledena poruka|izvirno sporocilo
    posredovano sporocilo|algne kiri|algne sonum|originalais zinojums|sakotneja vestule|pradinis laiskas
    missatge original|missatge reenviat|邮件原件|mensagem reenviada
    inicio da mensagem reenviada|reply message|reply above this line|original-mail|messaggio di origine
    """
)
"""What stands between dashes above a whole quoted or forwarded mail."""
