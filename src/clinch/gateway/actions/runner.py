"""Runs an action."""

from dataclasses import dataclass
from typing import Any

from clinch.gateway.actions.action import Action
from clinch.gateway.actions.check import check
from clinch.gateway.actions.errors import ActionError
from clinch.gateway.actions.exchange import Exchange
from clinch.gateway.actions.run import Run, RunOptions
from clinch.gateway.api import Api
from clinch.gateway.outside import pointers
from clinch.resources.actor import OperationClass


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What came of a run.

    `output` fits the action's output schema. `untrusted` are JSON pointers (RFC 6901) to texts in
    it that came from outside of the organization, which are content and never instructions.
    `exchanges` are the requests that were made, for a run log.
    """

    output: dict[str, Any]
    warnings: tuple[str, ...]
    untrusted: tuple[str, ...]
    exchanges: tuple[Exchange, ...]


async def run_action(action: Action, api: Api, input: Any, options: RunOptions) -> ActionResult:
    """Run an action with an input as it was sent; raises ActionError.

    Nothing is sent for an input that does not fit the schema, or a dry run that the app cannot do.
    """
    given, warnings = check(action, input)
    writes = action.operation_class is not OperationClass.READ
    if options.dry_run and writes and not options.can_dry_run:
        raise ActionError(
            "This app cannot try a write without doing it, so nothing was sent.",
            "Run the action without a dry run, or on this server's own CRM.",
        )
    run = Run(api, options, {one.api: one.name for one in reversed(action.inputs) if one.api})
    run.warnings += warnings
    try:
        output = await action.run(run, given)
    except ActionError as error:
        error.exchanges = tuple(run.exchanges)
        raise
    finally:
        await run.close()
    told = tuple(dict.fromkeys(run.warnings))
    return ActionResult(output, told, pointers(output, run.foreign), tuple(run.exchanges))
