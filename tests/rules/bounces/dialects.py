"""The notices of mail programs and providers that write no report, each in its own dialect."""

from tests.rules.bounces.samples import BOB_UNKNOWN, ORIGINAL_ID, Sample, notice

MDN = (
    "From: postmaster@dest.example\nTo: ann@sender.example\nSubject: Rejected: A question\n"
    'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\n\n--b\n\n'
    "Your message to <bob@dest.example> was automatically rejected:\nI want no mail of this kind.\n--b\n"
    "Content-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; bob@dest.example\n"
    f"Original-Message-ID: {ORIGINAL_ID}\nDisposition: automatic-action/MDN-sent-automatically; deleted\n--b--\n"
)

DIALECTS = [
    Sample("a filter that refuses", MDN, (("bob@dest.example", "5.7.1", False),)),
    Sample(
        "qmail",
        notice(
            "MAILER-DAEMON@mx.example",
            "failure notice",
            "Hi. This is the qmail-send program at mx.example.\n"
            "I could not hand your message to the following addresses. I've given up.\n\n"
            "<bob@dest.example>:\n192.0.2.1 does not like recipient.\n"
            "Remote host said: 550 5.1.1 No mailbox here by that name\nGiving up on 192.0.2.1.\n\n"
            "--- Below this line is a copy of the message.\n\n{original}",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "qmail, no such host",
        notice(
            "MAILER-DAEMON@mx.example",
            "failure notice",
            "Hi. This is the qmail-send program at mx.example.\n\n<bob@dest.example>:\n"
            "Sorry, I couldn't find any host named dest.example. (#5.1.2)\n\n"
            "--- Below this line is a copy of the message.\n\n{original}",
        ),
        (("bob@dest.example", "5.1.2", True),),
    ),
    Sample(
        "Exim",
        notice(
            "Mail Delivery System <Mailer-Daemon@mx.example>",
            "Mail delivery failed: returning message to sender",
            "This message was created automatically by mail delivery software.\n\n"
            "A message that you sent could not be delivered to one or more of its\nrecipients. The following "
            "address(es) failed:\n\n  bob@dest.example\n    SMTP error from remote mail server after RCPT TO:"
            "<bob@dest.example>:\n    host mx.dest.example [192.0.2.1]: 550 no such user here\n\n"
            "------ This is a copy of the message, including all the headers. ------\n\n{original}",
            "X-Failed-Recipients: bob@dest.example",
            "Auto-Submitted: auto-replied",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "Exim without its header",
        notice(
            "Mail Delivery System <Mailer-Daemon@mx.example>",
            "Mail delivery failed: returning message to sender",
            "A message that you sent could not be delivered to all of its recipients. The\nfollowing address(es) "
            "failed:\n\n  carol@dest.example\n    (generated from bob@dest.example)\n    Unrouteable address\n\n"
            "------ This is a copy of the message, including all the headers. ------\n\n{original}",
        ),
        (("carol@dest.example", "5.1.1", True),),
    ),
    Sample(
        "Exim, late",
        notice(
            "Mail Delivery System <Mailer-Daemon@mx.example>",
            "Warning: message 1abcde-000001-AA delayed 24 hours",
            "A message that you sent has not yet been delivered to one or more of its\nrecipients after more than "
            "24 hours on the queue on mx.example.\n\nThe address to which the message has not yet been delivered "
            "is:\n\n  bob@dest.example\n\nNo action is required on your part. Delivery attempts will continue for\n"
            "some time.\n",
        ),
        (("bob@dest.example", "", False),),
        kind="delay",
        ids=(),
    ),
    Sample(
        "Postfix",
        notice(
            "MAILER-DAEMON@mx.example (Mail Delivery System)",
            "Undelivered Mail Returned to Sender",
            "This is the mail system at host mx.example.\n\nI'm sorry: your message could not be delivered to one or "
            "more recipients.\n\nFor further assistance, please send mail to <postmaster@mx.example>\n\n"
            "<bob@dest.example>: host mx.dest.example[192.0.2.1] said: 550 5.1.1\n    <bob@dest.example>: Recipient "
            "address rejected: User unknown in virtual\n    mailbox table (in reply to RCPT TO command)\n\n{original}",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "Sendmail",
        notice(
            "Mail Delivery Subsystem <MAILER-DAEMON@mx.example>",
            "Returned mail: see transcript for details",
            "The original message was received at Tue, 3 Mar 2026 10:00:01 GMT\nfrom desk.sender.example [192.0.2.9]\n"
            "\n   ----- The following addresses had permanent fatal errors -----\n<bob@dest.example>\n"
            "    (reason: 550 5.1.1 <bob@dest.example>... User unknown)\n\n   ----- Transcript of session follows "
            "-----\n... while talking to mx.dest.example.:\n>>> RCPT To:<bob@dest.example>\n"
            "<<< 550 5.1.1 <bob@dest.example>... User unknown\n550 5.1.1 <bob@dest.example>... User unknown\n\n"
            "   ----- Original message follows -----\n\n{original}",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "Sendmail, old",
        notice(
            "Mail Delivery Subsystem <MAILER-DAEMON@mx.example>",
            "Returned mail: User unknown",
            "   ----- Transcript of session follows -----\nWhile talking to mx.dest.example:\n"
            ">>> RCPT To:<bob@dest.example>\n<<< 550 <bob@dest.example>... User unknown\n"
            "550 <bob@dest.example>... User unknown\n\n   ----- Unsent message follows -----\n{original}",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "Sendmail, late",
        notice(
            "Mail Delivery Subsystem <MAILER-DAEMON@mx.example>",
            "Warning: could not send message for past 4 hours",
            "    **********************************************\n    **      THIS IS A WARNING MESSAGE ONLY      **\n"
            "    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **\n\n   ----- The following addresses had transient "
            "non-fatal errors -----\n<bob@dest.example>\n\n   ----- Transcript of session follows -----\n"
            "451 dest.example: Name server timeout\nWarning: message still undelivered after 4 hours\nWill keep trying "
            "until message is 5 days old\n\n   ----- Original message follows -----\n\n{original}",
        ),
        (("bob@dest.example", "4.4.1", False),),
        kind="delay",
    ),
    Sample(
        "Exchange 5.5",
        notice(
            "System Administrator <postmaster@mx.example>",
            "Undeliverable: A question",
            "Your message\n\n  To:      bob@dest.example\n  Subject: A question\n  Sent:    Tue, 3 Mar 2026\n\n"
            "did not reach the following recipient(s):\n\nbob@dest.example on Tue, 3 Mar 2026 10:00:03\n    The "
            "recipient name is not recognized\n\tThe MTS-ID of the original message is: c=us;a= ;p=org;l=MX-1\n"
            "    MSEXCH:IMS:ORG:SITE:MX 0 (000C05A6) Unknown Recipient\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "Exchange 2003",
        notice(
            "postmaster@mx.example",
            "Delivery Status Notification (Failure)",
            "Your message did not reach some or all of the intended recipients.\n\n      Subject:\tA question\n"
            "      Sent:\t3/3/2026 10:00 AM\n\nThe following recipient(s) could not be reached:\n\n"
            "      bob@dest.example on 3/3/2026 10:00 AM\n            The e-mail account does not exist at the "
            "organization this message was sent to.\n            <mx.example #5.1.1>\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "Exchange 2007",
        notice(
            "Microsoft Exchange <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@mx.example>",
            "Undeliverable: A question",
            "Delivery has failed to these recipients or distribution lists:\n\nBob<mailto:bob@dest.example>\nThe "
            "recipient's e-mail address was not found in the recipient's e-mail system.\n\n________________\nSent by "
            "Microsoft Exchange Server 2007\n\nDiagnostic information for administrators:\n\nGenerating server: "
            "mx.example\n\nbob@dest.example\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n\n"
            "Original message headers:\n\n{original}",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "Exchange Online in HTML",
        notice(
            "Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@mx.example>",
            "Undeliverable: A question",
            '<html><body><p>Your message to <a href="mailto:bob@dest.example">bob@dest.example</a> couldn\'t be '
            "delivered.</p><p><b>bob</b> wasn't found at <b>dest.example</b>.</p><table><tr><td>ann</td><td>Office "
            "365</td><td>bob</td></tr></table><p>Reported error: <i>550 5.1.10 RESOLVER.ADR.RecipientNotFound; "
            "Recipient not found by SMTP address lookup</i></p></body></html>",
            "Content-Type: text/html; charset=utf-8",
        ),
        (("bob@dest.example", "5.1.10", True),),
        ids=(),
    ),
    Sample(
        "Domino",
        notice(
            "Postmaster@mx.example",
            "DELIVERY FAILURE: User bob (bob@dest.example) not listed in Domino Directory",
            "Your message\n\n  Subject: A question\n\nwas not delivered to:\n\n  bob@dest.example\n\nbecause:\n\n"
            "  User bob (bob@dest.example) not listed in Domino Directory\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "Notes",
        notice(
            "MAILER-DAEMON@mx.example",
            "Delivery Failure Report",
            "------- Failure Reasons  --------\n\nUser not listed in public Name & Address Book\nbob@dest.example\n\n"
            "------- Returned Message --------\n\n{original}",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "GroupWise",
        notice(
            "Mailer-Daemon@mx.example",
            "Message status - undeliverable",
            "The message that you sent was undeliverable to the following:\n\tbob@dest.example (user not found)\n\n"
            "Possibly truncated original message follows:\n\n{original}",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "Yahoo",
        notice(
            "MAILER-DAEMON@mx.example",
            "Delivery failure",
            "Message from  mx.example.\nUnable to deliver message to the following address(es).\n\n"
            "<bob@dest.example>:\n"
            "This user doesn't have a mx.example account (bob@dest.example) [0]\n\n--- Original message follows.\n\n"
            "{original}",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "Gmail, old",
        notice(
            "Mail Delivery Subsystem <mailer-daemon@mx.example>",
            "Delivery Status Notification (Failure)",
            "Delivery to the following recipient failed permanently:\n\n     bob@dest.example\n\nTechnical details of "
            "permanent failure:\nThe error that the other server returned was: 550 550 Unknown user bob@dest.example "
            "(state 14).\n\n----- Original message -----\n\n{original}",
            "X-Failed-Recipients: bob@dest.example",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "Gmail, late",
        notice(
            "Mail Delivery Subsystem <mailer-daemon@mx.example>",
            "Delivery Status Notification (Delay)",
            "THIS IS A WARNING MESSAGE ONLY.\n\nDelivery to the following recipient has been delayed:\n\n"
            "     bob@dest.example\n\nMessage will be retried for 2 more day(s)\n\n----- Original message -----\n\n"
            "{original}",
            "X-Failed-Recipients: bob@dest.example",
        ),
        (("bob@dest.example", "", False),),
        kind="delay",
    ),
    Sample(
        "Courier",
        notice(
            '"Courier mail server at mx.example" <@>',
            "NOTICE: mail delivery status.",
            "This is a delivery status notification from mx.example,\nrunning the Courier mail server, version 1.0.\n\n"
            "                           UNDELIVERABLE MAIL\n\nYour message to the following recipients cannot be "
            "delivered:\n\n<bob@dest.example>:\n    mx.dest.example [192.0.2.1]:\n>>> RCPT TO:<bob@dest.example>\n"
            "<<< 550 User unknown.\n\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "James",
        notice(
            "postmaster@mx.example",
            "Re: A question",
            "Hi. This is the James mail server at mx.example.\nI was not able to deliver your message to the "
            "following addresses.\nThis is a permanent error; I've given up.\n\nFailed recipient(s):\nbob@dest.example"
            "\n\nError message:\n550 - no such user here\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "OpenSMTPD",
        notice(
            "Mailer Daemon <MAILER-DAEMON@mx.example>",
            "Delivery status notification: error",
            "    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\n    An error has occurred "
            "while attempting to deliver a message for\n    the following list of recipients:\n\nbob@dest.example: 550 "
            "5.1.1 no such user\n\n    Below is a copy of the original message:\n\n{original}",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "DragonFly Mail Agent",
        notice(
            "MAILER-DAEMON <MAILER-DAEMON@mx.example>",
            "Mail delivery failed",
            "This is the DragonFly Mail Agent v0.13 at mx.example.\n\nThere was an error delivering your mail to "
            "<bob@dest.example>.\n\nmx.dest.example [192.0.2.1] did not like our RCPT TO:\n550 5.1.1 No such user\n\n"
            "Message headers follow.\n\n{original}",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "iPlanet",
        notice(
            "Internet Mail Delivery <postmaster@mx.example>",
            "Delivery Notification: Delivery has failed",
            "This report relates to a message you sent with the following header fields:\n\n  Message-id: "
            f"{ORIGINAL_ID}\n  Date: Tue, 03 Mar 2026 10:00:00 +0000\n  From: Ann <ann@sender.example>\n  To: Bob "
            "<bob@dest.example>\n  Subject: A question\n\nYour message cannot be delivered to the following "
            "recipients:\n\n  Recipient address: bob@dest.example\n  Reason: Remote SMTP server has rejected address\n"
            "  Diagnostic code: smtp;550 5.1.1 unknown or illegal alias\n  Remote system: dns;mx.dest.example\n",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "IMail",
        notice(
            "Postmaster <postmaster@mx.example>",
            "Undeliverable Mail",
            "Unknown user: bob@dest.example\n\nundeliverable to bob@dest.example\n\nOriginal message follows.\n\n"
            "{original}",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "InterScan",
        notice(
            "InterScan MSS <imss@mx.example>",
            "Mail could not be delivered",
            "Sent <<< RCPT TO:<bob@dest.example>\nReceived >>> 550 5.1.1 <bob@dest.example>... user unknown\n\n"
            "Unable to deliver message to <bob@dest.example>\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "MailMarshal",
        notice(
            "postmaster@mx.example",
            'Undeliverable Mail: "A question"',
            "Your message:\n   From:    ann@sender.example\n   Subject: A question\n\nCould not be delivered because "
            "of\n\n550 5.1.1 User unknown\n\nThe following recipients were affected:\n    bob@dest.example\n\n"
            "Additional Information:\n    Original Sender: <ann@sender.example>\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "MessageLabs",
        notice(
            "MAILER-DAEMON@mx.example",
            "Mail Delivery Failure",
            "This is the mail delivery agent at mx.example.\nI was unable to deliver your message to the following "
            "addresses:\n\nbob@dest.example\n\nReason: 550 bob@dest.example... No such user\n\nThe message subject "
            "was: A question\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "PowerMTA",
        notice(
            "mailer-daemon@mx.example",
            "Delivery report",
            "Hello, this is the mail server on mx.example.\n\nI am sending you this message to inform you on the "
            "delivery status of a\nmessage you previously sent.\n\n  <bob@dest.example>\n  delivery failed; will not "
            "continue trying\n  550 5.1.1 user unknown\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "McAfee",
        notice(
            "Email Gateway <gateway@mx.example>",
            "Undeliverable mail",
            "--- The following addresses had delivery problems ---\n<bob@dest.example>   (User unknown "
            "bob@dest.example)\n\n--------------Returned Mail Header\n\n{original}",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "MailFoundry",
        notice(
            "MAILER-DAEMON@mx.example",
            "Message delivery has failed",
            "This is a permanent failure notice.\n\nUnable to deliver message to: <bob@dest.example>\nDelivery failed "
            "for the following reason:\nServer mx.dest.example[192.0.2.1] failed with: 550 <bob@dest.example> No such "
            "user here\n\nNo further delivery attempts will be made.\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
    Sample(
        "GMX",
        notice(
            "Mail Delivery System <MAILER-DAEMON@mx.example>",
            "Mail delivery failed: returning message to sender",
            "A message that you sent could not be delivered to one or more of\nits recipients. The following "
            'address(es)\nfailed:\n\n"bob@dest.example":\nSMTP error from remote server after RCPT command:\nhost: '
            "mx.dest.example\n5.2.2 mailbox full, user over quota\n\n--- The header of the original message is "
            "following. ---\n\n{original}",
        ),
        (("bob@dest.example", "5.2.2", False),),
    ),
    Sample(
        "Smail",
        notice(
            "<MAILER-DAEMON@mx.example>",
            "mail failed, returning to sender",
            "|------------------------- Message log follows: -------------------------|\n no valid recipients were "
            "found for this message\n|------------------------- Failed addresses follow: ---------------------|\n "
            "<bob@dest.example> ... unknown user\n|------------------------- Message text follows: "
            "------------------------|\n{original}",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "au",
        notice(
            "Postmaster@mx.example",
            "Mail System Error - Returned Mail",
            "Your mail sent on: Tue, 3 Mar 2026 10:00:00 +0900\n Could not be delivered to: <bob@dest.example>\n "
            "As their mailbox is full.\n",
        ),
        (("bob@dest.example", "5.2.2", False),),
        ids=(),
    ),
    Sample(
        "a Japanese provider",
        notice(
            "Mail Administrator <Postmaster@mx.example>",
            "Mail System Error - Returned Mail",
            "This Message was undeliverable due to the following reason:\n\nEach of the following recipients was "
            "rejected by a remote mail server.\n\n    Recipient: <bob@dest.example>\n    Reason:    "
            "<bob@dest.example>... User unknown\n\nPlease reply to <Postmaster@mx.example>\nif you feel this message "
            "to be in error.\n",
        ),
        BOB_UNKNOWN,
        ids=(),
    ),
]
