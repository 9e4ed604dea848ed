"""A Beam worker process for this machine that ends with the driver that started it.

Beam's own workers stay behind for good when their driver is killed.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from apache_beam.runners.worker import sdk_worker_main


def _end_with(driver: int) -> None:
    while os.getppid() == driver:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=[int(sys.argv[1])], daemon=True).start()
    sdk_worker_main.main(sys.argv)
