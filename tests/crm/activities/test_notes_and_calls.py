"""Notes and calls: what follows from what was sent."""

import pytest
from harness import Api


@pytest.fixture
def lead(api: Api) -> str:
    return str(api.post("/lead/", {"name": "Harbour Tools"})["id"])


def test_a_note_is_kept_plain_and_rich(api: Api, lead: str) -> None:
    note = api.post("/activity/note/", {"lead_id": lead, "note": "a < b\nc"})
    assert note["note_html"] == "<body><p>a &lt; b<br />c</p></body>"
    assert (note["user_id"], note["source"], note["pinned_at"]) == (api.user_id, "api", None)
    html = "<p>Hi <b>you</b><script>x()</script></p>"
    changed = api.put(f"/activity/note/{note['id']}/", {"note_html": html, "pinned": True})
    assert changed["note_html"] == "<body><p>Hi <b>you</b></p></body>"
    assert changed["note"] == "Hi you"
    assert changed["pinned_at"] == changed["date_updated"]
    empty = api.put(f"/activity/note/{note['id']}/", {"note": "", "pinned": False})
    assert (empty["note"], empty["note_html"]) == ("", "<body><p></p></body>")
    assert empty["pinned_at"] is None


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("Hello<p>World</p>", "Hello\nWorld"),
        ("Hi<h1>T</h1>x<ul><li>a</li></ul>", "Hi\nT\nx\n* a"),
        ("<p>a</p><p></p><p>b</p>", "a\n\nb"),
        ("<ol><li><p>a</p></li><li>b <i>c</i></li></ol>", "* a\n\n* b c"),
        ("a<br>b<hr>c<blockquote>d</blockquote>", "a\nb\nc\nd"),
        ("<p>x &lt;p&gt; y</p>", "x <p> y"),
    ],
)
def test_blocks_of_a_note_stand_on_lines_of_their_own(
    api: Api, lead: str, markup: str, text: str
) -> None:
    assert api.post("/activity/note/", {"lead_id": lead, "note_html": markup})["note"] == text


TWINS = [
    ("/activity/note/", "note", "note_html", {}),
    ("/activity/call/", "note", "note_html", {}),
    ("/opportunity/", "note", "note_html", {}),
    (
        "/activity/meeting/",
        "user_note",
        "user_note_html",
        {"starts_at": "2026-05-04T10:00:00Z", "duration": 60},
    ),
]


@pytest.mark.parametrize(("path", "plain", "rich", "body"), TWINS)
def test_a_note_that_is_sent_back_as_it_was_read_stays(
    api: Api, lead: str, path: str, plain: str, rich: str, body: dict[str, object]
) -> None:
    written = "* a\n\n\n\nb  <c>"
    made = api.post(path, {"lead_id": lead, plain: written} | body)
    assert made[plain] == written
    url = f"{path}{made['id']}/"
    assert api.put(url, made) == made
    assert api.put(url, {rich: made[rich]}) == made
    edited = api.put(url, made | {plain: "New\nlines"})
    assert edited[plain] == "New\nlines"
    assert "New" in edited[rich]
    assert "New" not in (api.put(url, edited | {plain: ""})[rich] or "")
    changed = api.put(url, {plain: written, rich: "<p>Other</p>"})
    assert (changed[plain], changed[rich]) == ("Other", "<body><p>Other</p></body>")


def test_a_note_knows_whom_it_mentions(api: Api, lead: str) -> None:
    span = f'<span data-type="mention" data-id="{api.user_id}" class="mention">@Sam</span>'
    note = api.post("/activity/note/", {"lead_id": lead, "note_html": f"<p>{span} look</p>"})
    assert note["note_mentions"] == [api.user_id]


def test_a_note_needs_a_lead(api: Api) -> None:
    refused = api("POST", "/activity/note/", {"note": "x"})
    assert refused.status_code == 400
    assert "lead" in refused.json()["field-errors"]


def test_a_call_that_is_logged_is_an_external_one(api: Api, lead: str) -> None:
    call = api.post(
        "/activity/call/",
        {
            "lead_id": lead,
            "direction": "outbound",
            "phone": "(650) 555-0100",
            "duration": 153,
            "note": "left details",
            "recording_url": "https://calls.example/1.mp3",
        },
    )
    assert (
        call
        | {
            "_type": "Call",
            "status": "completed",
            "disposition": "answered",
            "call_method": "external",
            "source": "External",
            "cost": "0",
            "duration": 153,
            "phone": "+16505550100",
            "remote_phone": "+16505550100",
            "remote_phone_formatted": "+1 650-555-0100",
            "remote_country_iso": "US",
            "note_html": "<body><p>left details</p></body>",
            "has_recording": True,
            "voicemail_duration": 0,
            "coach_legs": [],
        }
        == call
    )
    assert call["note_date_updated"] == call["date_created"]
    changed = api.put(f"/activity/call/{call['id']}/", {"status": "no-answer", "phone": None})
    assert changed["disposition"] == "no-answer"
    assert (changed["phone"], changed["remote_phone_formatted"]) == (None, None)


def test_transcripts_are_answered_by_name_alone(api: Api, lead: str) -> None:
    call = api.post("/activity/call/", {"lead_id": lead})
    names = ("recording_transcript", "voicemail_transcript")
    assert not call.keys() & set(names)
    for path in ("/activity/call/", "/activity/"):
        [told] = api.get(path, lead_id=lead, _type="Call", _fields=",".join(names))["data"]
        assert told == dict.fromkeys(names)
    assert api.get(f"/activity/call/{call['id']}/", _fields=",".join(names)) == told


@pytest.mark.parametrize(
    "body",
    [
        {"duration": 604_801},
        {"direction": "incoming"},
        {"phone": "nobody"},
        {"recording_url": "http://calls.example/1.mp3"},
        {"status": "gone"},
        {"note": "\x00"},
    ],
)
def test_what_no_call_can_be_is_refused(api: Api, lead: str, body: dict[str, object]) -> None:
    call = api.post("/activity/call/", {"lead_id": lead})
    for method, path in (("POST", "/activity/call/"), ("PUT", f"/activity/call/{call['id']}/")):
        refused = api(method, path, {"lead_id": lead, **body})
        assert refused.status_code == 400
        assert refused.json()["field-errors"].keys() == body.keys()
    assert api.get("/activity/call/", lead_id=lead)["data"] == [call]


def test_an_activity_read_earlier_can_be_sent_back_whole(api: Api, lead: str) -> None:
    call = api.post("/activity/call/", {"lead_id": lead, "note": "x", "phone": "+16505550100"})
    again = api.post("/activity/call/", call)
    varying = {"id", "date_updated", "activity_at", "note_date_updated"}
    assert {k: v for k, v in again.items() if k not in varying} == {
        k: v for k, v in call.items() if k not in varying
    }
