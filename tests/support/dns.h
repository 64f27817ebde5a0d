/* A name server for tests, on a UDP port of 127.0.0.1 and a thread of its own.
 */
#ifndef TESTS_SUPPORT_DNS_H
#define TESTS_SUPPORT_DNS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { DNS_A = 1, DNS_AAAA = 28, DNS_SRV = 33 };

/* One record; a name may have many. */
struct test_dns_row {
    const char *name; /* the last row's is NULL */
    uint16_t type;
    const char *text; /* address; for SRV the target's name, "" for the root */
    uint16_t priority, weight, port;
};

struct test_dns {
    _Atomic(const struct test_dns_row *) rows; /* may be changed while it runs */
    atomic_uint questions;
    atomic_int fail_code;  /* other than 0: the rcode of every answer */
    atomic_bool lies;      /* lengths of records point behind the end */
    atomic_uint holds;     /* questions of this type wait until it is another; 0: none */
    atomic_uint addresses; /* so many questions for A and AAAA came */
    char servers[32];      /* "127.0.0.1:port" */
    int fd;
    pthread_t thread;
};

/* Fails the test when it can't. Unknown names are NXDOMAIN, other types of known names empty. */
void test_dns_start(struct test_dns *dns, const struct test_dns_row *rows);
void test_dns_stop(struct test_dns *dns);

#endif
