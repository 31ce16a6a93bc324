"""`clinch vault`: a new secret key, and what is to be done when one is lost."""

import json
import os
from pathlib import Path

from clinch.cli.administration.sealed import check_keys, give_up, in_words, seal_anew, sealed_by
from clinch.cli.administration.telling import Arguments, CommandError
from clinch.resources.store import Store
from clinch.vault.keys import KEY_FILE, VARIABLE, KeyFile
from clinch.vault.vault import open_vault


async def vault_rotate(store: Store, arguments: Arguments) -> int:
    """Seal everything under the first key; where there is one key, a new one is put before it."""
    home = Path(arguments["home"])
    vault = open_vault(home)
    await check_keys(store.database, vault)
    if len(vault.names) == 1:
        if os.environ.get(VARIABLE):
            raise CommandError(
                f"{VARIABLE} holds one key: put a new one before it, with a comma between"
                " (`openssl rand -hex 32` prints one), start again with both, and rotate then"
            )
        KeyFile(home).put_new_key_first()
    done, closed = await seal_anew(store.database, vault)
    first, *others = vault.names
    left = await sealed_by(store.database)
    removable = [name for name in others if name not in left]
    if arguments["json"]:
        print(json.dumps({"key": first, "sealed": done, "failed": closed, "removable": removable}))
        return 1 if closed else 0
    print(f"The secret key {first} has sealed anew: {in_words(done)}")
    if closed:
        print(f"{closed} values do not open and were left as they are")
    for name in removable:
        place = VARIABLE if os.environ.get(VARIABLE) else f"the lines of {home / KEY_FILE}"
        print(
            f"The secret key {name} seals nothing any more. In an hour, when `clinch doctor` still"
            f" says so, take it out of {place}; keep it with the backups that were made until now."
        )
    return 1 if closed else 0


async def vault_forget(store: Store, arguments: Arguments) -> int:
    """Give up what a secret key that is lost has sealed, so that the program starts again."""
    vault, name = open_vault(Path(arguments["home"])), arguments["key"].lower()
    lost = (await sealed_by(store.database)).get(name)
    if name in vault.names or lost is None:
        raise CommandError(
            f"the secret key {name} "
            + ("is here, and is not lost" if name in vault.names else "has sealed nothing")
        )
    if not arguments["yes"]:
        raise CommandError(
            f"this gives up for good: {in_words(lost)}. Codes of those second factors fit no more"
            " (recovery codes do), those workspaces get new secrets, and those tenants have to"
            " connect anew; if that is meant, add --yes"
        )
    done = await give_up(store.database, vault, name)
    if arguments["json"]:
        print(json.dumps({table: str(number) for table, number in done.items()}))
    else:
        print(f"Given up for good: {in_words(done)}")
    return 0
