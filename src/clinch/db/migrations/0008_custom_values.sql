-- The function that is dropped is one that this file makes for itself.
-- squawk-ignore-file ban-drop-function

create table custom_value (
    organization_id uuid not null,
    object_id text collate "C" not null,
    field_id text collate "C" not null,
    number numeric,
    moment timestamp with time zone,
    constraint custom_value_pkey primary key (organization_id, object_id, field_id)
);

create index custom_value_field_id_number_object_id on custom_value using btree (organization_id, field_id, number, object_id) where number is not null;

create index custom_value_field_id_moment_object_id on custom_value using btree (organization_id, field_id, moment, object_id) where moment is not null;

alter table custom_value enable row level security;

create policy custom_value_tenant on custom_value using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on custom_value to clinch_app;

alter table custom_field add column converting_to_type text;

-- What conditions ask. What compares `numeric` is not leakproof, so below a policy it would never use
-- the index; the owner of this view is exempt from the policy, and the view itself holds the tenant,
-- by `any` for the reason that searched_text gives.
create view measured_value as
    select organization_id, object_id, field_id, number, moment from custom_value
    where organization_id = any (array[app_org()]);

grant select on measured_value to clinch_app;

-- Whether a stored value is one of a field of this type; asked while values are being converted.
create function custom_value_fits(type text, multiple boolean, choices jsonb, value jsonb)
returns boolean language sql immutable parallel safe as $$
    select case
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
    end
$$;

-- The rows of the values that are there: numbers, and texts that are a day or a moment.
create function pg_temp.moment_of(value text) returns timestamp with time zone
language plpgsql as $$
begin
    if value ~ '^\d{4}-\d\d-\d\d$' then
        return (value || 'T00:00:00+00:00')::timestamp with time zone;
    elsif value ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00$' then
        return value::timestamp with time zone;
    end if;
    return null;
exception when others then
    return null;
end
$$;

insert into custom_value (organization_id, object_id, field_id, number, moment)
select organization_id, object_id, field_id, number, moment
from (
    select o.organization_id, o.id as object_id, v.key as field_id,
           case when jsonb_typeof(v.value) = 'number' then (v.value #>> '{}')::numeric end as number,
           case when jsonb_typeof(v.value) = 'string'
                then pg_temp.moment_of(v.value #>> '{}') end as moment
    from (
        select organization_id, id, custom from lead
        union all select organization_id, id, custom from contact
        union all select organization_id, id, custom from opportunity
    ) o
    cross join jsonb_each(o.custom) v
    where o.custom <> '{}'
) found
where number is not null or moment is not null;

drop function pg_temp.moment_of;
