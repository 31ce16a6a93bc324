-- An organization has few invitations: the table is rewritten in no time.
-- squawk-ignore-file changing-column-type
alter table invitation alter column role_id type text collate "C";
