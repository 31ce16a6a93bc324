"""Refusals of OAuth, in the words of RFC 6749 5.2."""


class OAuthError(Exception):
    """`code` is one of the standard's; the description is for developers, and quotes no secret."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code, self.description, self.status = code, description, status

    @property
    def body(self) -> dict[str, str]:
        return {"error": self.code, "error_description": self.description}


def invalid_grant(description: str) -> OAuthError:
    return OAuthError("invalid_grant", description)
