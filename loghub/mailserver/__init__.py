"""Telling a mail server: where it is, how to talk to it, and what its recipients are owed."""
