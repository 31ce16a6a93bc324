create table gateway_action (
    organization_id uuid not null,
    tenant_id text collate "C" not null,
    id text collate "C" not null,
    key text not null,
    connector_key text not null,
    connection_id text collate "C",
    version bigint not null,
    definition text not null,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    constraint gateway_action_pkey primary key (organization_id, tenant_id, id)
);

create unique index gateway_action_tenant_id_key on gateway_action using btree (organization_id, tenant_id, key);

alter table gateway_action enable row level security;

create policy gateway_action_tenant on gateway_action using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on gateway_action to clinch_app;

alter table gateway_action add constraint gateway_action_tenant_id_fkey foreign key (organization_id, tenant_id) references gateway_tenant (organization_id, tenant_id);
