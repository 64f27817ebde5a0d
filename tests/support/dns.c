#include "support/dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/test.h"

enum { HEAD_BYTES = 12, PACKET_BYTES = 4096, NXDOMAIN = 3 };

struct packet {
    uint8_t data[PACKET_BYTES];
    size_t len;
};

static void put16(struct packet *p, unsigned value)
{
    p->data[p->len++] = (uint8_t)(value >> 8);
    p->data[p->len++] = (uint8_t)value;
}

/* "a.test" as labels. */
static void put_name(struct packet *p, const char *name)
{
    while (*name != 0) {
        size_t n = strcspn(name, ".");
        p->data[p->len++] = (uint8_t)n;
        memcpy(p->data + p->len, name, n);
        p->len += n;
        name += n + (name[n] == '.');
    }
    p->data[p->len++] = 0;
}

/* The question's name as text; returns where its type stands, 0 for nonsense. */
static size_t read_name(const struct packet *p, char *text, size_t text_bytes)
{
    size_t at = HEAD_BYTES, used = 0;
    while (at < p->len && p->data[at] != 0) {
        size_t n = p->data[at];
        if (n > 63 || at + 1 + n >= p->len || used + n + 2 > text_bytes)
            return 0;
        if (used > 0)
            text[used++] = '.';
        memcpy(text + used, p->data + at + 1, n);
        used += n;
        at += 1 + n;
    }
    text[used] = 0;
    return at + 5 <= p->len ? at + 1 : 0;
}

static void put_record(struct packet *p, const struct test_dns_row *row, bool lies)
{
    put16(p, 0xc00c); /* the question's name */
    put16(p, row->type);
    put16(p, 1);
    put16(p, 0);
    put16(p, 60);
    size_t len_at = p->len;
    put16(p, 0);
    if (row->type == DNS_SRV) {
        put16(p, row->priority);
        put16(p, row->weight);
        put16(p, row->port);
        put_name(p, row->text);
    } else {
        bool v6 = row->type == DNS_AAAA;
        assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, row->text, p->data + p->len), 1);
        p->len += v6 ? 16 : 4;
    }
    size_t len = p->len - len_at - 2 + (lies ? 200 : 0);
    p->data[len_at] = (uint8_t)(len >> 8);
    p->data[len_at + 1] = (uint8_t)len;
}

/* Turns the question in p into its answer. false: not a question. */
static bool answer(struct test_dns *dns, struct packet *p)
{
    char name[256];
    size_t at = read_name(p, name, sizeof name);
    if (at == 0)
        return false;
    unsigned type = (unsigned)p->data[at] << 8 | p->data[at + 1];
    unsigned count = 0;
    bool known = false;
    if (type == DNS_A || type == DNS_AAAA)
        atomic_fetch_add(&dns->addresses, 1);
    while (atomic_load(&dns->holds) == type)
        (void)poll(NULL, 0, 1);
    p->len = at + 4; /* whatever stood behind the question (EDNS) is dropped */
    for (const struct test_dns_row *row = atomic_load(&dns->rows); row->name != NULL; row++) {
        if (strcasecmp(row->name, name) != 0)
            continue;
        known = true;
        if (row->type == type && p->len + 300 < PACKET_BYTES) {
            put_record(p, row, atomic_load(&dns->lies));
            count++;
        }
    }
    int code = atomic_load(&dns->fail_code);
    p->data[2] = 0x81;
    p->data[3] = (uint8_t)(0x80 | (code != 0 ? code : known ? 0 : NXDOMAIN));
    memset(p->data + 6, 0, 6);
    p->data[7] = (uint8_t)count;
    return true;
}

static void *serve(void *arg)
{
    struct test_dns *dns = arg;
    for (;;) {
        struct packet p;
        struct sockaddr_in from;
        socklen_t from_len = sizeof from;
        ssize_t n =
            recvfrom(dns->fd, p.data, sizeof p.data, 0, (struct sockaddr *)&from, &from_len);
        if (n <= 0)
            return NULL; /* an empty packet is the sign to stop */
        p.len = (size_t)n;
        atomic_fetch_add(&dns->questions, 1);
        if (p.len > HEAD_BYTES && answer(dns, &p))
            (void)sendto(dns->fd, p.data, p.len, 0, (struct sockaddr *)&from, from_len);
    }
}

void test_dns_start(struct test_dns *dns, const struct test_dns_row *rows)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    memset(dns, 0, sizeof *dns);
    atomic_store(&dns->rows, rows);
    dns->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(dns->fd >= 0);
    assert_int_equal(bind(dns->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(dns->fd, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(dns->servers, sizeof dns->servers, "127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&dns->thread, NULL, serve, dns), 0);
}

void test_dns_stop(struct test_dns *dns)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    assert_int_equal(getsockname(dns->fd, (struct sockaddr *)&address, &len), 0);
    (void)sendto(dns->fd, "", 0, 0, (struct sockaddr *)&address, len);
    pthread_join(dns->thread, NULL);
    close(dns->fd);
}
