"""A document takes from a JSON Schema what an action may be found by."""

from clinch.gateway.intent.document import Document, document_of
from clinch.resources.actor import OperationClass


def test_parameters_come_from_the_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"leadId": {"type": "string", "description": "The lead."}, "any": True},
    }
    made = document_of(
        "list-notes",
        "list-notes",
        "List notes.",
        app="Close",
        input_schema=schema,
        operation_class=OperationClass.READ,
        rank=1,
    )
    assert made == Document(
        "list-notes",
        "list-notes",
        "List notes.",
        "Close",
        ("leadId The lead.", "any"),
        OperationClass.READ,
        1,
    )


def test_a_document_needs_no_schema() -> None:
    assert document_of("a", "b") == Document("a", "b")
