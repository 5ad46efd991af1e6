"""How the admin writes dates: Django asks here by language."""
