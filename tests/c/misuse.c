/* What a caller can do wrong without a server: each is an error that says what, none is a crash. */
#include "check.h"

/* The error of a call that must fail so, with this in its message. */
#define REFUSED(wanted, what, call)                                                                                            \
    do {                                                                                                                       \
        dt_error *error = NULL;                                                                                                \
        dt_status got = (call);                                                                                                \
        expect(__FILE__, __LINE__, #call, (wanted), got, error);                                                               \
        if (!strstr(dt_error_message(error), (what)))                                                                          \
            fail(__FILE__, __LINE__, dt_error_message(error));                                                                 \
        dt_error_free(error);                                                                                                  \
    } while (0)

#define INVALID(what, call) REFUSED(DT_STATUS_INVALID_ARGUMENT, what, call)

/* What stands in an output before the call. */
static void *const NOISE = (void *)0x10;

/* Where an assertion is for, before there is a session. */
static void token_endpoint(void)
{
    dt_options *options = NULL;
    dt_text *text = NULL;
    EXPECT(DT_STATUS_OK, dt_options_new(&options, &error));
    EXPECT(DT_STATUS_OK, dt_options_set(options, "organization", "fabrikam.com", &error));
    EXPECT(DT_STATUS_OK, dt_options_token_endpoint(options, &text, &error));
    CHECK(same(dt_text_data(text, NULL), "https://login.microsoftonline.com/fabrikam.com/oauth2/v2.0/token"));
    dt_text_free(text);
    EXPECT(DT_STATUS_OK, dt_options_set(options, "uri", "https://mail.hoster.example/PowerShell", &error));
    INVALID("REST road", dt_options_token_endpoint(options, &text, &error));
    CHECK(text == NULL);
    dt_options_free(options);
}

static void null_everywhere(void)
{
    dt_options *options = (dt_options *)NOISE;
    dt_cancel *cancel = (dt_cancel *)NOISE;
    dt_session *session = (dt_session *)NOISE;
    dt_command *command = (dt_command *)NOISE;
    dt_invocation *invocation = (dt_invocation *)NOISE;
    dt_item *item = (dt_item *)NOISE;
    dt_text *text = (dt_text *)NOISE;
    size_t length = 7;

    INVALID("dt_options", dt_options_new(NULL, &error));
    INVALID("dt_options", dt_options_set(NULL, "uri", "x", &error));
    INVALID("dt_options", dt_options_set_secret(NULL, "password", (const uint8_t *)"x", 1, &error));
    INVALID("dt_options", dt_options_token_endpoint(NULL, &text, &error));
    CHECK(text == NULL);
    text = (dt_text *)NOISE;
    INVALID("dt_cancel", dt_cancel_new(NULL, &error));
    dt_cancel_trigger(NULL);

    /* Outputs are NULL on entry, whatever else is wrong. */
    INVALID("dt_options", dt_session_connect(NULL, NULL, &session, &error));
    CHECK(session == NULL);
    session = (dt_session *)NOISE;
    INVALID("dt_options", dt_session_open(NULL, &session, &error));
    CHECK(session == NULL);
    INVALID("dt_session", dt_session_connect(NULL, NULL, NULL, &error));
    INVALID("dt_session", dt_session_open(NULL, NULL, &error));
    INVALID("dt_session", dt_session_wait(NULL, 0, &error));
    INVALID("dt_session", dt_session_disconnect(NULL, 0, &error));
    INVALID("dt_session", dt_session_exchange_key(NULL, 0, &error));
    INVALID("dt_session", dt_session_protect(NULL, (const uint8_t *)"x", 1, &text, &error));
    CHECK(text == NULL);
    text = (dt_text *)NOISE;
    INVALID("dt_session", dt_session_unprotect(NULL, "x", &text, &error));
    CHECK(text == NULL);
    INVALID("dt_session", dt_session_invoke(NULL, NULL, &invocation, &error));
    CHECK(invocation == NULL);
    CHECK(!dt_session_warning(NULL, 0) && !dt_session_id(NULL) && !dt_session_computer_name(NULL) && !dt_session_uri(NULL));
    CHECK(!dt_session_property(NULL, "transport"));
    CHECK(!dt_session_organization(NULL) && !dt_session_configuration_name(NULL) && !dt_session_private_data(NULL));
    CHECK(dt_session_state(NULL) == -1 && dt_session_availability(NULL) == -1 && dt_session_idle_timeout_ms(NULL) == 0);

    INVALID("dt_command", dt_command_new(NULL, &error));
    INVALID("dt_command", dt_command_add(NULL, "x", &error));
    INVALID("dt_command", dt_command_add_script(NULL, "x", &error));
    INVALID("dt_command", dt_command_add_argument(NULL, NULL, NULL, &error));
    INVALID("dt_command", dt_command_add_string(NULL, NULL, "x", &error));
    INVALID("dt_command", dt_command_add_int(NULL, NULL, 1, &error));
    INVALID("dt_command", dt_command_add_bool(NULL, NULL, 1, &error));
    INVALID("dt_command", dt_command_merge(NULL, DT_STREAM_ALL, &error));
    INVALID("dt_command", dt_command_end_statement(NULL, &error));
    INVALID("dt_command", dt_command_describe(NULL, "x", &error));
    INVALID("dt_command", dt_command_set(NULL, "input", "true", &error));

    INVALID("dt_invocation", dt_invocation_next(NULL, 0, &item, &error));
    CHECK(item == NULL);
    INVALID("dt_item", dt_invocation_next(NULL, 0, NULL, &error));
    const dt_invocation *none[1] = {NULL};
    size_t place = 0;
    INVALID("dt_invocation", dt_invocation_wait_any(none, 1, 0, &place, &error));
    INVALID("dt_invocation", dt_invocation_send(NULL, NULL, 0, &error));
    INVALID("dt_invocation", dt_invocation_end_input(NULL, &error));
    INVALID("dt_invocation", dt_invocation_reply(NULL, 1, NULL, &error));
    INVALID("dt_invocation", dt_invocation_reply_error(NULL, 1, "x", "y", &error));
    INVALID("dt_invocation", dt_invocation_stop(NULL, &error));

    CHECK(dt_item_kind(NULL) == 0 && !dt_item_text(NULL) && !dt_item_clixml(NULL, NULL) && !dt_item_has_secure_string(NULL));
    CHECK(!dt_item_clixml(NULL, &length) && length == 0);
    CHECK(dt_item_call_id(NULL) == DT_CALL_WITHOUT_REPLY && dt_item_call_method(NULL) == 0);
    length = 7;
    CHECK(!dt_text_data(NULL, &length) && length == 0);
    CHECK(dt_error_status(NULL) == DT_STATUS_OK && !dt_error_message(NULL) && !dt_error_id(NULL) && !dt_error_category(NULL));
    CHECK(dt_error_retry(NULL) == DT_RETRY_NO && !dt_error_fact(NULL, "host") && !dt_error_record(NULL, NULL));

    dt_options_free(NULL);
    dt_cancel_free(NULL);
    dt_session_free(NULL);
    dt_command_free(NULL);
    dt_invocation_free(NULL);
    dt_item_free(NULL);
    dt_text_free(NULL);
    dt_error_free(NULL);

    /* An error need not be asked for. */
    CHECK(dt_options_new(NULL, NULL) == DT_STATUS_INVALID_ARGUMENT);
    (void)options;
    (void)cancel;
    (void)command;
}

static void wrong_strings(void)
{
    dt_options *options = NULL;
    dt_command *command = NULL;
    EXPECT(DT_STATUS_OK, dt_options_new(&options, &error));
    EXPECT(DT_STATUS_OK, dt_command_new(&command, &error));

    INVALID("key: NULL", dt_options_set(options, NULL, "x", &error));
    INVALID("value: NULL", dt_options_set(options, "uri", NULL, &error));
    INVALID("value: not UTF-8", dt_options_set(options, "uri", "\xFF\xFE", &error));
    INVALID("colour", dt_options_set(options, "colour", "red", &error));
    INVALID("allow_unencrypted", dt_options_set(options, "allow_unencrypted", "maybe", &error));
    INVALID("password", dt_options_set(options, "password", "x", &error));
    REFUSED(DT_STATUS_UNSUPPORTED, "Kerberos", dt_options_set(options, "authentication", "Kerberos", &error));
    INVALID("value: NULL", dt_options_set_secret(options, "password", NULL, 4, &error));
    INVALID("value: not UTF-8", dt_options_set_secret(options, "password", (const uint8_t *)"\xC3\x28", 2, &error));
    INVALID("value: longer", dt_options_set_secret(options, "password", (const uint8_t *)"x", SIZE_MAX, &error));
    INVALID("uri", dt_options_set_secret(options, "uri", (const uint8_t *)"x", 1, &error));
    EXPECT(DT_STATUS_OK, dt_options_set_secret(options, "password", NULL, 0, &error));

    INVALID("no command", dt_command_add_string(command, "Identity", "x", &error));
    INVALID("no command", dt_command_end_statement(command, &error));
    INVALID("empty", dt_command_add(command, "", &error));
    EXPECT(DT_STATUS_OK, dt_command_add(command, "Get-Mailbox", &error));
    INVALID("clixml: not a CLIXML", dt_command_add_argument(command, "Identity", "user00001", &error));
    INVALID("clixml: not a CLIXML", dt_command_add_argument(command, "Identity", "<Objs><S>", &error));
    INVALID("clixml: no object", dt_command_add_argument(command, "Identity", CLIXML(""), &error));
    INVALID("clixml: more than one", dt_command_add_argument(command, "Identity", CLIXML("<S>a</S><S>b</S>"), &error));
    INVALID("stream", dt_command_merge(command, DT_ITEM_PROGRESS, &error));
    INVALID("stream", dt_command_merge(command, 1000, &error));
    INVALID("metadata", dt_command_describe(command, "Get-*", &error));
    INVALID("unknown key", dt_command_set(command, "colour", "red", &error));
    EXPECT(DT_STATUS_OK, dt_command_merge(command, DT_STREAM_ALL, &error));

    dt_command_free(command);
    dt_options_free(options);
}

static void wrong_handles(void)
{
    dt_options *options = NULL;
    dt_cancel *cancel = NULL;
    dt_session *session = NULL;
    EXPECT(DT_STATUS_OK, dt_options_new(&options, &error));
    EXPECT(DT_STATUS_OK, dt_cancel_new(&cancel, &error));

    INVALID("dt_options: not such a handle", dt_options_set((dt_options *)cancel, "culture", "en-US", &error));
    INVALID("dt_session: not such a handle", dt_session_wait((const dt_session *)options, 0, &error));
    INVALID("dt_cancel: not such a handle", dt_session_connect(options, (const dt_cancel *)options, &session, &error));
    INVALID("dt_options: not such a handle", dt_options_set((dt_options *)((char *)options + 1), "culture", "en-US", &error));
    CHECK(session == NULL && dt_item_kind((const dt_item *)options) == 0);

    /* Freed as something it is not, a handle stays as it was. */
    dt_session_free((dt_session *)options);
    EXPECT(DT_STATUS_OK, dt_options_set(options, "culture", "en-US", &error));

    dt_cancel_free(cancel);
    dt_options_free(options);
}

static void options_that_lead_nowhere(void)
{
    dt_options *options = NULL;
    dt_session *session = NULL;
    EXPECT(DT_STATUS_OK, dt_options_new(&options, &error));
    set(options, "uri", "http://127.0.0.1:9/powershell");
    set(options, "user", "admin@partner.com");
    set_password(options, "pa$$word");

    /* Basic over http without consent. */
    dt_error *refused = NULL;
    CHECK(dt_session_connect(options, NULL, &session, &refused) >= DT_STATUS_INVALID_ARGUMENT);
    CHECK(session == NULL && strstr(dt_error_message(refused), "pa$$word") == NULL);
    dt_error_free(refused);

    /* Nobody listens. */
    set(options, "allow_unencrypted", "true");
    CHECK(dt_session_connect(options, NULL, &session, &refused) == DT_STATUS_CONNECT);
    CHECK(session == NULL && same(dt_error_id(refused), "ConnectionFailed") && same(dt_error_category(refused), "ConnectionError"));
    CHECK(dt_error_retry(refused) == DT_RETRY_YES && same(dt_error_fact(refused, "host"), "127.0.0.1"));
    CHECK(dt_error_fact(refused, "colour") == NULL && dt_error_fact(refused, NULL) == NULL);
    size_t length = 7;
    CHECK(dt_error_record(refused, &length) == NULL && length == 0);
    dt_error_free(refused);

    /* The error of an open is told at every wait, and closing what never opened is no error. */
    EXPECT(DT_STATUS_OK, dt_session_open(options, &session, &error));
    EXPECT(DT_STATUS_CONNECT, dt_session_wait(session, DT_WAIT_FOREVER, &error));
    EXPECT(DT_STATUS_CONNECT, dt_session_wait(session, 0, &error));
    CHECK(dt_session_state(session) == DT_SESSION_STATE_BROKEN);
    dt_command *command = command_named("Get-Mailbox");
    dt_invocation *invocation = (dt_invocation *)NOISE;
    EXPECT(DT_STATUS_INVALID_STATE, dt_session_invoke(session, command, &invocation, &error));
    CHECK(invocation == NULL);
    dt_command_free(command);
    EXPECT(DT_STATUS_OK, dt_session_disconnect(session, DT_WAIT_FOREVER, &error));
    dt_session_free(session);
    dt_options_free(options);
}

int main(int count, char **arguments)
{
    /* Shows that the leak check would see a handle that is forgotten. */
    if (count == 2 && same(arguments[1], "leak")) {
        dt_options *forgotten = NULL;
        EXPECT(DT_STATUS_OK, dt_options_new(&forgotten, &error));
        forgotten = NULL;
        (void)forgotten;
        return done();
    }
    null_everywhere();
    token_endpoint();
    wrong_strings();
    wrong_handles();
    options_that_lead_nowhere();
    return done();
}
