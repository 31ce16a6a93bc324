"""What a connector is: an app's address, the ways in, and its operations."""

from dataclasses import dataclass, field
from typing import Any, Literal

from clinch.resources.actor import OperationClass

Schema = dict[str, Any]

CLASS_OF_METHOD = {
    "get": OperationClass.READ,
    "post": OperationClass.WRITE,
    "put": OperationClass.WRITE,
    "patch": OperationClass.WRITE,
    "delete": OperationClass.DESTRUCTIVE,
}
OptionType = Literal["this-server", "api-key"]


@dataclass(frozen=True, slots=True)
class Placement:
    """How a credential goes on a request: a header whose template names fields of it in braces.

    With `basic` the text is encoded as HTTP Basic wants it, `user:password`.
    """

    header: str = "Authorization"
    template: str = "Bearer {token}"
    basic: bool = False


@dataclass(frozen=True, slots=True)
class AuthOption:
    """One way in. `input_schema` is what a person types; secrets in it have `writeOnly`. `here` is
    whether it leads to this very server."""

    key: str
    type: OptionType
    title: str
    description: str
    placement: Placement
    base_url: str
    here: bool
    input_schema: Schema = field(default_factory=lambda: {"type": "object", "properties": {}})


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of an app's API, with its inputs in one object.

    `path` has its parameters in braces; `query` are the names of those of the query; what is left
    of the inputs is `body`, under that name.
    """

    key: str
    name: str
    description: str
    method: str
    path: str
    operation_class: OperationClass
    input_schema: Schema
    output_schema: Schema
    query: tuple[str, ...] = ()
    has_body: bool = False


@dataclass(frozen=True, slots=True)
class Connector:
    """An app. The first of the `options` is the one that is taken if none is named.

    `test_path` is asked to see whether a connection works. With `trailing_slash` every path of the
    API ends in a slash, and one that a client left away is put back.
    """

    id: str
    key: str
    name: str
    description: str
    categories: tuple[str, ...]
    domains: tuple[str, ...]
    options: tuple[AuthOption, ...]
    operations: tuple[Operation, ...]
    test_path: str | None = None
    trailing_slash: bool = False

    def option(self, key: str | None) -> AuthOption | None:
        """The way in with a key, the first where none is named."""
        if key is None:
            return self.options[0]
        return next((option for option in self.options if option.key == key), None)

    def class_of(self, method: str, path: str) -> OperationClass:
        """What a request does to the data: what its operation says, else its method."""
        wanted = path.strip("/").split("/")
        for one in self.operations:
            if one.method == method and _fits(one.path.strip("/").split("/"), wanted):
                return one.operation_class
        return CLASS_OF_METHOD.get(method.lower(), OperationClass.DESTRUCTIVE)


def _fits(template: list[str], segments: list[str]) -> bool:
    return len(template) == len(segments) and all(
        part == segment or part.startswith("{")
        for part, segment in zip(template, segments, strict=True)
    )
