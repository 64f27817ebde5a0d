/* A search of several labels: shows what as many searches show, in less, and nothing else. */
#include <stdio.h>
#include <stdlib.h>

#include "kit/tlog/operator.h"
#include "support/test.h"
#include "tlog/verify.h"

enum { WINDOW_MS = 100000, EPOCH_MS = 10000, PEOPLE = 12 };

static const uint8_t seed_a[32] = {1}, seed_b[32] = {2};
static struct kt_operator op;
static struct kt_view view;
static uint64_t now_ms;
static struct buf last; /* the results' values are views into it */

static char names[SEARCH_MANY_MAX][16];
static struct kt_query queries[SEARCH_MANY_MAX];
static struct kt_result results[SEARCH_MANY_MAX], before[SEARCH_MANY_MAX];

static int begin(void **state)
{
    (void)state;
    now_ms = 50 * (uint64_t)WINDOW_MS;
    assert_ok(operator_init(&op, "a.example/kt/1", WINDOW_MS, seed_a, seed_b));
    assert_ok(kt_view_init(buf_view(&op.config_bytes), &view));
    for (size_t i = 0; i < SEARCH_MANY_MAX; i++)
        (void)snprintf(names[i], sizeof names[i], "\x02person %zu", i);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_clear(&last);
    operator_clear(&op);
    return 0;
}

static void close_epoch(void)
{
    now_ms += EPOCH_MS;
    assert_ok(operator_close(&op, now_ms, 5));
}

static void next_window(void)
{
    now_ms = (now_ms / WINDOW_MS + 1) * WINDOW_MS;
    assert_ok(operator_close(&op, now_ms, 5));
}

static void add(size_t person, size_t version)
{
    char value[32];
    (void)snprintf(value, sizeof value, "%zu of %zu", version, person);
    assert_ok(operator_add(&op, bytes_str(names[person]), bytes_str(value), NULL));
}

/* Person i has versions 0 to i, but for 0, who has none; in as many epochs. */
static void grow(size_t people)
{
    for (size_t version = 0; version < people; version++) {
        for (size_t i = 1; i < people; i++)
            if (version <= i)
                add(i, version);
        close_epoch();
    }
}

static void ask_for(size_t count, const struct kt_result *known)
{
    for (size_t i = 0; i < count; i++)
        queries[i] = (struct kt_query){.label = bytes_str(names[i]),
                                       .now_ms = now_ms + 500,
                                       .known = known != NULL ? &known[i].known : NULL,
                                       .opaque_value = true};
}

static void answer(const struct kt_query *asked, size_t count)
{
    struct buf request = BUF_INIT;
    static struct search_many_request parsed;
    struct kt_source source = operator_source(&op);
    buf_clear(&last);
    assert_ok(kt_many_request(&request, &view, asked, count));
    assert_ok(search_many_request_parse(buf_view(&request), &parsed));
    assert_ok(kt_prove_many(&source, &parsed, &last));
    buf_clear(&request);
}

/* All at once; then each alone by another client in the same state, which must show the same. */
static size_t both(size_t count)
{
    struct kt_view alone = view;
    struct kt_source source = operator_source(&op);
    size_t answered, bytes = 0;
    answer(queries, count);
    assert_ok(kt_verify_many(&view, queries, count, buf_view(&last), results, &answered));
    assert_int_equal(answered, count);
    for (size_t i = 0; i < count; i++) {
        struct kt_view own = alone;
        struct kt_result one;
        struct buf request = BUF_INIT, response = BUF_INIT;
        struct search_request parsed;
        assert_ok(kt_search_request(&request, &own, &queries[i]));
        assert_ok(search_request_parse(buf_view(&request), &parsed));
        assert_ok(kt_prove_search(&source, &parsed, &response));
        assert_ok(kt_verify_search(&own, &queries[i], buf_view(&response), &one));
        bytes += response.len;
        assert_memory_equal(&one.known, &results[i].known, sizeof one.known);
        assert_memory_equal(one.opening, results[i].opening, sizeof one.opening);
        test_assert_bytes(one.value, results[i].value);
        assert_int_equal(own.size, view.size);
        assert_memory_equal(&own.root, &view.root, sizeof own.root);
        assert_int_equal(kt_view_newest_dist(&own)->index, kt_view_newest_dist(&view)->index);
        buf_clear(&request);
        buf_clear(&response);
    }
    assert_true(last.len < bytes);
    return last.len;
}

static void test_first_contact(void **state)
{
    (void)state;
    grow(PEOPLE);
    ask_for(PEOPLE, NULL);
    (void)both(PEOPLE); /* two trees: what was added since the window began is pending */
    assert_false(results[0].known.exists);
    assert_int_equal(results[PEOPLE - 1].known.version, PEOPLE - 1);
    assert_true(results[PEOPLE - 1].known.pending);
    next_window();
    ask_for(PEOPLE, NULL);
    (void)both(PEOPLE); /* one tree */
    assert_false(results[PEOPLE - 1].known.pending);
}

static void test_again(void **state)
{
    (void)state;
    grow(PEOPLE);
    next_window();
    close_epoch();
    ask_for(PEOPLE, NULL);
    size_t first = both(PEOPLE);
    memcpy(before, results, sizeof before);
    close_epoch();
    ask_for(PEOPLE, before);
    assert_true(both(PEOPLE) < first / 2); /* neither ladders nor D again */
    add(3, 4);
    close_epoch();
    ask_for(PEOPLE, before);
    (void)both(PEOPLE); /* one is new, and stands in one tree alone */
    assert_int_equal(results[3].known.version, 4);
    assert_true(results[3].known.pending);
    assert_false(results[4].known.pending);
    memcpy(before, results, sizeof before);
    ask_for(PEOPLE, before);
    (void)both(PEOPLE); /* with one that is pending */
    next_window();
    close_epoch();
    ask_for(PEOPLE, before);
    (void)both(PEOPLE); /* another D: all are looked up there */
    assert_false(results[3].known.pending);
}

/* More than one proof holds: the first are answered, and the others asked for again. */
static void test_more_than_fit(void **state)
{
    (void)state;
    size_t left = SEARCH_MANY_MAX, rounds = 0, answered;
    for (size_t version = 0; version < 6; version++) {
        for (size_t i = 0; i < SEARCH_MANY_MAX; i++)
            add(i, version);
        close_epoch();
    }
    next_window();
    close_epoch();
    ask_for(SEARCH_MANY_MAX, NULL);
    while (left > 0) {
        answer(queries + SEARCH_MANY_MAX - left, left);
        assert_ok(kt_verify_many(&view, queries + SEARCH_MANY_MAX - left, left, buf_view(&last),
                                 results, &answered));
        assert_true(answered > 0 && answered <= left);
        assert_int_equal(results[answered - 1].known.version, 5);
        left -= answered;
        rounds++;
    }
    assert_int_equal(rounds, 2); /* 6 lookups each, 255 in a proof */
}

static void test_one_label_twice(void **state)
{
    (void)state;
    size_t answered;
    grow(3);
    ask_for(3, NULL);
    queries[0] = queries[2];
    answer(queries, 3);
    assert_ok(kt_verify_many(&view, queries, 3, buf_view(&last), results, &answered));
    assert_memory_equal(&results[0].known, &results[2].known, sizeof results[0].known);
}

static struct err verify_last(size_t count)
{
    struct kt_view own = view;
    size_t answered = 77;
    struct err err = kt_verify_many(&own, queries, count, buf_view(&last), results, &answered);
    if (!err_is_ok(err)) { /* nothing has changed */
        assert_memory_equal(&own, &view, sizeof own);
        assert_int_equal(answered, 77);
    }
    return err;
}

static void test_changed_answers(void **state)
{
    (void)state;
    grow(4);
    next_window();
    add(1, 2);
    close_epoch();
    ask_for(4, NULL);
    answer(queries, 4);
    for (size_t i = 0; i < last.len; i += 11) {
        last.data[i] ^= 0x10;
        if (err_is_ok(verify_last(4)))
            fail_msg("byte %zu", i);
        last.data[i] ^= 0x10;
    }
    assert_ok(verify_last(4));
    last.len--;
    assert_false(err_is_ok(verify_last(4)));
}

/* Answers to others, to more than asked, or of a past that hides a version. */
static void test_attacks(void **state)
{
    (void)state;
    struct kt_query swap;
    grow(4);
    next_window();
    close_epoch();
    ask_for(4, NULL);
    answer(queries, 4);
    assert_int_equal(verify_last(3).code, ERR_TLOG_LADDER);
    swap = queries[2];
    queries[2] = queries[3];
    queries[3] = swap;
    assert_false(err_is_ok(verify_last(4)));
    ask_for(4, NULL);
    struct operator_version *hidden = operator_find(&op, bytes_str(names[3]), 3);
    hidden->hidden = true;
    answer(queries, 4);
    assert_int_equal(verify_last(4).code, ERR_TLOG_VERSION);
    hidden->hidden = false;
    struct operator_version *other = operator_find(&op, bytes_str(names[2]), 2);
    other->opening[0] ^= 1; /* another commitment than the tree's */
    answer(queries, 4);
    assert_false(err_is_ok(verify_last(4)));
    other->opening[0] ^= 1;
    answer(queries, 4);
    assert_ok(verify_last(4));
}

static void test_requests(void **state)
{
    (void)state;
    static struct search_many_request q, again;
    struct buf b = BUF_INIT;
    struct kt_query none = {.label = bytes_of("", 0)};
    assert_int_equal(kt_many_request(&b, &view, queries, 0).code, ERR_ARGUMENT);
    assert_int_equal(kt_many_request(&b, &view, queries, SEARCH_MANY_MAX + 1).code, ERR_ARGUMENT);
    assert_int_equal(kt_many_request(&b, &view, &none, 1).code, ERR_ARGUMENT);
    q = (struct search_many_request){.last = 5, .last_dist = 3, .flags = SEARCH_HOLDS_DIST};
    q.count = 2;
    q.items[0].label = bytes_str("x");
    q.items[1] = (struct search_many_item){bytes_str("y"), true, 7};
    search_many_request_write(&b, &q);
    assert_ok(search_many_request_parse(buf_view(&b), &again));
    assert_int_equal(again.count, 2);
    assert_int_equal(again.items[1].known_version, 7);
    test_assert_bytes(again.items[0].label, bytes_str("x"));
    b.data[16] = 0; /* a known version without the entry it was verified at */
    assert_int_equal(search_many_request_parse(buf_view(&b), &again).code, ERR_WIRE_VALUE);
    b.data[16] = SEARCH_KNOWN;
    assert_int_equal(search_many_request_parse(buf_view(&b), &again).code, ERR_WIRE_VALUE);
    b.data[16] = SEARCH_HOLDS_DIST;
    for (int wrong = 0; wrong < 2; wrong++) {
        b.data[17] = wrong ? SEARCH_MANY_MAX + 1 : 0;
        assert_int_equal(search_many_request_parse(buf_view(&b), &again).code, ERR_WIRE_LIMIT);
    }
    buf_clear(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_first_contact),   TEST(test_again),           TEST(test_more_than_fit),
        TEST(test_one_label_twice), TEST(test_changed_answers), TEST(test_attacks),
        TEST(test_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
