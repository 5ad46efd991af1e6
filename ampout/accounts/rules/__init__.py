"""Pure rules about accounts and keys."""
