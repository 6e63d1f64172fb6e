"""The published table of faults: docs/reliability.csv, and the same in docs/reliability.md."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

DOCS = Path(__file__).parent
DATA, PAGE = DOCS / "reliability.csv", DOCS / "reliability.md"
_BEGIN, _END = "<!-- the table -->\n", "<!-- its end -->"
_NOTHING = "–"


@dataclass(frozen=True)
class Row:
    """A fault, as the table has it.

    Attributes:
        fault: what happens.
        sentence: what the user reads of it first; empty: nothing waits for what is away.
        seconds: after how many, as a run of the suite measured; empty: it was not measured.
        guarantee: what holds all the same.
        test: that shows it, as pytest names it.
    """

    fault: str
    sentence: str
    seconds: str
    guarantee: str
    test: str


def read() -> list[Row]:
    """The rows, in the table's order."""
    if not DATA.exists():
        return []
    with DATA.open(newline="") as lines:
        return [Row(**row) for row in csv.DictReader(lines)]


def keep(row: Row, faults: Sequence[str]) -> None:
    """Put a row into the data and the page, in the place of its fault's.

    Args:
        row: what a run of the suite has shown.
        faults: the names of all that the suite makes, in the table's order.
    """
    known = {one.fault: one for one in [*read(), row]}
    rows = [known[fault] for fault in faults if fault in known]
    DATA.write_text(_csv(rows))
    PAGE.write_text(page(PAGE.read_text(), rows, faults))


def page(text: str, rows: Sequence[Row], faults: Sequence[str]) -> str:
    """The page with the table of these rows, and the names of the faults that have none.

    Args:
        text: the page as it is.
        rows: what it shall have.
        faults: all that the suite makes.
    """
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    shown = {row.fault for row in rows}
    missing = [fault for fault in faults if fault not in shown]
    said = f"Not run yet: {'; '.join(missing)}.\n\n" if missing else ""
    return f"{before}{_BEGIN}{_table(rows)}{said}{_END}{after}"


def _table(rows: Sequence[Row]) -> str:
    lines = [
        "| what happens | what is read first | after | what holds | shown by |",
        "|---" * 5 + "|",
    ]
    lines += [_line(row) for row in rows]
    return "\n".join(["", *lines, "", ""])


def _line(row: Row) -> str:
    path, _, name = row.test.partition("::")
    sentence = row.sentence.replace("|", "\\|") or _NOTHING
    seconds = f"{row.seconds} s" if row.seconds else _NOTHING
    return f"| {row.fault} | {sentence} | {seconds} | {row.guarantee} | [{name}](../{path}) |"


def _csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()
