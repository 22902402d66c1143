/* Errors of the server, with what they tell. */
#include "check.h"

static void wrong_password(void)
{
    dt_options *options = options_for_test();
    set_password(options, "not the word");
    dt_session *session = NULL;
    dt_error *error = NULL;
    CHECK(dt_session_connect(options, NULL, &session, &error) == DT_STATUS_AUTHENTICATION);
    CHECK(session == NULL && same(dt_error_id(error), "AuthenticationFailed"));
    CHECK(same(dt_error_category(error), "AuthenticationError") && dt_error_retry(error) == DT_RETRY_NEW_CREDENTIAL);
    CHECK(same(dt_error_fact(error, "http_status"), "401") && same(dt_error_fact(error, "host"), "127.0.0.1"));
    CHECK(dt_error_fact(error, "remedy") && !strstr(dt_error_message(error), "not the word"));
    CHECK(dt_error_message(error) == dt_error_message(error));
    dt_error_free(error);
    dt_options_free(options);
}

static dt_error *failed(dt_invocation *invocation)
{
    dt_item *item = NULL;
    dt_error *error = NULL;
    dt_status status = dt_invocation_next(invocation, DT_WAIT_FOREVER, &item, &error);
    expect(__FILE__, __LINE__, "dt_invocation_next", DT_STATUS_COMMAND_FAILED, status, error);
    CHECK(item == NULL);
    return error;
}

static void terminating(const dt_session *session)
{
    dt_invocation *invocation = invoke(session, command_named("Stop-Everything"));
    next_output(invocation, "<S>before</S>");
    dt_error *error = failed(invocation);
    CHECK(same(dt_error_id(error), "StoppedEverything,Stop-Everything") && same(dt_error_category(error), "InvalidOperation"));
    CHECK(strstr(dt_error_message(error), "terminating text") && dt_error_retry(error) == DT_RETRY_NO);
    size_t length = 0;
    const char *record = dt_error_record(error, &length);
    CHECK(record && strlen(record) == length && strstr(record, "StoppedEverything"));
    dt_error_free(error);
    ended(invocation);
}

static void no_such_command(const dt_session *session)
{
    dt_invocation *invocation = invoke(session, command_named("Get-Nothing"));
    dt_error *error = failed(invocation);
    CHECK(same(dt_error_id(error), "CommandNotFoundException") && same(dt_error_category(error), "ObjectNotFound"));
    dt_error_free(error);
    ended(invocation);
}

static void not_terminating(const dt_session *session)
{
    dt_command *command = command_named("Get-Mailbox");
    EXPECT(DT_STATUS_OK, dt_command_add_string(command, "Identity", "nobody", &error));
    dt_invocation *invocation = invoke(session, command);
    dt_item *item = next_of(invocation, DT_ITEM_ERROR, NULL);
    CHECK(strstr(dt_item_text(item), "'nobody' couldn't be found"));
    dt_item_free(item);
    ended(invocation);
}

/* The endpoint knows no language. */
static void script(const dt_session *session)
{
    dt_command *command = NULL;
    EXPECT(DT_STATUS_OK, dt_command_new(&command, &error));
    EXPECT(DT_STATUS_OK, dt_command_add_script(command, "1 + 1", &error));
    dt_invocation *invocation = invoke(session, command);
    dt_error *error = failed(invocation);
    CHECK(strstr(dt_error_id(error), "ScriptsNotAllowed"));
    dt_error_free(error);
    ended(invocation);
}

static void empty_command(const dt_session *session)
{
    dt_command *command = NULL;
    dt_invocation *invocation = NULL;
    EXPECT(DT_STATUS_OK, dt_command_new(&command, &error));
    EXPECT(DT_STATUS_INVALID_ARGUMENT, dt_session_invoke(session, command, &invocation, &error));
    EXPECT(DT_STATUS_INVALID_ARGUMENT, dt_session_invoke(session, NULL, &invocation, &error));
    EXPECT(DT_STATUS_INVALID_ARGUMENT, dt_session_invoke(session, command, NULL, &error));
    dt_command_free(command);
}

int main(void)
{
    wrong_password();
    dt_session *session = connect_with(options_for_test());
    terminating(session);
    no_such_command(session);
    not_terminating(session);
    script(session);
    empty_command(session);
    close_session(session);
    return done();
}
