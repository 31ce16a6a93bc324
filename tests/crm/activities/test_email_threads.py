"""Threads: how mails come together, and what becomes of a thread as they come and go."""

from typing import Any

import pytest
from harness import TEST, Api, Organization, make_organization, rows_of

from clinch.crm.activities.email_threads import EmailThread
from clinch.crm.activities.emails import Email
from clinch.resources.write.change import Change

ADA, BO, CY = "Ada Moss <ada@acme.test>", "bo@client.test", "cy@client.test"


class Post:
    """Logs the mails of one lead."""

    def __init__(self, api: Api, lead: str) -> None:
        self.api, self.lead, self._number = api, lead, 0

    def __call__(self, subject: str | None = "Quote", **body: Any) -> dict[str, Any]:
        """A mail from Ada to Bo, a minute after the last one."""
        self._number += 1
        mail = {
            "lead_id": self.lead,
            "status": "sent",
            "sender": ADA,
            "to": [BO],
            "subject": subject,
            "activity_at": f"2026-05-04T09:{self._number:02}:00+00:00",
        }
        made: dict[str, Any] = self.api.post("/activity/email/", mail | body)
        return made

    def answer(self, subject: str = "Re: Quote", **body: Any) -> dict[str, Any]:
        return self(subject, status="inbox", sender=BO, to=[ADA], **body)

    def threads(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get("/activity/emailthread/", lead_id=self.lead)[
            "data"
        ]
        return found


@pytest.fixture
def post(api: Api) -> Post:
    lead = api.post("/lead/", {"contacts": [{"name": "Bo", "emails": [{"email": BO}]}]})
    return Post(api, lead["id"])


def test_a_thread_is_answered_as_the_reference_has_it(api: Api, post: Post) -> None:
    mail = post(body_text="Hi Bo")
    [thread] = post.threads()
    bodies = {"body_text", "body_html", "body_text_quoted", "body_html_quoted"}
    assert thread == {
        "_type": "EmailThread",
        "id": mail["thread_id"],
        "organization_id": mail["organization_id"],
        "lead_id": post.lead,
        "contact_id": mail["contact_id"],
        "user_id": api.user_id,
        "user_name": "Sam Reed",
        "users": [api.user_id],
        "created_by": api.user_id,
        "created_by_name": "Sam Reed",
        "updated_by": api.user_id,
        "updated_by_name": "Sam Reed",
        "date_created": mail["activity_at"],
        "date_updated": mail["date_updated"],
        "activity_at": mail["activity_at"],
        "latest_normalized_subject": "Quote",
        "n_emails": 1,
        "participants": [
            {"email": "ada@acme.test", "name": "Ada Moss"},
            {"email": BO, "name": ""},
        ],
        "emails": [{key: value for key, value in mail.items() if key not in bodies}],
    }
    assert thread["emails"][0]["body_preview"] == "Hi Bo"
    assert api.get(f"/activity/emailthread/{thread['id']}/") == thread


def test_an_answer_comes_to_the_thread_of_its_subject_and_people(post: Post) -> None:
    first, second = post(), post.answer("AW: Re: Quote", cc=[CY])
    third = post("FWD: quote ", to=[BO])
    assert first["thread_id"] == second["thread_id"]
    assert third["thread_id"] != first["thread_id"], "a subject is the same to the letter"
    [_, thread] = post.threads()
    assert [mail["id"] for mail in thread["emails"]] == [second["id"], first["id"]]
    assert (thread["n_emails"], thread["latest_normalized_subject"]) == (2, "Quote")
    assert (thread["activity_at"], thread["date_created"]) == (
        second["activity_at"],
        first["activity_at"],
    )
    assert [one["email"] for one in thread["participants"]] == ["ada@acme.test", BO, CY]


@pytest.mark.parametrize(
    "other",
    [
        {"to": [CY]},
        {"subject": "Price"},
        {"subject": None},
        {"subject": "Re:"},
        {"status": "draft"},
    ],
)
def test_a_mail_that_fits_into_no_thread_begins_one(post: Post, other: dict[str, Any]) -> None:
    first, second = post(), post(**other)
    assert first["thread_id"] != second["thread_id"]
    drafts = other.get("status") == "draft"
    assert len(post.threads()) == (1 if drafts else 2)
    assert (second["thread_id"] is None) is drafts


def test_mails_without_a_subject_are_not_alike(post: Post) -> None:
    assert post(None)["thread_id"] != post(None)["thread_id"]


def test_headers_say_what_a_mail_answers_whatever_its_subject(post: Post) -> None:
    first = post(message_ids=["<a1@acme.test>"])
    answers = [
        post.answer("Other", references=["<a1@acme.test>"]),
        post.answer("Another", envelope={"in_reply_to": "<a1@acme.test>"}),
        post.answer("A third", in_reply_to_id=first["id"]),
    ]
    assert {mail["thread_id"] for mail in answers} == {first["thread_id"]}
    assert answers[2]["references"] == ["<a1@acme.test>"]
    assert answers[2]["envelope"]["in_reply_to"] == "<a1@acme.test>"
    assert post.api.get(f"/activity/email/{first['id']}/")["has_reply"] is True
    assert post.api.get(f"/activity/email/{answers[0]['id']}/")["has_reply"] is False
    [thread] = post.threads()
    assert thread["latest_normalized_subject"] == "A third"


@pytest.mark.parametrize(
    "headers",
    [
        {"references": ["<a0@acme.test>", "<a1@acme.test>"]},
        {"envelope": {"in_reply_to": "<a1@acme.test>"}},
        {"references": ["<a1@acme.test>", "<x@elsewhere.test>"]},
    ],
)
def test_headers_say_which_mail_it_is_that_is_answered(post: Post, headers: dict[str, Any]) -> None:
    first = post(message_ids=["<a0@acme.test>"])
    second = post(message_ids=["<a1@acme.test>", "<b@acme.test>"])
    answer = post.answer("Other", **headers)
    assert answer["in_reply_to_id"] == second["id"]
    has_reply = {mail["id"]: mail["has_reply"] for mail in post.threads()[0]["emails"]}
    assert has_reply == {first["id"]: False, second["id"]: True, answer["id"]: False}
    url = f"/activity/email/{answer['id']}/"
    assert post.api.put(url, answer) == post.api.get(url) == answer


def test_what_does_not_say_what_it_answers_answers_the_last_from_the_other_side(
    post: Post,
) -> None:
    first, second, third = post(), post(), post()
    answer = post.answer(activity_at="2026-05-04T09:02:30+00:00")
    again = post.answer(activity_at="2026-05-04T09:02:40+00:00")
    assert (answer["thread_id"], answer["in_reply_to_id"]) == (first["thread_id"], None)

    def answered() -> set[str]:
        return {mail["id"] for mail in post.threads()[0]["emails"] if mail["has_reply"]}

    assert answered() == {second["id"], again["id"]}
    assert post.api.get(f"/activity/email/{second['id']}/")["has_reply"] is True
    last = post.answer()
    assert answered() == {second["id"], again["id"], third["id"]}
    for mail in (answer, again, last):
        post.api.delete(f"/activity/email/{mail['id']}/")
    assert answered() == set()


def test_what_is_sent_of_the_mail_that_is_answered_counts_before_headers(post: Post) -> None:
    first, second = post(message_ids=["<a0@acme.test>"]), post(message_ids=["<a1@acme.test>"])
    answer = post.answer(in_reply_to_id=first["id"], references=["<a1@acme.test>"])
    assert answer["in_reply_to_id"] == first["id"]
    assert post.api.get(f"/activity/email/{second['id']}/")["has_reply"] is False


def test_a_draft_answers_what_its_references_name_once_it_is_sent(post: Post) -> None:
    first = post(message_ids=["<a1@acme.test>"])
    draft = post(status="draft", references=["<a1@acme.test>"])
    assert draft["in_reply_to_id"] is None
    sent = post.api.put(f"/activity/email/{draft['id']}/", {"status": "sent"})
    assert sent["in_reply_to_id"] == first["id"]


def test_mails_answer_those_alone_that_were_logged_before_them(post: Post) -> None:
    answer = post.answer(references=["<a1@acme.test>"])
    first = post(message_ids=["<a1@acme.test>"])
    assert first["thread_id"] == answer["thread_id"]
    changed = post.api.put(f"/activity/email/{answer['id']}/", {"activity_at": "2026-06-01"})
    assert changed["in_reply_to_id"] is None
    other = Post(post.api, post.api.post("/lead/", {})["id"])
    assert other.answer(references=["<a1@acme.test>"])["in_reply_to_id"] is None


def test_a_mail_that_goes_to_another_lead_answers_none_of_the_first(api: Api, post: Post) -> None:
    post(message_ids=["<a1@acme.test>"])
    answer = post.answer(references=["<a1@acme.test>"])
    assert answer["in_reply_to_id"] is not None
    there = api.post("/lead/", {})["id"]
    moved = api.put(f"/activity/email/{answer['id']}/", {"lead_id": there, "contact_id": None})
    assert moved["in_reply_to_id"] is None


def test_mails_of_two_leads_are_never_in_one_thread(api: Api, post: Post) -> None:
    first = post(message_ids=["<a1@acme.test>"])
    other = Post(api, api.post("/lead/", {})["id"])
    second = other(references=["<a1@acme.test>"], in_reply_to_id=first["id"])
    assert second["thread_id"] != first["thread_id"]
    moved = api.put(f"/activity/email/{first['id']}/", {"lead_id": other.lead, "contact_id": None})
    assert moved["thread_id"] == second["thread_id"]
    assert post.threads() == []
    assert [thread["n_emails"] for thread in other.threads()] == [2]


def test_a_thread_follows_its_mails_and_goes_with_the_last(
    api: Api, organization: Organization, post: Post
) -> None:
    ina = organization.member("user", "Ina", "Holm")
    first, second = post(), post.answer(user_id=ina.user_id)
    [thread] = post.threads()
    assert (thread["user_name"], thread["users"]) == ("Ina Holm", [api.user_id, ina.user_id])
    late = {"activity_at": "2026-06-01T00:00:00+00:00"}
    api.put(f"/activity/email/{first['id']}/", late)
    [thread] = post.threads()
    assert thread["activity_at"] == "2026-06-01T00:00:00.000000+00:00"
    assert (thread["user_id"], thread["emails"][0]["id"]) == (api.user_id, first["id"])
    api.delete(f"/activity/email/{first['id']}/")
    [thread] = post.threads()
    assert (thread["n_emails"], thread["users"]) == (1, [ina.user_id])
    assert thread["activity_at"] == second["activity_at"]
    api.delete(f"/activity/email/{second['id']}/")
    assert post.threads() == []
    events = api.get("/event/", object_type="activity.email_thread")["data"]
    assert [event["action"] for event in events] == ["deleted", "updated", "created"]
    assert events[0]["previous_data"]["n_emails"] == 1
    assert events[1]["changed_fields"] == [
        *("activity_at", "date_created", "date_updated", "n_emails", "participants"),
        *("user_id", "user_name", "users"),
    ]


def test_a_thread_that_is_deleted_takes_its_mails_along(api: Api, post: Post) -> None:
    for mail in (post(), post.answer()):
        assert mail["thread_id"]
    other, draft = post("Other"), post(status="draft")
    gone = next(thread for thread in post.threads() if thread["n_emails"] == 2)
    api.delete(f"/activity/emailthread/{gone['id']}/")
    assert [thread["id"] for thread in post.threads()] == [other["thread_id"]]
    left = api.get("/activity/email/", lead_id=post.lead)["data"]
    assert {mail["id"] for mail in left} == {other["id"], draft["id"]}
    assert api.get(f"/lead/{post.lead}/", _fields="num_emails") == {"num_emails": 1}
    events = api.get("/event/", object_type="activity.email", action="deleted")["data"]
    assert len(events) == 2
    for method in ("POST", "PUT"):
        path = f"/activity/emailthread/{other['thread_id'] + '/' if method == 'PUT' else ''}"
        assert api(method, path, {}).status_code == 405


def test_a_mail_that_is_changed_while_its_thread_goes_is_in_no_thread_that_is_gone(
    organization: Organization, post: Post
) -> None:
    first, second, third = post(), post.answer(), post.answer()
    store, thread = organization.program.store, first["thread_id"]
    changes = [
        Change.update(Email, first["id"], {"opens": [{"opened_at": "2026-05-05"}]}),
        Change.update(Email, second["id"], {"activity_at": "2026-05-05"}),
        Change.delete(EmailThread, thread),
    ]
    organization.program.run(store.write(organization.actor(), changes, TEST, answer=False))
    left = post.api.get("/activity/email/", lead_id=post.lead)["data"]
    assert [mail["id"] for mail in left] == [second["id"]]
    assert [entry["id"] for entry in post.threads()] == [left[0]["thread_id"]] != [thread]
    assert third["thread_id"] == thread


def test_a_lead_or_contact_that_goes_leaves_threads_as_they_are_to_be(api: Api, post: Post) -> None:
    mail = post()
    api.delete(f"/contact/{mail['contact_id']}/")
    [thread] = post.threads()
    assert (thread["contact_id"], thread["emails"][0]["contact_id"]) == (None, None)
    api.delete(f"/lead/{post.lead}/")
    for path in (f"emailthread/{thread['id']}", f"email/{mail['id']}"):
        assert api("GET", f"/activity/{path}/").status_code == 404


def test_lists_of_activities_have_mails_or_threads_or_both(api: Api, post: Post) -> None:
    mail = post(body_text="Hi Bo")
    api.post("/activity/note/", {"lead_id": post.lead, "note": "x"})

    def listed(**query: str) -> dict[str, dict[str, Any]]:
        data = api.get("/activity/", lead_id=post.lead, **query)["data"]
        return {entry["_type"]: entry for entry in data}

    assert listed()["Email"] == mail
    assert listed().keys() == {"Email", "Note", "Created"}
    only = listed(thread_emails="only")
    assert only.keys() == {"EmailThread", "Note", "Created"}
    [thread] = post.threads()
    assert only["EmailThread"] == thread
    both = listed(thread_emails="true")
    assert both == only | {"Email": thread["emails"][0]}
    named = listed(thread_emails="true", _fields="_type,body_text")
    assert named["Email"] == {"_type": "Email", "body_text": "Hi Bo"}


def test_a_thread_is_seen_by_whom_its_lead_is(organization: Organization, post: Post) -> None:
    mail = post()
    field = organization.admin.post("/custom_field/lead/", {"name": "Owner", "type": "user"})["id"]
    rep = organization.limited(field)
    before = rows_of(organization)
    assert rep.get("/activity/emailthread/")["data"] == []
    for method in ("GET", "DELETE"):
        path = f"/activity/emailthread/{mail['thread_id']}/"
        assert rep(method, path).status_code == 404
        assert make_organization(organization.program).admin(method, path).status_code == 404
    assert rows_of(organization) == before
    organization.admin.put(f"/lead/{post.lead}/", {f"custom.{field}": rep.user_id})
    [thread] = rep.get("/activity/emailthread/")["data"]
    assert [entry["id"] for entry in thread["emails"]] == [mail["id"]]
