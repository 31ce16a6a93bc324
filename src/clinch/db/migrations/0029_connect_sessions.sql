create table gateway_connect_session (
    organization_id uuid not null,
    tenant_id text collate "C" not null,
    id text collate "C" not null,
    origin text,
    redirect_uri text,
    created_at timestamp with time zone not null,
    ended_at timestamp with time zone,
    connection_id text collate "C",
    failure text,
    constraint gateway_connect_session_pkey primary key (organization_id, tenant_id, id)
);

create index gateway_connect_session_tenant_id_created_at on gateway_connect_session using btree (organization_id, tenant_id, created_at);

alter table gateway_connect_session enable row level security;

create policy gateway_connect_session_tenant on gateway_connect_session using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on gateway_connect_session to clinch_app;

alter table gateway_connection add column session_id text collate "C";

alter table gateway_connect_session add constraint gateway_connect_session_tenant_id_fkey foreign key (organization_id, tenant_id) references gateway_tenant (organization_id, tenant_id);
