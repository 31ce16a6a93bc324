"""The twenty actions by every door, here and at a second server that stands for close.com: equal
results, to the byte where something is read."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from gateway.actions.cases import CASES, REFUSED, TWENTY
from gateway.actions.doors import DOORS, Asked, Told
from gateway.actions.scene import Scene, example, make_scene
from harness import Organization, Program, make_organization, rows_of, serve
from server.gateway.desk import Desk, user_desk
from server.gateway.test_connections import connect

from clinch.gateway.actions.catalog import ACTIONS
from clinch.program import declarations
from clinch.resources.actor import OperationClass

PLACES = ("here", "elsewhere")
READS = [key for key in TWENTY if ACTIONS[key].operation_class is OperationClass.READ]
WRITES = [key for key in TWENTY if key not in READS]

Wanted = tuple[str, Any]
"""An action and its input."""


@dataclass
class Place:
    """An organization with the scene in it, and the connection that leads there."""

    organization: Organization
    scene: Scene
    connection: str


@dataclass
class Stage:
    """Somebody at the gateway of one server, connected to it and to another one."""

    desk: Desk
    places: dict[str, Place]
    home: Path

    def by_every_door(
        self, place: str, wanted: list[Wanted] | Callable[[], list[Wanted]]
    ) -> list[dict[str, Told]]:
        """What each door answered, an entry an action; `wanted` may be another for each door."""
        at, told = self.places[place], {}
        for name, door in DOORS.items():
            asked = [
                Asked(key, at.scene.fill(input), at.connection)
                for key, input in (wanted() if callable(wanted) else wanted)
            ]
            told[name] = door(self.desk, asked, self.home)
        return [dict(zip(told, one, strict=True)) for one in zip(*told.values(), strict=True)]


@dataclass
class Servers:
    """One server, and another that stands for close.com to it."""

    own: Program
    other: Program

    def stage(self, home: Path) -> Stage:
        """Somebody new, with new organizations."""
        own, other = make_organization(self.own), make_organization(self.other)
        desk = user_desk(own)
        by_key = {"authOptionKey": "close-com-api-key", "input": {"apiKey": other.admin.key}}
        places = {
            "here": Place(own, make_scene(own), connect(desk)["id"]),
            "elsewhere": Place(other, make_scene(other), connect(desk, **by_key)["id"]),
        }
        return Stage(desk, places, home)


@pytest.fixture(scope="module")
def servers(cluster: str, program: Program) -> Iterator[Servers]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLINCH_APP_CLOSE_URL", program.url)
        patch.setenv("CLINCH_ALLOW_PRIVATE", urlsplit(program.url).netloc)
        with serve(cluster, declarations) as served:
            yield Servers(served, program)


@pytest.fixture
def stage(servers: Servers, tmp_path: Path) -> Stage:
    return servers.stage(tmp_path)


def test_what_is_read_is_the_same_by_every_door(stage: Stage) -> None:
    lists = [(key, {"limit": 100, **input}, names) for key, input, names in CASES if key in TWENTY]

    def wanted(place: str) -> list[Wanted]:
        scene = stage.places[place].scene
        return [(key, input) for key, input, _ in lists] + examples(scene, READS)

    assert {key for key, _ in wanted("here")} == set(READS)
    answers = {place: stage.by_every_door(place, wanted(place)) for place in PLACES}
    for number, (key, input) in enumerate(wanted("here")):
        told = {place: answers[place][number] for place in PLACES}
        for by_door in told.values():
            assert not by_door["rest"].refused, (key, input, by_door["rest"])
            assert len({one.text for one in by_door.values()}) == 1, (key, input, by_door)
        here, elsewhere = (alike(stage.places[at], told[at]["rest"].document) for at in PLACES)
        assert here == elsewhere, (key, input)
    for place, at in stage.places.items():
        for (key, input, names), by_door in zip(lists, answers[place], strict=False):
            found = at.scene.names(by_door["rest"].document["output"]["items"])
            assert found == names, (place, key, input)


def test_what_is_refused_is_the_same_by_every_door(stage: Stage) -> None:
    cases = [case for case in REFUSED if case[0] in TWENTY]
    wanted = [(key, input) for key, input, _, _ in cases]
    before = {name: _crm(place) for name, place in stage.places.items()}
    answers = {place: stage.by_every_door(place, wanted) for place in PLACES}
    for number, (key, input, field, words) in enumerate(cases):
        told = {place: answers[place][number] for place in PLACES}
        for by_door in told.values():
            assert len({one.text for one in by_door.values()}) == 1, (key, input, by_door)
        here, elsewhere = (told[at]["rest"] for at in PLACES)
        assert here.refused, (key, input)
        assert words in here.document["message"]
        assert here.document["data"].get("field", "") == field
        assert alike(stage.places["here"], here.document) == alike(
            stage.places["elsewhere"], elsewhere.document
        )
    assert {name: _crm(place) for name, place in stage.places.items()} == before


def test_what_is_written_is_the_same_by_every_door(stage: Stage) -> None:
    results = []
    for name, at in stage.places.items():
        wanted = examples(at.scene, WRITES)
        assert {key for key, _ in wanted} == set(WRITES)
        answers = stage.by_every_door(name, partial(_of_their_own, at, wanted))
        for (key, _), by_door in zip(wanted, answers, strict=True):
            assert not by_door["rest"].refused, (key, by_door["rest"])
            told = {alike(at, one.document) for one in by_door.values()}
            ids = {one.document["output"]["id"] for one in by_door.values()}
            path, _ = OBJECTS[_noun(key)]
            kept = {alike(at, at.scene.key.get(f"{path}{id}/")) for id in ids}
            assert (len(told), len(ids), len(kept)) == (1, len(DOORS), 1), (key, told, kept)
            results.append((key, told, kept))
    half = len(results) // 2
    assert results[:half] == results[half:]


def examples(scene: Scene, keys: list[str]) -> list[Wanted]:
    return [
        (key, example(scene, ACTIONS[key], number))
        for key in keys
        for number in range(len(ACTIONS[key].examples))
    ]


def _of_their_own(at: Place, wanted: list[Wanted]) -> list[Wanted]:
    """The same, each for a new object where one is changed."""
    made = []
    for key, input in wanted:
        path, new = OBJECTS[_noun(key)]
        own = {"id": at.scene.key.post(path, at.scene.fill(new))["id"]} if "id" in input else {}
        made.append((key, input | own))
    return made


OBJECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "lead": ("/lead/", {"name": "Quay"}),
    "contact": ("/contact/", {"lead_id": "$north", "name": "Uma Ray"}),
    "opportunity": ("/opportunity/", {"lead_id": "$north"}),
    "task": ("/task/", {"lead_id": "$north", "text": "Ring"}),
    "note": ("/activity/note/", {"lead_id": "$north", "note": "Spoke"}),
}
"""Where objects are, and what a new one is made of."""


def _noun(key: str) -> str:
    return key.partition("-")[2]


def alike(place: Place, document: Any) -> str:
    """A document with the names of what the scene has, and without what is never twice the same:
    other ids, random parts of addresses, the server, the time of now, and cursors, made of ids."""
    text = json.dumps(document).replace(place.organization.program.url, "$url")
    for name, id in place.scene.ids.items():
        text = text.replace(id, f"${name}")
    text = re.sub(r"\b[a-z]{2,12}_[0-9A-Za-z]{20,}", "$id", text)
    text = re.sub(r"\.[0-9a-f]{8}@", "@", text)
    text = re.sub(r"2026-\d\d-\d\dT\d\d:\d\d:\d\d\.[0-9]+\+00:00", "$now", text)
    return re.sub(r'"cursor": "[^"]+"', '"cursor"', text)


def _crm(place: Place) -> dict[str, list[str]]:
    """The rows of the organization but for those of the gateway, which keeps records of runs."""
    rows = rows_of(place.organization)
    return {name: of_table for name, of_table in rows.items() if not name.startswith("gateway_")}
