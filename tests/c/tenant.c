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

    /* One that waits says for whom, and opens as soon as another closes. */
    set(options, "wait_for_session_ms", "60000");
    EXPECT(DT_STATUS_OK, dt_session_open(options, &session, &error));
    dt_text *text = NULL;
    while (dt_session_waiting(session, &text, NULL) == DT_STATUS_END)
        EXPECT(DT_STATUS_PENDING, dt_session_wait(session, 10, &error));
    CHECK(strstr(dt_text_data(text, NULL), "this process on fabrikam.com for "));
    dt_text_free(text);
    EXPECT(DT_STATUS_OK, dt_library_ledger(NULL, &text, &error));
    CHECK(strstr(dt_text_data(text, NULL), dt_session_id(sessions[0])) && strstr(dt_text_data(text, NULL), "fabrikam.com"));
    dt_text_free(text);
    EXPECT(DT_STATUS_INVALID_ARGUMENT, dt_library_ledger(NULL, NULL, &error));
    close_session(sessions[0]);
    EXPECT(DT_STATUS_OK, dt_session_wait(session, DT_WAIT_FOREVER, &error));
    EXPECT(DT_STATUS_END, dt_session_waiting(session, &text, &error));
    CHECK(text == NULL);
    close_session(session);
    dt_options_free(options);
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

/* A walk tells each step once, in order, and leaves nothing open. `failing` is the step that fails, or NULL. */
static void walk(dt_options *options, const char *failing, const char *id)
{
    static const char *const names[] = {"Name", "TCP", "TLS", "HTTP", "SignIn", "Shell", "Organization"};
    dt_check *check = NULL;
    EXPECT(DT_STATUS_OK, dt_check_start(options, &check, &error));
    dt_options_free(options);
    int reached = 1;
    for (int i = 0; i < 7; i++) {
        dt_step *step = NULL;
        EXPECT(DT_STATUS_OK, dt_check_next(check, DT_WAIT_FOREVER, &step, &error));
        CHECK(same(dt_step_name(step), names[i]) && strlen(dt_step_detail(step)) > 0 && dt_step_duration_ms(step) < 60000);
        int fails = same(failing, names[i]);
        CHECK((dt_step_result(step) == DT_STEP_FAILED) == fails && (dt_step_remedy(step) != NULL) == fails);
        CHECK(fails ? same(dt_step_error_id(step), id) : dt_step_error_id(step) == NULL);
        CHECK(reached || dt_step_result(step) == DT_STEP_SKIPPED);
        reached = reached && !fails;
        dt_step_free(step);
    }
    dt_step *step = (dt_step *)check;
    EXPECT(DT_STATUS_END, dt_check_next(check, DT_WAIT_FOREVER, &step, &error));
    CHECK(step == NULL);
    dt_check_free(check);
    CHECK(dt_step_name(NULL) == NULL && dt_step_result(NULL) == 0 && dt_check_warning(NULL, 0) == NULL);
    dt_step_free(NULL);
    dt_check_free(NULL);
}

static dt_options *consenting(void)
{
    dt_options *options = options_for_test();
    set(options, "max_redirections", "5");
    return options;
}

static void checked(void)
{
    walk(consenting(), NULL, NULL);
    walk(options_for_test(), "SignIn", "RedirectRequired");
    dt_options *options = consenting();
    set(options, "organization", "nowhere.example");
    walk(options, "Shell", "TenantNotFound");
    /* Freed half way, it ends by itself. */
    options = consenting();
    dt_check *check = NULL;
    EXPECT(DT_STATUS_OK, dt_check_start(options, &check, &error));
    dt_check_free(check);
    dt_options_free(options);
}

static void verified(void)
{
    dt_options *options = consenting();
    set(options, "verify_organization", "true");
    dt_session *session = connect_with(options);
    CHECK(same(dt_session_verified_organization(session), "fabrikam.onmicrosoft.com"));
    close_session(session);
    options = consenting();
    set(options, "renewable", "true");
    session = connect_with(options);
    CHECK(dt_session_verified_organization(session) == NULL);

    /* A password that is not the account's any more is refused, and the command goes on with the right one. */
    EXPECT(DT_STATUS_OK, dt_session_set_secret(session, "password", (const uint8_t *)"wrong", 5, &error));
    dt_invocation *invocation = invoke(session, command_named("Get-OrganizationConfig"));
    dt_item *item = NULL;
    while (!dt_session_wants_secret(session))
        EXPECT(DT_STATUS_PENDING, dt_invocation_next(invocation, 10, &item, &error));
    const char *password = need("DT_TEST_PASSWORD");
    EXPECT(DT_STATUS_OK, dt_session_set_secret(session, "password", (const uint8_t *)password, strlen(password), &error));
    next_output(invocation, "fabrikam.onmicrosoft.com");
    ended(invocation);
    EXPECT(DT_STATUS_INVALID_ARGUMENT, dt_session_set_secret(session, "colour", (const uint8_t *)"red", 3, &error));
    EXPECT(DT_STATUS_INVALID_ARGUMENT, dt_session_set_secret(session, "password", NULL, 3, &error));
    close_session(session);
}

int main(void)
{
    checked();
    verified();
    redirected();
    one_too_many();
    rich_records();
    return done();
}
