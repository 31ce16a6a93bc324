"""Write the next migration: what the declarations have and a database migrated from empty has not.

usage: python scripts/migration.py NAME
"""

import asyncio
import re
import sys
import tempfile
from pathlib import Path

import asyncpg

from clinch.db.embedded import EmbeddedPostgres
from clinch.db.migrations import FOLDER, catalog, migrate, migrations
from clinch.db.schema import create_all, differences
from clinch.program import declarations, tables


async def missing(url: str) -> list[str]:
    """The statements that lead from the migrations to the declarations."""
    declared = tables(declarations())
    found = []
    for name in ("migrated", "declared"):
        server = await asyncpg.connect(url)
        await server.execute(f"create database {name}")
        await server.close()
        database_url = url.replace("/clinch?", f"/{name}?")
        wanted = migrations()
        await migrate(database_url, wanted=wanted if name == "migrated" else wanted[:1])
        connection = await asyncpg.connect(database_url)
        if name == "declared":
            await connection.execute("drop table schema_migration")
            for statement in create_all(declared):
                await connection.execute(statement)
        found.append(await catalog(connection))
        await connection.close()
    return differences(found[0], found[1], declared)


def main(name: str) -> int:
    with tempfile.TemporaryDirectory(prefix="clinch-") as folder:
        server = EmbeddedPostgres(Path(folder))
        server.start()
        try:
            statements = asyncio.run(missing(server.url))
        finally:
            server.stop()
    if not statements:
        print("the migrations already make what is declared")
        return 0
    words = re.sub(r"\W+", "_", name.lower()).strip("_")
    path = FOLDER / f"{len(migrations()) + 1:04}_{words}.sql"
    path.write_text("".join(f"{statement};\n\n" for statement in statements).rstrip() + "\n")
    print(f"{path}: read it, then commit it")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
