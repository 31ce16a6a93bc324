create table gateway_workspace (
    organization_id uuid not null,
    key text collate "C" not null,
    sealed_secret bytea not null,
    constraint gateway_workspace_pkey primary key (organization_id)
);

create unique index gateway_workspace_key on gateway_workspace using btree (key);

grant select, insert, update on gateway_workspace to clinch_app;

create table gateway_tenant (
    organization_id uuid not null,
    tenant_id text collate "C" not null,
    kind text not null,
    user_id text collate "C",
    key text,
    name text not null,
    fields jsonb not null,
    wrapped_data_key bytea not null,
    created_at timestamp with time zone not null,
    last_active_at timestamp with time zone not null,
    archived_at timestamp with time zone,
    constraint gateway_tenant_pkey primary key (organization_id, tenant_id)
);

create unique index gateway_tenant_user_id on gateway_tenant using btree (organization_id, user_id);

create unique index gateway_tenant_key on gateway_tenant using btree (organization_id, key);

create index gateway_tenant_created_at_tenant_id on gateway_tenant using btree (organization_id, created_at, tenant_id);

alter table gateway_tenant enable row level security;

create policy gateway_tenant_tenant on gateway_tenant using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on gateway_tenant to clinch_app;

alter table gateway_tenant add constraint gateway_tenant_user_id_fkey foreign key (organization_id, user_id) references app_user (organization_id, id);
