"""A process leaves word that it lives, and takes it back when it ends: whoever finds it later knows that it died.

``home/lives/PID-RANDOM.life`` is held by a lock as long as its process lives. Its first line says who that is, what
follows is what faulthandler dumped and a few lines of ours; beside it may lie the last breadcrumbs. A process that ends
as it should removes it. So a life file whose lock is free, and whose process is gone, is that of one that was killed:
whoever takes the lock reports it, once, and removes it.

`life` keeps the file of this process, `farewell` notices the ends that are wanted, `death` reads what others left, and
`watch` reports it.
"""

from __future__ import annotations

from loghub.lives.death import Death, claim

__all__ = ["Death", "claim"]
