create table gateway_connection (
    organization_id uuid not null,
    tenant_id text collate "C" not null,
    id text collate "C" not null,
    key text,
    name text not null,
    connector_key text not null,
    option_key text not null,
    state text not null,
    reason text,
    version bigint not null,
    secrets bytea,
    expires_at timestamp with time zone,
    ticket bytea,
    ticket_until timestamp with time zone,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    archived_at timestamp with time zone,
    constraint gateway_connection_pkey primary key (organization_id, tenant_id, id)
);

create unique index gateway_connection_tenant_id_key on gateway_connection using btree (organization_id, tenant_id, key) where (archived_at is null);

create index gateway_connection_tenant_id_created_at_id on gateway_connection using btree (organization_id, tenant_id, created_at, id);

alter table gateway_connection enable row level security;

create policy gateway_connection_tenant on gateway_connection using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on gateway_connection to clinch_app;

alter table gateway_connection add constraint gateway_connection_tenant_id_fkey foreign key (organization_id, tenant_id) references gateway_tenant (organization_id, tenant_id);
