/* Health while it changes: watchers on several loops are told the latest state, from whatever
 * thread it is set. */
#include "support/test.h"

#include <pthread.h>
#include <stdio.h>

#include "golden/shapes_rpc.h"
#include "grpc/health/v1/health_rpc.h"

typedef Grpc__Health__V1__HealthCheckRequest check_request;
typedef Grpc__Health__V1__HealthCheckResponse check_response;

enum { UNKNOWN = 0, SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3 };

static char shapes[] = "hearth.golden.v1.Shapes";
static char fresh[] = "fresh";
static const struct hearth_shapes_service impl = {0};

struct world {
    struct hearth_server *server;
    char address[32];
};

static void world_open(struct world *w)
{
    const struct hearth_server_options options = {.threads = 2, .limits = {.no_limits = true}};
    w->server = hearth_server_new(&options);
    assert_non_null(w->server);
    assert_true(hearth_server_add_shapes(w->server, &impl, NULL));
    assert_true(hearth_server_listen(w->server, "127.0.0.1:0", NULL));
    assert_true(hearth_server_start(w->server));
    snprintf(w->address, sizeof w->address, "127.0.0.1:%u", hearth_server_port(w->server, 0));
}

static int next(struct hearth_stream *stream)
{
    check_response *item = grpc_health_v1_health_watch_read(stream);
    if (item == NULL)
        return -1;
    int status = (int)item->status;
    grpc__health__v1__health_check_response__free_unpacked(item, NULL);
    return status;
}

static struct hearth_stream *watch(struct hearth_channel *channel, char *service)
{
    check_request in;
    grpc__health__v1__health_check_request__init(&in);
    in.service = service;
    struct hearth_stream *stream = grpc_health_v1_health_watch_open(channel, NULL, &in);
    assert_non_null(stream);
    return stream;
}

static int check(struct hearth_channel *channel, char *service)
{
    check_request in;
    check_response *out = NULL;
    grpc__health__v1__health_check_request__init(&in);
    in.service = service;
    enum hearth_code code = grpc_health_v1_health_check(channel, NULL, &in, &out, NULL);
    if (code != HEARTH_OK)
        return -(int)code;
    int status = (int)out->status;
    grpc__health__v1__health_check_response__free_unpacked(out, NULL);
    return status;
}

static void changes_are_told(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    struct hearth_channel *channel = hearth_channel_new(w.address, NULL);
    assert_int_equal(check(channel, shapes), SERVING);
    assert_int_equal(check(channel, fresh), -HEARTH_NOT_FOUND);
    struct hearth_stream *known = watch(channel, shapes);
    struct hearth_stream *unknown = watch(channel, fresh);
    assert_int_equal(next(known), SERVING);
    assert_int_equal(next(unknown), SERVICE_UNKNOWN);
    hearth_server_set_serving(w.server, shapes, false);
    assert_int_equal(next(known), NOT_SERVING);
    assert_int_equal(check(channel, shapes), NOT_SERVING);
    hearth_server_set_serving(w.server, shapes, false); /* no change, no message */
    hearth_server_set_serving(w.server, shapes, true);
    assert_int_equal(next(known), SERVING);
    hearth_server_set_serving(w.server, fresh, true); /* as good as unknown no more */
    assert_int_equal(next(unknown), SERVING);
    hearth_stream_cancel(unknown);
    assert_int_equal(hearth_stream_finish(unknown, NULL), HEARTH_CANCELLED);
    hearth_server_drain(w.server, 5000);
    assert_int_equal(next(known), NOT_SERVING);
    assert_int_equal(next(known), -1);
    assert_int_equal(hearth_stream_finish(known, NULL), HEARTH_UNAVAILABLE);
    hearth_channel_free(channel);
    hearth_server_free(w.server);
}

enum { WATCHERS = 6, CHANGES = 300 };

static pthread_barrier_t all_watch; /* nobody comes after the end */

/* Reads until the state is the last one. */
static void *watch_to_the_end(void *arg)
{
    const struct world *w = arg;
    struct hearth_channel *channel = hearth_channel_new(w->address, NULL);
    struct hearth_stream *stream = watch(channel, shapes);
    size_t count = 0;
    int last = -1, status = next(stream);
    pthread_barrier_wait(&all_watch);
    for (; status >= 0; status = next(stream)) {
        assert_int_not_equal(status, last); /* only changes are said */
        last = status;
        count++;
    }
    assert_int_equal(last, NOT_SERVING);
    assert_true(count >= 1 && count <= CHANGES + 2);
    assert_int_equal(hearth_stream_finish(stream, NULL), HEARTH_UNAVAILABLE);
    hearth_channel_free(channel);
    return NULL;
}

static void *change(void *arg)
{
    const struct world *w = arg;
    for (int i = 0; i < CHANGES; i++)
        hearth_server_set_serving(w->server, shapes, i % 2 == 1);
    return NULL;
}

static void many_watch_while_it_changes(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    pthread_t watchers[WATCHERS];
    pthread_t changer[2];
    assert_int_equal(pthread_barrier_init(&all_watch, NULL, WATCHERS + 1), 0);
    for (int i = 0; i < WATCHERS; i++)
        assert_int_equal(pthread_create(&watchers[i], NULL, watch_to_the_end, &w), 0);
    pthread_barrier_wait(&all_watch);
    struct hearth_channel *channel = hearth_channel_new(w.address, NULL);
    for (int i = 0; i < 100; i++)
        assert_int_equal(check(channel, shapes), SERVING);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&changer[i], NULL, change, &w), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(changer[i], NULL);
    hearth_channel_free(channel);
    hearth_server_drain(w.server, 5000);
    for (int i = 0; i < WATCHERS; i++)
        pthread_join(watchers[i], NULL);
    pthread_barrier_destroy(&all_watch);
    hearth_server_free(w.server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_told),
        cmocka_unit_test(many_watch_while_it_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
