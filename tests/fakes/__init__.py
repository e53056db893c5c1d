"""Stand-ins for the servers that loghub talks to: real protocols, on 127.0.0.1, with faults on request."""
