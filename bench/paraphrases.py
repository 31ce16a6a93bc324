"""Paraphrases of the gateway's actions, and the index that they are looked for in.

`paraphrases.tsv` was written before the search and its words were, and is never changed to suit
them. One half, by a hash of the text, may be looked at when working on the search; the other is
there to be counted alone. To `tuning.tsv` may be added what the search should learn.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple

from clinch.gateway.intent.document import Document, document_of
from clinch.resources.actor import OperationClass

_FOLDER = Path(__file__).parent.parent / "tests" / "gateway" / "intent"
_CLASSES = {
    "get": OperationClass.READ,
    "post": OperationClass.WRITE,
    "put": OperationClass.WRITE,
    "delete": OperationClass.DESTRUCTIVE,
}


class Paraphrase(NamedTuple):
    language: str
    action: str
    intent: str
    half: Literal["tuning", "held-out"]


def paraphrases() -> list[Paraphrase]:
    """Those of `paraphrases.tsv` in halves by their hash, and all of `tuning.tsv` for tuning."""
    return [*_read("paraphrases.tsv", _by_hash), *_read("tuning.tsv", _all)]


def _read(name: str, half: Callable[[str], Literal["tuning", "held-out"]]) -> Iterator[Paraphrase]:
    for line in (_FOLDER / name).read_text("utf-8").splitlines()[1:]:
        language, action, intent = line.split("\t")
        yield Paraphrase(language, action, intent, half(intent))


def _all(_intent: str) -> Literal["tuning"]:
    return "tuning"


def _by_hash(intent: str) -> Literal["tuning", "held-out"]:
    return "tuning" if sha256(intent.encode()).digest()[0] % 2 else "held-out"


def documents(openapi: Mapping[str, Any]) -> list[Document]:
    """The friendly actions, and behind them every operation of an OpenAPI document."""
    return [*_friendly(), *_generated(openapi)]


def _friendly() -> Iterator[Document]:
    with (_FOLDER / "actions.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            yield Document(
                id=row["key"],
                name=row["key"],
                description=row["description"],
                app="Close",
                parameters=tuple(filter(None, row["parameters"].split(", "))),
                operation_class=OperationClass(row["class"]),
            )


def _generated(openapi: Mapping[str, Any]) -> Iterator[Document]:
    for methods in openapi["paths"].values():
        for method, operation in methods.items():
            yield document_of(
                f"operation:{operation['operationId']}",
                operation["operationId"],
                operation["summary"],
                app="Close",
                input_schema={"properties": _properties(operation)},
                operation_class=_CLASSES[method],
                rank=1,
            )


def _properties(operation: dict[str, Any]) -> dict[str, Any]:
    return {p["name"]: p for p in operation.get("parameters", ()) if "name" in p}
