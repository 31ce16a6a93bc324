-- Part of a statement's conditions as well as of a message that begins: it holds, or it fails. The
-- moment is that of the statement, since a transaction may serve several requests.
-- squawk-ignore ban-drop-function
drop function assert_credential(text, bigint);
create function assert_credential(credential_id text, known_version bigint) returns boolean
    language plpgsql stable parallel safe as $$
begin
    if not exists (
        select from credential c where c.id = credential_id and c.version = known_version
        and c.organization_id = app_org()
        and (c.expires_at is null or c.expires_at > statement_timestamp())
    ) then
        raise exception 'the credential has changed' using errcode = 'invalid_authorization_specification';
    end if;
    return true;
end $$;
