/* What the programs of this folder share: checks that end the process, and the way to a session on the server under test. */
#ifndef CHECK_H
#define CHECK_H

#include "delegated_tenant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) ((condition) ? (void)0 : fail(__FILE__, __LINE__, #condition))

/* `call` names the place for its error as &error. */
#define EXPECT(wanted, call)                                                                                                   \
    do {                                                                                                                       \
        dt_error *error = NULL;                                                                                                \
        dt_status got = (call);                                                                                                \
        expect(__FILE__, __LINE__, #call, (wanted), got, error);                                                               \
        dt_error_free(error);                                                                                                  \
    } while (0)

#define CLIXML(value) "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">" value "</Objs>"

static inline void fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    exit(1);
}

static inline void expect(const char *file, int line, const char *call, dt_status wanted, dt_status got, const dt_error *error)
{
    if (got != wanted) {
        fprintf(stderr, "%s:%d: %s\n    gave %d, not %d", file, line, call, (int)got, (int)wanted);
        if (error)
            fprintf(stderr, ": %s", dt_error_message(error));
        fprintf(stderr, "\n");
        exit(1);
    }
    if (got < DT_STATUS_INVALID_ARGUMENT ? error != NULL : error == NULL || dt_error_status(error) != got)
        fail(file, line, "the error does not go with the status");
}

static inline int same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static inline const char *need(const char *name)
{
    const char *value = getenv(name);
    if (!value)
        fail(__FILE__, __LINE__, name);
    return value;
}

static inline void set(dt_options *options, const char *key, const char *value)
{
    EXPECT(DT_STATUS_OK, dt_options_set(options, key, value, &error));
}

static inline void set_password(dt_options *options, const char *password)
{
    EXPECT(DT_STATUS_OK, dt_options_set_secret(options, "password", (const uint8_t *)password, strlen(password), &error));
}

/* The way to the server under test, which tests/it/abi.rs tells by the environment. */
static inline dt_options *options_for_test(void)
{
    dt_options *options = NULL;
    EXPECT(DT_STATUS_OK, dt_options_new(&options, &error));
    set(options, "uri", need("DT_TEST_URI"));
    set(options, "organization", "fabrikam.com");
    set(options, "user", need("DT_TEST_USER"));
    set_password(options, need("DT_TEST_PASSWORD"));
    set(options, "allow_unencrypted", "true");
    return options;
}

static inline dt_session *connect_with(dt_options *options)
{
    dt_session *session = NULL;
    EXPECT(DT_STATUS_OK, dt_session_connect(options, NULL, &session, &error));
    CHECK(session);
    dt_options_free(options);
    return session;
}

static inline dt_command *command_named(const char *name)
{
    dt_command *command = NULL;
    EXPECT(DT_STATUS_OK, dt_command_new(&command, &error));
    EXPECT(DT_STATUS_OK, dt_command_add(command, name, &error));
    return command;
}

static inline dt_invocation *invoke(const dt_session *session, dt_command *command)
{
    dt_invocation *invocation = NULL;
    EXPECT(DT_STATUS_OK, dt_session_invoke(session, command, &invocation, &error));
    CHECK(invocation);
    dt_command_free(command);
    return invocation;
}

static inline dt_item *next(dt_invocation *invocation)
{
    dt_item *item = NULL;
    EXPECT(DT_STATUS_OK, dt_invocation_next(invocation, DT_WAIT_FOREVER, &item, &error));
    CHECK(item);
    return item;
}

/* The next item, which must be of this kind and, unless `text` is NULL, of this text. The caller frees it. */
static inline dt_item *next_of(dt_invocation *invocation, int32_t kind, const char *text)
{
    dt_item *item = next(invocation);
    if (dt_item_kind(item) != kind || (text && !same(dt_item_text(item), text))) {
        fprintf(stderr, "wanted kind %d, text %s; got kind %d: %s\n", (int)kind, text ? text : "any", (int)dt_item_kind(item),
                dt_item_clixml(item, NULL));
        exit(1);
    }
    return item;
}

/* The next item, which must be an output object with this in its CLIXML. */
static inline void next_output(dt_invocation *invocation, const char *with)
{
    dt_item *item = next_of(invocation, DT_ITEM_OUTPUT, NULL);
    size_t length = 0;
    const char *clixml = dt_item_clixml(item, &length);
    CHECK(strlen(clixml) == length && strncmp(clixml, "<Objs ", 6) == 0);
    if (!strstr(clixml, with)) {
        fprintf(stderr, "no %s in %s\n", with, clixml);
        exit(1);
    }
    CHECK(dt_item_text(item) == NULL);
    dt_item_free(item);
}

/* The end of an invocation, which stays the end. */
static inline void ended(dt_invocation *invocation)
{
    dt_item *item = (dt_item *)invocation;
    EXPECT(DT_STATUS_END, dt_invocation_next(invocation, DT_WAIT_FOREVER, &item, &error));
    CHECK(item == NULL);
    EXPECT(DT_STATUS_END, dt_invocation_next(invocation, 0, &item, &error));
    dt_invocation_free(invocation);
}

static inline void close_session(dt_session *session)
{
    EXPECT(DT_STATUS_OK, dt_session_disconnect(session, DT_WAIT_FOREVER, &error));
    CHECK(dt_session_state(session) == DT_SESSION_STATE_CLOSED);
    dt_session_free(session);
}

static inline int done(void)
{
    EXPECT(DT_STATUS_OK, dt_library_shutdown(DT_WAIT_FOREVER, &error));
    puts("ok");
    return 0;
}

#endif
