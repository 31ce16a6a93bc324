create table link (
    id text collate "C" not null,
    organization_id uuid not null,
    made_by text collate "C",
    user_id text collate "C",
    hash bytea not null,
    expires_at timestamp with time zone not null,
    constraint link_pkey primary key (id)
);

create index link_organization on link using btree (organization_id);

create index link_user_id on link using btree (user_id);

grant select, insert, update, delete on link to clinch_app;

create table second_factor (
    user_id text collate "C" not null,
    sealed_secret bytea not null,
    active boolean not null,
    last_step bigint not null,
    recovery_codes bytea[] not null,
    constraint second_factor_pkey primary key (user_id)
);

grant select, insert, update, delete on second_factor to clinch_app;

create table invitation (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    email text not null,
    role_id text not null,
    status text not null,
    user_id text collate "C",
    expires_at timestamp with time zone not null,
    constraint invitation_pkey primary key (organization_id, id)
);

create index invitation_user_id on invitation using btree (organization_id, user_id);

alter table invitation enable row level security;

create policy invitation_tenant on invitation using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on invitation to clinch_app;

alter table invitation add constraint invitation_user_id_fkey foreign key (organization_id, user_id) references app_user (organization_id, id);
