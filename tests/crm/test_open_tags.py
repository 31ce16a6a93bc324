"""HTML that would cost far more than its length: it is refused, and what is only long is not."""

from typing import Any

import pytest
from harness import Api

ROW = '<tr><td style="color:red">Hi <b>Bo</b></td><td><a href="https://x.test"><br></a></td></tr>'
OUTLOOK = (
    "<p class=MsoNormal><b><span style='font-family:\"Calibri\",serif'>Hi<o:p></o:p></span></b>"
    "<!--[if mso]><v:rect><center><![endif]--><a href=x><u><!-- -->#</u></a></p>"
)


def many(pattern: str, length: int = 90_000) -> str:
    pieces: list[str] = []
    size = 0
    while size < length:
        pieces.append(pattern.replace("#", str(len(pieces))))
        size += len(pieces[-1])
    return "".join(pieces)


@pytest.fixture
def lead(api: Api) -> Any:
    return api.post("/lead/", {"name": "Client"})["id"]


@pytest.mark.parametrize(
    "markup",
    [
        pytest.param(many("<p><b title=#></p>", 20_000), id="opened again in each block"),
        pytest.param(many("<p><b title=#><!--</b>--></p>", 20_000), id="closed in a comment"),
        pytest.param(many('<p><b a" x=# b="></b>"></p>', 20_000), id="closed in an attribute"),
        pytest.param(
            many("<p><b x=#><object></b></object></p>", 20_000), id="closed within another"
        ),
        pytest.param(f'<p><a href="{"x" * 40_000}"></p>' + "<p>x" * 5_000, id="a long tag"),
        pytest.param(many("<ul><li>"), id="nested"),
        pytest.param(many("<div></b>"), id="closed by others"),
        pytest.param(many("<body"), id="body without an end"),
    ],
)
def test_html_that_stands_for_far_more_is_refused(api: Api, lead: str, markup: str) -> None:
    mail = {"lead_id": lead, "status": "draft", "body_html": "<p>As it was</p>"}
    draft = api.post("/activity/email/", mail)
    note = api.post("/activity/note/", {"lead_id": lead, "note_html": "<p>As it was</p>"})
    for path, key, made in (
        ("/activity/email/", "body_html", draft),
        ("/activity/note/", "note_html", note),
    ):
        refused = api("PUT", f"{path}{made['id']}/", {key: markup})
        assert refused.status_code == 400
        assert refused.json()["field-errors"] == {key: "The HTML leaves too many tags open."}
        assert api.get(f"{path}{made['id']}/") == made


@pytest.mark.parametrize(
    "markup",
    [
        pytest.param(many(f"<table>{ROW}</table>", 290_000), id="a long table"),
        pytest.param(many("<p>paragraph<br><li>item", 290_000), id="ends left out"),
        pytest.param(
            many("<!--[if mso]><table><tr><td><![endif]--><a href=x>y</a><!--[if mso]></table>-->"),
            id="conditional comments",
        ),
        pytest.param(many(OUTLOOK, 290_000), id="Outlook"),
        pytest.param("<b><i>Misnested</b></i>" * 50, id="misnested"),
    ],
)
def test_html_that_is_only_long_is_kept(api: Api, lead: str, markup: str) -> None:
    body = {"lead_id": lead, "status": "draft", "body_html": markup}
    assert len(api.post("/activity/email/", body)["body_html"]) > len(markup) / 4
