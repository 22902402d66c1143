/* A session and every kind of item that a command gives. */
#include "check.h"

static void about_the_session(const dt_session *session)
{
    CHECK(strlen(dt_session_id(session)) == 36 && dt_session_id(session) == dt_session_id(session));
    CHECK(same(dt_session_computer_name(session), "127.0.0.1"));
    CHECK(same(dt_session_organization(session), "fabrikam.com"));
    CHECK(same(dt_session_property(session, "transport"), "WSMan") && !dt_session_property(session, "colour"));
    CHECK(same(dt_session_configuration_name(session), "Microsoft.Exchange"));
    CHECK(strncmp(dt_session_uri(session), "http://127.0.0.1:", 17) == 0);
    CHECK(strstr(dt_session_private_data(session), "PSVersionTable"));
    CHECK(dt_session_warning(session, 0) == NULL);
    CHECK(dt_session_state(session) == DT_SESSION_STATE_OPENED);
    CHECK(dt_session_availability(session) == DT_AVAILABILITY_AVAILABLE);
    EXPECT(DT_STATUS_OK, dt_session_wait(session, 0, &error));
}

static void every_stream(const dt_session *session)
{
    dt_command *command = command_named("Write-AllStreams");
    EXPECT(DT_STATUS_OK, dt_command_add_bool(command, "Verbose", 1, &error));
    EXPECT(DT_STATUS_OK, dt_command_add_bool(command, "Debug", 1, &error));
    /* With -Debug, what is not told otherwise asks. */
    EXPECT(DT_STATUS_OK, dt_command_add_string(command, "WarningAction", "Continue", &error));
    EXPECT(DT_STATUS_OK, dt_command_add_string(command, "ErrorAction", "Continue", &error));
    dt_invocation *invocation = invoke(session, command);
    next_output(invocation, "<S>output</S>");
    dt_item_free(next_of(invocation, DT_ITEM_VERBOSE, "verbose text"));
    dt_item_free(next_of(invocation, DT_ITEM_DEBUG, "debug text"));
    dt_item_free(next_of(invocation, DT_ITEM_WARNING, "warning text"));
    dt_item *information = next_of(invocation, DT_ITEM_INFORMATION, NULL);
    CHECK(strstr(dt_item_clixml(information, NULL), "information text") && strstr(dt_item_clixml(information, NULL), "tag2"));
    dt_item_free(information);
    dt_item *record = next_of(invocation, DT_ITEM_ERROR, "error text");
    CHECK(strstr(dt_item_clixml(record, NULL), "WroteError"));
    CHECK(dt_item_call_id(record) == DT_CALL_WITHOUT_REPLY && dt_item_call_method(record) == 0);
    dt_item_free(record);
    next_output(invocation, "<S>more output</S>");
    ended(invocation);
}

static void merged(const dt_session *session)
{
    dt_command *command = command_named("Get-Mailbox");
    EXPECT(DT_STATUS_OK, dt_command_add_string(command, "Identity", "nobody", &error));
    EXPECT(DT_STATUS_OK, dt_command_merge(command, DT_ITEM_ERROR, &error));
    dt_invocation *invocation = invoke(session, command);
    next_output(invocation, "ManagementObjectNotFoundException");
    ended(invocation);
}

static void progress(const dt_session *session)
{
    dt_command *command = command_named("Get-Slowly");
    EXPECT(DT_STATUS_OK, dt_command_add_int(command, "Count", 1, &error));
    EXPECT(DT_STATUS_OK, dt_command_add_int(command, "Milliseconds", 1, &error));
    EXPECT(DT_STATUS_OK, dt_command_add_bool(command, "Progress", 1, &error));
    dt_invocation *invocation = invoke(session, command);
    dt_item_free(next_of(invocation, DT_ITEM_PROGRESS, "Getting slowly"));
    next_output(invocation, "item 1");
    ended(invocation);
}

/* -Identity as typed: a name alone, then a value alone. Then a pipeline and a second statement. */
static void arguments(const dt_session *session)
{
    dt_command *command = command_named("Get-Mailbox");
    EXPECT(DT_STATUS_OK, dt_command_add_argument(command, "-Identity", NULL, &error));
    EXPECT(DT_STATUS_OK, dt_command_add_argument(command, NULL, CLIXML("<S>user00002</S>"), &error));
    EXPECT(DT_STATUS_OK, dt_command_add(command, "Get-MailboxStatistics", &error));
    EXPECT(DT_STATUS_OK, dt_command_end_statement(command, &error));
    EXPECT(DT_STATUS_OK, dt_command_add(command, "Get-AcceptedDomain", &error));
    EXPECT(DT_STATUS_OK, dt_command_set(command, "history", "two statements", &error));
    dt_invocation *invocation = invoke(session, command);
    next_output(invocation, "<I32 N=\"ItemCount\">20</I32>");
    next_output(invocation, "fabrikam.com");
    ended(invocation);
}

static void input(const dt_session *session)
{
    dt_command *command = command_named("Get-Mailbox");
    EXPECT(DT_STATUS_OK, dt_command_set(command, "input", "true", &error));
    dt_invocation *invocation = invoke(session, command);
    EXPECT(DT_STATUS_INVALID_ARGUMENT, dt_invocation_send(invocation, "user00001", DT_WAIT_FOREVER, &error));
    EXPECT(DT_STATUS_OK, dt_invocation_send(invocation, CLIXML("<S>user00001</S>"), DT_WAIT_FOREVER, &error));
    next_output(invocation, "user00001@fabrikam.com");
    /* The command waits for more. */
    dt_item *item = NULL;
    EXPECT(DT_STATUS_PENDING, dt_invocation_next(invocation, 0, &item, &error));
    CHECK(item == NULL && dt_session_availability(session) == DT_AVAILABILITY_BUSY);
    EXPECT(DT_STATUS_OK, dt_invocation_send(invocation, CLIXML("<S>user00003</S>"), DT_WAIT_FOREVER, &error));
    EXPECT(DT_STATUS_OK, dt_invocation_end_input(invocation, &error));
    EXPECT(DT_STATUS_OK, dt_invocation_end_input(invocation, &error));
    EXPECT(DT_STATUS_INVALID_STATE, dt_invocation_send(invocation, NULL, 0, &error));
    next_output(invocation, "user00003@fabrikam.com");
    ended(invocation);
}

/* The next host call of this method; the engine also tells the host what it tells the streams, which is passed over. */
static dt_item *next_call(dt_invocation *invocation, int32_t method)
{
    for (;;) {
        dt_item *item = next_of(invocation, DT_ITEM_HOST_CALL, NULL);
        if (dt_item_call_method(item) == method)
            return item;
        CHECK(dt_item_call_id(item) == DT_CALL_WITHOUT_REPLY);
        dt_item_free(item);
    }
}

static void host_calls(const dt_session *session)
{
    dt_invocation *invocation = invoke(session, command_named("Read-Answer"));
    dt_item *call = next_call(invocation, 11);
    CHECK(same(dt_item_text(call), "ReadLine") && dt_item_call_id(call) > 0);
    EXPECT(DT_STATUS_INVALID_ARGUMENT, dt_invocation_reply(invocation, dt_item_call_id(call) + 1, NULL, &error));
    EXPECT(DT_STATUS_OK, dt_invocation_reply(invocation, dt_item_call_id(call), CLIXML("<S>yes &amp; no</S>"), &error));
    next_output(invocation, "you said yes &amp; no");
    dt_item_free(call);
    ended(invocation);

    /* A confirmation, declined: choice 2 is No. */
    dt_command *command = command_named("Remove-Mailbox");
    EXPECT(DT_STATUS_OK, dt_command_add_string(command, "Identity", "user00001", &error));
    invocation = invoke(session, command);
    call = next_call(invocation, 26);
    size_t length = 0;
    CHECK(strstr(dt_item_clixml(call, &length), "Removing mailbox") && length > 0 && same(dt_item_text(call), "PromptForChoice"));
    EXPECT(DT_STATUS_OK, dt_invocation_reply(invocation, dt_item_call_id(call), CLIXML("<I32>2</I32>"), &error));
    dt_item_free(call);
    ended(invocation);

    /* A prompt refused ends the command with an error of that text. */
    invocation = invoke(session, command_named("Read-Answer"));
    call = next_call(invocation, 11);
    EXPECT(DT_STATUS_OK, dt_invocation_reply_error(invocation, dt_item_call_id(call), "nobody is here", "NobodyHere", &error));
    dt_item_free(call);
    dt_item *item = NULL;
    dt_error *error = NULL;
    dt_status status = dt_invocation_next(invocation, DT_WAIT_FOREVER, &item, &error);
    const char *told = status == DT_STATUS_OK ? dt_item_clixml(item, NULL) : dt_error_record(error, NULL);
    CHECK((status == DT_STATUS_COMMAND_FAILED || dt_item_kind(item) == DT_ITEM_ERROR) && strstr(told, "nobody is here"));
    dt_error_free(error);
    dt_item_free(item);
    ended(invocation);
}

static void metadata(const dt_session *session)
{
    dt_command *command = NULL;
    EXPECT(DT_STATUS_OK, dt_command_new(&command, &error));
    EXPECT(DT_STATUS_OK, dt_command_describe(command, "Get-Mailbox", &error));
    EXPECT(DT_STATUS_INVALID_ARGUMENT, dt_command_add(command, "Get-Mailbox", &error));
    dt_invocation *invocation = invoke(session, command);
    next_output(invocation, "<I32 N=\"Count\">1</I32>");
    next_output(invocation, "RecipientTypeDetails");
    ended(invocation);
}

int main(void)
{
    dt_options *options = options_for_test();
    set(options, "interactive", "true");
    set(options, "host_name", "C test");
    dt_session *session = connect_with(options);
    host_calls(session);
    close_session(session);

    session = connect_with(options_for_test());
    about_the_session(session);
    every_stream(session);
    merged(session);
    progress(session);
    arguments(session);
    input(session);
    metadata(session);
    close_session(session);
    return done();
}
