"""Users: who works in the organization."""

from typing import Any

from clinch.gateway.actions.action import Action, Words
from clinch.gateway.actions.lists import listing
from clinch.gateway.actions.objects import getting, id_of
from clinch.gateway.actions.records import FIELDS, TEXT, Shape, view_of
from clinch.gateway.actions.run import Run
from clinch.resources.actor import OperationClass

PATH = "/user/"
_EXAMPLE = "user_2bXw2RjzTnVYxHdPsUmFAE"

USER = Shape(
    noun="user",
    short={
        "id": TEXT,
        "email": TEXT,
        "first_name": TEXT,
        "last_name": TEXT,
        "last_used_timezone": TEXT,
        "date_created": TEXT,
    },
)

LIST_USERS = listing(
    Words("list-users", "List users", "List the users of the organization.", ({},)), USER, PATH
)
GET_USER = getting(
    Words("get-user", "Get a user", "Get one user by their id.", ({"id": _EXAMPLE},)),
    USER,
    id_of("user", "user", PATH),
)


async def _get_me(run: Run, given: dict[str, Any]) -> dict[str, Any]:
    view = await view_of(run, USER, given.get("fields"))
    return await view.show(run, await run.get("/me/", view.parameters()))


GET_ME = Action(
    "get-me",
    "Get myself",
    "Get the user for whom the actions are run.",
    OperationClass.READ,
    (FIELDS,),
    USER.schema(),
    ({},),
    _get_me,
)
