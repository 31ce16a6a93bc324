"""The texts by which objects are found: their table, and the spelling that is searched in."""

import unicodedata
from collections.abc import Iterable

from clinch.db.schema import Column, Index, id_column, tenant_table

SEARCH_TEXT = tenant_table(
    "search_text",
    id_column(),
    id_column("lead_id"),
    Column("text", "text"),
    indexes=(
        Index(("text gin_trgm_ops",), method="gin", name="search_text_trigrams"),
        Index(("organization_id", "lead_id")),
    ),
)

SEARCHED = "searched_text"
"""The view of the table that conditions ask: row-level security would keep `like` off the index.

PostgreSQL evaluates a policy before an operator that is not leakproof, so `like` could not be an
index condition. The view's owner is exempt from the policy, and the view itself holds the tenant.
Compare its organization by `= any(array[$1])`: see the migration that makes it.
"""


def fold(texts: Iterable[str]) -> str:
    """Texts as fragments are searched in: compatible forms joined, no case, one a line."""
    return unicodedata.normalize("NFKC", "\n".join(text for text in texts if text)).casefold()
