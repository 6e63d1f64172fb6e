"""Syntax that a Python newer than this one takes, told from a line that this one refuses.

Stages may run a newer Python than Airflow does, so a cell can be right in Jupyter and in its
stage, and still not compile here. The parser says "invalid syntax" only.
"""

import re
import sys
from typing import NamedTuple

_LONGEST = 1000  # characters that are looked at


class _Syntax(NamedTuple):
    """What is newer, since which Python 3, and a line or a parser's message that tells it."""

    since: int
    what: str
    line: str
    message: str = ""


_HEAD = r"\s*(?:async\s+def|def|class|type)\s+\w+\s*\["
_OPEN = r""".*\bf(['"])(?:(?!\1).)*\{(?:(?!\1|\}).)*"""
_NEWER = (
    _Syntax(13, "the default of a type parameter", _HEAD + r"[^]]*="),
    _Syntax(12, "a type parameter", _HEAD + r"[^]]+\]"),
    _Syntax(12, "the statement `type`", r"\s*type\s+[^\W\d]\w*\s*(?:\[.*\])?\s*="),
    _Syntax(12, "a quote inside an f-string's braces", r""".*\bf(['"]).*\{[^{}]*\1.*\}"""),
    _Syntax(12, "a backslash inside an f-string's braces", "", "cannot include a backslash"),
    _Syntax(12, "a comment inside an f-string's braces", "", "cannot include '#'"),
    _Syntax(12, "so many braces in an f-string", "", "expressions nested too deeply"),
    _Syntax(12, "an f-string's braces over several lines", _OPEN + r"\n[^}]*\}.*\1"),
    _Syntax(14, "`except` with several types and no parentheses", "", "must be parenthesized"),
    _Syntax(14, "a t-string", r""".*(?<!\w)(?:t|tr|rt)['"]"""),
)


def newer_syntax(text: str, message: str) -> str:
    """Say which newer syntax the parser refuses; nothing: none that is known.

    Args:
        text: the cell's, from the line on that is refused.
        message: the parser's.
    """
    text = text[:_LONGEST]
    for syntax in _NEWER:
        told = syntax.message in message if syntax.message else re.match(syntax.line, text)
        if told and sys.version_info < (3, syntax.since):
            return f"{syntax.what} is of Python 3.{syntax.since}"
    return ""
