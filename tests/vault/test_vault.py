"""The vault and its keys: what is sealed opens with its key, in its place, and nowhere else."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clinch.vault.keys import KEY_FILE, KeyFile, SecretKeyError, ensure_keys
from clinch.vault.vault import CannotOpen, Vault, key_name, open_vault

OLD, NEW = "0f1e2d3c" * 8, "8796a5b4" * 8


def test_what_was_sealed_opens_in_its_place_alone() -> None:
    vault = Vault(OLD)
    sealed = vault.seal(b"JBSWY3DP", "second_factor user_1")
    assert b"JBSWY3DP" not in sealed
    assert vault.open(sealed, "second_factor user_1") == b"JBSWY3DP"
    with pytest.raises(CannotOpen):
        vault.open(sealed, "second_factor user_2")


def test_a_value_is_never_sealed_alike_twice() -> None:
    vault = Vault(OLD)
    assert vault.seal(b"x", "here") != vault.seal(b"x", "here")


def test_every_altered_byte_is_noticed() -> None:
    vault = Vault(OLD)
    sealed = vault.seal(b"x", "here")
    for position in range(len(sealed)):
        altered = bytearray(sealed)
        altered[position] ^= 1
        with pytest.raises(CannotOpen):
            vault.open(bytes(altered), "here")
    for length in range(len(sealed)):
        with pytest.raises(CannotOpen):
            vault.open(sealed[:length], "here")


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    before, both, after = Vault(OLD), Vault(f"{NEW}\n{OLD}\n"), Vault(NEW)
    old, new = before.seal(b"x", "here"), both.seal(b"y", "here")
    assert both.open(old, "here") == b"x"
    assert after.open(new, "here") == b"y"
    with pytest.raises(CannotOpen):
        after.open(old, "here")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, with no key in the environment."""
    monkeypatch.delenv("CLINCH_SECRET_KEY", raising=False)
    return tmp_path


def test_the_key_file_is_made_once_for_its_owner_alone(home: Path) -> None:
    ensure_keys(home)
    made = (home / KEY_FILE).read_text()
    ensure_keys(home)
    assert (home / KEY_FILE).read_text() == made
    assert stat.S_IMODE((home / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == [KEY_FILE]
    assert open_vault(home).names == Vault(made).names


def test_the_environment_goes_before_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINCH_SECRET_KEY", OLD)
    ensure_keys(home)
    assert open_vault(home).names == Vault(OLD).names
    assert list(home.iterdir()) == []


def test_a_key_is_not_made_where_one_is_only_to_be_read(home: Path) -> None:
    with pytest.raises(SecretKeyError, match="there is no secret key"):
        open_vault(home)
    assert list(home.iterdir()) == []


def test_a_key_is_not_made_where_a_database_was_begun(home: Path) -> None:
    with pytest.raises(SecretKeyError, match="there is no secret key: put it into") as refusal:
        ensure_keys(home, begun=True)
    assert "`clinch vault forget`" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert list(home.iterdir()) == []
    ensure_keys(home)
    made = (home / KEY_FILE).read_text()
    ensure_keys(home, begun=True)
    assert (home / KEY_FILE).read_text() == made


@pytest.mark.parametrize("text", ["", "short", OLD[:-1], f"{OLD} x", OLD + OLD, "g" * 64])
def test_what_is_no_key_is_refused_without_being_quoted(home: Path, text: str) -> None:
    (home / KEY_FILE).write_text(text)
    for read in (ensure_keys, open_vault):
        with pytest.raises(SecretKeyError) as refusal:
            read(home)
        assert KEY_FILE in str(refusal.value)
        assert not text or text not in str(refusal.value)
    assert (home / KEY_FILE).read_text() == text


def test_an_open_vault_takes_the_keys_that_replace_its_own(home: Path) -> None:
    ensure_keys(home)
    vault = open_vault(home)
    [first] = vault.names
    old = vault.seal(b"x", "here")
    assert KeyFile(home).put_new_key_first()
    assert vault.open(old, "here") == b"x"
    new = vault.seal(b"y", "here")
    assert key_name(new) != key_name(old) == first
    assert open_vault(home).open(new, "here") == b"y"
    assert vault.names == (key_name(new), first)
    assert stat.S_IMODE((home / KEY_FILE).stat().st_mode) == 0o600


def test_an_open_vault_opens_what_a_newer_one_has_sealed(home: Path) -> None:
    ensure_keys(home)
    running = open_vault(home)
    KeyFile(home).put_new_key_first()
    assert running.open(open_vault(home).seal(b"x", "here"), "here") == b"x"


def test_an_open_vault_keeps_its_keys_while_the_file_is_gone_or_broken(home: Path) -> None:
    ensure_keys(home)
    vault, text = open_vault(home), (home / KEY_FILE).read_text()
    sealed = vault.seal(b"x", "here")
    for broken in ("", "nonsense", None):
        if broken is None:
            (home / KEY_FILE).unlink()
        else:
            (home / KEY_FILE).write_text(broken)
        assert vault.open(vault.seal(b"y", "here"), "here") == b"y"
        assert vault.open(sealed, "here") == b"x"
    (home / KEY_FILE).write_text(f"{NEW}\n{text}")
    assert vault.names[0] == Vault(NEW).names[0]


def test_of_many_who_put_a_new_key_first_one_does(home: Path) -> None:
    ensure_keys(home)
    before = (home / KEY_FILE).read_text()
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: KeyFile(home).put_new_key_first(), range(8)))
    assert sorted(done) == [False] * 7 + [True]
    after = (home / KEY_FILE).read_text()
    assert after.endswith(before)
    assert len(after.split()) == 2


def test_a_vault_does_not_show_its_keys() -> None:
    assert OLD not in repr(vars(Vault(OLD)))
