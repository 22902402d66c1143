/* Lists an organization's mailboxes, as a C program does it.
 *
 *     cargo build --release
 *     cc -Iinclude examples/mailboxes.c -Ltarget/release -ldelegated_tenant -o mailboxes
 *     DT_PASSWORD=... LD_LIBRARY_PATH=target/release ./mailboxes URI ORGANIZATION USER
 *
 * Records come as CLIXML documents, so that nothing of their types is lost; this prints them as they are. */
#include "delegated_tenant.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Says what went wrong, what the library calls it and what to do; gives the exit code. */
static int failed(dt_error *error)
{
    const char *remedy = dt_error_fact(error, "remedy");
    fprintf(stderr, "%s (%s)\n%s\n", dt_error_message(error), dt_error_id(error), remedy ? remedy : "");
    dt_error_free(error);
    return 1;
}

/* Every record of a command, as it arrives. Prompts would come as DT_ITEM_HOST_CALL; without the option `interactive`
 * the server does not ask. */
static int read_all(dt_invocation *invocation)
{
    dt_error *error = NULL;
    for (;;) {
        dt_item *item = NULL;
        dt_status status = dt_invocation_next(invocation, DT_WAIT_FOREVER, &item, &error);
        if (status == DT_STATUS_END)
            return 0;
        if (status != DT_STATUS_OK)
            return failed(error);
        switch (dt_item_kind(item)) {
        case DT_ITEM_OUTPUT:
            puts(dt_item_clixml(item, NULL));
            break;
        case DT_ITEM_WARNING:
        case DT_ITEM_ERROR:
            fprintf(stderr, "%s\n", dt_item_text(item) ? dt_item_text(item) : dt_item_clixml(item, NULL));
            break;
        default:
            break;
        }
        dt_item_free(item);
    }
}

static int list_mailboxes(const dt_session *session)
{
    dt_error *error = NULL;
    dt_command *command = NULL;
    dt_invocation *invocation = NULL;
    int code;

    if (dt_command_new(&command, &error) != DT_STATUS_OK || dt_command_add(command, "Get-Mailbox", &error) != DT_STATUS_OK
        || dt_command_add_int(command, "ResultSize", 10, &error) != DT_STATUS_OK
        || dt_session_invoke(session, command, &invocation, &error) != DT_STATUS_OK)
        code = failed(error);
    else
        code = read_all(invocation);
    dt_invocation_free(invocation);
    dt_command_free(command);
    return code;
}

int main(int count, char **arguments)
{
    const char *password = getenv("DT_PASSWORD");
    dt_error *error = NULL;
    dt_options *options = NULL;
    dt_session *session = NULL;
    int code;

    if (count != 4 || password == NULL) {
        fprintf(stderr, "usage: DT_PASSWORD=... %s URI ORGANIZATION USER\n", arguments[0]);
        return 2;
    }
    if (dt_options_new(&options, &error) != DT_STATUS_OK || dt_options_set(options, "uri", arguments[1], &error) != DT_STATUS_OK
        || dt_options_set(options, "organization", arguments[2], &error) != DT_STATUS_OK
        || dt_options_set(options, "user", arguments[3], &error) != DT_STATUS_OK
        || dt_options_set_secret(options, "password", (const uint8_t *)password, strlen(password), &error) != DT_STATUS_OK
        /* Basic sign-in over http is refused unless asked for: here, for a simulated tenant on this machine. */
        || (strncmp(arguments[1], "http://127.0.0.1", 16) == 0
            && dt_options_set(options, "allow_unencrypted", "true", &error) != DT_STATUS_OK)
        || dt_session_connect(options, NULL, &session, &error) != DT_STATUS_OK) {
        dt_options_free(options);
        return failed(error);
    }
    dt_options_free(options);

    code = list_mailboxes(session);
    if (dt_session_disconnect(session, DT_WAIT_FOREVER, &error) != DT_STATUS_OK)
        code = failed(error);
    dt_session_free(session);
    return code;
}
