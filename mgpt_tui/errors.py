"""The one exception that stands for "the user can mend this"."""


class UserError(Exception):
    """Bad input, or a machine that says no; the command line prints it and exits with code 2.

    Args:
        message: one line, what is wrong.
        remedy: one line, what to do about it.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message
