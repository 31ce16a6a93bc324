-- Frozen: what every transaction of the program begins with, in one message to the server.
-- Change it only when the program must begin differently, never to move a ratio.
begin;
set local role clinch_app;
set local app.organization_id = '{organization_id}';
select assert_credential('{credential_id}', {version});
