"""What is told of the machine."""

import os
import threading
import time

from podline_studies import machine


def test_what_there_is_to_say() -> None:
    found = machine.about()
    assert 0 < found["processors"] <= (os.cpu_count() or 1)
    assert found["memory_bytes"] > 2**30
    assert found["versions"]["apache-airflow"].startswith("3.")
    assert machine.boot_id() == machine.boot_id() != ""


def test_a_busy_machine_is_busier() -> None:
    until = time.monotonic() + 0.5

    def work() -> None:
        while time.monotonic() < until:
            pass

    thread = threading.Thread(target=work)
    thread.start()
    busy = machine.busy_share(0.4)
    thread.join()
    assert busy is not None
    assert 0.9 / (os.cpu_count() or 1) < busy <= 1
