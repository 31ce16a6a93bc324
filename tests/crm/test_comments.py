"""Comments over HTTP: the threads they make, who changes them, and how they go."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from harness import TEST, Api, Organization, rows_of

from clinch.crm.comments import Comment
from clinch.resources.write.change import Change
from clinch.resources.write.summaries import recount


@pytest.fixture
def lead(api: Api) -> str:
    return str(api.post("/lead/", {"name": "Harbour Tools"})["id"])


@pytest.fixture
def note(api: Api, lead: str) -> str:
    return str(api.post("/activity/note/", {"lead_id": lead, "note": "Met at the fair"})["id"])


@pytest.fixture
def deal(api: Api, lead: str) -> str:
    return str(api.post("/opportunity/", {"lead_id": lead, "value": 500})["id"])


def comment(api: Api, about: str, body: str = "Well done") -> dict[str, Any]:
    made: dict[str, Any] = api.post("/comment/", {"object_id": about, "body": body})
    return made


def texts(api: Api, **query: str) -> list[str]:
    return [found["body"] for found in api.get("/comment/", **query)["data"]]


def rich(*bodies: str) -> list[str]:
    return [f"<body><p>{body}</p></body>" for body in bodies]


def test_the_first_comment_makes_a_thread(organization: Organization, lead: str, note: str) -> None:
    api = organization.admin
    answer = api("POST", "/comment/", {"object_id": note, "body": "Nice call"})
    made = answer.json()
    assert answer.status_code == 201
    assert made == {
        "id": made["id"],
        "thread_id": made["thread_id"],
        "object_id": note,
        "lead_id": lead,
        "organization_id": organization.system.organization,
        "body": "<body><p>Nice call</p></body>",
        "mentions": [],
        "created_by": api.user_id,
        "created_at": made["created_at"],
        "updated_by": api.user_id,
        "updated_at": made["updated_at"],
        "removed_by": None,
        "removed_at": None,
    }
    assert (made["id"][:5], made["thread_id"][:7]) == ("comm_", "comthr_")
    assert api.get(f"/comment/{made['id']}/") == made
    path = f"/comment_thread/{made['thread_id']}/"
    thread = api.get(path)
    assert thread == {
        "id": made["thread_id"],
        "object_id": note,
        "object_type": "activity.note",
        "lead_id": lead,
        "organization_id": organization.system.organization,
        "num_comments": 1,
        "participating": [api.user_id],
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    rep = organization.member("user")
    mention = f'<span data-type="mention" data-id="{api.user_id}">@Sam</span>'
    second = comment(rep, note, f"<p>For {mention}</p>")
    assert (second["thread_id"], second["mentions"]) == (thread["id"], [api.user_id])
    later = api.get(path)
    assert (later["num_comments"], later["participating"]) == (2, [api.user_id, rep.user_id])
    assert later["updated_at"] > later["created_at"] == thread["created_at"]
    assert api.get("/comment/", object_id=note) == {"data": [made, second], "has_more": False}
    assert api.get("/comment/", thread_id=thread["id"])["data"] == [made, second]


def test_activities_and_opportunities_sum_up_their_comments(
    api: Api, lead: str, note: str, deal: str
) -> None:
    assert api.get(f"/opportunity/{deal}/")["comment_summary"] is None
    one, _ = comment(api, deal), comment(api, deal)
    thread = comment(api, note)["thread_id"]
    of_deal = {"comment_count": 2, "thread_id": one["thread_id"]}
    assert api.get(f"/opportunity/{deal}/")["comment_summary"] == of_deal
    [shown] = api.get(f"/lead/{lead}/")["opportunities"]
    assert shown["comment_summary"] == of_deal
    assert api.get(f"/comment_thread/{one['thread_id']}/")["object_type"] == "opportunity"
    of_note = {"comment_summary": {"comment_count": 1, "thread_id": thread}}
    assert api.get(f"/activity/note/{note}/", _fields="comment_summary") == of_note
    [listed] = api.get("/activity/", _type="Note", _fields="comment_summary")["data"]
    assert listed == of_note
    api.delete(f"/comment/{one['id']}/")
    assert api.get(f"/opportunity/{deal}/")["comment_summary"]["comment_count"] == 1


def test_a_comment_is_edited_by_whom_it_is_of(organization: Organization, note: str) -> None:
    admin, rep = organization.admin, organization.member("user")
    made = comment(rep, note)
    path = f"/comment/{made['id']}/"
    before = rows_of(organization)
    for other in (admin, organization.member("superuser", "Bo"), organization.member("user", "Al")):
        before = rows_of(organization)
        refused = other("PUT", path, {"body": "x"})
        assert refused.status_code == 403
        assert rows_of(organization) == before
    changed = rep.put(path, {"body": "<p>Better <script>x</script></p>"})
    assert changed["body"] == "<body><p>Better </p></body>"
    assert changed["updated_at"] > changed["created_at"] == made["created_at"]
    more = comment(admin, note)
    moved = rep.put(path, {"object_id": "acti_none", "thread_id": "x", "is_removed": True})
    assert moved == rep.get(path)
    assert (moved["object_id"], moved["removed_at"]) == (note, None)
    assert more["thread_id"] == moved["thread_id"]


def test_what_is_removed_has_no_text(organization: Organization, note: str) -> None:
    admin, rep = organization.admin, organization.member("user")
    mention = f'<span data-type="mention" data-id="{rep.user_id}">@Ada</span>'
    first, second = comment(rep, note, f"<p>Secret {mention}</p>"), comment(rep, note, "Stays")
    answer = admin("DELETE", f"/comment/{first['id']}/")
    assert (answer.status_code, answer.content) == (204, b"")
    gone = admin.get(f"/comment/{first['id']}/")
    assert (gone["body"], gone["mentions"], gone["removed_by"]) == ("", [], admin.user_id)
    assert gone["removed_at"] == gone["updated_at"]
    assert texts(admin, object_id=note) == ["", *rich("Stays")]
    assert admin.get(f"/comment_thread/{first['thread_id']}/")["num_comments"] == 1
    before = rows_of(organization)
    assert rep("PUT", f"/comment/{first['id']}/", {"body": "x"}).status_code == 400
    assert admin("DELETE", f"/comment/{first['id']}/").status_code == 204
    assert rows_of(organization) == before
    told = [
        event["action"]
        for event in admin.get("/event/", object_id=first["id"], object_type="comment")["data"]
    ]
    assert told == ["updated", "created"]
    assert second["thread_id"] == first["thread_id"]


def test_the_last_comment_takes_its_thread_with_it(
    organization: Organization, note: str, deal: str
) -> None:
    api = organization.admin
    for about in (note, deal):
        one, two = comment(api, about), comment(api, about)
        api.delete(f"/comment/{one['id']}/")
        api.delete(f"/comment/{two['id']}/")
        assert api.get("/comment/", object_id=about)["data"] == []
        for path in (
            f"/comment/{one['id']}/",
            f"/comment/{two['id']}/",
            f"/comment_thread/{one['thread_id']}/",
        ):
            assert api("GET", path).status_code == 404
        deleted = {
            (event["object_type"], event["object_id"])
            for event in api.get("/event/")["data"]
            if event["action"] == "deleted"
        }
        comments = {("comment", one["id"]), ("comment", two["id"])}
        assert deleted >= comments | {("comment_thread", one["thread_id"])}
        assert comment(api, about)["thread_id"] != one["thread_id"]
    assert api.get(f"/opportunity/{deal}/")["comment_summary"]["comment_count"] == 1


def test_removing_takes_the_permissions_of_activities(
    organization: Organization, note: str
) -> None:
    admin = organization.admin

    def worker(*permissions: str) -> Api:
        body = {"name": "Worker", "permissions": ["view_all_leads", *permissions]}
        return organization.member(admin.post("/role/", body)["id"])

    own, others = worker("delete_own_activities"), worker("manage_others_activities")
    for rep, about_own in ((worker(), True), (own, False), (others, True)):
        made = comment(rep if about_own else admin, note)
        before = rows_of(organization)
        refused = rep("DELETE", f"/comment/{made['id']}/")
        assert refused.status_code == 403
        assert rows_of(organization) == before
    own.delete(f"/comment/{comment(own, note)['id']}/")
    others.delete(f"/comment/{comment(admin, note)['id']}/")


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, {"object_id", "body"}),
        ({"object_id": "NOTE"}, {"body"}),
        ({"object_id": "NOTE", "body": ""}, {"body"}),
        ({"object_id": "NOTE", "body": "<p> <br></p>"}, {"body"}),
        ({"object_id": "NOTE", "body": 5}, {"body"}),
        ({"body": "x"}, {"object_id"}),
        ({"object_id": "acti_none", "body": "x"}, {"object_id"}),
        ({"object_id": "LEAD", "body": "x"}, {"object_id"}),
        ({"object_id": "NOTE", "body": "x" * 100_001}, {"body"}),
    ],
)
def test_a_wrong_comment_is_refused(
    organization: Organization, lead: str, note: str, body: dict[str, Any], problems: set[str]
) -> None:
    named = {"NOTE": note, "LEAD": lead}
    sent = {key: named.get(value, value) for key, value in body.items()}
    made = comment(organization.admin, note)
    before = rows_of(organization)
    refused = organization.admin("POST", "/comment/", sent)
    assert (refused.status_code, set(refused.json()["field-errors"])) == (400, problems)
    if problems == {"body"} and "body" in sent:
        path = f"/comment/{made['id']}/"
        assert organization.admin("PUT", path, {"body": sent["body"]}).status_code == 400
    assert rows_of(organization) == before


def test_a_list_is_of_an_object_or_of_a_thread(api: Api, note: str) -> None:
    made = comment(api, note)
    for query in ({}, {"object_id": note, "thread_id": made["thread_id"]}, {"object_id": ""}):
        assert api("GET", "/comment/", **query).status_code == 400
    assert texts(api, object_id="acti_none") == []


def test_threads_are_listed_by_what_they_are_and_are_about(api: Api, note: str, deal: str) -> None:
    one, two = comment(api, note)["thread_id"], comment(api, deal)["thread_id"]

    def found(**query: str) -> list[str]:
        return [thread["id"] for thread in api.get("/comment_thread/", **query)["data"]]

    assert found() == [two, one]
    assert found(ids=one) == found(object_ids=note) == [one]
    assert found(ids=f"{one},{two}") == found(object_ids=f"{note},{deal}") == [two, one]
    assert found(ids=one, object_ids=deal) == []
    for method in ("POST", "PUT", "DELETE"):
        path = "/comment_thread/" if method == "POST" else f"/comment_thread/{one}/"
        assert api(method, path, {"object_id": note}).status_code == 405


def test_comments_are_seen_by_whom_sees_the_lead(organization: Organization) -> None:
    admin = organization.admin
    owner = admin.post("/custom_field/lead/", {"name": "Owner", "type": "user"})["id"]
    rep = organization.limited(owner)
    made, about = {}, {}
    for name, user in (("mine", rep.user_id), ("hidden", admin.user_id)):
        lead = admin.post("/lead/", {"name": name, f"custom.{owner}": user})["id"]
        about[name] = admin.post("/activity/note/", {"lead_id": lead, "note": name})["id"]
        made[name] = comment(admin, about[name], name)
    assert texts(rep, object_id=about["mine"]) == rich("mine")
    assert rep.get(f"/comment/{made['mine']['id']}/")["thread_id"] == made["mine"]["thread_id"]
    hidden = made["hidden"]
    before = rows_of(organization)
    assert texts(rep, object_id=about["hidden"]) == []
    assert texts(rep, thread_id=hidden["thread_id"]) == []
    for method, path, body in (
        ("GET", f"/comment/{hidden['id']}/", None),
        ("PUT", f"/comment/{hidden['id']}/", {"body": "x"}),
        ("DELETE", f"/comment/{hidden['id']}/", None),
        ("GET", f"/comment_thread/{hidden['thread_id']}/", None),
    ):
        assert rep(method, path, body).status_code == 404
    refused = rep("POST", "/comment/", {"object_id": about["hidden"], "body": "x"})
    assert refused.json()["field-errors"] == {"object_id": "Object does not exist."}
    assert rows_of(organization) == before
    assert rep("GET", "/comment_thread/").status_code == 403
    listed = rep.get("/comment_thread/", object_ids=",".join(about.values()))["data"]
    assert [thread["object_id"] for thread in listed] == [about["mine"]]
    assert "hidden" not in rep("GET", "/event/").text
    assert len(rep.get("/event/", object_type="comment")["data"]) == 1


@pytest.mark.parametrize("by", ["object", "lead"])
def test_what_is_commented_on_takes_its_comments_with_it(
    organization: Organization, lead: str, note: str, deal: str, by: str
) -> None:
    api = organization.admin
    made = [comment(api, about) for about in (note, note, deal)]
    for path in (
        [f"/lead/{lead}/"] if by == "lead" else [f"/activity/note/{note}/", f"/opportunity/{deal}/"]
    ):
        api.delete(path)
    for one in made:
        assert api("GET", f"/comment/{one['id']}/").status_code == 404
        assert api("GET", f"/comment_thread/{one['thread_id']}/").status_code == 404
    deleted = [e["object_type"] for e in api.get("/event/")["data"] if e["action"] == "deleted"]
    assert (deleted.count("comment"), deleted.count("comment_thread")) == (3, 2)


Taken = Callable[[Api, str], tuple[str, Callable[[], object]]]


def done_task(api: Api, lead: str) -> tuple[str, Callable[[], object]]:
    task = api.post("/task/", {"lead_id": lead, "text": "Call back", "date": "2026-03-01"})["id"]
    api.put(f"/task/{task}/", {"is_complete": True})
    [told] = api.get("/activity/task_completed/", lead_id=lead)["data"]
    return told["id"], lambda: api.put(f"/task/{task}/", {"is_complete": False})


def changed_lead(api: Api, lead: str) -> tuple[str, Callable[[], object]]:
    first, second, *_ = (status["id"] for status in api.get("/status/lead/")["data"])
    api.put(f"/lead/{lead}/", {"status_id": second})
    [told] = api.get("/activity/status_change/lead/", lead_id=lead)["data"]
    return told["id"], lambda: api.put(f"/lead/{lead}/", {"status_id": first})


def changed_deal(api: Api, lead: str) -> tuple[str, Callable[[], object]]:
    deal = api.post("/opportunity/", {"lead_id": lead})
    other = next(
        status["id"]
        for status in api.get("/status/opportunity/")["data"]
        if status["id"] != deal["status_id"]
    )
    path = f"/opportunity/{deal['id']}/"
    api.put(path, {"status_id": other})
    [told] = api.get("/activity/status_change/opportunity/", lead_id=lead)["data"]
    return told["id"], lambda: api.put(path, {"status_id": deal["status_id"]})


def log_mail(api: Api, lead: str) -> dict[str, Any]:
    mail = {"lead_id": lead, "status": "sent", "subject": "Quay", "to": ["nora@quay.example"]}
    made: dict[str, Any] = api.post("/activity/email/", mail)
    return made


def mail_of_a_thread(api: Api, lead: str) -> tuple[str, Callable[[], object]]:
    mail = log_mail(api, lead)
    return mail["id"], lambda: api.delete(f"/activity/emailthread/{mail['thread_id']}/")


def thread_of_its_last_mail(api: Api, lead: str) -> tuple[str, Callable[[], object]]:
    mail = log_mail(api, lead)
    return mail["thread_id"], lambda: api.delete(f"/activity/email/{mail['id']}/")


def thread_whose_mail_moves(api: Api, lead: str) -> tuple[str, Callable[[], object]]:
    mail, other = log_mail(api, lead), api.post("/lead/", {"name": "Quay Works"})["id"]
    return mail["thread_id"], lambda: api.put(f"/activity/email/{mail['id']}/", {"lead_id": other})


@pytest.mark.parametrize(
    "taken",
    [
        done_task,
        changed_lead,
        changed_deal,
        mail_of_a_thread,
        thread_of_its_last_mail,
        thread_whose_mail_moves,
    ],
)
def test_what_goes_by_itself_takes_its_comments_with_it(
    organization: Organization, lead: str, taken: Taken
) -> None:
    api = organization.admin
    about, take_back = taken(api, lead)
    made = comment(api, about)
    take_back()
    assert api("GET", f"/comment/{made['id']}/").status_code == 404
    assert api("GET", f"/comment_thread/{made['thread_id']}/").status_code == 404
    assert api("GET", f"/activity/{about}/").status_code == 404
    events = api.get("/event/", lead_id=lead)["data"]
    deleted = {event["object_id"] for event in events if event["action"] == "deleted"}
    assert {made["id"], made["thread_id"], about} <= deleted


def test_comments_go_with_their_object_to_another_lead(api: Api, note: str, deal: str) -> None:
    other = api.post("/lead/", {"name": "Quay"})["id"]
    for path, about in (("activity/note", note), ("opportunity", deal)):
        made = comment(api, about)
        api.put(f"/{path}/{about}/", {"lead_id": other})
        assert api.get(f"/comment/{made['id']}/")["lead_id"] == other
        assert api.get(f"/comment_thread/{made['thread_id']}/")["lead_id"] == other
    told = {event["object_type"] for event in api.get("/event/", lead_id=other)["data"]}
    assert {"comment", "comment_thread", "activity.note", "opportunity"} <= told


def test_a_thread_tells_of_its_comments(organization: Organization, note: str) -> None:
    api = organization.admin
    made = comment(api, note)
    comment(api, note)
    query = {"object_id": made["thread_id"], "object_type": "comment_thread"}
    last, first = api.get("/event/", **query)["data"]
    assert (first["action"], last["action"]) == ("created", "updated")
    assert {"num_comments", "updated_at"} <= set(last["changed_fields"])
    assert last["data"]["num_comments"] == 2
    assert {event["lead_id"] for event in (first, last)} == {made["lead_id"]}
    comment(organization.member("admin"), note)  # so that what follows is an event of its own
    api.put(f"/comment/{made['id']}/", {"body": "Well said"})
    [edited, *_] = api.get("/event/", **query)["data"]
    assert edited["changed_fields"] == ["updated_at"]


def test_comments_that_meet_make_one_thread(
    organization: Organization, note: str, deal: str
) -> None:
    api = organization.admin

    def say(number: int) -> int:
        about = (note, deal)[number % 2]
        return api("POST", "/comment/", {"object_id": about, "body": "x"}).status_code

    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(say, range(24)))
    assert codes == [201] * 24
    found = api.get("/comment_thread/")["data"]
    assert [thread["num_comments"] for thread in found] == [12, 12]


def test_a_thread_that_is_just_being_added_to_stays(organization: Organization, note: str) -> None:
    store, actor = organization.program.store, organization.actor()
    last = comment(organization.admin, note)

    async def race() -> None:
        async with store.database.tenant(actor.tenant) as transaction:
            add = Change.create(Comment, {"object_id": note, "body": "More"})
            await store.writes.write_within(transaction, actor, [add], TEST, answer=False)
            remove = store.write(actor, [Change.delete(Comment, last["id"])], TEST, answer=False)
            removing = asyncio.create_task(remove)
            await asyncio.sleep(0.3)
            assert not removing.done()
        await removing

    organization.program.run(race())
    assert texts(organization.admin, object_id=note) == ["", *rich("More")]


def test_many_who_comment_edit_and_remove_leave_what_adds_up(
    organization: Organization, note: str, deal: str
) -> None:
    api, store = organization.admin, organization.program.store

    def busy(number: int) -> set[int]:
        codes = set()
        for step in range(8):
            made = api("POST", "/comment/", {"object_id": (note, deal)[step % 2], "body": "x"})
            codes.add(made.status_code)
            path = f"/comment/{made.json()['id']}/"
            codes.add(api("PUT", path, {"body": "y"}).status_code)
            if (step + number) % 3:
                codes.add(api("DELETE", path).status_code)
        return codes

    with ThreadPoolExecutor(4) as threads:
        codes = set().union(*threads.map(busy, range(4)))
    assert codes == {200, 201, 204}

    async def wrong() -> dict[str, int]:
        async with store.reading(organization.system) as transaction:
            return await recount(transaction, store.declared, organization.system.organization_id)

    assert set(organization.program.run(wrong()).values()) == {0}


def test_a_removal_can_be_tried_without_removing(organization: Organization, note: str) -> None:
    made = comment(organization.admin, note)
    before = rows_of(organization)
    tried: Callable[..., Any] = organization.admin
    assert tried("DELETE", f"/comment/{made['id']}/", _dry_run="1").status_code == 204
    assert rows_of(organization) == before
