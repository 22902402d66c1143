/* What may be called from another thread. */
#include "check.h"

#include <pthread.h>

static void *trigger(void *cancel)
{
    dt_cancel_trigger(cancel);
    return NULL;
}

static void *stop(void *invocation)
{
    EXPECT(DT_STATUS_OK, dt_invocation_stop(invocation, &error));
    return NULL;
}

static void *feed(void *invocation)
{
    for (int i = 0; i < 20; i++)
        EXPECT(DT_STATUS_OK, dt_invocation_send(invocation, CLIXML("<S>user00001</S>"), DT_WAIT_FOREVER, &error));
    EXPECT(DT_STATUS_OK, dt_invocation_end_input(invocation, &error));
    return NULL;
}

static void *disconnect(void *session)
{
    EXPECT(DT_STATUS_OK, dt_session_disconnect(session, DT_WAIT_FOREVER, &error));
    return NULL;
}

static pthread_t start(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, body, argument) == 0);
    return thread;
}

/* A connect to a server that takes the connection and never answers ends when it is cancelled. */
static void cancelled_connect(void)
{
    dt_options *options = options_for_test();
    set(options, "uri", need("DT_TEST_SILENT_URI"));
    /* It does not answer the attempt to delete what may have come to be, either. */
    set(options, "cancel_timeout_ms", "500");
    dt_cancel *cancel = NULL;
    dt_session *session = NULL;
    EXPECT(DT_STATUS_OK, dt_cancel_new(&cancel, &error));
    pthread_t thread = start(trigger, cancel);
    EXPECT(DT_STATUS_CANCELLED, dt_session_connect(options, cancel, &session, &error));
    CHECK(session == NULL);
    pthread_join(thread, NULL);
    /* It stays triggered. */
    EXPECT(DT_STATUS_CANCELLED, dt_session_connect(options, cancel, &session, &error));
    dt_cancel_free(cancel);

    /* Without a connect: begun, still waiting, and let go of. */
    EXPECT(DT_STATUS_OK, dt_session_open(options, &session, &error));
    EXPECT(DT_STATUS_PENDING, dt_session_wait(session, 0, &error));
    CHECK(dt_session_state(session) == DT_SESSION_STATE_OPENING && dt_session_availability(session) == DT_AVAILABILITY_NONE);
    dt_session_free(session);
    dt_options_free(options);
}

static dt_invocation *slowly(const dt_session *session)
{
    dt_command *command = command_named("Get-Slowly");
    EXPECT(DT_STATUS_OK, dt_command_add_int(command, "Count", 10000, &error));
    EXPECT(DT_STATUS_OK, dt_command_add_int(command, "Milliseconds", 100, &error));
    dt_invocation *invocation = invoke(session, command);
    next_output(invocation, "item 1");
    return invocation;
}

static dt_status last_status(dt_invocation *invocation)
{
    for (;;) {
        dt_item *item = NULL;
        dt_status status = dt_invocation_next(invocation, DT_WAIT_FOREVER, &item, NULL);
        if (status != DT_STATUS_OK)
            return status;
        dt_item_free(item);
    }
}

static void stopped(const dt_session *session)
{
    dt_invocation *invocation = slowly(session);
    pthread_t thread = start(stop, invocation);
    CHECK(last_status(invocation) == DT_STATUS_CANCELLED);
    pthread_join(thread, NULL);
    EXPECT(DT_STATUS_OK, dt_invocation_stop(invocation, &error));
    ended(invocation);
}

static void fed(const dt_session *session)
{
    dt_command *command = command_named("Get-Mailbox");
    EXPECT(DT_STATUS_OK, dt_command_set(command, "input", "true", &error));
    dt_invocation *invocation = invoke(session, command);
    pthread_t thread = start(feed, invocation);
    for (int i = 0; i < 20; i++)
        next_output(invocation, "user00001");
    pthread_join(thread, NULL);
    ended(invocation);
}

/* Of several, the one that has something is found, and one that has nothing is waited for. */
static void any_of_two(const dt_session *session)
{
    dt_session *other = connect_with(options_for_test());
    dt_invocation *slow = slowly(session), *quick = invoke(other, command_named("Get-AcceptedDomain"));
    const dt_invocation *both[2] = {slow, quick};
    size_t place = 7;
    int outputs[2] = {0, 0};
    while (!outputs[1] || outputs[0] < 2) {
        EXPECT(DT_STATUS_OK, dt_invocation_wait_any(both, 2, DT_WAIT_FOREVER, &place, &error));
        CHECK(place < 2);
        dt_item *item = NULL;
        dt_status status = dt_invocation_next(place ? quick : slow, 0, &item, NULL);
        if (status == DT_STATUS_END && place) {
            /* Its end stays, so that it is asked for no more. */
            CHECK(outputs[1]);
            break;
        }
        CHECK(status == DT_STATUS_OK);
        outputs[place] += dt_item_kind(item) == DT_ITEM_OUTPUT;
        dt_item_free(item);
    }
    dt_invocation_free(quick);
    EXPECT(DT_STATUS_PENDING, dt_invocation_wait_any(both, 1, 0, &place, &error));
    EXPECT(DT_STATUS_INVALID_ARGUMENT, dt_invocation_wait_any(both, 0, 0, &place, &error));
    EXPECT(DT_STATUS_INVALID_ARGUMENT, dt_invocation_wait_any(NULL, 1, 0, &place, &error));
    EXPECT(DT_STATUS_INVALID_ARGUMENT, dt_invocation_wait_any(both, 1, 0, NULL, &error));
    /* A stop is something too. */
    pthread_t thread = start(stop, slow);
    EXPECT(DT_STATUS_OK, dt_invocation_wait_any(both, 1, DT_WAIT_FOREVER, &place, &error));
    pthread_join(thread, NULL);
    CHECK(place == 0 && last_status(slow) == DT_STATUS_CANCELLED);
    ended(slow);
    close_session(other);
}

/* A session that is closed while a command runs: the thread that waits for items gets an error, not silence. */
static void closed_while_running(dt_session *session)
{
    dt_invocation *invocation = slowly(session);
    pthread_t threads[2] = {start(disconnect, session), start(disconnect, session)};
    CHECK(last_status(invocation) >= DT_STATUS_INVALID_ARGUMENT);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    ended(invocation);
    CHECK(dt_session_state(session) == DT_SESSION_STATE_CLOSED);
}

int main(void)
{
    cancelled_connect();
    dt_session *session = connect_with(options_for_test());
    stopped(session);
    any_of_two(session);
    fed(session);
    closed_while_running(session);
    dt_session_free(session);
    return done();
}
