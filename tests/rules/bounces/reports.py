"""Delivery status notifications (RFC 3464), as they should be and as they are."""

from tests.rules.bounces.samples import BOB_UNKNOWN, PER_MESSAGE, Sample, report

REPORTS = [
    Sample(
        "a plain report",
        report(
            "This is the mail system at host mx.example.\n\nYour message could not be delivered.",
            f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@dest.example\nAction: failed\nStatus: 5.1.1\n"
            "Diagnostic-Code: smtp; 550 5.1.1 <bob@dest.example>: Recipient address rejected: User unknown\n",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "two recipients with different ends",
        report(
            "Two recipients.",
            f"{PER_MESSAGE}\nFinal-Recipient: rfc822;Bob@Dest.example\nAction: failed\nStatus: 5.2.2\n\n"
            "Final-Recipient: rfc822; carol@dest.example\nAction: delayed\nStatus: 4.4.1\n",
        ),
        (("bob@dest.example", "5.2.2", False),),
    ),
    Sample(
        "a report without fields of the message",
        report("No fields.", "Final-Recipient: rfc822; <bob@dest.example>\nAction: failed\nStatus: 5.1.1\n"),
        BOB_UNKNOWN,
    ),
    Sample(
        "only an original recipient",
        report(
            "x",
            f"{PER_MESSAGE}\nOriginal-Recipient: rfc822;bob@dest.example\nAction: failed\nStatus: 5.0.0\n"
            "Diagnostic-Code: X-Unix; user unknown\n",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "a generic status whose words tell",
        report(
            "x",
            f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@dest.example\nAction: failed\nStatus: 5.0.0\n"
            "Diagnostic-Code: smtp; 550 No such user here\n",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "an address code with words about spam",
        report(
            "x",
            f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@dest.example\nAction: failed\nStatus: 5.1.1\n"
            "Diagnostic-Code: smtp; 550 5.1.1 Message rejected as spam, see our policy\n",
        ),
        (("bob@dest.example", "5.7.1", False),),
    ),
    Sample(
        "a policy code with words about the user",
        report(
            "x",
            f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@dest.example\nAction: failed\nStatus: 5.7.1\n"
            "Diagnostic-Code: smtp; 550 5.7.1 <bob@dest.example>: Recipient address rejected: User unknown\n",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "a report whose fields are labelled as text",
        report(
            "Sorry.",
            "Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; bob@dest.example\nAction: failed\n"
            "Status: 5.1.1\n",
        ).replace("message/delivery-status", "text/plain; name=details.txt"),
        BOB_UNKNOWN,
    ),
    Sample(
        "an internationalized report",
        report(
            "x",
            "Reporting-MTA: dns; mx.example\n\nFinal-Recipient: utf-8; b\\x{F6}b@dest.example\nAction: failed\n"
            "Status: 5.1.1\n",
        ).replace("message/delivery-status", "message/global-delivery-status"),
        (("böb@dest.example", "5.1.1", True),),
    ),
    Sample(
        "headers alone come back",
        report(
            "x",
            f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@dest.example\nAction: failed\nStatus: 5.1.2\n",
            kind="text/rfc822-headers",
        ),
        (("bob@dest.example", "5.1.2", True),),
    ),
    Sample(
        "an action that is missing",
        report("Undeliverable", f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@dest.example\nStatus: 5.1.1\n"),
        BOB_UNKNOWN,
    ),
    Sample(
        "no address in the fields",
        report(
            "Your message to <bob@dest.example> could not be delivered: no such user.",
            f"{PER_MESSAGE}\nFinal-Recipient: rfc822;\nAction: failed\nStatus: 5.1.1\n",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "a blank line inside the fields of a recipient",
        report("x", f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@dest.example\n\nAction: failed\nStatus: 5.1.1\n"),
        BOB_UNKNOWN,
    ),
    Sample(
        "PowerMTA's word for the reason",
        report(
            "x",
            f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@dest.example\nAction: failed\nStatus: 5.0.0 (undefined)\n"
            "Diagnostic-Code: smtp; 550 Sorry\nX-PowerMTA-BounceCategory: bad-mailbox\n",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "Exchange's field for the words",
        report(
            "x",
            f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@dest.example\nAction: failed\nStatus: 5.0.0\n"
            "X-Supplementary-Info: < #5.1.1 smtp;550 5.1.1 RESOLVER.ADR.RecipNotFound; not found>\n",
        ),
        BOB_UNKNOWN,
    ),
    Sample(
        "late",
        report(
            "Will be retried.",
            f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@dest.example\nAction: delayed\n"
            "Status: 4.4.1\nWill-Retry-Until: Sat, 7 Mar 2026 10:00:00 +0000\n",
        ),
        (("bob@dest.example", "4.4.1", False),),
        kind="delay",
    ),
    Sample(
        "delivered",
        report(
            "Good news.",
            f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@dest.example\nAction: delivered\nStatus: 2.0.0\n",
        ),
        (),
        kind="machine",
    ),
    Sample(
        "relayed",
        report(
            "Good news.", f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@dest.example\nAction: relayed\nStatus: 2.1.9\n"
        ),
        (),
        kind="machine",
    ),
]
