"""Mails: drafts, and those that were sent or received elsewhere and are logged."""

from typing import Any

import pytest
from harness import Api, Organization, Program, rows_of

from clinch.crm.activities.emails import Email
from clinch.resources.query.read import Page
from clinch.resources.query.tree import Equal

QUOTE: dict[str, Any] = {
    "status": "sent",
    "sender": "Ada Moss <ada@acme.test>",
    "to": ["bo@client.test"],
    "subject": "Quote",
    "body_text": "Hi Bo",
    "message_ids": ["<a1@acme.test>"],
    "activity_at": "2026-05-04T09:00:04+00:00",
}


# How often this connection fetched a value that lies beside the table of activities.
FETCHED = (
    "select coalesce(sum(idx_scan), 0)::int from pg_stat_xact_all_tables where relid ="
    " (select reltoastrelid from pg_class where relname = 'activity')"
)


@pytest.fixture
def lead(api: Api) -> dict[str, Any]:
    body = {"name": "Client", "contacts": [{"name": "Bo", "emails": [{"email": "Bo@client.test"}]}]}
    made: dict[str, Any] = api.post("/lead/", body)
    return made


def test_a_mail_is_answered_as_the_reference_has_it(api: Api, lead: dict[str, Any]) -> None:
    mail = api.post("/activity/email/", {"lead_id": lead["id"], **QUOTE})
    ada = {"email": "ada@acme.test", "name": "Ada Moss"}
    made = mail["date_created"]
    expected = {
        "attachments": [],
        "_type": "Email",
        "id": mail["id"],
        "organization_id": mail["organization_id"],
        "lead_id": lead["id"],
        "contact_id": lead["contacts"][0]["id"],
        "user_id": api.user_id,
        "user_name": "Sam Reed",
        "users": [],
        "created_by": api.user_id,
        "created_by_name": "Sam Reed",
        "updated_by": api.user_id,
        "updated_by_name": "Sam Reed",
        "date_created": made,
        "date_updated": made,
        "activity_at": "2026-05-04T09:00:04.000000+00:00",
        "direction": "outgoing",
        "status": "sent",
        "sender": "Ada Moss <ada@acme.test>",
        "to": ["bo@client.test"],
        "cc": [],
        "bcc": [],
        "subject": "Quote",
        "body_text": "Hi Bo",
        "body_html": "Hi Bo",
        "body_preview": "Hi Bo",
        "body_text_quoted": [{"text": "Hi Bo", "expand": True}],
        "body_html_quoted": [{"html": "Hi Bo", "expand": True}],
        "envelope": {
            "from": [ada],
            "sender": [ada],
            "to": [{"email": "bo@client.test", "name": ""}],
            "cc": [],
            "bcc": [],
            "reply_to": [],
            "date": "Mon, 04 May 2026 09:00:04 +0000",
            "in_reply_to": None,
            "message_id": "<a1@acme.test>",
            "subject": "Quote",
            "is_autoreply": False,
        },
        "message_ids": ["<a1@acme.test>"],
        "references": [],
        "in_reply_to_id": None,
        "thread_id": mail["thread_id"],
        "date_scheduled": None,
        "date_sent": "2026-05-04T09:00:04.000000+00:00",
        "has_reply": False,
        "opens": [],
        "opens_summary": None,
        "send_attempts": [],
        "template_id": None,
        "template_name": None,
        "bulk_email_action_id": None,
        "email_account_id": None,
        "send_as_id": None,
        "need_smtp_credentials": False,
        "followup_date": None,
        "followup_sequence_id": None,
        "followup_sequence_delay": None,
        "followup_sequence_add_cc_bcc": False,
        "sequence_id": None,
        "sequence_name": None,
        "sequence_subscription_id": None,
    }
    assert mail == expected
    assert api.get(f"/activity/email/{mail['id']}/") == mail
    assert api.get("/activity/email/", lead_id=lead["id"])["data"] == [mail]
    assert api.get("/activity/", lead_id=lead["id"], _type="Email")["data"] == [mail]


def test_a_mail_that_came_in_is_with_the_contact_who_wrote_it(
    api: Api, lead: dict[str, Any]
) -> None:
    body = {"lead_id": lead["id"], "status": "inbox", "sender": '"Lind, Bo" <BO@client.test>'}
    mail = api.post("/activity/email/", body)
    assert (mail["direction"], mail["contact_id"]) == ("incoming", lead["contacts"][0]["id"])
    assert mail["envelope"]["from"] == [{"email": "BO@client.test", "name": "Lind, Bo"}]
    assert (mail["date_sent"], mail["activity_at"]) == (mail["date_created"],) * 2
    stranger = api.post("/activity/email/", body | {"sender": "no.one@else.test"})
    assert stranger["contact_id"] is None
    named = api.post("/activity/email/", body | {"contact_id": None})
    assert named["contact_id"] is None


def test_headers_that_nothing_else_tells_may_be_sent(api: Api, lead: dict[str, Any]) -> None:
    envelope = {
        "message_id": "<b2@client.test>",
        "in_reply_to": "<a1@acme.test>",
        "date": "Tue, 05 May 2026 11:30:00 +0200",
        "reply_to": [{"email": "desk@client.test", "name": "Desk"}],
        "is_autoreply": True,
        "subject": "forged",
    }
    body = {"lead_id": lead["id"], "status": "inbox", "sender": "bo@client.test"}
    mail = api.post("/activity/email/", body | {"subject": "Re: Quote", "envelope": envelope})
    assert mail["message_ids"] == ["<b2@client.test>"]
    assert mail["date_sent"] == mail["activity_at"] == "2026-05-05T09:30:00.000000+00:00"
    assert mail["envelope"] == envelope | {
        "subject": "Re: Quote",
        "from": [{"email": "bo@client.test", "name": ""}],
        "sender": [{"email": "bo@client.test", "name": ""}],
        "to": [],
        "cc": [],
        "bcc": [],
    }


def test_who_sends_is_the_user_where_nobody_else_is_named(
    api: Api, organization: Organization, lead: dict[str, Any]
) -> None:
    other = organization.member("user", "Ina", "Holm")
    email = next(u["email"] for u in api.get("/user/")["data"] if u["id"] == other.user_id)
    body = {"lead_id": lead["id"], "status": "sent", "user_id": other.user_id}
    assert api.post("/activity/email/", body)["sender"] == f"Ina Holm <{email}>"
    draft = api.post("/activity/email/", body | {"status": "draft"})
    assert draft["sender"] is None
    sent = api.put(f"/activity/email/{draft['id']}/", {"status": "sent"})
    assert sent["sender"] == f"Ina Holm <{email}>"


def test_a_draft_can_be_changed_until_it_is_logged_as_sent(api: Api, lead: dict[str, Any]) -> None:
    draft = api.post("/activity/email/", {"lead_id": lead["id"], "status": "draft"})
    assert (draft["direction"], draft["envelope"], draft["thread_id"]) == ("outgoing", None, None)
    assert (draft["date_sent"], draft["body_text"], draft["subject"]) == (None, None, None)
    path = f"/activity/email/{draft['id']}/"
    written = api.put(path, {"to": ["bo@client.test"], "subject": "Hi", "body_html": "<p>a</p>b"})
    assert (written["body_text"], written["body_preview"]) == ("a\nb", "a b")
    assert written["contact_id"] == lead["contacts"][0]["id"]
    sent = api.put(path, {"status": "sent"})
    assert sent["date_sent"] == sent["activity_at"] == sent["date_updated"]
    assert sent["thread_id"] is not None
    assert sent["envelope"]["to"] == [{"email": "bo@client.test", "name": ""}]
    changes: list[dict[str, Any]] = [
        *({"subject": "Other"}, {"body_text": "Other"}, {"to": []}),
        *({"sender": "x@y.test"}, {"status": "draft"}),
    ]
    for body in changes:
        refused = api("PUT", path, body)
        assert refused.status_code == 400
        assert refused.json()["field-errors"] == dict.fromkeys(body, "Only drafts can be changed.")
    assert api.get(path) == sent
    assert api.put(path, sent) == sent
    opened = api.put(path, {"opens": [{"opened_at": "2026-05-05T10:00:00Z"}]})
    assert opened["opens"] == [
        {
            "opened_at": "2026-05-05T10:00:00+00:00",
            "opened_by": None,
            "ip_address": None,
            "user_agent": None,
        }
    ]
    assert opened["opens_summary"] == "Opened once"


@pytest.mark.parametrize("status", ["scheduled", "outbox"])
def test_what_would_have_to_be_sent_is_refused(
    api: Api, organization: Organization, lead: dict[str, Any], status: str
) -> None:
    draft = api.post("/activity/email/", {"lead_id": lead["id"], "status": "draft"})
    before = rows_of(organization)
    for method, path in (("POST", "/activity/email/"), ("PUT", f"/activity/email/{draft['id']}/")):
        refused = api(method, path, {"lead_id": lead["id"], **QUOTE, "status": status})
        assert refused.status_code == 400
        assert "does not send" in refused.json()["field-errors"]["status"]
    assert rows_of(organization) == before


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"status": "gone"}, "status"),
        ({"status": None}, "status"),
        ({"status": "inbox", "sender": None}, "sender"),
        ({"status": "error", "sender": ""}, "sender"),
        ({"sender": "Ada Moss"}, "sender"),
        ({"sender": "Ada <ada>"}, "sender"),
        ({"to": ["bo@client.test", "nobody"]}, "to"),
        ({"cc": "bo@client.test"}, "cc"),
        ({"envelope": {"date": "yesterday"}}, "envelope"),
        ({"envelope": [1]}, "envelope"),
        ({"opens": [{}]}, "opens"),
        ({"in_reply_to_id": "acti_unknown"}, "in_reply_to"),
        ({"body_html": "x" * 300_001}, "body_html"),
        ({"lead_id": None}, "lead"),
    ],
)
def test_what_no_mail_can_be_is_refused(
    api: Api, organization: Organization, lead: dict[str, Any], body: dict[str, Any], wrong: str
) -> None:
    before = rows_of(organization)
    refused = api("POST", "/activity/email/", {"lead_id": lead["id"], **QUOTE, **body})
    assert refused.status_code == 400
    assert refused.json()["field-errors"].keys() == {wrong}
    assert rows_of(organization) == before


def test_html_keeps_its_looks_and_loses_what_acts(api: Api, lead: dict[str, Any]) -> None:
    markup = (
        "<html><head><title>T</title><style>p{color:red}</style></head><body onload='x()'>"
        '<table width="600" bgcolor="#fff"><tr><td style="position:fixed;color:red">Hi '
        '<a href="javascript:x()">you</a><a href="https://acme.test" onclick="x()">us</a>'
        '<img src="cid:logo"><script>x()</script><iframe src="//x"></iframe><form><input></form>'
        "</td></tr></table></body></html>"
    )
    body = {"lead_id": lead["id"], "status": "draft", "body_html": markup}
    mail = api.post("/activity/email/", body)
    assert mail["body_html"] == (
        '<table width="600" bgcolor="#fff"><tbody><tr><td style="color:red">Hi '
        '<a rel="noopener noreferrer">you</a>'
        '<a href="https://acme.test" rel="noopener noreferrer">us</a>'
        '<img src="cid:logo"></td></tr></tbody></table>'
    )
    assert mail["body_text"] == "Hi youus"
    both = api.post("/activity/email/", body | {"body_text": "Plain"})
    assert (both["body_text"], both["body_html"]) == ("Plain", mail["body_html"])
    text = api.post("/activity/email/", {**body, "body_html": None, "body_text": "a < b\nc"})
    assert (text["body_html"], text["body_preview"]) == (None, "a < b c")
    alone = {"lead_id": lead["id"], "status": "draft", "body_text": "a < b\nc"}
    assert api.post("/activity/email/", alone)["body_html"] == "a &lt; b<br>c"


def test_what_a_mail_quotes_is_a_part_of_its_own(api: Api, lead: dict[str, Any]) -> None:
    body = {
        "lead_id": lead["id"],
        "status": "draft",
        "body_text": "Yes\n\nOn Mon, 4 May 2026 Bo <bo@client.test> wrote:\n> Do you?\n",
        "body_html": '<div>Yes</div><div class="gmail_quote">Do you?</div>',
    }
    mail = api.post("/activity/email/", body)
    assert mail["body_text_quoted"] == [
        {"text": "Yes\n\n", "expand": True},
        {"text": "On Mon, 4 May 2026 Bo <bo@client.test> wrote:\n> Do you?", "expand": False},
    ]
    assert mail["body_html_quoted"] == [
        {"html": "<div>Yes</div>", "expand": True},
        {"html": '<div class="gmail_quote">Do you?</div>', "expand": False},
    ]
    changed = api.put(f"/activity/email/{mail['id']}/", {"body_text": "Yes\n> Do you?\nI do"})
    assert changed["body_text_quoted"] == [{"text": "Yes\n> Do you?\nI do", "expand": True}]


@pytest.mark.parametrize("status", ["draft", "sent"])
def test_a_mail_keeps_when_to_ask_again(
    api: Api, organization: Organization, lead: dict[str, Any], status: str
) -> None:
    body = {"lead_id": lead["id"], **QUOTE, "status": status}
    mail = api.post("/activity/email/", body | {"followup_date": "2026-05-11T09:00:00+02:00"})
    path = f"/activity/email/{mail['id']}/"
    assert mail["followup_date"] == "2026-05-11T07:00:00.000000+00:00"
    assert api.put(path, mail) == api.get(path) == mail
    before = rows_of(organization)
    for method, url in (("POST", "/activity/email/"), ("PUT", path)):
        refused = api(method, url, body | {"followup_date": "soon"})
        assert (refused.status_code, refused.json()["field-errors"]) == (
            400,
            {"followup_date": "Invalid ISO 8601 datetime."},
        )
    assert rows_of(organization) == before
    assert api.put(path, {"followup_date": "2026-06-01"})["followup_date"].startswith("2026-06-01")
    assert api.put(path, {"followup_date": None})["followup_date"] is None


def test_a_mail_read_earlier_can_be_sent_back_whole(api: Api, lead: dict[str, Any]) -> None:
    mail = api.post("/activity/email/", {"lead_id": lead["id"], **QUOTE})
    again = api.post("/activity/email/", mail)
    varying = {"id", "date_updated"}
    assert {k: v for k, v in again.items() if k not in varying} == {
        k: v for k, v in mail.items() if k not in varying
    }


def test_a_lead_counts_mails_that_reached_somebody(api: Api, lead: dict[str, Any]) -> None:
    fields = (
        "num_emails,num_sent_emails,num_received_emails,last_email_date,last_incoming_email_date,"
        "last_outgoing_email_date,last_communication_date"
    )
    body = {"lead_id": lead["id"], "sender": "bo@client.test"}
    for status, at in (
        ("sent", "2026-03-01T10:00:00+00:00"),
        ("inbox", "2026-03-02T10:00:00+00:00"),
        ("error", "2026-03-03T10:00:00+00:00"),
        ("draft", "2026-03-04T10:00:00+00:00"),
    ):
        mail = api.post("/activity/email/", body | {"status": status, "activity_at": at})
    sums = {
        "num_emails": 2,
        "num_sent_emails": 1,
        "num_received_emails": 1,
        "last_email_date": "2026-03-02T10:00:00.000000+00:00",
        "last_incoming_email_date": "2026-03-02T10:00:00.000000+00:00",
        "last_outgoing_email_date": "2026-03-01T10:00:00.000000+00:00",
        "last_communication_date": "2026-03-02T10:00:00.000000+00:00",
    }
    assert api.get(f"/lead/{lead['id']}/", _fields=fields) == sums
    at = "2026-03-05T10:00:00+00:00"
    api.put(f"/activity/email/{mail['id']}/", {"status": "sent", "activity_at": at})
    after = api.get(f"/lead/{lead['id']}/", _fields=fields)
    assert (after["num_emails"], after["num_sent_emails"]) == (3, 2)
    assert after["last_email_date"] == "2026-03-05T10:00:00.000000+00:00"


def test_a_list_that_names_no_body_reads_none(
    api: Api, program: Program, organization: Organization, lead: dict[str, Any]
) -> None:
    """Bodies lie beside the table; PostgreSQL counts how often it fetches from there."""
    sizes = {"body_text": "word " * 5000, "body_html": "<p>word</p>" * 5000}
    mail = api.post("/activity/email/", {"lead_id": lead["id"], **QUOTE, **sizes})

    async def fetched(keys: tuple[str, ...]) -> int:
        store, actor = program.store, organization.system
        page = Page(where=Equal(Email.id, mail["id"]), keys=keys)
        async with store.reading(actor) as transaction:
            before = await transaction.value(FETCHED)
            assert b"bo@client.test" in await store.reads.page(transaction, actor, Email, page)
            return int(await transaction.value(FETCHED) - before)

    slim = tuple(key for key in Email.fields if not key.startswith(("body_text", "body_html")))
    assert program.run(fetched(slim)) == 0
    assert program.run(fetched(("to", "body_text"))) > 0


def test_whether_mails_have_replies_is_told_in_one_pass_of_the_thread_for_each(
    organization: Organization, lead: dict[str, Any]
) -> None:
    bo, ada, mails = "bo@client.test", "ada@acme.test", 100
    for number in range(mails):
        came = number < mails // 2
        mail = {
            "status": "inbox" if came else "sent",
            "sender": bo if came else ada,
            "to": [ada if came else bo],
            "activity_at": f"2026-05-04T09:{number // 60:02}:{number % 60:02}+00:00",
        }
        organization.admin.post(
            "/activity/email/", {"lead_id": lead["id"], "subject": "Quote", **mail}
        )
    actor, store = organization.actor(), organization.program.store
    asked = Page(limit=mails, keys=("has_reply",))

    async def read() -> tuple[bytes, int]:
        async with store.reading(actor) as transaction:
            before = await transaction.value(_READ_SO_FAR)
            page = await store.reads.page(transaction, actor, Email, asked)
            return page, await transaction.value(_READ_SO_FAR) - before

    page, entries = organization.program.run(read())
    assert page.count(b'"has_reply":true') == 1
    assert entries < 5 * mails**2


_READ_SO_FAR = (
    "select sum(pg_stat_get_xact_tuples_returned(i.indexrelid))::bigint from pg_index i"
    " where i.indrelid = 'activity'::regclass"
)
