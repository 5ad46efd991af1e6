"""What providers tell us: each call is authenticated, stored raw and once, and answered; services.notices judges it."""
