/* A real hearthd for tests and measurements: made, started, killed, started again. It listens on
 * loopback and ends with the process that started it.
 */
#ifndef TESTS_SUPPORT_HOUSE_HEARTHD_H
#define TESTS_SUPPORT_HOUSE_HEARTHD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct hearthd {
    const char *program;
    char root[64];   /* temporary; removed by hearthd_remove */
    char folder[96]; /* root/a */
    char ca_file[96];
    char address[32]; /* "127.0.0.1:PORT", the same in each life */
    char invitation[512];
    int cpus;  /* pinned to the first so many; 0: not */
    pid_t pid; /* 0: not running */
    unsigned lives;
};

/* Initialises for a.test with limits raised as far as they go: what is measured is not the limiter.
 * Fails the test when it can't. */
void hearthd_make(struct hearthd *h, const char *program);
/* Another one in the same folder, under the same CA; removed before the first. */
void hearthd_make_beside(struct hearthd *h, const struct hearthd *first, const char *domain);
void hearthd_start(struct hearthd *h);
/* kill -9 to it and its keeper, waited for. */
void hearthd_kill(struct hearthd *h);
/* SIGTERM; its exit code. */
int hearthd_stop(struct hearthd *h);
void hearthd_remove(struct hearthd *h);

/* Resident memory of the server's process, KiB; processor time of it and its keeper, microseconds.
 */
uint64_t hearthd_rss_kib(const struct hearthd *h);
uint64_t hearthd_cpu_us(const struct hearthd *h);

#endif
