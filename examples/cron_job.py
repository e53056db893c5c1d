"""A script under cron: it knows nothing of logging, and `loghub run` tells what becomes of it.

    loghub run --component backup examples/cron_job.py /var/lib/shop/shop.db     # or any file that is not there

In the crontab of the server (cron knows few variables: GITHUB_REPO and GITHUB_TOKEN are read from .env in that folder):

    15 3 * * *  cd /srv/shop && /srv/shop/.venv/bin/loghub run --component backup cron_job.py /var/lib/shop/shop.db

Output and exit code are the script's own. Its traceback, and a death by signal or for want of memory, become an issue.
"""

import shutil
import sys
import time


def back_up(path):
    copy = f"{path}.{time.strftime('%Y%m%d')}"
    shutil.copyfile(path, copy)
    return copy


if __name__ == "__main__":
    print("saved:", back_up(sys.argv[1]))
