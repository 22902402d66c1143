/* Lists an organization's mailboxes. Records come as CLIXML documents, so that nothing of their types is lost; they are printed as they are.
 *     cc mailboxes.c $(pkg-config --cflags --libs delegated-tenant) -o mailboxes
 *     DT_PASSWORD=... ./mailboxes https://mail.hoster.example/PowerShell fabrikam.com admin@partner.com */
#include "delegated_tenant.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define OK(call) ((call) == DT_STATUS_OK)

int main(int count, char **arguments)
{
    const char *password = getenv("DT_PASSWORD");
    dt_error *error = NULL;
    dt_options *options = NULL;
    dt_session *session = NULL;
    dt_command *command = NULL;
    dt_invocation *invocation = NULL;
    dt_item *item = NULL;

    if (count != 4 || !password)
        return fprintf(stderr, "usage: DT_PASSWORD=... %s URI ORGANIZATION USER\n", arguments[0]), 2;
    /* Basic sign-in over http is refused unless asked for: here, for a simulated tenant on this machine. */
    const char *insecure = strncmp(arguments[1], "http://127.0.0.1", 16) ? "false" : "true";
    /* Each call is made where those before it were good; the first that is not fills the error. */
    if (OK(dt_options_new(&options, &error)) && OK(dt_options_set(options, "uri", arguments[1], &error))
        && OK(dt_options_set(options, "organization", arguments[2], &error)) && OK(dt_options_set(options, "user", arguments[3], &error))
        && OK(dt_options_set(options, "allow_unencrypted", insecure, &error))
        && OK(dt_options_set_secret(options, "password", (const uint8_t *)password, strlen(password), &error))
        && OK(dt_session_connect(options, NULL, &session, &error)) && OK(dt_command_new(&command, &error))
        && OK(dt_command_add(command, "Get-Mailbox", &error)) && OK(dt_command_add_int(command, "ResultSize", 10, &error))
        && OK(dt_session_invoke(session, command, &invocation, &error)))
        for (; OK(dt_invocation_next(invocation, DT_WAIT_FOREVER, &item, &error)); dt_item_free(item)) {
            if (dt_item_kind(item) == DT_ITEM_OUTPUT)
                puts(dt_item_clixml(item, NULL));
            else if (dt_item_kind(item) == DT_ITEM_WARNING || dt_item_kind(item) == DT_ITEM_ERROR)
                fprintf(stderr, "%s\n", dt_item_text(item) ? dt_item_text(item) : dt_item_clixml(item, NULL));
        }
    dt_invocation_free(invocation);
    dt_command_free(command);
    dt_options_free(options);
    if (session)
        dt_session_disconnect(session, DT_WAIT_FOREVER, error ? NULL : &error);
    dt_session_free(session);
    if (!error)
        return 0;
    const char *remedy = dt_error_fact(error, "remedy");
    fprintf(stderr, "%s (%s)\n%s\n", dt_error_message(error), dt_error_id(error), remedy ? remedy : "");
    return dt_error_free(error), 1;
}
