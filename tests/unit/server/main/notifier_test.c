/* Waking devices: what is said, to whom, and to whom never. */
#include "server/main/notifier.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/rng.h"
#include "support/test.h"

static const uint8_t key[PUSH_TOKEN_KEY_BYTES] = {1, 2, 3};

/* A gateway: takes connections, keeps the last request, answers 200. */
struct gateway {
    int fd;
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock;
    unsigned requests;
    char last[4096];
};

static void *serve(void *arg)
{
    struct gateway *g = arg;
    for (int c; (c = accept(g->fd, NULL, NULL)) >= 0; (void)close(c)) {
        char request[4096] = "";
        size_t len = 0;
        for (ssize_t n = 1; n > 0 && len<sizeof request - 1; len += n> 0 ? (size_t)n : 0) {
            char *body = strstr(request, "\r\n\r\n");
            const char *length = strstr(request, "Content-Length: ");
            if (body != NULL && length != NULL &&
                strlen(body + 4) >= strtoul(length + 16, NULL, 10))
                break;
            n = read(c, request + len, sizeof request - 1 - len);
        }
        (void)pthread_mutex_lock(&g->lock);
        g->requests++;
        memcpy(g->last, request, sizeof request);
        (void)pthread_mutex_unlock(&g->lock);
        static const char answer[] =
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        (void)!write(c, answer, sizeof answer - 1);
    }
    return NULL;
}

static void gateway_open(struct gateway *g)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    *g = (struct gateway){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    (void)pthread_mutex_init(&g->lock, NULL);
    assert_int_equal(bind(g->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(g->fd, 64), 0);
    assert_int_equal(getsockname(g->fd, (struct sockaddr *)&at, &len), 0);
    g->port = ntohs(at.sin_port);
}

static void gateway_start(struct gateway *g)
{
    gateway_open(g);
    assert_int_equal(pthread_create(&g->thread, NULL, serve, g), 0);
}

static void gateway_stop(struct gateway *g)
{
    (void)shutdown(g->fd, SHUT_RDWR);
    (void)pthread_join(g->thread, NULL);
    (void)close(g->fd);
}

static void notify(struct notifier *n, const char *token)
{
    struct buf sealed = BUF_INIT;
    assert_ok(push_token_seal(&sealed, &rng_system, key, bytes_str(token)));
    notifier_notify(n, buf_view(&sealed), bytes_of(key, sizeof key));
    notifier_notify(n, buf_view(&sealed), bytes_of(key, sizeof key)); /* again at once: quiet */
    buf_clear(&sealed);
}

/* Until so many pushes have ended, at most ten seconds. */
static struct notifier_counts wait_for(struct notifier *n, uint64_t ended)
{
    struct notifier_counts counts = notifier_counts(n);
    for (int i = 0; i < 1000 && counts.pushed + counts.failed < ended; i++) {
        (void)usleep(10000);
        counts = notifier_counts(n);
    }
    return counts;
}

static void webhook_is_told_the_token(void **state)
{
    (void)state;
    struct gateway g;
    struct notifier *n = NULL;
    char url[64];
    gateway_start(&g);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/push", g.port);
    const struct notifier_options options = {.mode = NOTIFIER_WEBHOOK, .webhook = url};
    assert_ok(notifier_new(&options, &clock_system, &n));
    notify(n, "device 7");
    struct notifier_counts counts = wait_for(n, 1);
    assert_int_equal(counts.pushed, 1);
    assert_int_equal(counts.quiet, 1);
    assert_non_null(strstr(g.last, "POST /push HTTP/1.1"));
    assert_non_null(strstr(g.last, "{\"token\":\"ZGV2aWNlIDc=\"}"));
    notifier_free(n);
    gateway_stop(&g);
}

/* A client names the URL: it must not reach what only this machine or its network reaches. The
 * control, development mode, does reach it. */
static void unifiedpush_stays_outside(void **state)
{
    (void)state;
    struct gateway g;
    char plain[64], tls[64], mapped[64], name[64];
    gateway_start(&g);
    (void)snprintf(plain, sizeof plain, "http://127.0.0.1:%u/", g.port);
    (void)snprintf(tls, sizeof tls, "https://127.0.0.1:%u/", g.port);
    (void)snprintf(mapped, sizeof mapped, "https://[::ffff:127.0.0.1]:%u/", g.port);
    (void)snprintf(name, sizeof name, "https://localhost:%u/", g.port);
    const char *bad[] = {plain,
                         tls,
                         mapped,
                         name,
                         "file:///etc/passwd",
                         "gopher://127.0.0.1/",
                         "https://10.0.0.1/",
                         "device 7",
                         ""};
    enum { BAD = sizeof bad / sizeof bad[0] };
    for (int development = 0; development <= 1; development++) {
        struct notifier *n = NULL;
        const struct notifier_options options = {.mode = NOTIFIER_UNIFIEDPUSH,
                                                 .development = development != 0};
        assert_ok(notifier_new(&options, &clock_system, &n));
        if (development == 0) {
            for (size_t i = 0; i < BAD; i++)
                notify(n, bad[i]);
            assert_int_equal(wait_for(n, BAD).failed, BAD);
            assert_int_equal(g.requests, 0);
        } else {
            notify(n, plain);
            assert_int_equal(wait_for(n, 1).pushed, 1);
            assert_int_equal(g.requests, 1);
            assert_non_null(strstr(g.last, "wake"));
            assert_null(strstr(g.last, "device"));
        }
        notifier_free(n);
    }
    gateway_stop(&g);
}

/* Options of a reload: for what comes, and nothing else is let through with them. */
static void options_change(void **state)
{
    (void)state;
    struct gateway g;
    struct notifier *n = NULL;
    char url[64];
    gateway_start(&g);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/push", g.port);
    const struct notifier_options off = {.mode = NOTIFIER_OFF};
    const struct notifier_options webhook = {.mode = NOTIFIER_WEBHOOK, .webhook = url};
    const struct notifier_options unified = {.mode = NOTIFIER_UNIFIEDPUSH};
    assert_ok(notifier_new(&off, &clock_system, &n));
    notify(n, "device 1");
    notifier_change(n, &webhook);
    notify(n, "device 2");
    assert_int_equal(wait_for(n, 1).pushed, 1);
    notifier_change(n, &unified);
    notify(n, url); /* a client's: not this machine */
    assert_int_equal(wait_for(n, 2).failed, 1);
    notifier_change(n, &off);
    notify(n, "device 3");
    const struct notifier_counts counts = notifier_counts(n);
    assert_int_equal(counts.pushed + counts.failed + counts.dropped, 2);
    assert_int_equal(g.requests, 1);
    notifier_free(n);
    gateway_stop(&g);
}

static void is_bounded(void **state)
{
    (void)state;
    struct notifier *n = NULL;
    struct gateway g;
    char url[64];
    gateway_open(&g); /* takes connections and never answers */
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", g.port);
    const struct notifier_options options = {.mode = NOTIFIER_WEBHOOK, .webhook = url};
    assert_ok(notifier_new(&options, &clock_system, &n));
    for (int i = 0; i < NOTIFIER_WAITING + 200; i++) {
        char token[32];
        (void)snprintf(token, sizeof token, "device %d", i);
        notify(n, token);
    }
    assert_true(notifier_counts(n).dropped >= 100);
    notifier_notify(n, bytes_str("short"), bytes_of(key, sizeof key));
    notifier_free(n); /* does not wait for what can't end */
    (void)close(g.fd);
}

static void wrong_key_tells_nothing(void **state)
{
    (void)state;
    struct buf sealed = BUF_INIT, token = BUF_INIT;
    uint8_t other[PUSH_TOKEN_KEY_BYTES] = {9}, long_token[PUSH_TOKEN_MAX_BYTES + 1] = {0};
    assert_ok(push_token_seal(&sealed, &rng_system, key, bytes_str("device 7")));
    assert_int_equal(push_token_open(&token, other, buf_view(&sealed)).code, ERR_CRYPTO_TAG);
    assert_int_equal(token.len, 0);
    assert_ok(push_token_open(&token, key, buf_view(&sealed)));
    assert_true(bytes_equal(buf_view(&token), bytes_str("device 7")));
    assert_int_equal(
        push_token_seal(&token, &rng_system, key, bytes_of(long_token, sizeof long_token)).code,
        ERR_TOO_LARGE);
    buf_clear(&sealed);
    buf_clear(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(webhook_is_told_the_token),
        cmocka_unit_test(unifiedpush_stays_outside),
        cmocka_unit_test(options_change),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(wrong_key_tells_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
