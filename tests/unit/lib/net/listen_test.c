/* What a server says of an address or a certificate that it can't use, and what it leaves alone. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench_rpc.h"
#include "support/test.h"

struct place {
    char folder[32], path[64], address[80];
};

static void place_make(struct place *p)
{
    (void)snprintf(p->folder, sizeof p->folder, "/tmp/listen_test.XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    (void)snprintf(p->path, sizeof p->path, "%s/at", p->folder);
    (void)snprintf(p->address, sizeof p->address, "unix:%s", p->path);
}

static void place_remove(const struct place *p)
{
    (void)unlink(p->path);
    assert_int_equal(rmdir(p->folder), 0);
}

static void a_file_is_not_taken_for_an_old_socket(void **state)
{
    (void)state;
    struct place p;
    struct stat is;
    place_make(&p);
    FILE *file = fopen(p.path, "w");
    assert_non_null(file);
    assert_true(fputs("precious", file) >= 0);
    assert_int_equal(fclose(file), 0);
    struct hearth_server *server = hearth_server_new(NULL);
    assert_false(hearth_server_listen(server, p.address, NULL));
    assert_non_null(strstr(hearth_server_error(server), "in use"));
    hearth_server_free(server);
    assert_int_equal(stat(p.path, &is), 0);
    assert_true(S_ISREG(is.st_mode));
    assert_int_equal(is.st_size, 8);
    place_remove(&p);
}

static void an_old_socket_is_replaced(void **state)
{
    (void)state;
    struct place p;
    place_make(&p);
    for (int i = 0; i < 2; i++) { /* nobody removes it in between */
        struct hearth_server *server = hearth_server_new(NULL);
        if (!hearth_server_listen(server, p.address, NULL))
            fail_msg("%s", hearth_server_error(server));
        assert_true(hearth_server_start(server));
        hearth_server_free(server);
    }
    place_remove(&p);
}

static void a_missing_certificate_is_said_to_be_missing(void **state)
{
    (void)state;
    struct hearth_tls_options tls = {.certificate_file = "/nowhere.pem",
                                     .key_file = "/nowhere.key"};
    struct hearth_server *server = hearth_server_new(NULL);
    assert_false(hearth_server_listen(server, "127.0.0.1:0", &tls));
    assert_non_null(strstr(hearth_server_error(server), "/nowhere.pem"));
    assert_non_null(strstr(hearth_server_error(server), "No such file"));
    hearth_server_free(server);
}

static int64_t uid_seen;

static enum hearth_code echo_uid(struct hearth_call *call, const Bench__EchoRequest *in,
                                 Bench__EchoReply *out, void *self)
{
    (void)in;
    (void)out;
    (void)self;
    uid_seen = hearth_call_peer_uid(call);
    return HEARTH_OK;
}

/* The operator is who the kernel says, not who a caller claims to be. */
static void a_unix_socket_tells_who_connects(void **state)
{
    (void)state;
    static const struct bench_echo_service impl = {.unary = echo_uid};
    struct place p;
    place_make(&p);
    char tcp[32];
    struct hearth_server *server = hearth_server_new(NULL);
    assert_true(hearth_server_add_bench_echo(server, &impl, NULL));
    assert_true(hearth_server_listen(server, p.address, NULL));
    assert_true(hearth_server_listen(server, "127.0.0.1:0", NULL));
    assert_true(hearth_server_start(server));
    (void)snprintf(tcp, sizeof tcp, "127.0.0.1:%u", hearth_server_port(server, 1));
    const char *targets[] = {p.address, tcp};
    int64_t expected[] = {(int64_t)getuid(), -1};
    for (int i = 0; i < 2; i++) {
        struct hearth_channel *channel = hearth_channel_new(targets[i], NULL);
        Bench__EchoRequest in = BENCH__ECHO_REQUEST__INIT;
        Bench__EchoReply *out = NULL;
        struct hearth_status status = {0};
        uid_seen = -2;
        if (bench_echo_unary(channel, NULL, &in, &out, &status) != HEARTH_OK)
            fail_msg("%s", status.message);
        assert_int_equal(uid_seen, expected[i]);
        bench__echo_reply__free_unpacked(out, NULL);
        hearth_status_clear(&status);
        hearth_channel_free(channel);
    }
    hearth_server_free(server);
    place_remove(&p);
}

static int dial(uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* With 60 descriptors 27 connections are served, whatever the options say. */
static void descriptors_are_left_for_others(void **state)
{
    (void)state;
    enum { DIALS = 40, SERVED = 27 };
    struct rlimit usual, few;
    struct hearth_server_options options = {
        .limits = {.connections = 1000, .connections_per_prefix = 1000, .accepts_burst = 1000}};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    few = usual;
    few.rlim_cur = 60;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct hearth_server *server = hearth_server_new(&options);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_true(hearth_server_listen(server, "127.0.0.1:0", NULL));
    assert_true(hearth_server_start(server));
    int fds[DIALS], served = 0;
    for (int i = 0; i < DIALS; i++)
        fds[i] = dial(hearth_server_port(server, 0));
    for (int i = 0; i < DIALS; i++) {
        char byte;
        served += recv(fds[i], &byte, 1, 0) == 1; /* SETTINGS, or closed at once */
    }
    for (int i = 0; i < DIALS; i++)
        close(fds[i]);
    assert_int_equal(served, SERVED);
    hearth_server_free(server);
}

/* SO_REUSEPORT would let a second server share the port without a word. */
static void a_port_in_use_is_noticed(void **state)
{
    (void)state;
    char address[32];
    struct hearth_server *first = hearth_server_new(NULL);
    struct hearth_server *second = hearth_server_new(NULL);
    assert_true(hearth_server_listen(first, "127.0.0.1:0", NULL));
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", hearth_server_port(first, 0));
    assert_false(hearth_server_listen(second, address, NULL));
    assert_non_null(strstr(hearth_server_error(second), "in use"));
    hearth_server_free(first);
    assert_true(hearth_server_listen(second, address, NULL));
    hearth_server_free(second);
}

static void unreadable_roots_are_named_by_the_call(void **state)
{
    (void)state;
    struct hearth_tls_options tls = {.ca_file = "/nonexistent/roots.pem"};
    struct hearth_channel_options options = {.tls = &tls};
    struct hearth_status status;
    Bench__EchoReply *out;
    Bench__EchoRequest in;
    bench__echo_request__init(&in);
    struct hearth_channel *channel = hearth_channel_new("127.0.0.1:1", &options);
    assert_non_null(channel);
    assert_int_equal(bench_echo_unary(channel, NULL, &in, &out, &status), HEARTH_UNAVAILABLE);
    assert_non_null(strstr(status.message, "/nonexistent/roots.pem"));
    hearth_status_clear(&status);
    hearth_channel_free(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_in_use_is_noticed),
        cmocka_unit_test(unreadable_roots_are_named_by_the_call),
        cmocka_unit_test(a_file_is_not_taken_for_an_old_socket),
        cmocka_unit_test(an_old_socket_is_replaced),
        cmocka_unit_test(a_missing_certificate_is_said_to_be_missing),
        cmocka_unit_test(a_unix_socket_tells_who_connects),
        cmocka_unit_test(descriptors_are_left_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
