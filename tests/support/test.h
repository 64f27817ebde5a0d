/* What every cmocka program includes, in the order cmocka wants. */
#ifndef TESTS_SUPPORT_TEST_H
#define TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

/* Fails with the error's name rather than its number. */
#define assert_ok(expression)        assert_string_equal(err_name(expression), "NONE")
#define assert_err(expression, name) assert_string_equal(err_name(expression), #name)

/* Hex text to bytes; the caller frees ret->data. Fails the test on bad hex. */
struct buf test_unhex(const char *hex);

/* The same into an arena, whitespace skipped. */
struct bytes test_hex(struct arena *arena, const char *hex);
/* Compares with hex text and prints both when they differ. */
void test_assert_hex(struct bytes got, const char *want_hex);
void test_assert_bytes(struct bytes got, struct bytes want);

#endif
