"""`clinch doctor`: what is wrong with the database, the log and the secret keys."""

import os
from pathlib import Path

from clinch.cli.administration.sealed import in_words, sealed_by
from clinch.cli.administration.telling import Arguments, line
from clinch.events.seal import verify
from clinch.resources.declaration import counter
from clinch.resources.store import Store
from clinch.resources.write.measured import mend
from clinch.resources.write.summaries import recount
from clinch.vault.keys import KEY_FILE, VARIABLE, KeyFile, SecretKeyError
from clinch.vault.vault import open_vault


async def doctor(store: Store, arguments: Arguments) -> int:
    """Check what can be checked: a line each, and exit code 1 when something is wrong."""
    problems = 0
    async with store.database.everyone() as transaction:
        version = await transaction.value("show server_version")
        migration = await transaction.value("select max(number) from schema_migration")
        organizations = await transaction.rows(
            "select organization_id::text, id, name from organization_directory order by name"
        )
    line(arguments, True, f"PostgreSQL {version} answers, with {len(organizations)} organizations")
    # Where it is not, no command is run: `check_migrated` has said so.
    line(arguments, True, f"the database is at migration {migration:04}, as this program is")
    for organization_id, id, name in organizations:
        broken = await verify(store.database, organization_id)
        problems += broken is not None
        line(arguments, broken is None, f"{name} ({id}): {broken or 'the log is whole'}")
        if arguments["recount"]:
            problems += await _recount(store, arguments, organization_id, name)
    problems += await _secret_keys(store, arguments)
    return 1 if problems else 0


async def _secret_keys(store: Store, arguments: Arguments) -> int:
    """Whether they are here, for their owner alone, and for each what it has sealed."""
    home, problems = Path(arguments["home"]), 0
    try:
        names: tuple[str, ...] = open_vault(home).names
    except SecretKeyError as error:
        names, problems = (), 1
        line(arguments, False, str(error))
    if names and not os.environ.get(VARIABLE):
        path, private = home / KEY_FILE, KeyFile(home).is_private()
        problems += not private
        wrong = f"{path} can be read or changed by others than its owner: chmod 600 {path}"
        line(arguments, private, f"{path} is for its owner alone" if private else wrong)
    seals = await sealed_by(store.database)
    for name in [*names, *sorted(set(seals) - set(names))]:
        text = f"the secret key {name} seals {in_words(seals.get(name, {}))}"
        if name not in names:
            text += ", and is not here: put it back from your copy"
        elif name not in seals and name != names[0]:
            text += ", and can be removed"
        line(arguments, name in names, text)
    return problems + len(set(seals) - set(names))


async def _recount(store: Store, arguments: Arguments, organization_id: str, name: str) -> int:
    problems = 0
    for resource in store.declared:
        if resource.counted:
            async with store.database.everyone() as transaction:
                kept, counted = (
                    await transaction.rows(
                        f"select c.{counter(resource)}, (select count(*) from {resource.table} r"
                        " where r.organization_id = $1)"
                        " from event_clock c where c.organization_id = $1",
                        organization_id,
                    )
                )[0]
            problems += kept != counted
            text = f"{name}: {counted} {resource.noun} objects, {kept} in the counter"
            line(arguments, kept == counted, text)
    async with store.database.everyone() as transaction:
        stale = await recount(transaction, store.declared, organization_id)
    for noun, number in stale.items():
        problems += number > 0
        line(arguments, number == 0, f"{name}: {number} {noun} objects with stale summaries")
    rows, wrong = await mend(store.database, store.declared, organization_id)
    text = f"{name}: {rows} numbers and dates in custom fields can be searched by"
    line(arguments, wrong == 0, text + (f"; {wrong} were wrong, and are mended" if wrong else ""))
    return problems + (wrong > 0)
