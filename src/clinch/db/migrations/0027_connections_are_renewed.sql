alter table gateway_connection add column failures bigint not null default 0;

alter table gateway_connection add column fence bigint not null default 0;

alter table gateway_connection add column lease_until timestamp with time zone;

alter table gateway_connection add column login bytea;

alter table gateway_connection add column renew_at timestamp with time zone;

alter table gateway_connection add column renewed_by bigint;

alter table gateway_connection add column retry_at timestamp with time zone;

alter table gateway_connection add column sent_version bigint;


update gateway_connection set renew_at = expires_at - interval '5 minutes' where expires_at is not null;
