"""When a new session begins: on another machine, in a run that goes on, or after a lost worker."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from podline_studies import machine
from podline_studies.study import Session, Study

SESSION_PARAM = "sitting"  # of a run that goes on at once: the run that began the session

_log = logging.getLogger(__name__)


def current_session(study: Study[Any, Any], context: Mapping[str, Any]) -> Session:
    """The session that this task is a part of, or a new one.

    Args:
        study: what is measured.
        context: Airflow's, of the mapped task that measures.
    """
    ti, known, boot = context["ti"], study.sessions(), machine.boot_id()
    lost = (str(ti.map_index), str(ti.try_number)) if ti.try_number > 1 else ("", "")
    began = (ti.run_id, *lost)
    last = known[-1] if known else None
    if last is not None and last.boot == boot:
        # The run that began the session, or one that it had triggered to go on at once.
        same = last.began[0] in (ti.run_id, context["params"].get(SESSION_PARAM))
        goes_on = same and ti.try_number == 1
        if goes_on or last.began == began:
            return last
    done = len(study.measured())
    new = Session(len(known) + 1, began, boot, round(time.time(), 3), done, machine.about())
    study.add_session(new)
    _log.info("session %s begins, with %s measured", new.number, done)
    return new
