"""What an action is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jsonschema_rs

from clinch.gateway.actions.inputs import Input, Schema, object_schema
from clinch.gateway.actions.run import Run
from clinch.resources.actor import OperationClass

Function = Callable[[Run, dict[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, eq=False)
class Action:
    """Something that people want done, declared once.

    `run` gets inputs that fit the schema, by their canonical names, and gives the output.
    `examples` are inputs; the ids in them are made up.
    """

    key: str
    name: str
    description: str
    operation_class: OperationClass
    inputs: tuple[Input, ...]
    output_schema: Schema
    examples: tuple[dict[str, Any], ...]
    run: Function

    @property
    def id(self) -> str:
        return self.key

    @cached_property
    def input_schema(self) -> Schema:
        return object_schema(self.inputs, wide=True) | {"examples": list(self.examples)}

    @cached_property
    def validator(self) -> jsonschema_rs.Validator:
        """Tells whether inputs fit that were brought into the form of the schema."""
        return jsonschema_rs.validator_for(object_schema(self.inputs))


@dataclass(frozen=True, slots=True)
class Words:
    """How an action is called, what it does, in a sentence, and examples of its inputs."""

    key: str
    name: str
    description: str
    examples: tuple[dict[str, Any], ...]
