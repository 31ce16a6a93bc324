"""Paraphrases of the gateway's actions, and the index that they are looked for in.

`paraphrases.tsv` was written before the search and its words were, and is never changed to suit
them. One half, by a hash of the text, may be looked at when working on the search; the other is
there to be counted alone.
"""

import csv
from collections.abc import Iterator, Mapping
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

    @property
    def half(self) -> Literal["tuning", "held-out"]:
        return "tuning" if sha256(self.intent.encode()).digest()[0] % 2 else "held-out"


def paraphrases() -> list[Paraphrase]:
    with (_FOLDER / "paraphrases.tsv").open(encoding="utf-8") as file:
        lines = file.read().splitlines()[1:]
    return [Paraphrase(*line.split("\t")) for line in lines]


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
