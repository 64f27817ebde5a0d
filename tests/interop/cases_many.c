/* Cases of many calls: soak over one channel or many, and pick_first. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "interop/client.h"

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void sleep_ms(uint64_t ms)
{
    struct timespec wait = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&wait, NULL);
}

/* One call, not slower than the settings allow. */
static bool soak_once(const struct client_settings *settings, struct hearth_channel *channel)
{
    struct hearth_status status;
    struct simple s;
    uint64_t begun_ms = now_ms();
    simple_init(&s, settings->soak_request_size, settings->soak_response_size);
    bool good = large_unary(channel, NULL, &s, &status);
    hearth_status_clear(&status);
    uint64_t took_ms = now_ms() - begun_ms;
    if (good && took_ms > settings->soak_latency_ms)
        good = complain("a call took %llu ms", (unsigned long long)took_ms);
    return good;
}

static bool soak(struct client *client, bool new_channels)
{
    const struct client_settings *settings = client->settings;
    uint64_t end_ms = now_ms() + (uint64_t)settings->soak_timeout_s * 1000;
    unsigned done = 0, failed = 0;
    for (; done < settings->soak_iterations && now_ms() < end_ms; done++) {
        uint64_t begun_ms = now_ms();
        struct hearth_channel *channel = new_channels ? client_connect(settings) : client->channel;
        if (channel == NULL || !soak_once(settings, channel))
            failed++;
        if (new_channels)
            hearth_channel_free(channel);
        uint64_t took_ms = now_ms() - begun_ms;
        if (took_ms < settings->soak_wait_ms)
            sleep_ms(settings->soak_wait_ms - took_ms);
    }
    printf("%u calls, %u failed\n", done, failed);
    if (done < settings->soak_iterations)
        return complain("only %u of %u calls in %u s", done, settings->soak_iterations,
                        settings->soak_timeout_s);
    return failed <= settings->soak_max_failures;
}

static bool rpc_soak(struct client *client)
{
    return soak(client, false);
}

static bool channel_soak(struct client *client)
{
    return soak(client, true);
}

/* All calls of a channel go to the same server. */
static bool pick_first_unary(struct client *client)
{
    enum { CALLS = 100 };
    char first[256] = "";
    bool good = true;
    for (int i = 0; i < CALLS && good; i++) {
        struct hearth_status status;
        Grpc__Testing__SimpleResponse *out = NULL;
        struct simple s;
        simple_init(&s, 0, 0);
        s.in.fill_server_id = true;
        (void)grpc_testing_test_service_unary_call(client->channel, NULL, &s.in, &out, &status);
        good = code_is("UnaryCall", HEARTH_OK, &status);
        hearth_status_clear(&status);
        if (!good)
            break;
        if (i == 0)
            (void)snprintf(first, sizeof first, "%s", out->server_id);
        else if (strncmp(first, out->server_id, sizeof first - 1) != 0)
            good = complain("call %d went to %s, the first to %s", i, out->server_id, first);
        grpc__testing__simple_response__free_unpacked(out, NULL);
    }
    return good;
}

const struct test_case many_cases[] = {
    {"rpc_soak", rpc_soak},
    {"channel_soak", channel_soak},
    {"pick_first_unary", pick_first_unary},
    {NULL, NULL},
};
