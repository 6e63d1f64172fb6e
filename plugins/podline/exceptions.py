"""The errors podline raises on purpose: each says what is wrong, where, and what to do."""


class PodlineError(Exception):
    """Base of every error that podline raises on purpose.

    Attributes:
        final: whether another try can only come to the same.
    """

    final = False


class SettingError(PodlineError):
    """A setting has a value that cannot be used."""


class NotebookError(PodlineError):
    """A notebook does not compile; the message lists all of its problems."""

    final = True


class ArtifactError(PodlineError):
    """A variable or file cannot be stored, or what came back is not what was stored."""


class StageError(PodlineError):
    """A stage did not succeed.

    Args:
        message: why.
        final: whether another try can only come to the same.
    """

    def __init__(self, message: str, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class ContractError(PodlineError):
    """What started a stage and what runs it are of different versions of podline."""


class CellFailed(Exception):
    """A cell raised; holds what to tell the user."""

    def __init__(self, cell: int, message: str, traceback: str) -> None:
        super().__init__(message)
        self.cell, self.message, self.traceback = cell, message, traceback
