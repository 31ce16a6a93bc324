"""The settings in the environment, looked at before anything is started that trips over them."""

import os

from clinch.outbound.guard import VARIABLE, SettingError, read_allowed, read_origin


def _read_rate(text: str) -> None:
    if text and not (text.isascii() and text.isdigit() and int(text)):
        raise SettingError(f"{text!r} is no number of requests a second, such as 1000")


_READ = {
    VARIABLE: read_allowed,
    "CLINCH_APP_CLOSE_URL": read_origin,
    "CLINCH_PUBLIC_URL": read_origin,
    "CLINCH_RATE_LIMIT": _read_rate,
}


def check_settings() -> None:
    """Raise SettingError, which names the setting, for one that cannot be meant."""
    for name, read in _READ.items():
        try:
            read(os.environ.get(name, ""))
        except SettingError as error:
            raise SettingError(f"{name}: {error}") from None
