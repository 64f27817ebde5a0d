/* The part of mls_bench that needs secrets. measure: microseconds of an Ed25519 verification, now:
 * shared machines change speed, so it is asked before each line that is held against it. */
#ifndef TESTS_BENCH_MLS_BENCH_MEMBER_H
#define TESTS_BENCH_MLS_BENCH_MEMBER_H

void bench_member(double (*measure)(void));

#endif
