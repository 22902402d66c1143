/*
 * The smallest whole program: a session on a customer's organization, its mailboxes, and the end.
 *
 *     cc -std=c99 -Iinclude examples/minimal.c -Ltarget/release -ldelegated_tenant -Wl,-rpath,target/release -o minimal
 *     DT_PASSWORD=secret ./minimal http://127.0.0.1:5985/powershell-liveid fabrikam.com admin@partner.com
 */
#include "delegated_tenant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Says what went wrong and what to do about it. */
static int failed(dt_error *error)
{
    const char *remedy = dt_error_fact(error, "remedy");
    fprintf(stderr, "%s (%s)\n", dt_error_message(error), dt_error_id(error));
    if (remedy)
        fprintf(stderr, "%s\n", remedy);
    dt_error_free(error);
    return 1;
}

int main(int count, char **arguments)
{
    const char *password = getenv("DT_PASSWORD");
    if (count != 4 || !password) {
        fprintf(stderr, "usage: DT_PASSWORD=… %s URI ORGANIZATION USER\n", arguments[0]);
        return 2;
    }

    dt_error *error = NULL;
    dt_options *options = NULL;
    dt_session *session = NULL;
    dt_command *command = NULL;
    dt_invocation *invocation = NULL;
    dt_item *item = NULL;
    dt_status status;
    int result = 0;

    /* Connect. Loopback may go without TLS; anything else should not. */
    if (dt_options_new(&options, &error) || dt_options_set(options, "uri", arguments[1], &error) ||
        dt_options_set(options, "organization", arguments[2], &error) || dt_options_set(options, "user", arguments[3], &error) ||
        dt_options_set_secret(options, "password", (const uint8_t *)password, strlen(password), &error) ||
        dt_options_set(options, "allow_unencrypted", strncmp(arguments[1], "http://127.0.0.1", 16) ? "false" : "true", &error) ||
        dt_session_connect(options, NULL, &session, &error)) {
        dt_options_free(options);
        return failed(error);
    }
    dt_options_free(options);

    /* Invoke Get-Mailbox -ResultSize 3. */
    if (dt_command_new(&command, &error) || dt_command_add(command, "Get-Mailbox", &error) ||
        dt_command_add_int(command, "ResultSize", 3, &error) || dt_session_invoke(session, command, &invocation, &error))
        result = failed(error);
    dt_command_free(command);

    /* Each object is a CLIXML document; whoever has an XML reader has the properties. */
    while (!result && (status = dt_invocation_next(invocation, DT_WAIT_FOREVER, &item, &error)) != DT_STATUS_END) {
        if (status != DT_STATUS_OK)
            result = failed(error);
        else if (dt_item_kind(item) == DT_ITEM_OUTPUT)
            printf("%s\n", dt_item_clixml(item, NULL));
        else if (dt_item_text(item))
            fprintf(stderr, "%s\n", dt_item_text(item));
        dt_item_free(item);
    }
    dt_invocation_free(invocation);

    /* Disconnect: a session left open counts against the account for a quarter of an hour. */
    if (dt_session_disconnect(session, DT_WAIT_FOREVER, &error))
        result = failed(error);
    dt_session_free(session);
    return result;
}
