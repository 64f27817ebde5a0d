/* Cases against servers that misbehave in HTTP/2: doc/negative-http2-interop-test-descriptions.md.
 */
#include <pthread.h>
#include <time.h>

#include "interop/client.h"

static bool call_large(struct hearth_channel *channel)
{
    struct hearth_status status;
    struct simple s;
    simple_init(&s, LARGE_REQUEST_BYTES, LARGE_RESPONSE_BYTES);
    bool good = large_unary(channel, NULL, &s, &status);
    hearth_status_clear(&status);
    return good;
}

static bool one_call(struct client *client)
{
    return call_large(client->channel);
}

/* The second call must find a connection of its own. */
static bool goaway(struct client *client)
{
    struct timespec second = {1, 0};
    if (!call_large(client->channel))
        return false;
    nanosleep(&second, NULL);
    return call_large(client->channel);
}

static bool call_fails(struct client *client)
{
    struct hearth_status status;
    Grpc__Testing__SimpleResponse *out;
    struct simple s;
    simple_init(&s, LARGE_REQUEST_BYTES, LARGE_RESPONSE_BYTES);
    enum hearth_code code =
        grpc_testing_test_service_unary_call(client->channel, NULL, &s.in, &out, &status);
    if (out != NULL)
        grpc__testing__simple_response__free_unpacked(out, NULL);
    hearth_status_clear(&status);
    return code != HEARTH_OK ? true : complain("the call succeeded");
}

static void *call_from_a_thread(void *arg)
{
    return call_large(arg) ? arg : NULL;
}

static bool max_streams(struct client *client)
{
    enum { CALLS = 10 };
    pthread_t threads[CALLS];
    int started = 0, good = 0;
    if (!call_large(client->channel)) /* by now the server's settings are here */
        return false;
    while (started < CALLS &&
           pthread_create(&threads[started], NULL, call_from_a_thread, client->channel) == 0)
        started++;
    for (int i = 0; i < started; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        good += result != NULL;
    }
    return good == CALLS ? true : complain("%d of %d calls succeeded", good, CALLS);
}

const struct test_case http2_cases[] = {
    {"goaway", goaway},
    {"rst_after_header", call_fails},
    {"rst_during_data", call_fails},
    {"rst_after_data", call_fails},
    {"ping", one_call},
    {"max_streams", max_streams},
    {"data_frame_padding", one_call},
    {"no_df_padding_sanity_test", one_call},
    {NULL, NULL},
};
