"""Searching actions by intent: paraphrases of our own, and the pooled functions of others."""

import sys
from typing import Any

from bench.benchmark import Goal
from bench.bm25 import plain_bm25
from bench.functions import NotFetched, pooled_functions
from bench.paraphrases import documents, paraphrases
from bench.ranking import Ranking, Search, rank
from clinch.db.database import Database
from clinch.gateway.intent.document import Document
from clinch.gateway.intent.index import LONGEST_INTENT, IntentIndex
from clinch.identity.credentials import Authenticator
from clinch.program import api_routes, declarations, sign_in_routes
from clinch.resources.store import Store
from clinch.server.openapi import openapi
from clinch.vault.vault import Vault

HELD_OUT, OURS, PLAIN = "paraphrases, held out", "functions", "functions, plain BM25"
GOALS = (
    (HELD_OUT, Goal("r3", 0.95)),
    (OURS, Goal("p95", 5.0, at_most=True)),
)


def measure_intent() -> dict[str, Ranking]:
    """The rankings by what was asked."""
    return {**_paraphrases(), **_functions()}


def _paraphrases() -> dict[str, Ranking]:
    actions = documents(_openapi())
    search = _search(IntentIndex(actions))
    found = {}
    for half, title in (("tuning", "paraphrases, tuned on"), ("held-out", HELD_OUT)):
        chosen = [one for one in paraphrases() if one.half == half]
        for name, language in (("English", "en"), ("Chinese", "zh"), (None, None)):
            asked = [
                (one.intent, {one.action}) for one in chosen if language in (None, one.language)
            ]
            found[f"{title}, {name}" if name else title] = rank(search, asked)
    held_out = [(one.intent, {one.action}) for one in paraphrases() if one.half == "held-out"]
    return {**found, f"{HELD_OUT}, plain BM25": rank(plain_bm25(actions), held_out)}


def _functions() -> dict[str, Ranking]:
    try:
        pool = pooled_functions()
    except NotFetched as error:
        print(f"\nbench: {error}, so functions are left out", file=sys.stderr)
        return {}
    functions = [
        Document(str(at), function.name, function.description, "", function.parameters)
        for at, function in enumerate(pool.functions)
    ]
    ours, plain = _search(IntentIndex(functions)), plain_bm25(functions)
    asked = [(one.text, {str(at) for at in one.answers}) for one in pool.questions]
    short = [(text, right) for text, right in asked if len(text) <= LONGEST_INTENT]
    return {
        OURS: rank(ours, asked),
        PLAIN: rank(plain, asked),
        f"{OURS}, to {LONGEST_INTENT} characters": rank(ours, short),
        f"{PLAIN}, to {LONGEST_INTENT} characters": rank(plain, short),
    }


def _search(index: IntentIndex) -> Search:
    return lambda text: [found.id for found in index.search(text)]


def _openapi() -> dict[str, Any]:
    """The OpenAPI document of this program, without a server."""
    store = Store(Database("postgresql://nobody@127.0.0.1:1/nothing"), declarations())
    vault = Vault("0" * 64)
    signing_in = sign_in_routes(store, vault, Authenticator(store.database))
    return openapi(declarations(), api_routes(store, vault), signing_in)
