alter table custom_field add column given_to jsonb;

update custom_field f set given_to = (
    select jsonb_agg(place order by place)
    from custom_field_association a
    cross join lateral (
        select coalesce(a.custom_activity_type_id, a.custom_object_type_id, a.object_type) as place
    ) p
    where a.organization_id = f.organization_id and a.custom_field_id = f.id
)
where f.kind = 'shared';

-- Not inlined into the statements that ask it, which seldom come to it: it is asked only while
-- values are being converted.
create or replace function custom_value_fits(type text, multiple boolean, choices jsonb, value jsonb)
returns boolean language plpgsql immutable parallel safe as $$
begin
    return case
        when (jsonb_typeof(value) = 'array') <> multiple then false
        when type = 'number' then jsonb_typeof(value) = 'number'
        when jsonb_typeof(value) = 'number' then false
        when type = 'date' then value #>> '{}' ~ '^\d{4}-\d\d-\d\d$'
        when type = 'datetime' then value #>> '{}' ~ '^\d{4}-\d\d-\d\dT.+\+00:00$'
        when type = 'choices' then coalesce(choices @> value, false)
        when type = 'user' then not jsonb_path_exists(value, '$[*] ? (!(@ starts with "user_"))')
        when type = 'contact' then not jsonb_path_exists(value, '$[*] ? (!(@ starts with "cont_"))')
        when type = 'custom_object'
            then not jsonb_path_exists(value, '$[*] ? (!(@ starts with "custobj_"))')
        else true
    end;
end
$$;
