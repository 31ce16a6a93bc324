alter table event add column oauth_client_id text collate "C";

alter table event add column oauth_scope text;
