/* Exchange's ways, as the simulated tenant has them: a redirection, the account's three sessions, rich records, a token. */
#include "check.h"

static void redirected(void)
{
    dt_options *options = options_for_test();
    dt_session *session = NULL;
    dt_error *error = NULL;
    CHECK(dt_session_connect(options, NULL, &session, &error) == DT_STATUS_REDIRECTED && session == NULL);
    CHECK(same(dt_error_id(error), "RedirectRequired") && dt_error_retry(error) == DT_RETRY_WITH_CONSENT);
    CHECK(strstr(dt_error_fact(error, "redirect_location"), "DelegatedOrg=fabrikam.com"));
    dt_error_free(error);

    set(options, "max_redirections", "5");
    session = connect_with(options);
    const char *warning = dt_session_warning(session, 0);
    CHECK(warning && strlen(warning) > 0 && dt_session_warning(session, 1) == NULL);
    CHECK(warning == dt_session_warning(session, 0));
    CHECK(strncmp(dt_session_uri(session), need("DT_TEST_URI"), strlen("http://127.0.0.1:")) == 0);
    CHECK(!strstr(dt_session_uri(session), need("DT_TEST_URI")));
    CHECK(dt_session_idle_timeout_ms(session) == 900000);
    close_session(session);
}

static dt_session *with_consent(void)
{
    dt_options *options = options_for_test();
    set(options, "max_redirections", "5");
    return connect_with(options);
}

static void one_too_many(void)
{
    dt_session *sessions[3];
    for (int i = 0; i < 3; i++)
        sessions[i] = with_consent();
    dt_options *options = options_for_test();
    set(options, "max_redirections", "5");
    dt_session *session = NULL;
    dt_error *error = NULL;
    CHECK(dt_session_connect(options, NULL, &session, &error) == DT_STATUS_QUOTA && session == NULL);
    CHECK(same(dt_error_id(error), "SessionQuotaExceeded") && dt_error_retry(error) == DT_RETRY_AFTER_CLOSING);
    CHECK(dt_error_fact(error, "remedy") && dt_error_fact(error, "native_message"));
    dt_error_free(error);

    close_session(sessions[0]);
    close_session(connect_with(options));
    close_session(sessions[1]);
    close_session(sessions[2]);
}

static void rich_records(void)
{
    dt_session *session = with_consent();
    dt_command *command = command_named("Get-Mailbox");
    EXPECT(DT_STATUS_OK, dt_command_add_string(command, "ResultSize", "Unlimited", &error));
    dt_invocation *invocation = invoke(session, command);
    size_t bytes = 0;
    for (int i = 0; i < 500; i++) {
        dt_item *item = next_of(invocation, DT_ITEM_OUTPUT, NULL);
        size_t length = 0;
        CHECK(strstr(dt_item_clixml(item, &length), "PrimarySmtpAddress"));
        bytes += length;
        dt_item_free(item);
    }
    CHECK(bytes > 500 * 2000);
    ended(invocation);
    close_session(session);
}

int main(void)
{
    redirected();
    one_too_many();
    rich_records();
    return done();
}
