alter table activity add column body_html text;

alter table activity add column body_text text;

alter table activity add column external_whatsapp_message_id text;

alter table activity add column message_html text;

alter table activity add column message_markdown text;

alter table activity add column text text;

-- Ids stay in the row, however long the row is: only what is long itself lies beside the table.
alter table activity alter column id set storage main;

alter table activity alter column created_by set storage main;

alter table activity alter column updated_by set storage main;

alter table activity alter column lead_id set storage main;

alter table activity alter column contact_id set storage main;

alter table activity alter column user_id set storage main;

alter table activity alter column object_id set storage main;

alter table activity alter column external_whatsapp_message_id set storage main;

alter table lead add column last_email_date timestamp with time zone;

alter table lead add column last_incoming_email_date timestamp with time zone;

alter table lead add column last_incoming_sms_date timestamp with time zone;

alter table lead add column last_outgoing_email_date timestamp with time zone;

alter table lead add column last_outgoing_sms_date timestamp with time zone;

alter table lead add column last_sms_date timestamp with time zone;

alter table lead add column num_emails bigint not null default 0;

alter table lead add column num_received_emails bigint not null default 0;

alter table lead add column num_received_sms bigint not null default 0;

alter table lead add column num_sent_emails bigint not null default 0;

alter table lead add column num_sent_sms bigint not null default 0;

alter table lead add column num_sms bigint not null default 0;

-- Migrations run in a transaction, before anything else does; nobody waits to write.
-- squawk-ignore require-concurrent-index-creation
create index activity_external_whatsapp_message_id on activity using btree (organization_id, external_whatsapp_message_id)
where (external_whatsapp_message_id is not null);
