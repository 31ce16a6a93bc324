-- The status that a lead had at first is that of its oldest entry of these.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX activity_lead_status_history ON activity USING btree (organization_id, lead_id, activity_at, id) WHERE (_type = 'LeadStatusChange'::text);
