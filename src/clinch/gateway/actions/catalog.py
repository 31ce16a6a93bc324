"""All actions, by their keys."""

from types import ModuleType

from clinch.gateway.actions import (
    accounts,
    activities,
    calls,
    contacts,
    leads,
    messages,
    notes,
    opportunities,
    statuses,
    tasks,
    users,
)
from clinch.gateway.actions.action import Action

_MODULES = (
    leads, contacts, opportunities, tasks, activities, notes, users, calls, messages, statuses,
    accounts,
)  # fmt: skip


def _of(module: ModuleType) -> list[Action]:
    return [value for value in vars(module).values() if isinstance(value, Action)]


ACTIONS: dict[str, Action] = {action.key: action for module in _MODULES for action in _of(module)}
"""Every action by its key, which is its id too, those on one noun beside each other."""
