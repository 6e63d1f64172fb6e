"""How long a stage takes to write 50,000 records whose parts several variables share.

- *100 shared*: the records hold 100 lists, which a second variable holds as well.
- *all shared*: a list and a dict hold the same 50,000 records.

From the end of the cells to the files on the disk; nothing is uploaded. Beside the time by the
clock stands the process's own, which other work on the machine does not lengthen.
"""

import tempfile
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

from benchmarks.report import asked, goal, print_last_line, summary
from podline.contract import Heap, StagePlan
from podline.runner.heap import Memory
from podline.runner.heap_dump import dump

RECORDS, GOAL = 50_000, 2.0  # seconds


def records_100_shared() -> dict[str, Any]:
    """Records that hold 100 lists, and a dict that holds them too."""
    groups = {number: [f"group {number}"] for number in range(100)}
    records = [
        {"id": n, "name": f"record {n}", "values": [n, n / 2], "group": groups[n % 100]}
        for n in range(RECORDS)
    ]
    return {"records": records, "groups": groups}


def records_all_shared() -> dict[str, Any]:
    """Records in a list, and the same by their numbers."""
    records = [{"id": n, "name": f"record {n}", "values": [n, n / 2]} for n in range(RECORDS)]
    return {"records": records, "by_id": {record["id"]: record for record in records}}


def measure(namespace: dict[str, Any]) -> tuple[float, float, int]:
    """Write what a stage with these variables hands on.

    Returns:
        Seconds by the clock, seconds of the process's own, and how many files were written.
    """
    nothing: Any = {field.name: () for field in fields(StagePlan)}
    nothing |= {name: {} for name in ("ancestors", "guarded", "parameters", "files")}
    about = {"notebook": "dump", "stage": "make", "order": 0, "hands_on": tuple(namespace)}
    plan = StagePlan(**nothing | about)
    with tempfile.TemporaryDirectory() as folder:
        start, own = time.perf_counter(), time.process_time()
        dumped = dump(Memory(plan, Heap(), namespace), Path(folder))
        taken = time.perf_counter() - start, time.process_time() - own
        return *taken, len(dumped.pending)


def main() -> None:
    """Measure, and print the last line."""
    n = asked(__doc__, 5, "dumps of each kind")
    found: dict[str, list[float]] = {}
    for number in range(n):
        for kind in (records_100_shared, records_all_shared):
            name, (seconds, own, files) = kind.__name__, measure(kind())
            found.setdefault(name, []).append(seconds)
            found.setdefault(f"{name}_own", []).append(own)
            shown = f"{seconds:.3f} s, {own:.3f} s of its own, {files} files"
            print(f"run {number + 1}: {name} {shown}", flush=True)
    some, some_own, every, every_own = map(summary, found.values())
    print_last_line(
        "dump",
        n,
        {"dump_50k_100_shared_s": goal(some["median"], GOAL)},
        dump_50k_100_shared_s=some,
        dump_50k_100_shared_own_s=some_own,
        dump_50k_all_shared_s=every,
        dump_50k_all_shared_own_s=every_own,
    )


if __name__ == "__main__":
    main()
