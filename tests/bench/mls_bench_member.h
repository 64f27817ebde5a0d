/* The part of mls_bench that needs secrets. measure: microseconds of an Ed25519 verification, now:
 * shared machines change speed, so it is asked before each line that is held against it. */
#ifndef TESTS_BENCH_MLS_BENCH_MEMBER_H
#define TESTS_BENCH_MLS_BENCH_MEMBER_H

#include <stdint.h>

void bench_member(double (*measure)(void));

/* What storing a member's group takes (mls_bench_store.c); prints. */
struct mls_group;
struct mls_client;
void bench_store(struct mls_group *g, const struct mls_client *client, uint32_t members);

#endif
