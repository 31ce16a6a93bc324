"""What writes do, read again through the API."""

import pytest
from gateway.actions.scene import Scene


def test_a_lead_with_people_and_addresses_in_one_request(scene: Scene) -> None:
    result = scene.run(
        "create-lead",
        {
            "company": "Quay Works",
            "website": "quay.example",
            "status": "customer",
            "contacts": [
                {"name": "Ina Holm", "email": "ina@quay.test", "customFields": {"Role": "CEO"}},
                "Jo Berg",
            ],
            "addresses": [{"street": "1 Quay Rd", "city": "Leith", "zip": "EH6", "country": "GB"}],
            "custom_fields": {"industry": "Retail"},
        },
    )
    assert [e.method for e in result.exchanges].count("POST") == 1
    lead = scene.key.get(f"/lead/{result.output['id']}/")
    assert (lead["name"], lead["status_label"]) == ("Quay Works", "Customer")
    assert lead["url"] == "http://quay.example"
    assert [c["name"] for c in lead["contacts"]] == ["Ina Holm", "Jo Berg"]
    assert lead["contacts"][0]["emails"][0]["email"] == "ina@quay.test"
    assert lead["contacts"][0]["custom"] == {"Role": "CEO"}
    assert lead["addresses"][0]["address_1"] == "1 Quay Rd"
    assert lead["addresses"][0]["zipcode"] == "EH6"
    assert lead["custom"] == {"Industry": "Retail"}
    assert result.output["status_label"] == "Customer"
    changed = scene.run(
        "update-lead",
        {"lead_id": lead["id"], "name": "Quay", "description": "New", "status": lead["status_id"],
         "customFields": {"Industry": None}},
    )  # fmt: skip
    assert changed.output["description"] == "New"
    after = scene.key.get(f"/lead/{lead['id']}/")
    assert (after["name"], after["custom"], after["url"]) == ("Quay", {}, "http://quay.example")
    assert scene.run("get-lead", {"id": lead["id"]}).output["contacts"] == after["contacts"]


def test_contacts(scene: Scene) -> None:
    made = scene.run("create-contact", {"name": "Uma Ray", "phones": ["+16502822245"]}).output
    assert scene.key.get(f"/lead/{made['lead_id']}/")["name"] == "Uma Ray"
    inside = {"leadId": scene.ids["north"], "name": "Vi", "emails": [{"email": "vi@n.test"}]}
    made = scene.run("create-contact", inside).output
    assert made["lead_id"] == scene.ids["north"]
    assert made["emails"] == [{"email": "vi@n.test", "type": "office"}]
    changed = {"id": made["id"], "title": "CTO", "customFields": {"role": "Boss"}}
    scene.run("update-contact", changed)
    after = scene.run("get-contact", {"id": made["id"]}).output
    assert (after["name"], after["title"], after["custom"]) == ("Vi", "CTO", {"Role": "Boss"})
    scene.run("update-contact", {"id": made["id"], "title": None})
    assert not scene.key.get(f"/contact/{made['id']}/")["title"]
    assert scene.run("delete-contact", {"id": made["id"]}).output["deleted"] is True
    assert scene.refused("get-contact", {"id": made["id"]}).status == 404


def test_opportunities(scene: Scene) -> None:
    result = scene.run(
        "create-opportunity",
        {"leadId": scene.ids["harbour"], "contactId": scene.ids["bo"], "value": "120000",
         "period": "yearly", "status": "won", "pipeline": "renewals", "owner": scene.email,
         "confidence": 80, "note": "Big", "closeDate": "2026-04-02", "customFields": {"Budget": 7}},
    )  # fmt: skip
    assert result.warnings == ("value is in cents: 120000 stands for 1,200.00 of the currency.",)
    assert result.output["value_formatted"] == "$1,200 annual"
    made = scene.key.get(f"/opportunity/{result.output['id']}/")
    assert (made["value"], made["value_period"], made["confidence"]) == (120000, "annual", 80)
    assert (made["pipeline_name"], made["status_label"]) == ("Renewals", "Won")
    assert (made["user_id"], made["date_won"]) == (scene.ids["ada"], "2026-04-02")
    assert (made["contact_id"], made["note"]) == (scene.ids["bo"], "Big")
    assert made["custom"] == {"Budget": 7}
    plain = scene.run("create-opportunity", {"leadId": scene.ids["harbour"]}).output
    assert (plain["value"], plain["status_label"]) == (None, "Active")
    scene.run(
        "update-opportunity", {"id": plain["id"], "status": "Lost", "value": 5, "userId": "me"}
    )
    after = scene.run("get-opportunity", {"id": plain["id"]}).output
    assert (after["status_label"], after["value"], after["user_id"]) == (
        "Lost",
        5,
        scene.ids["sam"],
    )
    assert scene.run("delete-opportunity", {"id": plain["id"]}).output["deleted"] is True
    assert scene.key("GET", f"/opportunity/{plain['id']}/").status_code == 404


def test_tasks(scene: Scene) -> None:
    asked = {"leadId": scene.ids["harbour"], "text": "Ring", "dueDate": "2026-03-05"}
    made = scene.run("create-task", asked | {"assignee": "Ada Moss"}).output
    assert (made["text"], made["date"]) == ("Ring", "2026-03-05")
    assert made["assigned_to_name"] == "Ada Moss"
    assert scene.run("complete-task", {"id": made["id"]}).output["is_complete"] is True
    assert scene.key.get(f"/task/{made['id']}/")["is_complete"] is True
    scene.run("complete-task", {"id": made["id"], "isComplete": False})
    scene.run("update-task", {"id": made["id"], "text": "Write", "date": "2026-03-09T10:00:00Z",
                              "userId": "me"})  # fmt: skip
    after = scene.run("get-task", {"id": made["id"]}).output
    assert (after["text"], after["is_complete"]) == ("Write", False)
    assert after["date"].startswith("2026-03-09T10:00:00")
    assert after["assigned_to"] == scene.ids["sam"]
    scene.run("delete-task", {"id": made["id"]})
    assert scene.key("GET", f"/task/{made['id']}/").status_code == 404


def test_notes_and_calls(scene: Scene) -> None:
    asked = {"leadId": scene.ids["harbour"], "contactId": scene.ids["bo"]}
    made = scene.run("create-note", asked | {"text": "Spoke", "activityAt": "2026-03-05"}).output
    note = scene.key.get(f"/activity/note/{made['id']}/")
    assert (note["note"], note["contact_id"]) == ("Spoke", scene.ids["bo"])
    assert note["activity_at"].startswith("2026-03-05")
    scene.run("update-note", {"id": made["id"], "note": "Wrote", "pinned": True})
    after = scene.run("get-note", {"id": made["id"]}).output
    assert (after["note"], after["pinned"]) == ("Wrote", True)
    scene.run("delete-note", {"id": made["id"]})
    assert scene.refused("get-note", {"id": made["id"]}).message == "No note has this id (id)."
    call = scene.run("log-call", asked | {"direction": "outgoing", "duration": 60, "note": "Hi"})
    kept = scene.key.get(f"/activity/call/{call.output['id']}/")
    assert (kept["direction"], kept["duration"], kept["note"]) == ("outbound", 60, "Hi")


def test_merging_and_deleting_leads(scene: Scene) -> None:
    two = [
        scene.run("create-lead", {"name": name, "contacts": [name]}).output["id"] for name in "AB"
    ]
    merged = scene.run("merge-leads", {"source": two[0], "destination": two[1]}).output
    assert merged == {"id": two[1], "merged": True}
    assert scene.key("GET", f"/lead/{two[0]}/").status_code == 404
    assert len(scene.key.get(f"/lead/{two[1]}/")["contacts"]) == 2
    assert scene.run("delete-lead", {"id": two[1]}).output == {"id": two[1], "deleted": True}
    assert scene.key("GET", f"/lead/{two[1]}/").status_code == 404


def test_accounts_and_users(scene: Scene) -> None:
    asked = {"name": "Quay Group", "domain": "quay-group.example", "parentId": scene.ids["account"]}
    made = scene.run("create-account", asked | {"userId": "me"}).output
    account = scene.run("get-account", {"id": made["id"]}).output
    assert (account["domains"], account["parent_id"]) == (
        ["quay-group.example"],
        scene.ids["account"],
    )
    assert scene.run("get-me").output["id"] == scene.ids["sam"]
    assert scene.run("get-user", {"id": scene.ids["ada"]}).output["first_name"] == "Ada"


def test_names_that_mean_nothing_are_told(scene: Scene) -> None:
    result = scene.run("create-task", {"leadId": scene.ids["north"], "text": "x", "zebra": 1})
    assert "zebra is not an input of create-task and was ignored" in result.warnings[0]


@pytest.mark.parametrize("lead_id", ["leadId", "lead_id", "LeadID", "lead-id"])
def test_spellings_of_one_name(scene: Scene, lead_id: str) -> None:
    made = scene.run("create-note", {lead_id: scene.ids["north"], "note": "x"}).output
    assert made["lead_id"] == scene.ids["north"]
