"""Where credentials go on a request, and what cannot go there."""

import base64

import pytest

from clinch.gateway.connectors.placement import NotSendable, Placement


def test_a_token_is_a_bearer() -> None:
    assert Placement().placed({"token": "t1"}) == ((("Authorization", "Bearer t1"),), ())


def test_basic_is_encoded() -> None:
    headers, query = Placement(template="{user}:{password}", basic=True).placed(
        {"user": "änne", "password": "a:b"}
    )
    assert query == ()
    assert base64.b64decode(headers[0][1].removeprefix("Basic ")).decode() == "änne:a:b"


def test_a_header_of_its_own_and_the_query() -> None:
    assert Placement("X-Key", "{k}").placed({"k": "1"}) == ((("X-Key", "1"),), ())
    assert Placement(template="{k}", query="api_key").placed({"k": "a&b"}) == (
        (),
        (("api_key", "a&b"),),
    )


def test_nothing_is_sent_where_nothing_is_placed() -> None:
    assert Placement(template="").placed({"token": "t1"}) == ((), ())


@pytest.mark.parametrize("value", ["one\r\nX-Other: two", "one\ntwo", "nul\0", "日"])
def test_a_header_cannot_be_broken(value: str) -> None:
    with pytest.raises(NotSendable) as refused:
        Placement("X-Key", "{k}").placed({"k": value})
    assert value not in str(refused.value)


def test_a_field_that_is_missing_is_named_and_no_other_is_quoted() -> None:
    with pytest.raises(NotSendable, match="no token") as refused:
        Placement().placed({"secret": "hidden"})
    assert "hidden" not in str(refused.value)


def test_a_template_reaches_no_further_than_fields() -> None:
    placement = Placement("X-Key", "{k.__class__}{k[0]}{k!r}{k}")
    assert placement.fields == {"k"}
    assert placement.placed({"k": "v"})[0] == (("X-Key", "{k.__class__}{k[0]}{k!r}v"),)
