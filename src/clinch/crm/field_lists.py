"""The fields of one kind of object, regular and shared, in their order: as SQL inside an answer.

All of it is in the words of a computed field: `{org}` is the tenant, `{row}` the row.
"""


def associations_of(field: str) -> str:
    """The JSON list of the associations of the row `field`; it is empty for one not shared."""
    return (
        "(select coalesce(json_agg(json_strip_nulls(json_build_object("
        "'object_type', a.object_type, 'custom_activity_type_id', a.custom_activity_type_id,"
        " 'custom_object_type_id', a.custom_object_type_id,"
        " 'editable_with_roles', a.editable_with_roles, 'required', a.required))"
        " order by a.date_created, a.id), '[]') from custom_field_association a"
        f" where a.organization_id = {{org}} and a.custom_field_id = {field}.id)"
    )


def field_list(own: str, shared: str = "false") -> str:
    """The JSON list of the definitions `f` that meet `own` and of those that an association `a`
    which meets `shared` gives to the objects, with its place and settings."""
    places = (
        "select f.id, f.position, f.editable_with_roles, f.required from custom_field f"
        f" where f.organization_id = {{org}} and {own} union all"
        " select a.custom_field_id, a.position, a.editable_with_roles, a.required"
        f" from custom_field_association a where a.organization_id = {{org}} and {shared}"
    )
    return (
        "(select coalesce(json_agg(json_build_object('id', f.id,"
        " 'organization_id', {organization}.id, 'name', f.name, 'description', f.description,"
        " 'type', f.type, 'converting_to_type', f.converting_to_type, 'choices', f.choices,"
        " 'accepts_multiple_values', f.accepts_multiple_values,"
        " 'editable_with_roles', p.editable_with_roles, 'required', coalesce(p.required, false),"
        f" 'is_shared', f.kind = 'shared', 'associations', {associations_of('f')},"
        " 'referenced_custom_type_id', f.referenced_custom_type_id,"
        " 'back_reference_is_visible', f.back_reference_is_visible,"
        " 'created_by', f.created_by, 'updated_by', f.updated_by,"
        " 'date_created', api_time(f.date_created), 'date_updated', api_time(f.date_updated))"
        f" order by p.position, f.id), '[]') from ({places}) p"
        " join custom_field f on f.organization_id = {org} and f.id = p.id)"
    )
