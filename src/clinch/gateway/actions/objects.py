"""Actions on one object: get, create, update, delete it."""

from typing import Any

from clinch.gateway.actions.action import Action, Words
from clinch.gateway.actions.errors import ActionError
from clinch.gateway.actions.inputs import Input, Schema
from clinch.gateway.actions.records import FIELDS, Shape, view_of
from clinch.gateway.actions.references import IdOf
from clinch.gateway.actions.run import Run
from clinch.resources.actor import OperationClass

_DRY_RUN: Schema = {
    "type": "boolean",
    "description": "True where the run only tried it: nothing was changed.",
}


def id_of(noun: str, prefix: str, path: str) -> IdOf:
    """The input `id` of what is done with one object."""
    article = "an" if noun[0] in "aeiouS" else "a"
    return IdOf(
        name="id",
        also=(f"{noun.replace(' ', '')}Id", f"{prefix.split('|')[0]}Id"),
        required=True,
        noun=noun,
        prefix=prefix,
        path=path,
        doc=f"The id of {article} {noun}.",
    )


def getting(words: Words, shape: Shape, id: IdOf) -> Action:
    """An action that gives one object, all of it unless `fields` says less."""

    async def run_get(run: Run, given: dict[str, Any]) -> dict[str, Any]:
        view = await view_of(run, shape, given.get("fields"), all=True)
        record = await run.get(f"{id.path}{given['id']}/", view.parameters(), seeks=id.noun)
        shown = await view.show(run, record)
        view.tell(run, 1)
        return shown

    return _action(words, OperationClass.READ, (id, FIELDS), shape.schema(), run_get)


def creating(words: Words, shape: Shape, path: str, inputs: tuple[Input, ...]) -> Action:
    """An action that makes an object, in one request."""

    async def run_create(run: Run, given: dict[str, Any]) -> dict[str, Any]:
        view = await view_of(run, shape, given.get("fields"))
        body = await body_of(run, inputs, given)
        return await _written(run, view, await run.write("POST", path, body))

    return _action(
        words, OperationClass.WRITE, (*inputs, FIELDS), _written_schema(shape), run_create
    )


def updating(words: Words, shape: Shape, id: IdOf, inputs: tuple[Input, ...]) -> Action:
    """An action that changes what is given of an object and leaves the rest."""

    async def run_update(run: Run, given: dict[str, Any]) -> dict[str, Any]:
        view = await view_of(run, shape, given.get("fields"))
        body = await body_of(run, inputs, given)
        if not body:
            names = ", ".join(input.name for input in inputs)
            raise ActionError("There is nothing to change.", f"Give at least one of {names}.")
        answer = await run.write("PUT", f"{id.path}{given['id']}/", body, seeks=id.noun)
        return await _written(run, view, answer)

    inputs_of_all = (id, *inputs, FIELDS)
    schema = _written_schema(shape)
    return _action(words, OperationClass.WRITE, inputs_of_all, schema, run_update)


def deleting(words: Words, id: IdOf) -> Action:
    """An action that deletes an object."""

    async def run_delete(run: Run, given: dict[str, Any]) -> dict[str, Any]:
        await run.write("DELETE", f"{id.path}{given['id']}/", seeks=id.noun)
        return done(run, {"id": given["id"], "deleted": not run.options.dry_run})

    schema = {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "deleted": {"type": "boolean"},
            "dryRun": _DRY_RUN,
        },
        "required": ["id", "deleted"],
    }
    return _action(words, OperationClass.DESTRUCTIVE, (id,), schema, run_delete)


async def body_of(run: Run, inputs: tuple[Input, ...], given: dict[str, Any]) -> dict[str, Any]:
    """What the API is sent for the inputs, by its own names."""
    body: dict[str, Any] = {}
    for input in inputs:
        if input.name in given:
            body |= await input.resolve(run, given[input.name], given)
    return body


def done(run: Run, output: dict[str, Any]) -> dict[str, Any]:
    """The output of a write, which says so where it was only tried."""
    if run.options.dry_run:
        output["dryRun"] = True
    return output


async def _written(run: Run, view: Any, answer: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = await view.show(run, answer)
    view.tell(run, 1)
    return done(run, shown)


def _written_schema(shape: Shape) -> Schema:
    schema = shape.schema()
    return schema | {"properties": schema["properties"] | {"dryRun": _DRY_RUN}}


def _action(
    words: Words, kind: OperationClass, inputs: tuple[Input, ...], schema: Schema, run: Any
) -> Action:
    return Action(
        words.key, words.name, words.description, kind, inputs, schema, words.examples, run
    )
