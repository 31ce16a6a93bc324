"""`clinch vault`: a new secret key, and what is to be done when one is lost."""

import json
import os
from collections import Counter
from pathlib import Path

from clinch.cli.administration.sealed import (
    Counts,
    check_keys,
    give_up,
    in_words,
    seal_anew,
    sealed_by,
)
from clinch.cli.administration.telling import Arguments, CommandError
from clinch.resources.store import Store
from clinch.vault.keys import KEY_FILE, VARIABLE, KeyFile, NoSecretKey
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
    """Give up what a lost secret key has sealed, so that the program starts again.

    Without a name, that is each that is not here. Where there is no key at all, a new one is made.
    """
    home, seals = Path(arguments["home"]), await sealed_by(store.database)
    try:
        here = open_vault(home).names
    except NoSecretKey:
        here = ()
    lost = _lost(arguments["key"], here, seals)
    if lost and not arguments["yes"]:
        counts: Counter[str] = sum((Counter(seals[name]) for name in lost), Counter())
        raise CommandError(
            f"this gives up for good: {in_words(counts)}. Codes of those second factors fit no more"
            " (recovery codes do), those workspaces get new secrets, and those tenants have to"
            " connect anew; if that is meant, add --yes"
        )
    if not here:
        KeyFile(home).make()
    done = await give_up(store.database, open_vault(home), lost)
    if arguments["json"]:
        print(json.dumps({table: str(number) for table, number in done.items()}))
        return 0
    if lost:
        print(f"Given up for good: {in_words(done)}")
    if not here:
        print(f"A new secret key is in {home / KEY_FILE}. Keep a copy, apart from the backups.")
    return 0


def _lost(key: str | None, here: tuple[str, ...], seals: Counts) -> list[str]:
    """The names of the keys to give up."""
    if key is None:
        lost = sorted(set(seals) - set(here))
        if here and not lost:
            raise CommandError("no secret key is lost: each that has sealed something is here")
        return lost
    name = key.lower()
    if name in here:
        raise CommandError(f"the secret key {name} is here, and is not lost")
    if name not in seals:
        raise CommandError(f"the secret key {name} has sealed nothing")
    return [name]
