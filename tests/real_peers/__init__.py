"""Campaigns that go out through servers that are not ours: Postfix from Debian's package, and aiosmtpd."""
