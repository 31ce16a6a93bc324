"""A request that an action made and its answer, as a run log keeps them."""

from dataclasses import dataclass

from clinch.gateway.api import ApiAnswer, ApiRequest, Pairs

LONGEST_BODY = 16_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """Bodies are cut after 16,000 bytes; headers, which may hold secrets, are not kept.

    `status` is None where no answer came.
    """

    method: str
    path: str
    query: Pairs
    request_body: str | None
    status: int | None
    answer_body: str | None


def exchange_of(request: ApiRequest, answer: ApiAnswer | None) -> Exchange:
    return Exchange(
        request.method,
        request.path,
        request.query,
        None if request.body is None else trimmed(request.body),
        None if answer is None else answer.status,
        None if answer is None else trimmed(answer.body),
    )


def trimmed(body: bytes, longest: int = LONGEST_BODY) -> str:
    """The beginning of a body, as text."""
    text = body[:longest].decode(errors="replace")
    return text if len(body) <= longest else f"{text}… ({len(body)} bytes)"
