"""What each built-in role may do, in the permission words of the public API."""

_OWN = frozenset({"delete_own_activities", "delete_own_opportunities", "delete_own_tasks"})

_USER = _OWN | {
    "bulk_email",
    "bulk_import",
    "bulk_sequence_subscriptions",
    "calling",
    "delete_leads",
    "manage_others_activities",
    "manage_others_opportunities",
    "manage_others_tasks",
    "merge_leads",
    "view_all_leads",
}

_SUPERUSER = _USER | {
    "bulk_delete",
    "bulk_edit",
    "call_coach_barge",
    "call_coach_listen",
    "export",
    "manage_customizations",
    "manage_email_sequences",
    "manage_group_numbers",
    "manage_team_email_templates",
    "manage_team_smart_views",
}

PERMISSIONS: dict[str, frozenset[str]] = {
    "admin": _SUPERUSER | {"manage_organization"},
    "superuser": _SUPERUSER,
    "user": _USER,
    "restricteduser": _OWN | {"calling", "view_all_leads"},
}
