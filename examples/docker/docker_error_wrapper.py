"""The entry point of a container: runs what comes after it under `loghub run`.

docker run IMAGE python script.py
docker exec CONTAINER python /app/docker_error_wrapper.py -m mymodule

It is nothing more than ``loghub run``, which an ENTRYPOINT may name itself: ``ENTRYPOINT ["loghub", "run"]``.
"""

import os
import sys

os.execv(sys.executable, [sys.executable, "-m", "loghub", "run", *sys.argv[1:]])
