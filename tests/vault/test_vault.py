"""The vault and its keys: what is sealed opens with its key, in its place, and nowhere else."""

import stat
from pathlib import Path

import pytest

from clinch.vault.keys import KEY_FILE, SecretKeyError, secret_key
from clinch.vault.vault import CannotOpen, Vault

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


def test_the_key_file_is_made_once_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLINCH_SECRET_KEY", raising=False)
    made = secret_key(tmp_path)
    assert secret_key(tmp_path) == made
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    Vault(made)


def test_the_environment_goes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINCH_SECRET_KEY", OLD)
    assert secret_key(tmp_path) == OLD
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "short", OLD[:-1], f"{OLD} x", OLD + OLD, "g" * 64])
def test_what_is_no_key_is_refused_without_being_quoted(tmp_path: Path, text: str) -> None:
    (tmp_path / KEY_FILE).write_text(text)
    with pytest.raises(SecretKeyError) as refusal:
        secret_key(tmp_path)
    assert KEY_FILE in str(refusal.value)
    assert not text or text not in str(refusal.value)


def test_a_vault_does_not_show_its_keys() -> None:
    assert OLD not in repr(vars(Vault(OLD)))
