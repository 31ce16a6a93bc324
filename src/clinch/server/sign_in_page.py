"""Signing in on a page of plain forms, on the way to something else."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from clinch.db.database import Database
from clinch.identity.credentials import Unauthorized
from clinch.identity.second_factor import CodeNeeded, WrongCode
from clinch.identity.sessions import LIFETIME, SignIn, sign_in
from clinch.resources.errors import ApiError, BadRequest
from clinch.server.html import alert, field, form, hidden, page, paragraph
from clinch.server.http import receive_body
from clinch.server.session import headers_of, posted_elsewhere, set_session
from clinch.vault.vault import Vault

Form = dict[str, str]

_STEP = "sign in"


async def read_form(request: Request) -> Form:
    """What a form sent; raises ApiError."""
    raw = await receive_body(headers_of(request), request.receive)
    try:
        return dict(parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=30))
    except ValueError:
        raise BadRequest("This is not what the form sends.") from None


class SignInPage:
    """The form for a password, and a code where there is a second factor. It sends to the address
    that it stands at, which is shown again once somebody is signed in."""

    def __init__(self, database: Database, vault: Vault, public_url: str) -> None:
        self._database, self._vault, self._public_url = database, vault, public_url

    @staticmethod
    def was_sent(sent: Form) -> bool:
        return sent.get("step") == _STEP

    async def take(self, request: Request, why: str, sent: Form) -> Response:
        """Sign in with what was sent, or show the form again with what is wrong."""
        if posted_elsewhere(headers_of(request)):
            elsewhere = ApiError({"error": "This form was sent by another site."}, 403)
            return self.show(why, {}, elsewhere)
        asked = SignIn(sent.get("email", ""), sent.get("password", ""), sent.get("code") or None)
        try:
            secret = await sign_in(self._database, self._vault, asked, datetime.now(UTC))
        except ApiError as error:
            return self.show(why, sent, error)
        query = f"?{request.url.query}" if request.url.query else ""
        response = RedirectResponse(f"{request.url.path}{query}", 303)
        set_session(response, secret, int(LIFETIME.total_seconds()), self._public_url)
        return response

    def show(self, why: str, sent: Form, error: ApiError | None = None) -> Response:
        """The form; `why` says what it leads to."""
        email = sent.get("email", "")
        inputs = hidden("step", _STEP)
        inputs += field("email", "Email", kind="email", value=email, complete="username")
        inputs += field("password", "Password", kind="password", complete="current-password")
        told, status = "", 200
        if isinstance(error, CodeNeeded | WrongCode):
            hint = "Of your app, or one of your recovery codes."
            inputs += field("code", "Code", complete="one-time-code", hint=hint)
        if error is not None:
            status = error.status
            wrong = "The email or the password is not right."
            told = alert(wrong if type(error) is Unauthorized else str(error.body.get("error")))
        return page("Sign in", told + paragraph(why) + form(inputs, "Sign in"), status)
