"""GitHub issues: the REST client, the text of an issue, and what to do with it next."""
