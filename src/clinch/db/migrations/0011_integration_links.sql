create table integration_link (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    name text not null,
    type text not null,
    url text not null,
    constraint integration_link_pkey primary key (organization_id, id)
);

alter table integration_link enable row level security;

create policy integration_link_tenant on integration_link using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on integration_link to clinch_app;

-- A text as it is written inside the address of a link: what is not unreserved, byte by byte.
create function url_encoded(value text) returns text language sql immutable strict parallel safe
    as $$
    select string_agg(
        case when c.letter ~ '^[A-Za-z0-9._~-]$' then c.letter
             else upper(regexp_replace(encode(convert_to(c.letter, 'UTF8'), 'hex'), '(..)', '%\1', 'g'))
        end, '' order by c.place)
    from regexp_split_to_table(value, '') with ordinality c(letter, place)
$$;
