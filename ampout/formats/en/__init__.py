"""The one language that we write."""
