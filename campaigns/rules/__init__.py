"""Pure decisions about campaigns, enrollments, content and suppression."""
