"""Integration links: addresses in other programs that leads, contacts and opportunities show."""

from collections.abc import Iterable
from typing import Any

from clinch.identity.credentials import read_actors_anew
from clinch.identity.organizations import in_turn
from clinch.resources.actor import Actor
from clinch.resources.declaration import Audited
from clinch.resources.errors import BadRequest
from clinch.resources.fields import Choice, Text, Url
from clinch.resources.links import PLACEHOLDER
from clinch.resources.query.tree import EVERYTHING
from clinch.resources.write.change import Change
from clinch.resources.write.load import Load
from clinch.resources.write.work import Work

MOST = 50
"""They are part of what is asked for each object, so there are not many."""


class Template(Url):
    """A web address with placeholders such as `{{lead.name}}`, see `Links`."""

    def read(self, value: Any, actor: Actor) -> Any:
        text = Text.read(self, value, actor)
        filled = PLACEHOLDER.sub("x", text)
        return str(super().read(filled, actor)).removesuffix(filled) + text


def making_in_turn(work: Work, changes: list[Change]) -> Iterable[Load]:
    if any(change.kind == "create" for change in changes):
        yield in_turn()


def links_there_are(work: Work, changes: list[Change]) -> Iterable[Load]:
    if any(change.kind == "create" for change in changes):
        yield Load(IntegrationLink, EVERYTHING, limit=MOST)


def keep_few(work: Work, changes: list[Change]) -> None:
    made = [change for change in changes if change.kind == "create"]
    if made and len(work.known(IntegrationLink)) + len(made) > MOST:
        raise BadRequest(f"An organization has at most {MOST} integration links.")


def refresh_actors(work: Work, changes: list[Change]) -> None:
    """An actor remembers the links of the organization."""
    if any(change.kind != "update" or change.changed() for change in changes):
        read_actors_anew(work)


class IntegrationLink(Audited, path="integration_link", prefix="ilink"):
    """A link that every lead, contact or opportunity shows, with the object's values in it."""

    needs = {
        "create": "manage_organization",
        "update": "manage_organization",
        "delete": "manage_organization",
    }
    default_order = "date_created"
    loads = [making_in_turn]
    looks = [links_there_are]
    before = [keep_few]
    within = [refresh_actors]

    name = Text(required=True, max=200)
    type = Choice("lead", "contact", "opportunity", required=True, doc="What shows the link.")
    url = Template(
        required=True,
        nullable=False,
        doc="Placeholders such as {{lead.name}} or {{contact.custom.Size}} stand for values.",
    )
