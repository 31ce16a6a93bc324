"""What a connector is: an app's address, the ways in, and its operations.

`document.py` reads one from its document form, which has the same names.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from clinch.gateway.api import ApiAnswer
from clinch.gateway.connectors.placement import Placement
from clinch.resources.actor import OperationClass

Schema = dict[str, Any]

CLASS_OF_METHOD = {
    "get": OperationClass.READ,
    "head": OperationClass.READ,
    "post": OperationClass.WRITE,
    "put": OperationClass.WRITE,
    "patch": OperationClass.WRITE,
    "delete": OperationClass.DESTRUCTIVE,
}
SEVERITY = (OperationClass.READ, OperationClass.WRITE, OperationClass.DESTRUCTIVE)

USUAL_ERRORS = (
    "error.message",
    "errors.0.message",
    "message",
    "error_description",
    "detail",
    "error",
    "errors",
    "title",
)
"""Where most apps say what was wrong."""

OptionType = Literal["this-server", "oauth2", "api-key", "basic", "none"]
Place = Literal["path", "query", "header"]


def _nothing_typed() -> Schema:
    return {"type": "object", "properties": {}, "additionalProperties": False}


class OAuthServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An app's OAuth 2 server: the authorization code, with PKCE unless the app knows none.

    The client that we are there is set by the operator, see `clients.py`. Where `revoke_url` has
    `{token}` in it, a token is ended by a DELETE there, else as RFC 7009 has it. `scopes` go into
    `scope_parameter`, with `scope_separator` between. `tokens_at` names the member of the token's
    answer that has the tokens, where they are not at its top. `refresh_margin` is how many seconds
    before its end a token is renewed; `replay_window` how many a spent refresh token is taken once
    more, None where that ends the grant.
    """

    authorize_url: str
    token_url: str
    revoke_url: str | None = None
    scopes: tuple[str, ...] = ()
    scope_parameter: str = "scope"
    scope_separator: str = " "
    pkce: bool = True
    client_auth: Literal["body", "basic"] = "body"
    authorize_parameters: dict[str, str] = {}
    tokens_at: str | None = None
    refresh_margin: int = 300
    replay_window: int | None = None


class AuthOption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way in. `input_schema` is what a person types; secrets in it have `writeOnly`.

    `base_url` is where the app is by this way, without a slash at its end; `here` is whether that
    is this very server.
    """

    key: str
    type: OptionType
    title: str
    description: str = ""
    placement: Placement = Placement()
    base_url: str = ""
    input_schema: Schema = msgspec.field(default_factory=_nothing_typed)
    oauth: OAuthServer | None = None
    here: bool = False


class TestCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request that the app answers well if a connection works."""

    method: str
    path: str

    __test__ = False  # to pytest a class with this name looks like one of tests


class Pagination(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the app's lists go on: `position` in the query, from `next` in the answer.

    With `offset` the position is a number of objects, with `cursor` a text. `items` and `next` are
    the names that lead into the answer, with dots between, `items` if it is the same in all lists;
    `limit` is the parameter that says how many, `largest` the most that it takes.
    """

    style: Literal["offset", "cursor"]
    position: str
    items: str | None = None
    next: str | None = None
    has_more: str | None = None
    limit: str | None = None
    largest: int | None = None


class RateLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many requests in so many seconds are welcome, for each connection."""

    requests: int
    seconds: float


class Parameter(msgspec.Struct, frozen=True):
    """An input that goes elsewhere than into the body: `key` in the input, `name` on the wire.

    A list is repeated if it is to `explode`, else its values have commas between.
    """

    key: str
    name: str
    place: Place
    explode: bool = True


class Body(msgspec.Struct, frozen=True):
    """The body of a request: the input named `whole`, or all that is no parameter.

    `renamed` has the names on the wire of members that are called otherwise in the input.
    """

    media_type: str
    whole: str | None = None
    renamed: Mapping[str, str] = {}


class Operation(msgspec.Struct, frozen=True):
    """One operation of an app's API, with its inputs in one object.

    `path` is below the base URL and has its parameters in braces, by their names on the wire.
    """

    key: str
    name: str
    description: str
    method: str
    path: str
    operation_class: OperationClass
    input_schema: Schema
    output_schema: Schema
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None


class Connector(msgspec.Struct, frozen=True):
    """An app. The first of the `options` is the one that is taken if none is named.

    `test` is asked to see whether a connection works. With `trailing_slash` every path of the API
    ends in a slash, and one that a client left away is put back. Apps that answer 200 to everything
    say in the member `good` of their answers whether all is well. `errors` are the places where an
    app says what was wrong, with dots between names; the first that has a text is taken. Unless
    `methods_tell`, a GET that is no known operation may change anything.
    """

    id: str
    key: str
    name: str
    description: str
    categories: tuple[str, ...]
    domains: tuple[str, ...]
    base_url: str
    options: tuple[AuthOption, ...]
    operations: tuple[Operation, ...]
    test: TestCall | None = None
    pagination: Pagination | None = None
    rate_limit: RateLimit | None = None
    trailing_slash: bool = False
    good: str | None = None
    methods_tell: bool = True
    errors: tuple[str, ...] = USUAL_ERRORS

    def is_good(self, answer: ApiAnswer) -> bool:
        """Whether the app did what was asked."""
        if answer.status >= 400 or self.good is None:
            return answer.status < 400
        try:
            told = msgspec.json.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return isinstance(told, dict) and told.get(self.good) is True

    def lets_in(self, answer: ApiAnswer) -> bool:
        """Whether the app takes a credential, by its answer to the test; without a test of its own
        its front page was asked for, which need not be there."""
        return answer.status not in (401, 403) if self.test is None else self.is_good(answer)

    def option(self, key: str) -> AuthOption | None:
        """The way in with a key."""
        return next((option for option in self.options if option.key == key), None)

    @property
    def proofs(self) -> frozenset[str]:
        """The headers that carry credentials of the app, in small letters."""
        return frozenset(option.placement.header.lower() for option in self.options)

    def class_of(self, method: str, path: str) -> OperationClass:
        """What a request does to the data: what its operation says, of several the most literal.

        Where none has this method, it is the worst of what is known of the path and the method:
        some apps take a GET for what is a POST in their documents.
        """
        operation = self.operation_at(method, path)
        if operation is not None:
            return operation.operation_class
        there = self._at(path)
        told = CLASS_OF_METHOD if self.methods_tell or there else {}
        of_method = told.get(method.lower(), OperationClass.DESTRUCTIVE)
        return max([of_method, *(one.operation_class for one in there)], key=SEVERITY.index)

    def operation_at(self, method: str, path: str) -> Operation | None:
        """The operation that a request is, of several the most literal."""
        there = (one for one in self._at(path) if one.method == method.upper())
        return min(there, key=lambda one: one.path.count("{"), default=None)

    def _at(self, path: str) -> list[Operation]:
        wanted = path.strip("/").split("/")
        return [one for one in self.operations if _fits(one.path.strip("/").split("/"), wanted)]


def _fits(template: list[str], segments: list[str]) -> bool:
    return len(template) == len(segments) and all(
        part == segment or "{" in part for part, segment in zip(template, segments, strict=True)
    )
