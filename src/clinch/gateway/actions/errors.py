"""What can go wrong with an action, told to who ran it."""

from clinch.gateway.actions.exchange import Exchange


class ActionError(Exception):
    """Why an action did not do what it was asked.

    `hint` says what to do about it. `field` names the input that is wrong. `status` is that of the
    app's answer; 400 for an input error, for which nothing was changed. `body` is the beginning of
    what the app answered. `exchanges` are the requests that were made until then.
    """

    exchanges: tuple[Exchange, ...] = ()

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        field: str | None = None,
        status: int = 400,
        body: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.hint, self.field = message, hint, field
        self.status, self.body = status, body
