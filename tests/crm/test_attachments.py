"""Attachments: which files an object may hold, who gets them, and what becomes of them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from harness import TEST, Api, Organization, make_organization, rows_of
from uploads import PNG, Json, ask, fetch, limited, send, uploaded

from clinch.crm.activities.notes import Note
from clinch.db.database import Tenant
from clinch.files.access import find_persisted, find_temporary
from clinch.files.sweep import sweep_files
from clinch.resources.actor import OperationClass
from clinch.resources.errors import Forbidden, ValidationError
from clinch.resources.files import RELEASED_FOR, TEMPORARY_FOR
from clinch.resources.write.change import Change
from clinch.resources.write.files import NO_FILE

HOLDERS = ["/activity/note/", "/opportunity/"]


@pytest.fixture
def lead(api: Api) -> str:
    return str(api.post("/lead/", {"name": "Harbour Tools"})["id"])


def attached(url: str, filename: str = "quote.pdf", **more: Any) -> Json:
    return {"url": url, "filename": filename, **more}


def files_of(organization: Organization) -> dict[str, int]:
    rows = rows_of(organization)
    return {name: len(rows[name]) for name in ("file", "file_part", "file_use")}


def sweep(organization: Organization, after: timedelta) -> None:
    """All rounds of the sweep, so much later than now."""
    program, now = organization.program, datetime.now(UTC) + after
    while program.run(sweep_files(program.store, now)):
        pass


# What is answered


def test_a_note_answers_its_attachments_as_the_reference_has_them(
    organization: Organization, lead: str
) -> None:
    api = organization.admin
    url = uploaded(api, PNG, filename="floor plan.png", content_type="image/png")
    entry = attached(url, "floor plan.png", content_type="image/png")
    note = api.post("/activity/note/", {"lead_id": lead, "attachments": [entry]})
    id = url.split("/")[-3]
    place = f"/go/file/persisted/{organization.system.organization}/activity.note/{note['id']}/"
    assert note["attachments"] == [
        {
            "url": f"{api.program.url}{place}{id}/floor_plan.png/",
            "filename": "floor plan.png",
            "content_type": "image/png",
            "size": len(PNG),
            "thumbnail_url": None,
        }
    ]
    assert api.get(f"/activity/note/{note['id']}/") == note
    assert api.get("/activity/note/", lead_id=lead)["data"] == [note]
    assert note in api.get("/activity/", lead_id=lead)["data"]
    got = fetch(api, note["attachments"][0]["url"])
    assert (got.content, got.headers["content-type"]) == (PNG, "image/png")
    assert got.headers["content-disposition"].startswith('inline; filename="floor plan.png"')


def test_a_deal_answers_its_attachments_wherever_it_is_shown(api: Api, lead: str) -> None:
    entry = attached(uploaded(api, b"a quote"), "Größe.pdf")
    deal = api.post("/opportunity/", {"lead_id": lead, "attachments": [entry]})
    [shown] = deal["attachments"]
    assert (shown["filename"], shown["content_type"]) == ("Größe.pdf", "application/pdf")
    assert f"/opportunity/{deal['id']}/" in shown["url"]
    assert shown["url"].endswith("/Gr_e.pdf/")
    assert api.get(f"/lead/{lead}/")["opportunities"][0]["attachments"] == [shown]
    assert fetch(api, shown["url"]).content == b"a quote"


@pytest.mark.parametrize("path", HOLDERS)
def test_an_object_without_files_has_none(api: Api, lead: str, path: str) -> None:
    bodies: list[Json] = [{}, {"attachments": []}, {"attachments": None}]
    for sent in bodies:
        assert api.post(path, {"lead_id": lead, **sent})["attachments"] == []


def test_what_is_sent_of_the_size_is_passed_over(api: Api, lead: str) -> None:
    entry = attached(uploaded(api, b"a quote"), size=5, thumbnail_url="https://x.example", more=1)
    note = api.post("/activity/note/", {"lead_id": lead, "attachments": [entry]})
    assert note["attachments"][0].keys() == {
        "url",
        "filename",
        "content_type",
        "size",
        "thumbnail_url",
    }
    assert (note["attachments"][0]["size"], note["attachments"][0]["thumbnail_url"]) == (7, None)


def test_a_mail_says_which_attachments_are_pictures_in_its_text(api: Api, lead: str) -> None:
    url = uploaded(api, PNG, filename="logo.png", content_type="image/png")
    picture = {"content_id": "logo@acme.test", "inline_only": True}
    mail = api.post(
        "/activity/email/",
        {
            "lead_id": lead,
            "status": "sent",
            "body_html": 'Hi <img src="cid:logo@acme.test">',
            "attachments": [attached(url, "logo.png", **picture), attached(uploaded(api))],
        },
    )
    assert mail["body_html"] == 'Hi <img src="cid:logo@acme.test">'
    shown, plain = mail["attachments"]
    assert shown.items() >= picture.items()
    assert (plain["content_id"], plain["inline_only"]) == (None, False)
    assert fetch(api, shown["url"]).content == PNG
    assert fetch(api, plain["url"]).status_code == 200
    path = f"/activity/email/{mail['id']}/"
    assert api.put(path, mail) == api.get(path) == mail
    other = [shown | {"content_id": "x"}, plain]
    assert api("PUT", path, {"attachments": other}).status_code == 400
    for wrong in ({"content_id": 3}, {"inline_only": "yes"}):
        body = {"lead_id": lead, "status": "draft", "attachments": [attached(url, **wrong)]}
        refused = api("POST", "/activity/email/", body).json()
        problems = refused["field-errors"]["attachments"]["errors"]["0"]["field-errors"]
        assert problems.keys() == wrong.keys()
    [event] = api.get("/event/", object_type="activity.email", object_id=mail["id"])["data"]
    assert event["data"]["attachments"] == mail["attachments"]


@pytest.mark.parametrize("path", HOLDERS)
def test_files_come_stay_and_go_with_what_is_sent(
    organization: Organization, lead: str, path: str
) -> None:
    api = organization.admin
    first, second = uploaded(api, b"one"), uploaded(api, b"two")
    made = api.post(path, {"lead_id": lead, "attachments": [attached(first, "1.pdf")]})
    url = f"{path}{made['id']}/"
    both = api.put(url, {"attachments": [*made["attachments"], attached(second, "2.pdf")]})
    assert [entry["filename"] for entry in both["attachments"]] == ["1.pdf", "2.pdf"]
    assert both["attachments"][0] == made["attachments"][0]
    assert files_of(organization) == {"file": 2, "file_part": 2, "file_use": 2}
    assert api.put(url, {"note": "x"})["attachments"] == both["attachments"]
    renamed = api.put(url, {"attachments": [both["attachments"][1] | {"filename": "3.pdf"}]})
    assert [entry["filename"] for entry in renamed["attachments"]] == ["3.pdf"]
    assert fetch(api, renamed["attachments"][0]["url"]).content == b"two"
    assert fetch(api, both["attachments"][0]["url"]).status_code == 404
    assert files_of(organization) == {"file": 2, "file_part": 2, "file_use": 1}
    assert api.put(url, {"attachments": []})["attachments"] == []
    assert files_of(organization)["file_use"] == 0


def test_attachments_that_are_sent_back_as_they_are_change_nothing(
    organization: Organization, lead: str
) -> None:
    api = organization.admin
    entry = attached(uploaded(api), content_type="text/plain")
    note = api.post("/activity/note/", {"lead_id": lead, "attachments": [entry]})
    before = rows_of(organization)
    assert api.put(f"/activity/note/{note['id']}/", note) == note
    assert rows_of(organization) == before


def test_a_file_may_hang_on_several_objects(organization: Organization, lead: str) -> None:
    api = organization.admin
    entry = attached(uploaded(api, b"a quote"))
    note, other = (
        api.post(path, {"lead_id": lead, "attachments": [entry, entry]}) for path in HOLDERS
    )
    assert files_of(organization) == {"file": 1, "file_part": 1, "file_use": 2}
    api.delete(f"/activity/note/{note['id']}/")
    sweep(organization, RELEASED_FOR + timedelta(minutes=1))
    assert fetch(api, other["attachments"][1]["url"]).content == b"a quote"
    api.put(f"/opportunity/{other['id']}/", {"attachments": []})
    sweep(organization, RELEASED_FOR + timedelta(minutes=1))
    assert files_of(organization) == {"file": 0, "file_part": 0, "file_use": 0}


@pytest.mark.parametrize("path", HOLDERS)
@pytest.mark.parametrize("other", [*HOLDERS, "/activity/sms/"])
def test_what_was_read_with_its_files_may_be_posted_again(
    organization: Organization, lead: str, path: str, other: str
) -> None:
    api = organization.admin
    entries = [attached(uploaded(api, text), f"{text.decode()}.pdf") for text in (b"1", b"2")]
    read = api.post(path, {"lead_id": lead, "attachments": entries})
    body = {"lead_id": lead, "status": "draft"} if "sms" in other else read
    again = api.post(other, body | {"attachments": read["attachments"]})
    assert [(e["filename"], e["size"]) for e in again["attachments"]] == [
        ("1.pdf", 1),
        ("2.pdf", 1),
    ]
    assert all(f"/{again['id']}/" in entry["url"] for entry in again["attachments"])
    assert files_of(organization) == {"file": 2, "file_part": 2, "file_use": 4}
    api.delete(f"{path}{read['id']}/")
    sweep(organization, RELEASED_FOR + timedelta(minutes=1))
    assert fetch(api, again["attachments"][1]["url"]).content == b"2"
    refused = api("POST", path, read)
    assert refused.status_code == 400
    assert refused.json()["field-errors"].keys() == {"attachments"}


def test_a_file_of_what_one_does_not_see_is_refused(organization: Organization, lead: str) -> None:
    api = organization.admin
    note = api.post("/activity/note/", {"lead_id": lead, "attachments": [attached(uploaded(api))]})
    field = api.post("/custom_field/lead/", {"name": "Owner", "type": "user"})["id"]
    rep = organization.limited(field)
    body = {"lead_id": rep.post("/lead/", {})["id"], "attachments": note["attachments"]}
    before = rows_of(organization)
    refused = rep("POST", "/activity/note/", body)
    assert (refused.status_code, refused.json()) == (400, refusals({"url": NO_FILE}))
    assert rows_of(organization) == before
    writing = organization.actor(grant=frozenset({OperationClass.WRITE}))
    again = Change.create(Note, {"lead_id": lead, "attachments": note["attachments"]})
    with pytest.raises(ValidationError):
        organization.program.run(organization.program.store.write(writing, [again], TEST))
    assert rows_of(organization) == before
    api.put(f"/lead/{lead}/", {f"custom.{field}": rep.user_id})
    assert rep.post("/activity/note/", body)["attachments"][0]["size"] == 7


def test_a_dry_run_holds_nothing(organization: Organization, lead: str) -> None:
    api = organization.admin
    body = {"lead_id": lead, "attachments": [attached(uploaded(api))]}
    before = rows_of(organization)
    tried = api.post("/activity/note/", body, _dry_run="true")
    assert tried["attachments"][0]["size"] == 7
    assert rows_of(organization) == before


def test_events_show_attachments_as_answers_do(api: Api, lead: str) -> None:
    body = {"lead_id": lead, "attachments": [attached(uploaded(api))]}
    note = api.post("/activity/note/", body)
    api.put(f"/activity/note/{note['id']}/", {"attachments": []})
    api.delete(f"/activity/note/{note['id']}/")
    events = api.get("/event/", object_type="activity.note", object_id=note["id"])["data"]
    deleted, updated, created = events
    assert created["data"]["attachments"] == note["attachments"]
    assert updated["changed_fields"] == ["attachments", "date_updated"]
    assert updated["previous_data"]["attachments"] == note["attachments"]
    assert deleted["previous_data"]["attachments"] == []


# Messages


def test_a_text_message_names_its_media(organization: Organization, lead: str) -> None:
    api = organization.admin
    url = uploaded(api, PNG, filename="media_1.png", content_type="image/png")
    body = {"lead_id": lead, "status": "draft"}
    draft = api.post("/activity/sms/", body | {"attachments": [attached(url, "media_1.png")]})
    [shown] = draft["attachments"]
    assert shown == {
        "url": shown["url"],
        "filename": "media_1.png",
        "content_type": "image/png",
        "size": len(PNG),
        "thumbnail_url": None,
        "media_id": f"media_{url.split('/')[-3].removeprefix('file_')}",
    }
    path = f"/activity/sms/{draft['id']}/"
    sent = api.put(path, {"status": "sent"})
    assert api.put(path, sent) == api.get(path) == sent
    assert api.get("/activity/", _type="SMS")["data"][0]["attachments"] == [shown]
    assert fetch(api, shown["url"]).content == PNG


@pytest.mark.parametrize(
    ("content_types", "problem"),
    [
        (["application/pdf"] * 11, "List is too long."),
        *(
            ([wrong], {"errors": {"0": refusal}})
            for refusal in [{"errors": [], "field-errors": {"content_type": "Not a valid choice."}}]
            for wrong in ("text/plain", "image/svg+xml", "image/3gpp")
        ),
    ],
    ids=["eleven", "plain", "svg", "no-image"],
)
def test_a_text_message_takes_ten_files_that_phones_can_be_sent(
    organization: Organization, lead: str, content_types: list[str], problem: Any
) -> None:
    api, url = organization.admin, uploaded(organization.admin)
    good = [attached(url, content_type=one) for one in ("video/H263-1998; x=1", *["text/csv"] * 9)]
    body = {"lead_id": lead, "status": "draft"}
    draft = api.post("/activity/sms/", body | {"attachments": good})
    assert len(draft["attachments"]) == 10
    before = rows_of(organization)
    wrong = {"attachments": [attached(url, content_type=one) for one in content_types]}
    for method, path in (("POST", "/activity/sms/"), ("PUT", f"/activity/sms/{draft['id']}/")):
        refused = api(method, path, body | wrong)
        assert refused.status_code == 400
        assert refused.json()["field-errors"] == {"attachments": problem}
    assert rows_of(organization) == before


def test_a_file_of_another_type_is_refused_by_what_it_was_uploaded_as(
    organization: Organization, lead: str
) -> None:
    api = organization.admin
    entry = attached(uploaded(api, filename="x.txt", content_type="text/plain"), "x.txt")
    before = rows_of(organization)
    body = {"lead_id": lead, "status": "sent", "attachments": [entry]}
    refused = api("POST", "/activity/sms/", body)
    assert (refused.status_code, refused.json()) == (
        400,
        refusals({"content_type": "Not a valid choice."}),
    )
    assert rows_of(organization) == before


def test_a_whatsapp_message_is_a_text_or_files_of_25_megabytes_at_most(
    organization: Organization,
) -> None:
    api = organization.admin
    lead = api.post("/lead/", {"contacts": [{"name": "Bo"}]})
    picture = attached(uploaded(api, PNG, content_type="image/png"), "1.png")
    large = attached(uploaded(api, bytes(12_500_000)), "2.pdf")
    body = {
        "lead_id": lead["id"],
        "contact_id": lead["contact_ids"][0],
        "direction": "incoming",
        "external_whatsapp_message_id": "wamid.HB1",
        "local_phone": "+14155550111",
        "remote_phone": "+18185550122",
        "message_markdown": "",
        "activity_at": "2026-05-04T07:59:58+00:00",
        "attachments": [picture],
    }
    message = api.post("/activity/whatsapp_message/", body)
    assert (message["message_markdown"], message["message_html"], message["text"]) == ("", "", "")
    assert message["attachments"][0]["filename"] == "1.png"
    path = f"/activity/whatsapp_message/{message['id']}/"
    assert len(api.put(path, {"attachments": [large, large]})["attachments"]) == 2
    before = rows_of(organization)
    required = {"message_markdown": "This field is required."}
    too_large = {"attachments": "The attachments must be no larger than 25000000 bytes together."}
    for change, problem in (
        ({"attachments": []}, required),
        ({"message_markdown": None}, required),
        ({"attachments": [large, large, picture]}, too_large),
    ):
        for method, url in (("POST", "/activity/whatsapp_message/"), ("PUT", path)):
            refused = api(method, url, body | change)
            assert (refused.status_code, refused.json()["field-errors"]) == (400, problem)
    assert rows_of(organization) == before


# What is refused


def refusals(problem: Any) -> Json:
    """One entry's mistake, as the API says it."""
    return {
        "errors": [],
        "field-errors": {"attachments": {"errors": {"0": {"errors": [], "field-errors": problem}}}},
    }


Foreign = Callable[[Organization, str, str], str]


def _of_a_colleague(organization: Organization, lead: str, path: str) -> str:
    return uploaded(organization.member("user"))


def _of_another_organization(organization: Organization, lead: str, path: str) -> str:
    return uploaded(make_organization(organization.program).admin)


def _in_my_name(organization: Organization, lead: str, path: str) -> str:
    stranger = make_organization(organization.program).admin
    return uploaded(stranger).replace(stranger.user_id, organization.admin.user_id)


def _of_a_colleague_in_my_name(organization: Organization, lead: str, path: str) -> str:
    colleague = organization.member("user")
    return uploaded(colleague).replace(colleague.user_id, organization.admin.user_id)


def _of_an_object(api: Api, lead: str, path: str) -> tuple[str, str]:
    """The path of an object that holds a file, and where it holds it."""
    made = api.post(path, {"lead_id": lead, "attachments": [attached(uploaded(api))]})
    return f"{path}{made['id']}/", str(made["attachments"][0]["url"])


def _of_an_object_that_is_gone(organization: Organization, lead: str, path: str) -> str:
    place, url = _of_an_object(organization.admin, lead, path)
    organization.admin.delete(place)
    return url


def _let_go(organization: Organization, lead: str, path: str) -> str:
    place, url = _of_an_object(organization.admin, lead, path)
    organization.admin.put(place, {"attachments": []})
    return url


def _of_an_object_of_another_organization(organization: Organization, lead: str, path: str) -> str:
    stranger = make_organization(organization.program)
    lead = stranger.admin.post("/lead/", {})["id"]
    _, url = _of_an_object(stranger.admin, lead, path)
    own, other = organization.system.organization, stranger.system.organization
    return url.replace(other, own)


def _at_an_object_that_has_another(organization: Organization, lead: str, path: str) -> str:
    (_, url), (_, other) = (_of_an_object(organization.admin, lead, path) for _ in range(2))
    return url.replace(url.split("/")[-3], other.split("/")[-3])


def _of_an_object_of_another_kind(organization: Organization, lead: str, path: str) -> str:
    _, url = _of_an_object(organization.admin, lead, path)
    return url.replace("/activity.note/", "/activity.call/").replace("/opportunity/", "/task/")


def _only_asked_for(organization: Organization, lead: str, path: str) -> str:
    return str(ask(organization.admin)["download"]["url"])


def _half_sent(organization: Organization, lead: str, path: str) -> str:
    url = uploaded(organization.admin)
    _update_files(organization, "size = null")
    return url


def _of_the_day_before(organization: Organization, lead: str, path: str) -> str:
    url = uploaded(organization.admin)
    _update_files(organization, f"uploaded_at = uploaded_at - interval '{TEMPORARY_FOR}'")
    return url


def _update_files(organization: Organization, what: str) -> None:
    tenant = Tenant(organization.system.organization_id)

    async def update() -> None:
        async with organization.program.store.database.tenant(tenant) as transaction:
            await transaction.execute(
                f"update file set {what} where organization_id = $1", tenant.organization_id
            )

    organization.program.run(update())


def _elsewhere(organization: Organization, lead: str, path: str) -> str:
    url = uploaded(organization.admin)
    return url.replace(organization.program.url, "https://evil.example")


def _below_elsewhere(organization: Organization, lead: str, path: str) -> str:
    return f"https://evil.example/?{uploaded(organization.admin)}"


def _by_dots(organization: Organization, lead: str, path: str) -> str:
    user = organization.admin.user_id
    return uploaded(organization.admin).replace(f"/{user}/", f"/{user}/../{user}/")


def _unknown(organization: Organization, lead: str, path: str) -> str:
    return f"{organization.program.url}/go/file/temporary/{organization.admin.user_id}/file_x/x/"


def _without_file(organization: Organization, lead: str, path: str) -> str:
    return f"{organization.program.url}/go/file/temporary/{organization.admin.user_id}/"


@pytest.mark.parametrize("path", HOLDERS)
@pytest.mark.parametrize(
    "foreign",
    [
        _of_a_colleague,
        _of_a_colleague_in_my_name,
        _of_another_organization,
        _in_my_name,
        _of_an_object_that_is_gone,
        _let_go,
        _of_an_object_of_another_organization,
        _at_an_object_that_has_another,
        _of_an_object_of_another_kind,
        _only_asked_for,
        _half_sent,
        _of_the_day_before,
        _elsewhere,
        _below_elsewhere,
        _by_dots,
        _unknown,
        _without_file,
    ],
)
def test_a_file_that_is_not_ones_own_is_refused(
    organization: Organization, lead: str, path: str, foreign: Foreign
) -> None:
    api = organization.admin
    kept = api.post(path, {"lead_id": lead, "attachments": [attached(uploaded(api))]})
    body = {"lead_id": lead, "attachments": [attached(foreign(organization, lead, path))]}
    before = rows_of(organization)
    for method, url in (("POST", path), ("PUT", f"{path}{kept['id']}/")):
        refused = api(method, url, body)
        assert (refused.status_code, refused.json()) == (400, refusals({"url": NO_FILE}))
    assert rows_of(organization) == before
    assert api.get(f"{path}{kept['id']}/") == kept


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({}, {"url": "This field is required.", "filename": "This field is required."}),
        ({"url": None, "filename": "x"}, {"url": "This field is required."}),
        ({"url": 3, "filename": "x"}, {"url": "Value must be of str type."}),
        ({"url": "x" * 2001, "filename": "x"}, "url"),
        ({"url": "\x00", "filename": "x"}, "url"),
        ({"url": "x"}, {"filename": "This field is required."}),
        ({"url": "x", "filename": "../x"}, {"filename": "A filename must not name a folder."}),
        ({"url": "x", "filename": "a\r\nb: c"}, "filename"),
        ({"url": "x", "filename": "x", "content_type": "a\r\nb: c"}, "content_type"),
    ],
)
def test_an_entry_that_is_none_is_refused(
    organization: Organization, lead: str, entry: Json, problem: Any
) -> None:
    body = {"lead_id": lead, "attachments": [entry]}
    before = rows_of(organization)
    for path in HOLDERS:
        refused = organization.admin("POST", path, body)
        assert refused.status_code == 400
        entry_error = refused.json()["field-errors"]["attachments"]["errors"]["0"]
        if isinstance(problem, str):
            assert entry_error["field-errors"].keys() == {problem}
        else:
            assert refused.json() == refusals(problem)
    assert rows_of(organization) == before


@pytest.mark.parametrize(
    "value", [{}, "x", [3], [None], [[]], [{"url": "x", "filename": "x"}] * 101]
)
def test_a_list_that_is_none_is_refused(organization: Organization, lead: str, value: Any) -> None:
    before = rows_of(organization)
    for path in HOLDERS:
        refused = organization.admin("POST", path, {"lead_id": lead, "attachments": value})
        assert refused.status_code == 400
        assert refused.json()["field-errors"].keys() == {"attachments"}
    assert rows_of(organization) == before


def test_one_bad_entry_among_good_ones_refuses_all(organization: Organization, lead: str) -> None:
    api = organization.admin
    entries = [attached(uploaded(api)), attached("https://evil.example/x")]
    before = rows_of(organization)
    refused = api("POST", "/activity/note/", {"lead_id": lead, "attachments": entries})
    errors = refused.json()["field-errors"]["attachments"]["errors"]
    assert errors == {"1": {"errors": [], "field-errors": {"url": NO_FILE}}}
    assert rows_of(organization) == before


# Who gets them


def test_a_colleague_gets_what_hangs_on_what_they_see(
    organization: Organization, lead: str
) -> None:
    entry = attached(uploaded(organization.admin))
    note = organization.admin.post("/activity/note/", {"lead_id": lead, "attachments": [entry]})
    url = note["attachments"][0]["url"]
    assert fetch(organization.member("restricteduser"), url).content == b"a quote"
    stranger = make_organization(organization.program).admin
    for theirs in (url, url.replace("/orga_", "/orga_x")):
        assert fetch(stranger, theirs).status_code == 404


@pytest.mark.parametrize("path", HOLDERS)
def test_who_does_not_see_the_lead_does_not_get_its_files(
    organization: Organization, path: str
) -> None:
    api = organization.admin
    field = api.post("/custom_field/lead/", {"name": "Rep", "type": "user"})["id"]
    member = organization.limited(field)
    for rep, status in ((member.user_id, 200), (api.user_id, 404)):
        lead = api.post("/lead/", {f"custom.{field}": rep})["id"]
        made = api.post(path, {"lead_id": lead, "attachments": [attached(uploaded(api))]})
        url = made["attachments"][0]["url"]
        for method in ("GET", "HEAD"):
            assert fetch(member, url, method).status_code == status
        api.put(f"/lead/{lead}/", {f"custom.{field}": api.user_id})
        assert fetch(member, url).status_code == 404
        assert fetch(api, url).status_code == 200


def test_a_file_is_got_through_an_object_that_holds_it_alone(
    organization: Organization, lead: str
) -> None:
    api = organization.admin
    holder, other = (
        api.post(
            "/activity/note/", {"lead_id": lead, "attachments": [attached(uploaded(api, text))]}
        )
        for text in (b"one", b"two")
    )
    url = holder["attachments"][0]["url"]
    id, other_id = (one["attachments"][0]["url"].split("/")[-3] for one in (holder, other))
    assert fetch(api, url).content == b"one"
    assert fetch(api, url.replace(holder["id"], other["id"])).status_code == 404
    assert fetch(api, url.replace(id, other_id)).status_code == 404
    assert fetch(api, url.replace("activity.note", "opportunity")).status_code == 404


def test_a_grant_that_does_not_cover_reading_gets_nothing(
    organization: Organization, lead: str
) -> None:
    api, store = organization.admin, organization.program.store
    temporary = uploaded(api)
    note = api.post("/activity/note/", {"lead_id": lead, "attachments": [attached(temporary)]})
    actor = organization.actor(grant=frozenset({OperationClass.WRITE}))
    persisted = urlsplit(note["attachments"][0]["url"]).path.split("/")[4:8]
    uploads = temporary.split("/")[-4:-2]
    for found in (find_persisted(store, actor, *persisted), find_temporary(store, actor, *uploads)):
        with pytest.raises(Forbidden):
            organization.program.run(found)


def test_the_name_at_the_object_is_what_a_browser_is_told(api: Api, lead: str) -> None:
    entry = attached(uploaded(api, filename="upload.pdf"), "Angebot 5.pdf")
    note = api.post("/activity/note/", {"lead_id": lead, "attachments": [entry]})
    got = fetch(api, note["attachments"][0]["url"])
    assert 'filename="Angebot 5.pdf"' in got.headers["content-disposition"]


def test_a_content_type_in_a_note_does_not_change_how_a_file_is_served(api: Api, lead: str) -> None:
    html = uploaded(api, b"<script>alert(1)</script>", content_type="text/plain")
    entry = attached(html, "x.html", content_type="text/html")
    note = api.post("/activity/note/", {"lead_id": lead, "attachments": [entry]})
    assert note["attachments"][0]["content_type"] == "text/html"
    got = fetch(api, note["attachments"][0]["url"])
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"].startswith("attachment")


# How long they stay


def test_what_is_held_stays_however_long(organization: Organization, lead: str) -> None:
    api = organization.admin
    entry = attached(uploaded(api))
    note = api.post("/activity/note/", {"lead_id": lead, "attachments": [entry]})
    for _ in range(2):
        sweep(organization, timedelta(days=1000))
        assert fetch(api, note["attachments"][0]["url"]).content == b"a quote"


@pytest.mark.parametrize("gone", ["the object", "its lead", "the attachment"])
@pytest.mark.parametrize("swept_meanwhile", [False, True])
def test_what_is_let_go_stays_for_thirty_days(
    organization: Organization, lead: str, gone: str, *, swept_meanwhile: bool
) -> None:
    api = organization.admin
    entry = attached(uploaded(api))
    note = api.post("/activity/note/", {"lead_id": lead, "attachments": [entry]})
    if swept_meanwhile:
        sweep(organization, TEMPORARY_FOR)
    match gone:
        case "the object":
            api.delete(f"/activity/note/{note['id']}/")
        case "its lead":
            api.delete(f"/lead/{lead}/")
        case _:
            api.put(f"/activity/note/{note['id']}/", {"attachments": []})
    assert fetch(api, note["attachments"][0]["url"]).status_code == 404
    assert files_of(organization) == {"file": 1, "file_part": 1, "file_use": 0}
    sweep(organization, RELEASED_FOR - timedelta(minutes=1))
    assert files_of(organization) == {"file": 1, "file_part": 1, "file_use": 0}
    sweep(organization, RELEASED_FOR)
    assert files_of(organization) == {"file": 0, "file_part": 0, "file_use": 0}


def test_a_file_that_a_write_is_about_to_hold_is_passed_over(organization: Organization) -> None:
    """As a write does that has read it, and has not ended."""
    api, program = organization.admin, organization.program
    url = uploaded(api)
    tenant = Tenant(organization.system.organization_id)
    now = datetime.now(UTC) + TEMPORARY_FOR

    async def meanwhile() -> None:
        async with program.store.database.tenant(tenant) as transaction:
            await transaction.rows(
                "select f.id from file f where f.organization_id = $1 for key share",
                tenant.organization_id,
            )
            await sweep_files(program.store, now)

    program.run(meanwhile())
    assert fetch(api, url).content == b"a quote"
    program.run(sweep_files(program.store, now))
    assert fetch(api, url).status_code == 404


def test_a_change_that_fails_holds_nothing(organization: Organization, lead: str) -> None:
    """Of several changes in one write, the last is refused."""
    api, program = organization.admin, organization.program
    body = {"lead_id": lead, "attachments": [attached(uploaded(api))]}
    changes = [Change.create(Note, body), Change.create(Note, {"lead_id": "lead_unknown"})]
    before = rows_of(organization)
    with pytest.raises(Exception, match="Object does not exist"):
        program.run(program.store.write(organization.actor(), changes, TEST))
    assert rows_of(organization) == before


def test_a_file_too_large_cannot_be_attached(organization: Organization, lead: str) -> None:
    told = limited(organization.admin, 3)
    assert send(told, b"a quote").status_code == 413
    key = told["upload"]["fields"]["key"].replace("temporary/user/", "temporary/")
    url = f"{organization.program.url}/go/file/{key}/"
    body = {"lead_id": lead, "attachments": [attached(url)]}
    refused = organization.admin("POST", "/activity/note/", body)
    assert refused.json() == refusals({"url": NO_FILE})
