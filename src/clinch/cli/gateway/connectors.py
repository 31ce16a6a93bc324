"""`connector add`: making an OpenAPI document a connector of the workspace, as its manager."""

from pathlib import Path
from typing import Any

from clinch.cli.gateway.result import Result, usage
from clinch.cli.gateway.session import Session


def add_connector(arguments: dict[str, Any]) -> Result:
    """The server fetches an address itself; a file is sent along."""
    source = arguments["source"]
    body: dict[str, Any] = {name: arguments[name] for name in ("key", "name") if arguments[name]}
    if arguments["domain"]:
        body["domains"] = arguments["domain"]
    if arguments["base-url"]:
        body["baseUrl"] = arguments["base-url"]
    if "://" in source:
        body["url"] = source
    else:
        try:
            body["document"] = Path(source).read_text("utf-8")
        except (OSError, ValueError) as error:
            raise usage(f"{source} cannot be read ({error}).", "connector add URL") from None
    made = Session(arguments).json("POST", "/connectors", body=body)
    lines = [f"{made['key']}: {made['operationsCount']} operations ({made['id']})"]
    lines += [f"left out: {reason}" for reason in made["skipped"]]
    return Result(made, "\n".join(lines))
