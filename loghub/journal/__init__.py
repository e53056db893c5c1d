"""The append-only file of a process: what reached it survives ``kill -9``, and is folded exactly once.

The application's threads only append, with one ``os.write`` a line. The file's owner holds a lock on it for as
long as it lives; a journal whose lock is free belonged to a process that is gone, and whoever comes next
adopts it. Folding is reading: `read` turns lines into a `Fold`, which a ledger takes in one transaction
together with the offset up to which it was read.

`writing` is the application's side, `reading` the delivery thread's; `lines` says what both mean by a line, and `files`
makes, locks and adopts. Nothing is to be had from here: import the module.
"""
