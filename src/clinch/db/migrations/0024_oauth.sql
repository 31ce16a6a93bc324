create table oauth_client (
    id text collate "C" not null,
    organization_id uuid,
    name text not null,
    hash bytea,
    redirect_uris text[] not null,
    created_at timestamp with time zone not null,
    constraint oauth_client_pkey primary key (id)
);

create index oauth_client_organization on oauth_client using btree (organization_id);

grant select, insert, update, delete on oauth_client to clinch_app;

create table oauth_code (
    hash bytea not null,
    client_id text collate "C" not null,
    user_id text collate "C" not null,
    organization_id uuid,
    redirect_uri text not null,
    challenge text,
    scope text not null,
    expires_at timestamp with time zone not null,
    grant_id text collate "C",
    constraint oauth_code_pkey primary key (hash)
);

create index oauth_code_expires_at on oauth_code using btree (expires_at);

grant select, insert, update, delete on oauth_code to clinch_app;

create table oauth_grant (
    id text collate "C" not null,
    client_id text collate "C" not null,
    client_name text not null,
    user_id text collate "C" not null,
    organization_id uuid,
    scope text not null,
    hash bytea,
    spent_hash bytea,
    salt bytea,
    rotated_at timestamp with time zone,
    created_at timestamp with time zone not null,
    last_used_at timestamp with time zone not null,
    constraint oauth_grant_pkey primary key (id)
);

create index oauth_grant_user_id on oauth_grant using btree (user_id);

create index oauth_grant_client_id on oauth_grant using btree (client_id);

grant select, insert, update, delete on oauth_grant to clinch_app;

alter table credential add column grant_id text collate "C";

alter table credential add column scope text;

-- There are no more credentials than keys and sessions, so the index is made at once.
-- squawk-ignore require-concurrent-index-creation
create index credential_grant_id on credential using btree (grant_id);
