"""The phases of a try: their names in order, and where each is spent."""

# Those of worker, cluster, stage and trigger follow one upon the other, from the try's start to
# its end. `run` is what cannot be told apart: a task that is no stage, or a stage that died.
WHERE = {
    "scheduled": "scheduler",
    "queued": "scheduler",
    "adopted": "before",
    "prepare": "worker",
    "submit": "worker",
    "schedule": "cluster",
    "pull": "cluster",
    "start": "cluster",
    "boot": "stage",
    "fetch": "stage",
    "imports": "stage",
    "load": "stage",
    "code": "stage",
    "dump": "stage",
    "store": "stage",
    "run": "stage",
    "defer": "trigger",
    "notice": "worker",
    "resume": "trigger",
    "finish": "worker",
    "cleanup": "after",
}
PHASES = tuple(WHERE)

# Not within Airflow's duration of the try.
OUTSIDE = ("scheduled", "queued", "adopted", "cleanup")

# The user's own work; all else is overhead.
OWN = ("code", "run")
