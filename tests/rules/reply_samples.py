"""Texts of our own making: what machines answer for people, and what people write, in many languages."""

AWAY = {
    "en": "Hello,\n\nThank you for your message. I am on annual leave and will be back on Monday 3 August. If your "
    "request is urgent, please contact my colleague Bob Hall at bob@example.net.\n\nKind regards\nAnn",
    "de": "Guten Tag,\n\nvielen Dank für Ihre Nachricht. Ich bin bis einschließlich 2. August im Urlaub und ab dem "
    "3. August wieder erreichbar. In dringenden Fällen wenden Sie sich bitte an bob@example.net.\n\nAnna Berg",
    "fr": "Bonjour,\n\nje suis actuellement en congés et serai de retour le 3 août 2026. Pour toute demande urgente, "
    "merci de contacter Bob Hall.\n\nCordialement,\nAnne",
    "es": "Hola,\n\nGracias por su correo. Estoy de vacaciones hasta el 3 de agosto. Para asuntos urgentes puede "
    "contactar con mi compañero Bob.\n\nUn saludo, Ana",
    "it": "Buongiorno,\n\nsono in ferie fino al 3 agosto con accesso limitato alla posta. Per urgenze potete "
    "scrivere a "
    "bob@example.net.\n\nCordiali saluti\nAnna",
    "pt": "Olá,\n\nobrigada pela sua mensagem. Estou de férias até 3 de agosto. Em caso de urgência, por favor "
    "contacte o "
    "Bob.\n\nCumprimentos, Ana",
    "nl": "Beste,\n\nBedankt voor uw e-mail. Ik ben met vakantie en vanaf maandag 3 augustus weer bereikbaar. Voor "
    "dringende zaken kunt u contact opnemen met Bob.\n\nMet vriendelijke groet, Anna",
    "sv": "Hej!\n\nTack för ditt mejl. Jag har semester och är tillbaka måndagen den 3 augusti. Vid brådskande "
    "ärenden, "
    "kontakta Bo på bo@example.net.\n\nHälsningar Anna",
    "da": "Hej\n\nTak for din mail. Jeg holder ferie og er tilbage mandag den 3. august. Hvis det haster, kan du "
    "kontakte "
    "min kollega Bo.\n\nVenlig hilsen Anna",
    "no": "Hei\n\nTakk for din e-post. Jeg har ferie og er tilbake på kontoret mandag 3. august. Ved hastesaker, "
    "kontakt "
    "Bo.\n\nVennlig hilsen Anna",
    "fi": "Hei,\n\nkiitos viestistäsi. Olen kesälomalla ja palaan töihin 3.8.2026. Kiireellisissä asioissa ota "
    "yhteyttä "
    "kollegaani Bohon.\n\nTerveisin Anna",
    "pl": "Dzień dobry,\n\ndziękuję za wiadomość. Jestem na urlopie do 3 sierpnia. W sprawach pilnych proszę o "
    "kontakt z "
    "Bobem.\n\nPozdrawiam, Anna",
    "cs": "Dobrý den,\n\nděkuji za váš e-mail. Jsem na dovolené, zpět v kanceláři budu 3. srpna. V naléhavých "
    "případech "
    "kontaktujte prosím kolegu Boba.\n\nS pozdravem Anna",
    "sk": "Dobrý deň,\n\nďakujem za váš e-mail. Som na dovolenke do 3. augusta. V súrnych prípadoch kontaktujte prosím "
    "kolegu Boba.\n\nS pozdravom Anna",
    "hu": "Tisztelt Partnerünk!\n\nKöszönöm levelét. Szabadságon vagyok 2026. augusztus 3-ig. Sürgős esetben kérem, "
    "keresse kollégámat, Bobot.\n\nÜdvözlettel Anna",
    "ro": "Bună ziua,\n\nmulțumesc pentru mesaj. Sunt în concediu până pe 3 august. Pentru urgențe vă rog să "
    "contactați "
    "colegul meu Bob.\n\nCu stimă, Ana",
    "bg": "Здравейте,\n\nблагодаря за имейла. В момента съм в отпуск до 3 август. При спешни случаи, моля, "
    "свържете се с "
    "Боб.\n\nПоздрави, Анна",
    "el": "Γεια σας,\n\nσας ευχαριστώ για το μήνυμά σας. Βρίσκομαι σε άδεια έως τις 3 Αυγούστου. Για επείγοντα θέματα "
    "επικοινωνήστε με τον Μπομπ.\n\nΆννα",
    "ru": "Здравствуйте!\n\nСпасибо за письмо. Я нахожусь в отпуске до 3 августа. По срочным вопросам обращайтесь, "
    "пожалуйста, к Бобу.\n\nС уважением, Анна",
    "uk": "Добрий день!\n\nДякую за ваш лист. Я перебуваю у відпустці до 3 серпня. З термінових питань звертайтеся до "
    "Боба.\n\nЗ повагою, Анна",
    "tr": "Merhaba,\n\nMesajınız için teşekkür ederim. 3 Ağustos tarihine kadar yıllık izindeyim. Acil durumlarda "
    "lütfen "
    "Bob ile iletişime geçiniz.\n\nSaygılarımla, Ayşe",
    "ja": "ご連絡ありがとうございます。\n現在、夏季休暇のため不在にしております。8月3日に出社予定です。"
    "\nお急ぎの場合は、山田までご連絡ください。\n\n田中",
    "zh": "您好,\n\n感谢您的来信。我目前正在休假,将于8月3日返回办公室。如有紧急事宜,请联系李明。\n\n王芳",
    "ko": "안녕하세요.\n\n메일 주셔서 감사합니다. 저는 8월 3일까지 휴가 중입니다. 급한 용무는 김철수에게 연락 "
    "주시기 바랍니다.\n\n박영희",
    "ar": "مرحبا،\n\nشكرا لرسالتك. أنا حاليا في إجازة حتى 3 أغسطس. للأمور العاجلة يرجى التواصل مع بوب.\n\nمع تحياتي",
    "he": "שלום,\n\nתודה על פנייתך. אני בחופשה עד 3 באוגוסט. בנושאים דחופים ניתן לפנות לבוב.\n\nבברכה, אנה",
    "vi": "Xin chào,\n\nCảm ơn bạn đã liên hệ. Hiện tôi đang nghỉ phép và sẽ trở lại vào ngày 3/8. Trường hợp khẩn cấp "
    "vui lòng liên hệ anh Bob.\n\nTrân trọng",
    "id": "Halo,\n\nTerima kasih atas email Anda. Saya sedang cuti sampai 3 Agustus. Untuk hal mendesak silakan "
    "hubungi "
    "Bob.\n\nSalam, Ani",
    "hr": "Poštovani,\n\nhvala na poruci. Trenutno sam na godišnjem odmoru do 3. kolovoza. Za hitne slučajeve "
    "kontaktirajte kolegu Boba.\n\nSrdačan pozdrav, Ana",
    "sl": "Spoštovani,\n\nhvala za vaše sporočilo. Trenutno sem na dopustu do 3. avgusta. V nujnih primerih se "
    "obrnite na "
    "Boba.\n\nLep pozdrav, Ana",
    "et": "Tere!\n\nTäname kirja eest. Viibin puhkusel kuni 3. augustini. Kiirete asjade korral palun pöörduge Bobi "
    "poole.\n\nTervitades, Anna",
    "lv": "Labdien!\n\nPaldies par vēstuli. Esmu atvaļinājumā līdz 3. augustam. Steidzamos gadījumos lūdzu "
    "sazinieties ar "
    "Bobu.\n\nAr cieņu, Anna",
    "lt": "Laba diena,\n\nAčiū už laišką. Šiuo metu esu atostogose iki rugpjūčio 3 d. Skubiais klausimais kreipkitės į "
    "Bobą.\n\nPagarbiai, Ona",
}
"""Somebody is away and back by 3 August 2026, in a machine's usual words."""

ACKNOWLEDGED = {
    "en": "Dear customer,\n\nwe have received your request. Your ticket number is #48213. One of our agents will "
    "get back "
    "to you within 24 hours.\n\nExample Support",
    "de": "Sehr geehrte Damen und Herren,\n\nIhre Anfrage ist bei uns eingegangen. Ihre Ticketnummer lautet 48213. Wir "
    "melden uns schnellstmöglich bei Ihnen.\n\nIhr Support",
    "fr": "Bonjour,\n\nnous avons bien reçu votre demande, enregistrée sous le numéro de ticket 48213. Nous vous "
    "répondrons dans les meilleurs délais.\n\nLe support",
    "es": "Estimado cliente:\n\nHemos recibido su solicitud. Su número de ticket es 48213. Le responderemos lo antes "
    "posible.\n\nSoporte",
    "it": "Gentile cliente,\n\nabbiamo ricevuto la sua richiesta. Il numero di ticket è 48213. Le risponderemo al più "
    "presto.\n\nAssistenza",
    "pt": "Prezado cliente,\n\nrecebemos a sua mensagem. O número do chamado é 48213. Responderemos o mais breve "
    "possível.\n\nSuporte",
    "nl": "Geachte klant,\n\nWij hebben uw melding ontvangen. Uw ticketnummer is 48213. Wij reageren binnen twee "
    "werkdagen.\n\nKlantenservice",
    "sv": "Hej,\n\nvi har tagit emot ditt ärende. Ditt ärendenummer är 48213. Vi återkommer så snart vi "
    "kan.\n\nKundtjänst",
    "pl": "Szanowni Państwo,\n\nPaństwa zgłoszenie zostało zarejestrowane. Numer zgłoszenia: 48213. Odpowiemy jak "
    "najszybciej.\n\nPomoc",
    "ru": "Здравствуйте!\n\nВаше обращение зарегистрировано. Номер заявки 48213. Мы ответим в ближайшее "
    "время.\n\nПоддержка",
    "ja": "お問い合わせありがとうございます。\n以下の内容で受け付けました。受付番号: "
    "48213\n担当者より折り返しご連絡いたします。",
    "zh": "尊敬的客户:\n\n我们已收到您的邮件,工单编号为 48213。我们会尽快回复您。",
    "tr": "Sayın müşterimiz,\n\nTalebiniz alınmıştır. Talep numaranız 48213. En kısa sürede dönüş yapacağız.",
}
"""A help desk received something."""

REPLIES = {
    "en": [
        "I'm out of office next week but yes, let's talk. Does the week after work?",
        "Thanks for your email. We already use another provider.",
        "No thanks.",
        "Sounds good. I am travelling until Thursday, happy to chat after that.",
        "Sorry for the late reply, I was on vacation. How much is it?",
        (
            "I got your colleague's note: I am out of the office until Monday, for urgent matters contact Bob. Whom "
            "do I ask?"
        ),
        "Please contact my colleague Bob, he decides about this.",
        "We have received your offer and will discuss it on Monday.",
        "I will be back in the office on Monday. Call me then.",
        "Thank you for your message. I will get back to you as soon as I have spoken to Bob.",
        "I was going to unsubscribe but tell me more.",
        "Is this an automated message?",
        "This looks like an automated email. Please don't send me templates, write to me like a person.",
        "Let me check with the team and get back to you.",
        "Bob is no longer with us. What is it about?",
        (
            "Thanks for your email. I'm on leave this week, returning Monday. Please send the contract to Bob in the "
            "meantime and I'll sign when I'm back."
        ),
        "I have limited access to email this week as I'm travelling, but I wanted to say that we accept the quote.",
        "My colleague is out of the office until Thursday. I'll ask him when he is back.",
        "This is not an automatic reply, I really read it.",
        "Stop! Before you send it, check the numbers.",
        "I do not want to receive the invoice by post, email is fine.",
        "ok",
        "",
    ],
    "de": [
        "Ich bin nächste Woche im Urlaub, aber gerne danach. Passt Ihnen der 12.?",
        "Vielen Dank für Ihre Nachricht. Wir haben derzeit keinen Bedarf.",
        "Können wir am Montag telefonieren?",
        "Herr Berg ist nicht mehr bei uns, ich habe das übernommen. Worum geht es?",
        "Danke, ich melde mich nach meinem Urlaub.",
        "Bitte streichen Sie mich von der Teilnehmerliste für Freitag, ich komme am Montag.",
    ],
    "fr": [
        "Je suis en congés la semaine prochaine, mais on peut en parler ensuite. Quel est votre tarif ?",
        "Merci pour votre message, mais nous ne sommes pas intéressés.",
        "Appelez-moi lundi.",
        (
            "Merci de votre message. Je suis en congés jusqu'au 20 mais je regarde ça dès mon retour. Vous seriez "
            "dispo le 22 ?"
        ),
    ],
    "es": [
        "Estoy de vacaciones, pero me interesa. ¿Podemos hablar en septiembre?",
        "Gracias por su mensaje, por ahora no necesitamos nada.",
    ],
    "it": [
        "Sono in ferie ma mi interessa, sentiamoci a settembre.",
        "Grazie, non ci serve.",
        "Ho ricevuto la tua mail, sono fuori ufficio fino a venerdì ma ti chiamo domani.",
    ],
    "pt": ["Estou de férias, mas tenho interesse. Podemos falar em setembro?", "Obrigado, mas não."],
    "nl": ["Ik ben volgende week met vakantie, maar bel me daarna.", "Bedankt, geen interesse."],
    "sv": ["Jag har semester nästa vecka men ring mig efter det.", "Tack, inte intresserad."],
    "da": ["Jeg holder ferie i næste uge, men ring til mig bagefter.", "Nej tak."],
    "no": ["Jeg har ferie neste uke, men ring meg etterpå.", "Nei takk."],
    "fi": ["Olen ensi viikolla lomalla, mutta kuulostaa hyvältä. Sopisiko elokuussa?", "Ei kiitos."],
    "pl": ["W przyszłym tygodniu jestem na urlopie, ale chętnie porozmawiam później.", "Dziękuję, nie."],
    "cs": ["Příští týden jsem na dovolené, ale zní to dobře.", "Ne, děkuji."],
    "hu": ["Jövő héten szabadságon vagyok, de érdekel.", "Köszönöm, nem."],
    "ro": ["Săptămâna viitoare sunt în concediu, dar sunt interesat.", "Nu, mulțumesc."],
    "el": ["Την άλλη εβδομάδα είμαι σε άδεια, αλλά με ενδιαφέρει.", "Όχι, ευχαριστώ."],
    "ru": ["На следующей неделе я в отпуске, но нам интересно. Давайте созвонимся?", "Спасибо, не нужно."],
    "uk": ["Наступного тижня я у відпустці, але нам цікаво.", "Дякую, ні."],
    "tr": ["Gelecek hafta izindeyim ama ilgileniyoruz.", "Teşekkürler, hayır."],
    "ja": ["来週は休暇ですが、興味がありますので資料を送ってください。", "ありがとうございます。結構です。"],
    "zh": ["我下周休假,不过我们感兴趣,多少钱?", "谢谢,不需要。"],
    "ko": ["다음 주는 휴가인데 관심이 있습니다. 통화 가능할까요?", "감사합니다만 괜찮습니다."],
}
"""What people answer, who speak of holidays too."""

UNSUBSCRIBES = {
    "en": [
        "Please unsubscribe me.",
        "unsubscribe",
        "Remove me from your list!",
        "Take me off this list please.\n\nAnn Berg\nHead of Sales",
        "Stop emailing me",
        "STOP",
        "Please stop sending me these emails.",
        "Do not contact me again.",
        "Not interested. Please remove me from your mailing list.",
        "I'd like to be removed from your database, thanks.",
        "Can you take me off your mailing list?",
        "opt out",
        "I don't want to receive any more emails from you.",
        "No more emails please",
        "I never signed up for this. Remove me.",
    ],
    "de": [
        "Bitte nehmen Sie mich aus Ihrem Verteiler.",
        "Bitte austragen",
        "Löschen Sie meine Daten.",
        "Bitte keine weiteren E-Mails mehr.",
        "Schreiben Sie mir bitte nicht mehr.",
    ],
    "fr": [
        "Merci de me désinscrire.",
        "Désinscription",
        "Veuillez me retirer de votre liste.",
        "Je ne souhaite plus recevoir vos mails.",
        "Arrêtez de m'envoyer des mails",
    ],
    "es": ["Por favor, denme de baja.", "No me escriban más.", "Elimine mi correo de su lista."],
    "it": ["Cancellatemi dalla vostra lista.", "Non desidero ricevere altre mail.", "Smettete di scrivermi"],
    "pt": ["Por favor removam-me da vossa lista.", "Não quero receber mais e-mails.", "Parem de me enviar e-mails"],
    "nl": ["Graag uitschrijven.", "Haal mij van uw mailinglijst.", "Stop met mailen"],
    "sv": ["Ta bort mig från er lista.", "Sluta mejla mig."],
    "da": ["Fjern mig fra jeres liste.", "Afmeld mig"],
    "no": ["Fjern meg fra listen.", "Slutt å sende meg e-post"],
    "fi": ["Poistakaa minut listaltanne.", "En halua enää viestejä"],
    "pl": ["Proszę usunąć mnie z listy.", "Proszę nie pisać do mnie więcej maili"],
    "cs": ["Prosím odhlaste mě ze seznamu.", "Neposílejte mi další e-maily"],
    "sk": ["Odstráňte ma zo zoznamu.", "Neposielajte mi už nič"],
    "hu": ["Kérem, töröljenek a listáról.", "Ne küldjenek több levelet"],
    "ro": ["Vă rog să mă ștergeți din listă. Dezabonați-mă.", "Nu îmi mai trimiteți mesaje"],
    "el": ["Παρακαλώ αφαιρέστε με από τη λίστα.", "Μην μου στέλνετε άλλα email"],
    "bg": ["Моля, премахнете ме от списъка.", "Спрете да ми пишете"],
    "ru": ["Удалите меня из рассылки.", "Отпишите меня", "Больше не пишите мне"],
    "uk": ["Видаліть мене з розсилки.", "Не пишіть мені більше"],
    "tr": ["Beni listenizden çıkarın.", "Bana mail göndermeyin"],
    "ja": ["配信停止をお願いします。", "今後メールを送らないでください。"],
    "zh": ["请帮我退订。", "请不要再给我发邮件"],
    "ko": ["수신거부 부탁드립니다.", "메일 보내지 마세요."],
    "ar": ["يرجى إزالتي من قائمتكم.", "إلغاء الاشتراك"],
    "he": ["הסירו אותי מרשימת התפוצה.", "תפסיקו לשלוח לי מיילים"],
}
"""What people write who want no more mail."""
