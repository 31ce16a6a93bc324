"""Ids: their form, their order, and that no two are alike."""

import re

from clinch.db.ids import new_id, new_secret


def test_an_id_is_a_prefix_and_22_characters() -> None:
    assert re.fullmatch(r"lead_[0-9A-Za-z]{22}", new_id("lead"))
    assert re.fullmatch(r"[0-9A-Za-z]{22}", new_secret())


def test_ids_ascend_in_the_order_in_which_they_are_made() -> None:
    made = [new_id("x") for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_secrets_are_all_different() -> None:
    assert len({new_secret() for _ in range(1000)}) == 1000
