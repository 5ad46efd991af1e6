"""Notices of nobody in particular: in other languages, in odd shapes, and with words that mislead."""

from tests.rules.bounces.samples import BOB_UNKNOWN, ORIGINAL, Sample, notice

WORDINGS = [
    Sample(
        "in Russian",
        notice(
            "Почтовая система <mailer-daemon@mx.example>",
            "Недоставленное сообщение",
            "К сожалению, Ваше письмо не может быть доставлено одному или нескольким получателям:\n"
            "**********************\nbob@dest.example\nпользователь не найден\n**********************\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "in Chinese",
        notice(
            "系统退信 <postmaster@mx.example>",
            "系统退信",
            "抱歉，您的邮件被退回来了。\n\n收件人：bob@dest.example\n退信原因：该用户不存在\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "in German",
        notice(
            "Mail-System <mailer-daemon@mx.example>",
            "Unzustellbar: A question",
            "Ihre Nachricht konnte an folgende Empfänger nicht zugestellt werden:\n\nbob@dest.example\n  Der Empfänger "
            "ist unbekannt.\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "in French",
        notice(
            "postmaster@mx.example",
            "Non remis : A question",
            "Votre message n'a pas pu être remis aux destinataires suivants :\n\nbob@dest.example\n"
            "Utilisateur inconnu\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "in Spanish, late",
        notice(
            "postmaster@mx.example",
            "Aviso de entrega",
            "La entrega de su mensaje a bob@dest.example se ha retrasado. El servidor continuará intentando.\n",
        ),
        (("bob@dest.example", "", False),),
        kind="delay",
        ids=(),
    ),
    Sample(
        "only the subject names the recipient",
        notice("MAILER-DAEMON@mx.example", "User unknown: bob@dest.example", "Mail not delivered.\n"),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "stars stand in place of the recipient",
        notice(
            "MAILER-DAEMON@mx.example",
            "Returned mail",
            "  ----- The following addresses had delivery problems -----\n********@dest.example\n\nNo such user\n\n"
            "----- Original message follows -----\n\n{original}",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "a delivery channel beside the address written to",
        notice(
            "postmaster@mx.example",
            "Delivery Notification: Delivery has failed",
            "Your message cannot be delivered to the following recipients:\n\n  Recipient address: bob@ims-ms-daemon\n"
            "  Original address: bob@dest.example\n  Reason: Over quota\n",
        ),
        (("bob@dest.example", "5.2.2", False),),
        ids=(),
    ),
    Sample(
        "an error that is only temporary",
        notice(
            "MAILER-DAEMON@mx.example",
            "Temporary Delivery Failure",
            "It could not be delivered to one or more recipients. This is a temporary error. The message will be "
            "retried.\n\nbob@dest.example\n",
        ),
        (("bob@dest.example", "", False),),
        kind="delay",
        ids=(),
    ),
    Sample(
        "a pipe that an alias led to",
        notice(
            "Mail Delivery Subsystem <MAILER-DAEMON@mx.example>",
            "Returned mail: see transcript for details",
            '   ----- The following addresses had permanent fatal errors -----\n"|/usr/bin/procmail -a bob"\n'
            "    (reason: 550 5.1.1 User unknown)\n    (expanded from: <bob@dest.example>)\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "an address of X.400 that holds another",
        notice(
            "System Administrator <postmaster@mx.example>",
            "Undeliverable: A question",
            "did not reach the following recipient(s):\n\nc=us;a= ;p=dest;dda:SMTP=bob@dest.example; on Tue, 3 Mar\n"
            "2026 10:00:00 +0000\n    The recipient name is not recognized\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "a reason, and no word of failure that is known",
        notice("MAILER-DAEMON@mx.example", "Pranešimas", "Gavėjas <bob@dest.example>: user unknown\n"),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "a copy behind two rulers with words",
        notice(
            "Mail Delivery System <Mailer-Daemon@mx.example>",
            "Mail delivery failed: returning message to sender",
            "A message that you sent was longer than the maximum size allowed on this system. It was not delivered to "
            "any recipients.\n\n------ This is a copy of your message, including all the headers.\n------ No more than "
            "100K characters of the body are included.\n\n{original}",
        ),
        (("bob@dest.example", "5.3.4", False),),
    ),
    Sample(
        "a success in plain words",
        notice(
            "postmaster@mx.example",
            "Delivery Status Notification (Relay)",
            "Your message has been successfully relayed to the following recipients.\n\n  bob@dest.example\n",
        ),
        (),
        kind="machine",
        ids=(),
    ),
    Sample(
        "the notice calls one of two by name",
        notice(
            "MAILER-DAEMON@mx.example",
            "Returned mail: User unknown",
            "550 bob... User unknown\n\n----- Unsent message follows -----\n"
            + ORIGINAL.replace("To: Bob <bob@dest.example>", "To: bob@dest.example, carol@dest.example"),
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "only the returned message names the recipient",
        notice(
            "MAILER-DAEMON@mx.example",
            "Returned mail",
            "The user(s) account is disabled.\n\n----- Original message follows -----\n\n{original}",
        ),
        (("bob@dest.example", "5.2.1", True),),
    ),
]
