create table gateway_run (
    organization_id uuid not null,
    tenant_id text collate "C" not null,
    id text collate "C" not null,
    action text not null,
    connection_id text collate "C",
    connector_key text not null,
    status text not null,
    created_at timestamp with time zone not null,
    duration_ms bigint not null,
    sealed_details bytea not null,
    constraint gateway_run_pkey primary key (organization_id, tenant_id, id)
);

create index gateway_run_tenant_id_created_at_id on gateway_run using btree (organization_id, tenant_id, created_at, id);

create index gateway_run_created_at on gateway_run using btree (organization_id, created_at);

alter table gateway_run enable row level security;

create policy gateway_run_tenant on gateway_run using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on gateway_run to clinch_app;

alter table gateway_run add constraint gateway_run_tenant_id_fkey foreign key (organization_id, tenant_id) references gateway_tenant (organization_id, tenant_id);
