"""Promise F3, law 10: canary secrets are driven through every flow, and found nowhere but in their encrypted column."""
