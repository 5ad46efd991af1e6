"""Pure decisions about credentials and the words of SMTP."""
