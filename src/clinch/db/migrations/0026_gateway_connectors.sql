create table gateway_connector (
    organization_id uuid not null,
    id text collate "C" not null,
    key text not null,
    document bytea not null,
    created_at timestamp with time zone not null,
    constraint gateway_connector_pkey primary key (organization_id, id)
);

create unique index gateway_connector_key on gateway_connector using btree (organization_id, key);

alter table gateway_connector enable row level security;

create policy gateway_connector_tenant on gateway_connector using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on gateway_connector to clinch_app;
