"""Pure decisions about sending: when, through whom, and what an answer means."""
