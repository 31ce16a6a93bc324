"""Leads over HTTP: made, listed, changed, deleted, with the contacts in them."""

from typing import Any


def test_a_lead_is_made_with_its_contacts(api: Any) -> None:
    made = api.post(
        "/lead/",
        {
            "name": " Harbour Tools ",
            "url": "harbour.example",
            "addresses": [{"city": "Leith", "country": "GB"}],
            "contacts": [
                {
                    "name": "Ada Moss",
                    "title": "Buyer",
                    "emails": [{"email": "ada@harbour.example"}],
                    "phones": [{"phone": "+441315550100", "type": "mobile"}],
                }
            ],
        },
    )
    assert made["name"] == made["display_name"] == "Harbour Tools"
    assert made["url"] == "http://harbour.example"
    assert made["status_label"] == "Potential"
    assert made["addresses"][0]["tz_ids"] == ["Europe/London"]
    assert made["created_by"] == made["updated_by"] == api.user_id
    assert made["created_by_name"] == "Sam Reed"
    [contact] = made["contacts"]
    assert made["contact_ids"] == [contact["id"]]
    assert contact["lead_id"] == made["id"]
    assert contact["emails"] == [
        {"email": "ada@harbour.example", "type": "office", "is_unsubscribed": False}
    ]
    assert contact["phones"][0]["phone_formatted"] == "+44 131 555 0100"
    wide = api.get(f"/lead/{made['id']}/", _fields="primary_email,primary_phone")
    assert wide["primary_email"]["email"] == "ada@harbour.example"
    assert wide["primary_phone"]["country"] == "GB"
    assert api.get(f"/lead/{made['id']}/") == made
    listed = api.get("/lead/")
    assert listed == {"data": [made], "has_more": False, "total_results": 1}


def test_contacts_keep_the_order_in_which_they_were_sent(api: Any) -> None:
    names = [f"Person {number}" for number in range(30)]
    made = api.post("/lead/", {"contacts": [{"name": name} for name in names]})
    assert [contact["name"] for contact in made["contacts"]] == names
    assert made["contact_ids"] == [contact["id"] for contact in made["contacts"]]
    assert made["display_name"] == "Person 0"
