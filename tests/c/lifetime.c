/* Handles freed in any order, and what a closed session answers. */
#include "check.h"

static void session_before_invocation(void)
{
    dt_session *session = connect_with(options_for_test());
    dt_command *command = command_named("Get-Mailbox");
    EXPECT(DT_STATUS_OK, dt_command_add_int(command, "ResultSize", 2, &error));
    dt_invocation *invocation = invoke(session, command);
    dt_session_free(session);
    next_output(invocation, "user00001");
    dt_item *kept = next_of(invocation, DT_ITEM_OUTPUT, NULL);
    dt_invocation_free(invocation);
    CHECK(strstr(dt_item_clixml(kept, NULL), "user00002"));
    dt_item_free(kept);
}

static void one_command_many_invocations(void)
{
    dt_session *session = connect_with(options_for_test());
    dt_command *command = command_named("Get-AcceptedDomain");
    dt_invocation *first = NULL;
    dt_invocation *second = NULL;
    EXPECT(DT_STATUS_OK, dt_session_invoke(session, command, &first, &error));
    EXPECT(DT_STATUS_OK, dt_session_invoke(session, command, &second, &error));
    dt_command_free(command);
    next_output(first, "fabrikam.com");
    ended(first);
    next_output(second, "fabrikam.com");
    ended(second);
    dt_session_free(session);
}

static void left_running(void)
{
    dt_session *session = connect_with(options_for_test());
    dt_command *command = command_named("Get-Slowly");
    EXPECT(DT_STATUS_OK, dt_command_add_int(command, "Count", 10000, &error));
    dt_invocation *invocation = invoke(session, command);
    next_output(invocation, "item 1");
    dt_invocation_free(invocation);
    /* What was let go of is stopped, and the session goes on. */
    invocation = invoke(session, command_named("Get-AcceptedDomain"));
    next_output(invocation, "fabrikam.com");
    ended(invocation);
    dt_session_free(session);
}

static void closed(void)
{
    dt_session *session = connect_with(options_for_test());
    const char *id = dt_session_id(session);
    dt_status status = DT_STATUS_PENDING;
    while (status == DT_STATUS_PENDING)
        status = dt_session_disconnect(session, 10, NULL);
    CHECK(status == DT_STATUS_OK);
    EXPECT(DT_STATUS_OK, dt_session_disconnect(session, 0, &error));
    CHECK(dt_session_state(session) == DT_SESSION_STATE_CLOSED && dt_session_availability(session) == DT_AVAILABILITY_NONE);
    CHECK(same(id, dt_session_id(session)));

    dt_command *command = command_named("Get-Mailbox");
    dt_invocation *invocation = (dt_invocation *)session;
    dt_error *error = NULL;
    CHECK(dt_session_invoke(session, command, &invocation, &error) == DT_STATUS_INVALID_STATE && invocation == NULL);
    CHECK(same(dt_error_id(error), "SessionNotUsable") && dt_error_retry(error) == DT_RETRY_NO);
    dt_error_free(error);
    dt_command_free(command);
    EXPECT(DT_STATUS_INVALID_STATE, dt_session_exchange_key(session, DT_WAIT_FOREVER, &error));
    dt_session_free(session);
}

/* The library closes what the program forgot, and can be used again. */
static void shut_down(void)
{
    dt_session *session = connect_with(options_for_test());
    EXPECT(DT_STATUS_OK, dt_library_shutdown(DT_WAIT_FOREVER, &error));
    CHECK(dt_session_state(session) == DT_SESSION_STATE_CLOSED);
    dt_session_free(session);
    close_session(connect_with(options_for_test()));
}

int main(void)
{
    session_before_invocation();
    one_command_many_invocations();
    left_running();
    closed();
    shut_down();
    return done();
}
