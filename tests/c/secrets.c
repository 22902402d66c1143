/* Secure strings in both directions. */
#include "check.h"

static void to_the_server(const dt_session *session)
{
    static const char password[] = "s\xC3\xB8ndag 9!";
    dt_text *encrypted = NULL;
    EXPECT(DT_STATUS_OK, dt_session_protect(session, (const uint8_t *)password, sizeof password - 1, &encrypted, &error));
    size_t length = 0;
    const char *base64 = dt_text_data(encrypted, &length);
    CHECK(strlen(base64) == length && !strstr(base64, "ndag"));

    char argument[512];
    CHECK(snprintf(argument, sizeof argument, CLIXML("<SS>%s</SS>"), base64) < (int)sizeof argument);
    dt_command *command = command_named("New-Mailbox");
    EXPECT(DT_STATUS_OK, dt_command_add_string(command, "Name", "secret", &error));
    EXPECT(DT_STATUS_OK, dt_command_add_argument(command, "Password", argument, &error));
    dt_invocation *invocation = invoke(session, command);
    next_output(invocation, "password of 9 characters");
    ended(invocation);

    /* And back again, without the server. */
    dt_text *again = NULL;
    EXPECT(DT_STATUS_OK, dt_session_unprotect(session, base64, &again, &error));
    CHECK(same(dt_text_data(again, NULL), password));
    dt_text_free(again);
    dt_text_free(encrypted);
}

static void from_the_server(const dt_session *session)
{
    dt_invocation *invocation = invoke(session, command_named("Get-Secret"));
    dt_item *item = next_of(invocation, DT_ITEM_OUTPUT, NULL);
    CHECK(dt_item_has_secure_string(item) == 1);
    const char *clixml = dt_item_clixml(item, NULL);
    const char *begin = strstr(clixml, "<SS>");
    const char *end = strstr(clixml, "</SS>");
    CHECK(begin && end);
    char encrypted[512];
    CHECK(snprintf(encrypted, sizeof encrypted, "%.*s", (int)(end - begin - 4), begin + 4) < (int)sizeof encrypted);
    dt_text *text = NULL;
    EXPECT(DT_STATUS_OK, dt_session_unprotect(session, encrypted, &text, &error));
    size_t length = 0;
    CHECK(same(dt_text_data(text, &length), "server says hush") && length == 16);
    dt_text_free(text);
    dt_item_free(item);
    ended(invocation);
}

int main(void)
{
    dt_session *session = connect_with(options_for_test());
    dt_text *text = (dt_text *)session;
    EXPECT(DT_STATUS_INVALID_STATE, dt_session_protect(session, (const uint8_t *)"x", 1, &text, &error));
    CHECK(text == NULL);
    EXPECT(DT_STATUS_INVALID_STATE, dt_session_unprotect(session, "AAAA", &text, &error));

    dt_status status = DT_STATUS_PENDING;
    while (status == DT_STATUS_PENDING)
        status = dt_session_exchange_key(session, 100, NULL);
    CHECK(status == DT_STATUS_OK);
    EXPECT(DT_STATUS_OK, dt_session_exchange_key(session, 0, &error));

    EXPECT(DT_STATUS_INVALID_ARGUMENT, dt_session_protect(session, NULL, 1, &text, &error));
    EXPECT(DT_STATUS_INVALID_ARGUMENT, dt_session_unprotect(session, NULL, &text, &error));
    dt_error *error = NULL;
    CHECK(dt_session_unprotect(session, "not what it should be", &text, &error) >= DT_STATUS_INVALID_ARGUMENT && text == NULL);
    dt_error_free(error);
    to_the_server(session);
    from_the_server(session);
    close_session(session);
    return done();
}
