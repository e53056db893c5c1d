"""The ledger remembers: groups, kept events, counts by hour, and what each destination must still be told."""
