"""Pipelines and their statuses over HTTP."""

from concurrent.futures import ThreadPoolExecutor

from harness import Api


def labels(api: Api, pipeline: str) -> list[str]:
    return [status["label"] for status in api.get(f"/pipeline/{pipeline}/")["statuses"]]


def test_an_organization_starts_with_one_pipeline(api: Api) -> None:
    [pipeline] = api.get("/pipeline/")["data"]
    assert pipeline["name"] == "Sales"
    assert labels(api, pipeline["id"]) == ["Active", "Won", "Lost"]
    assert "+" not in pipeline["date_created"], "times of pipelines have no offset"
    assert len(pipeline["date_created"]) == 26


def test_statuses_are_ordered_and_moved_on_the_pipeline(api: Api) -> None:
    [sales] = api.get("/pipeline/")["data"]
    ids = {status["label"]: status["id"] for status in sales["statuses"]}
    response = api("POST", "/pipeline/", {"name": "Partners"})
    partners = response.json()["id"]
    assert response.status_code == 201
    assert response.headers["location"] == f"/api/v1/pipeline/{partners}/"

    api.put(f"/pipeline/{sales['id']}/", {"statuses": [{"id": ids["Lost"]}]})
    assert labels(api, sales["id"]) == ["Lost", "Active", "Won"]
    api.put(f"/pipeline/{partners}/", {"statuses": [{"id": ids["Won"]}]})
    assert (labels(api, partners), labels(api, sales["id"])) == (["Won"], ["Lost", "Active"])

    for wrong, problem in (
        ({"id": ids["Lost"]}, "Value must be of list type."),
        ("x", "Value must be of list type."),
        *(([one], "Object does not exist.") for one in (5, {}, {"id": "stat_none"}, {"id": "\0"})),
    ):
        refused = api("PUT", f"/pipeline/{partners}/", {"name": "x", "statuses": wrong})
        assert (refused.status_code, refused.json()["field-errors"]) == (400, {"statuses": problem})
    assert api.get(f"/pipeline/{partners}/")["name"] == "Partners"
    assert labels(api, partners) == ["Won"]


def test_a_pipeline_with_statuses_stays(api: Api) -> None:
    [sales] = api.get("/pipeline/")["data"]
    assert api("DELETE", f"/pipeline/{sales['id']}/").status_code == 400
    assert labels(api, sales["id"]) == ["Active", "Won", "Lost"]
    empty = api.post("/pipeline/", {"name": "Empty"})["id"]
    gone = api("DELETE", f"/pipeline/{empty}/")
    assert (gone.status_code, gone.content) == (204, b"")


def test_the_last_pipeline_and_the_last_status_stay(api: Api) -> None:
    [sales] = api.get("/pipeline/")["data"]
    active, won, lost = (status["id"] for status in sales["statuses"])
    for id in (active, won):
        api.delete(f"/status/opportunity/{id}/")
    refused = api("DELETE", f"/status/opportunity/{lost}/")
    text = "The last opportunity status cannot be deleted."
    assert (refused.status_code, refused.json()) == (400, {"error": text})
    assert labels(api, sales["id"]) == ["Lost"]
    other = api.post("/pipeline/", {"name": "Partners"})["id"]
    api.put(f"/pipeline/{other}/", {"statuses": [{"id": lost}]})
    api.delete(f"/pipeline/{sales['id']}/")
    refused = api("DELETE", f"/pipeline/{other}/")
    text = "The last pipeline cannot be deleted."
    assert (refused.status_code, refused.json()) == (400, {"error": text})
    assert labels(api, other) == ["Lost"]


def test_of_two_that_go_at_once_the_last_stays(api: Api) -> None:
    [sales] = api.get("/pipeline/")["data"]
    api.delete(f"/status/opportunity/{sales['statuses'][0]['id']}/")
    with ThreadPoolExecutor(2) as together:
        for _ in range(4):
            [pipeline] = api.get("/pipeline/")["data"]
            urls = [f"/status/opportunity/{status['id']}/" for status in pipeline["statuses"]]
            answers = sorted(together.map(lambda url: api("DELETE", url).status_code, urls))
            assert answers == [200, 400]
            api.post("/status/opportunity/", {"label": "Again", "type": "active"})


def test_an_order_that_is_as_it_was_changes_nothing(api: Api) -> None:
    [sales] = api.get("/pipeline/")["data"]
    for part in (0, 3):
        statuses = sales["statuses"][:part]
        assert api.put(f"/pipeline/{sales['id']}/", {"statuses": statuses}) == sales
    organization = api.get("/me/")["organization_id"]
    before = api.get(f"/organization/{organization}/")
    for part in (0, 7):
        listed = before["lead_statuses"][:part]
        after = api.put(f"/organization/{organization}/", {"lead_statuses": listed})
        assert after["date_updated"] == before["date_updated"]


def test_a_status_in_use_stays_and_is_renamed_everywhere(api: Api) -> None:
    deal = api.post("/opportunity/", {})
    path = f"/status/opportunity/{deal['status_id']}/"
    assert api("DELETE", path).status_code == 400
    assert api.put(path, {"label": "Open", "type": "won"})["type"] == "active"
    assert api.get(f"/opportunity/{deal['id']}/")["status_label"] == "Open"


def test_a_new_status_goes_last_into_the_first_pipeline(api: Api) -> None:
    status = api.post("/status/opportunity/", {"label": "Paused", "type": "active"})
    [sales] = api.get("/pipeline/")["data"]
    assert status["pipeline_id"] == sales["id"]
    assert labels(api, sales["id"])[-1] == "Paused"
    refused = api("POST", "/status/opportunity/", {"label": "Odd", "type": "open"})
    assert refused.json()["field-errors"] == {"type": "Not a valid choice."}


def test_the_type_of_a_new_status_has_an_older_name(api: Api) -> None:
    old = {"label": "Signed", "status_type": "won"}
    assert api.post("/status/opportunity/", old)["type"] == "won"
    both = old | {"label": "Gone", "type": "lost"}
    assert api.post("/status/opportunity/", both)["type"] == "lost"
    [status] = api.post("/pipeline/", {"name": "Partners", "statuses": [old]})["statuses"]
    assert (status["label"], status["type"]) == ("Signed", "won")
    refused = api("POST", "/status/opportunity/", old | {"status_type": "open"})
    assert refused.json()["field-errors"] == {"type": "Not a valid choice."}
