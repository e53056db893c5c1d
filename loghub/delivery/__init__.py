"""Delivery: one background thread folds journals into the ledger, and tells destinations what waits.

Guarantee: what a journal holds is folded exactly once, whatever dies when. A destination has one deliverer at
a time (a lease in the ledger); what was delivered is written down item by item, so that a death in between
repeats at most the item under way. The thread starts with the first record, and again in a forked child. It
never logs through handlers that deliver.

`deliverer` is the thread. It goes round every `home`; a round (`rounds`) takes in what journals hold (`folding`) and
tells each `destination`, under its lease (`leases`), a `batch`. `waiting` is for whoever wants it done now, in bounded
time. Nothing is to be had from here: import the module.
"""

from loghub.delivery import fork

fork.register()  # whatever of this package a process uses
