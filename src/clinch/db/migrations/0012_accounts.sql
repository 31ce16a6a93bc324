-- Companies above leads. The reference is null in every lead that there is, so it need not be checked apart.
-- squawk-ignore-file adding-foreign-key-constraint, constraint-missing-not-valid, require-concurrent-index-creation

create table account (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    name text not null,
    domains jsonb not null,
    parent_id text collate "C",
    owner_id text collate "C",
    custom jsonb not null,
    constraint account_pkey primary key (organization_id, id)
);

create index account_date_created_id on account using btree (organization_id, date_created desc, id desc);

create index account_name_id on account using btree (organization_id, name, id);

create index account_parent_id on account using btree (organization_id, parent_id);

create index account_owner_id on account using btree (organization_id, owner_id);

alter table account enable row level security;

create policy account_tenant on account using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on account to clinch_app;

alter table lead add column account_id text collate "C";

alter table lead add constraint lead_account_id_fkey FOREIGN KEY (organization_id, account_id) REFERENCES account(organization_id, id);

CREATE INDEX lead_account_id ON lead USING btree (organization_id, account_id) WHERE (account_id IS NOT NULL);

alter table account add constraint account_parent_id_fkey foreign key (organization_id, parent_id) references account (organization_id, id);

alter table account add constraint account_owner_id_fkey foreign key (organization_id, owner_id) references app_user (organization_id, id);
