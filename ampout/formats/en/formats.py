"""Dates as ISO 8601 writes them, with their time zone: it is always UTC."""

DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = "Y-m-d H:i:s e"
