/* What TLS adds: client certificates, reloading, refusals at start; and many threads on a channel
 * while the server drains. Over real sockets. */
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "bench_rpc.h"
#include "support/certificate.h"
#include "support/test.h"

static enum hearth_code who(struct hearth_call *call, const Bench__EchoRequest *in,
                            Bench__EchoReply *out, void *self)
{
    (void)self;
    (void)in;
    const char *name = hearth_call_peer_name(call);
    assert_string_equal(hearth_call_peer(call), "127.0.0.1");
    out->payload.data = (uint8_t *)hearth_call_printf(call, "%s", name != NULL ? name : "");
    out->payload.len = strlen((const char *)out->payload.data);
    return HEARTH_OK;
}

static const struct bench_echo_service impl = {.unary = who};

static struct hearth_server *serve(const struct hearth_tls_options *tls, char address[32])
{
    struct hearth_server_options options = {.threads = 2};
    options.limits.accepts_burst = 1000;
    struct hearth_server *server = hearth_server_new(&options);
    assert_non_null(server);
    assert_true(hearth_server_add_bench_echo(server, &impl, NULL));
    if (!hearth_server_listen(server, "127.0.0.1:0", tls))
        fail_msg("%s", hearth_server_error(server));
    assert_true(hearth_server_start(server));
    (void)snprintf(address, 32, "127.0.0.1:%u", hearth_server_port(server, 0));
    return server;
}

/* The code; and, when OK, whether the server knew us by `name`. */
static enum hearth_code ask(const char *address, const struct hearth_tls_options *tls,
                            const char *name)
{
    Bench__EchoRequest in;
    Bench__EchoReply *out = NULL;
    bench__echo_request__init(&in);
    struct hearth_channel_options options = {.tls = tls};
    struct hearth_channel *channel = hearth_channel_new(address, &options);
    assert_non_null(channel);
    enum hearth_code code = bench_echo_unary(channel, NULL, &in, &out, NULL);
    if (code == HEARTH_OK) {
        test_assert_bytes(bytes_of(out->payload.data, out->payload.len), bytes_str(name));
        bench__echo_reply__free_unpacked(out, NULL);
    }
    hearth_channel_free(channel);
    return code;
}

static void client_certificates(void **state)
{
    (void)state;
    struct test_certificate server_cert, client_cert, other_cert;
    char address[32];
    test_certificate_make(&server_cert, "server.test");
    test_certificate_make(&client_cert, "client.test");
    test_certificate_make(&other_cert, "other.test");
    for (int required = 0; required < 2; required++) {
        struct hearth_tls_options s = {.certificate_file = server_cert.certificate_file,
                                       .key_file = server_cert.key_file,
                                       .ca_file = client_cert.certificate_file,
                                       .require_client_certificate = required == 1};
        struct hearth_tls_options known = {.ca_file = server_cert.certificate_file,
                                           .certificate_file = client_cert.certificate_file,
                                           .key_file = client_cert.key_file};
        struct hearth_tls_options unknown = {.ca_file = server_cert.certificate_file,
                                             .certificate_file = other_cert.certificate_file,
                                             .key_file = other_cert.key_file};
        struct hearth_tls_options none = {.ca_file = server_cert.certificate_file};
        struct hearth_server *server = serve(&s, address);
        assert_int_equal(ask(address, &known, "client.test"), HEARTH_OK);
        assert_int_equal(ask(address, &unknown, ""), HEARTH_UNAVAILABLE);
        assert_int_equal(ask(address, &none, ""), required ? HEARTH_UNAVAILABLE : HEARTH_OK);
        hearth_server_free(server);
    }
    test_certificate_remove(&server_cert);
    test_certificate_remove(&client_cert);
    test_certificate_remove(&other_cert);
}

/* Options that would quietly be less than was asked for. */
static void half_options_are_refused(void **state)
{
    (void)state;
    struct test_certificate c;
    test_certificate_make(&c, "server.test");
    struct hearth_tls_options rows[] = {
        {.certificate_file = NULL},
        {.certificate_file = c.certificate_file},
        {.certificate_file = c.certificate_file, .key_file = "/nowhere"},
        {.certificate_file = c.certificate_file, .key_file = c.certificate_file},
        {.certificate_file = c.certificate_file,
         .key_file = c.key_file,
         .require_client_certificate = true},
        {.certificate_file = c.certificate_file, .key_file = c.key_file, .ca_file = "/nowhere"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hearth_server *server = hearth_server_new(NULL);
        assert_false(hearth_server_listen(server, "127.0.0.1:0", &rows[i]));
        assert_true(strlen(hearth_server_error(server)) > 0);
        hearth_server_free(server);
    }
    test_certificate_remove(&c);
}

static void copy_file(const char *from, const char *to)
{
    char text[8192];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    assert_non_null(in);
    assert_non_null(out);
    size_t len = fread(text, 1, sizeof text, in);
    assert_int_equal(fwrite(text, 1, len, out), len);
    fclose(in);
    fclose(out);
}

static void a_reload_takes_new_files(void **state)
{
    (void)state;
    struct test_certificate c, fresh;
    char address[32];
    test_certificate_make(&c, "old.test");
    test_certificate_make(&fresh, "new.test");
    struct test_certificate old = c;
    char old_root[128];
    (void)snprintf(old_root, sizeof old_root, "%s/old.pem", fresh.directory);
    copy_file(c.certificate_file, old_root);
    struct hearth_tls_options s = {.certificate_file = c.certificate_file, .key_file = c.key_file};
    struct hearth_server *server = serve(&s, address);
    struct hearth_tls_options trusts_old = {.ca_file = old_root};
    struct hearth_tls_options trusts_new = {.ca_file = fresh.certificate_file};
    assert_int_equal(ask(address, &trusts_old, ""), HEARTH_OK);
    assert_int_equal(ask(address, &trusts_new, ""), HEARTH_UNAVAILABLE);
    copy_file(fresh.certificate_file, c.certificate_file);
    assert_false(hearth_server_reload_tls(server)); /* the key is still the old one */
    assert_int_equal(ask(address, &trusts_old, ""), HEARTH_OK);
    copy_file(fresh.key_file, c.key_file);
    assert_true(hearth_server_reload_tls(server));
    assert_int_equal(ask(address, &trusts_new, ""), HEARTH_OK);
    assert_int_equal(ask(address, &trusts_old, ""), HEARTH_UNAVAILABLE);
    hearth_server_free(server);
    remove(old_root);
    test_certificate_remove(&old);
    test_certificate_remove(&fresh);
}

struct caller {
    struct hearth_channel *channel;
    unsigned ok, unavailable, other;
};

static void *call_until_gone(void *arg)
{
    struct caller *c = arg;
    Bench__EchoRequest in;
    bench__echo_request__init(&in);
    for (int i = 0; i < 300 && c->unavailable == 0; i++) {
        Bench__EchoReply *out = NULL;
        enum hearth_code code = bench_echo_unary(c->channel, NULL, &in, &out, NULL);
        c->ok += code == HEARTH_OK;
        c->unavailable += code == HEARTH_UNAVAILABLE;
        c->other += code != HEARTH_OK && code != HEARTH_UNAVAILABLE;
        if (out != NULL)
            bench__echo_reply__free_unpacked(out, NULL);
    }
    return NULL;
}

/* Calls from many threads while the server drains: each ends OK or UNAVAILABLE. */
static void draining_under_load(void **state)
{
    (void)state;
    enum { THREADS = 6 };
    char address[32];
    pthread_t threads[THREADS];
    struct caller callers[THREADS];
    struct hearth_server *server = serve(NULL, address);
    struct hearth_channel *channel = hearth_channel_new(address, NULL);
    for (int i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){.channel = channel};
        assert_int_equal(pthread_create(&threads[i], NULL, call_until_gone, &callers[i]), 0);
    }
    struct timespec pause = {0, 20000000};
    nanosleep(&pause, NULL);
    hearth_server_drain(server, 1000);
    unsigned ok = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].other, 0);
        ok += callers[i].ok;
    }
    assert_true(ok > 0);
    hearth_channel_free(channel);
    hearth_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_certificates),
        cmocka_unit_test(half_options_are_refused),
        cmocka_unit_test(a_reload_takes_new_files),
        cmocka_unit_test(draining_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
