create table once (
    organization_id uuid not null,
    user_id text collate "C" not null,
    key text not null,
    digest bytea not null,
    attempt text collate "C" not null,
    begun_at timestamp with time zone not null,
    done boolean not null default false,
    sealed_answer bytea,
    constraint once_pkey primary key (organization_id, user_id, key)
);

create index once_begun_at on once using btree (organization_id, begun_at);

alter table once enable row level security;

create policy once_tenant on once using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on once to clinch_app;
