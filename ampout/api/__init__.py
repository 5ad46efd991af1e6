"""The REST edges and the admin: parse, call one service, answer."""
