"""Log files, read into events: what failed before loghub was attached.

====================  ================================================================================
`source`              a file's lines and where each begins, whatever it is packed in
`identity`            which file it is, by its content, and up to where it was counted
`wrapping`            what collectors put around each line: docker, compose, Kubernetes, syslog
`heads`               the first line of a record, in the formats that people use
`layouts`             the same for a format that the user gives, as logging takes it
`objects`             a record that is one JSON object
`times`               when, in all these spellings
`records`             lines into records: tracebacks, chains, groups, and several processes in one file
`telling`             a record into an event with the fingerprint that it would have had live
`counting`            events into a ledger, each once
====================  ================================================================================
"""
