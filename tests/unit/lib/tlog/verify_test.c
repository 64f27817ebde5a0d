/* The client against an honest operator: what it asks, what it accepts, what it remembers. */
#include <stdio.h>

#include "kit/tlog/operator.h"
#include "support/test.h"
#include "tlog/verify.h"

enum { WINDOW_MS = 100000, EPOCH_MS = 10000 };

static const uint8_t seed_a[32] = {1}, seed_b[32] = {2};
static struct kt_operator op;
static struct kt_view view;
static uint64_t now_ms;

#define ALICE        \
    bytes_str("\x01" \
              "alice")
#define BOB          \
    bytes_str("\x01" \
              "bob")
#define CAROL        \
    bytes_str("\x01" \
              "carol")

/* Epochs at 0, 10, 20 ... seconds of a window; the first closes at once. */
static int begin(void **state)
{
    (void)state;
    now_ms = 50 * (uint64_t)WINDOW_MS;
    assert_ok(operator_init(&op, "a.example/kt/1", WINDOW_MS, seed_a, seed_b));
    assert_ok(kt_view_init(buf_view(&op.config_bytes), &view));
    return 0;
}

static int end(void **state)
{
    (void)state;
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

static void add(struct bytes label, const char *value)
{
    assert_ok(operator_add(&op, label, bytes_str(value), NULL));
}

/* A log may not choose its windows so that nobody ever looks, or everybody all the time, nor such
 * bounds of time that an old answer is never one. */
static void test_config_bounds(void **state)
{
    static const struct {
        uint64_t window, ahead, behind;
        bool good;
    } rows[] = {
        {1000, 60000, 3600000, true},        {86400000, 0, 0, true},
        {999, 60000, 3600000, false},        {1, 60000, 3600000, false},
        {UINT64_MAX, 60000, 3600000, false}, {8 * UINT64_C(86400000), 60000, 3600000, false},
        {1000, 60000, UINT64_MAX, false},    {1000, UINT64_MAX, 3600000, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kt_config config = op.config;
        struct kt_view other = {.size = 7};
        struct buf b = BUF_INIT;
        config.window_ms = rows[i].window;
        config.max_ahead_ms = rows[i].ahead;
        config.max_behind_ms = rows[i].behind;
        kt_config_write(&b, &config);
        assert_ok(buf_check(&b));
        struct err err = kt_view_init(buf_view(&b), &other);
        if (rows[i].good)
            assert_ok(err);
        else
            assert_err(err, TLOG_CONFIG);
        assert_int_equal(other.size, rows[i].good ? 1 : 7);
        buf_clear(&b);
    }
}

static struct kt_query query_of(struct bytes label, const struct kt_known *known)
{
    return (struct kt_query){
        .label = label, .now_ms = now_ms + 500, .known = known, .opaque_value = true};
}

/* What the operator answers to the client's own request. The caller clears it. */
static struct buf answer_to(struct kt_operator *by, const struct kt_query *query)
{
    struct buf request = BUF_INIT, response = BUF_INIT;
    struct search_request parsed;
    struct kt_source source = operator_source(by);
    assert_ok(kt_search_request(&request, &view, query));
    assert_ok(search_request_parse(buf_view(&request), &parsed));
    assert_ok(kt_prove_search(&source, &parsed, &response));
    buf_clear(&request);
    return response;
}

static size_t last_bytes; /* of the response */
static struct buf last_response;

static struct err search(const struct kt_query *query, struct kt_result *ret_result)
{
    struct buf response = answer_to(&op, query);
    last_bytes = response.len;
    buf_clear(&last_response);
    last_response = response; /* the result's value is a view into it */
    return kt_verify_search(&view, query, buf_view(&last_response), ret_result);
}

static void find(struct bytes label, const struct kt_known *known, struct kt_result *ret_result)
{
    struct kt_query query = query_of(label, known);
    assert_ok(search(&query, ret_result));
}

static void test_search(void **state)
{
    (void)state;
    struct kt_result result;
    add(ALICE, "a0");
    close_epoch();
    find(ALICE, NULL, &result); /* size 2: D is the newest entry */
    assert_true(result.known.exists && !result.known.pending);
    assert_int_equal(result.known.version, 0);
    test_assert_bytes(result.value, bytes_str("a0"));
    assert_int_equal(result.continuity, KT_NO_RULES);
    assert_int_equal(view.size, 2);
    add(BOB, "b0");
    close_epoch();
    find(BOB, NULL, &result);
    assert_true(result.known.pending); /* not there at D = 1 */
    assert_int_equal(result.known.epoch, 2);
    assert_int_equal(result.known.dist_index, 1);
    find(CAROL, NULL, &result);
    assert_false(result.known.exists);
    assert_false(result.known.pending);
    next_window();
    find(BOB, NULL, &result);
    assert_false(result.known.pending);
    assert_int_equal(result.known.dist_index, 3);
    assert_int_equal(view.dist_count, 2);
    assert_int_equal(view.last_ms, now_ms);
}

/* Versions at D and at the newest entry in every combination, from first contact each time. */
static void test_every_pair_of_versions(void **state)
{
    (void)state;
    struct kt_result result;
    uint32_t at_dist = LADDER_NONE, newest = LADDER_NONE;
    for (int window = 0; window < 4; window++) {
        for (int epoch = 0; epoch < 6; epoch++) {
            for (int who = 0; who < (window == 1 ? 2 : 1); who++) {
                struct kt_query query = query_of(ALICE, NULL);
                if (op.epoch_count == 0)
                    break;
                assert_ok(kt_view_init(buf_view(&op.config_bytes), &view));
                assert_ok(search(&query, &result));
                assert_int_equal(result.known.exists, newest != LADDER_NONE);
                if (newest != LADDER_NONE)
                    assert_int_equal(result.known.version, newest);
                assert_int_equal(result.known.pending, newest != at_dist);
            }
            if (window + epoch > 1) {
                newest = newest == LADDER_NONE ? 0 : newest + 1;
                add(ALICE, "some value");
            }
            if (epoch == 0 && window > 0) {
                next_window();
                at_dist = newest;
            } else {
                close_epoch();
                if (op.epoch_count == 1)
                    at_dist = newest;
            }
        }
    }
    assert_true(newest > 15);
}

/* What is known is not sent again, and what is held neither. */
static void test_repeat_is_short(void **state)
{
    (void)state;
    struct kt_result first, again;
    for (int i = 0; i < 6; i++) {
        add(ALICE, "a value");
        close_epoch();
    }
    next_window();
    close_epoch();
    find(ALICE, NULL, &first);
    size_t whole = last_bytes;
    find(ALICE, &first.known, &again);
    assert_true(last_bytes * 2 < whole);
    assert_memory_equal(&again.known, &first.known, sizeof first.known);
    close_epoch();
    find(ALICE, &first.known, &again);
    assert_true(last_bytes * 2 < whole);
    assert_int_equal(again.known.epoch, first.known.epoch + 1);
    /* in a later window D must be shown anew, the ladder not */
    next_window();
    close_epoch();
    find(ALICE, &first.known, &again);
    assert_true(last_bytes < whole - 400);
    assert_int_equal(again.known.dist_index, first.known.dist_index + 3);
    /* a new version: all of it */
    add(ALICE, "newer");
    close_epoch();
    find(ALICE, &again.known, &first);
    assert_int_equal(first.known.version, 6);
    assert_true(first.known.pending);
    /* while it waits for D */
    find(ALICE, &first.known, &again);
    assert_true(again.known.pending);
    test_assert_bytes(again.value, bytes_str("newer"));
}

/* The only distinguished entry is the newest: nothing to leave out twice. */
static void test_repeat_at_dist(void **state)
{
    (void)state;
    struct kt_result first, again;
    add(ALICE, "a0");
    close_epoch();
    find(ALICE, NULL, &first);
    find(ALICE, &first.known, &again);
    assert_memory_equal(&again.known, &first.known, sizeof first.known);
}

static void test_contacts(void **state)
{
    (void)state;
    struct kt_result alice, bob;
    struct buf request = BUF_INIT, response = BUF_INIT;
    static struct contact_request parsed;
    struct kt_source source = operator_source(&op);
    uint64_t index = 0;
    close_epoch();
    for (int i = 0; i < 5; i++) {
        add(ALICE, "a");
        add(BOB, "b");
        close_epoch();
    }
    find(ALICE, NULL, &alice);
    find(BOB, NULL, &bob);
    assert_true(alice.known.pending && bob.known.pending);
    const struct kt_contact contacts[2] = {{ALICE, &alice.known, alice.opening},
                                           {BOB, &bob.known, bob.opening}};
    assert_ok(kt_contact_request(&request, &view, contacts, 2));
    assert_ok(contact_request_parse(buf_view(&request), &parsed));
    /* no distinguished entry since */
    assert_err(kt_prove_contacts(&source, &parsed, &response), NOT_FOUND);
    assert_int_equal(response.len, 0);
    next_window();
    close_epoch();
    assert_ok(kt_prove_contacts(&source, &parsed, &response));
    /* the one who asks must have the openings */
    uint8_t other[OPENING_BYTES] = {0};
    const uint8_t *opening = parsed.items[1].opening;
    parsed.items[1].opening = other;
    struct buf none = BUF_INIT;
    assert_err(kt_prove_contacts(&source, &parsed, &none), NOT_FOUND);
    parsed.items[1].opening = opening;
    struct kt_view before = view;
    assert_ok(kt_verify_contacts(&view, contacts, 2, buf_view(&response), &index));
    assert_int_equal(index, op.epoch_count - 1);
    assert_int_equal(view.size, op.epoch_count + 1);
    /* an older entry does not settle it; one who asks for less does not see more */
    alice.known.epoch = index + 1;
    view = before;
    assert_err(kt_verify_contacts(&view, contacts, 2, buf_view(&response), &index),
               TLOG_DISTINGUISHED);
    assert_err(kt_verify_contacts(&view, contacts + 1, 1, buf_view(&response), &index),
               TLOG_LADDER);
    assert_memory_equal(&view, &before, sizeof view);
    buf_clear(&request);
    buf_clear(&response);
}

/* ---- owners: a list of own lookups that grows with every update */

static struct kt_lookup own_lookups[256];
static size_t own_count;

static void own_merge(const struct kt_known *known)
{
    for (size_t i = 0; i < known->count; i++) {
        size_t at = 0;
        while (at < own_count && own_lookups[at].version != known->lookups[i].version)
            at++;
        if (at == own_count)
            own_lookups[own_count++] = known->lookups[i];
        else if (known->lookups[i].epoch != 0)
            own_lookups[at] = known->lookups[i];
    }
}

static struct kt_own own_of(struct bytes label)
{
    return (struct kt_own){label, own_lookups, own_count};
}

static void own_update(struct bytes label, uint32_t version, const char *value)
{
    struct kt_source source = operator_source(&op);
    struct kt_own own = own_of(label);
    struct buf response = BUF_INIT;
    struct kt_result result;
    add(label, value);
    assert_err(kt_prove_update(&source, view.size, label, version, &response), NOT_FOUND);
    close_epoch();
    close_epoch(); /* others' epochs come after */
    assert_ok(kt_prove_update(&source, view.size, label, version, &response));
    struct kt_view before = view;
    assert_err(kt_verify_update(&view, &own, version, bytes_str("another"), now_ms,
                                buf_view(&response), &result),
               TLOG_PREFIX_PROOF);
    if (version > 0)
        assert_false(err_is_ok(kt_verify_update(&view, &own, version - 1, bytes_str(value), now_ms,
                                                buf_view(&response), &result)));
    assert_err(kt_verify_update(&view, &own, version, bytes_str(value), now_ms + 4000000,
                                buf_view(&response), &result),
               TLOG_STALE);
    assert_memory_equal(&view, &before, sizeof view);
    assert_ok(kt_verify_update(&view, &own, version, bytes_str(value), now_ms, buf_view(&response),
                               &result));
    assert_int_equal(result.known.version, version);
    assert_int_equal(result.known.epoch, op.epoch_count - 1);
    own_merge(&result.known);
    buf_clear(&response);
}

static struct err monitor(struct bytes label, struct kt_dist *at)
{
    struct kt_source source = operator_source(&op);
    struct kt_own own = own_of(label);
    struct buf request = BUF_INIT, response = BUF_INIT;
    struct owner_request parsed;
    assert_ok(kt_owner_request(&request, &view, &own, at));
    assert_ok(owner_request_parse(buf_view(&request), &parsed));
    assert_ok(kt_prove_owner(&source, &parsed, &response));
    struct err err = kt_verify_owner(&view, &own, at, buf_view(&response), at);
    buf_clear(&request);
    buf_clear(&response);
    return err;
}

static void test_owner(void **state)
{
    (void)state;
    struct kt_dist at = {.index = 0};
    own_count = 0;
    close_epoch();
    for (uint32_t version = 0; version < 12; version++) {
        own_update(BOB, version, "b");
        if (version % 3 == 2)
            next_window();
        if (version % 4 == 1)
            assert_ok(monitor(BOB, &at));
    }
    assert_ok(monitor(BOB, &at));
    assert_int_equal(at.index, kt_view_newest_dist(&view)->index);
    uint64_t reached = at.index;
    assert_ok(monitor(BOB, &at)); /* nothing new */
    assert_int_equal(at.index, reached);
    /* long away: more windows than one answer holds */
    for (int i = 0; i < OWNER_STEPS_MAX + 3; i++)
        next_window();
    assert_ok(monitor(BOB, &at));
    assert_int_equal(at.index, reached + OWNER_STEPS_MAX);
    assert_ok(monitor(BOB, &at));
    assert_int_equal(at.index, op.epoch_count);
    /* from the beginning again */
    at = (struct kt_dist){.index = 0};
    assert_ok(monitor(BOB, &at));
    /* someone who never learned the indices is told so */
    own_count = 1;
    at = (struct kt_dist){.index = 0};
    assert_err(monitor(BOB, &at), TLOG_UNKNOWN);
}

static struct err monitor_late(struct bytes label, const struct kt_dist *from,
                               struct kt_dist *ret_at)
{
    struct kt_source source = operator_source(&op);
    struct owner_request request = {.last = view.size, .from_dist = from->index, .label = label};
    struct buf b = BUF_INIT;
    const struct kt_own own = {label, own_lookups, own_count};
    request.expected = kt_own_version_at(&own, UINT64_MAX);
    assert_ok(kt_prove_owner(&source, &request, &b));
    struct err err =
        kt_verify_owner_late(&view, label, own_lookups, own_count, from, buf_view(&b), ret_at);
    buf_clear(&b);
    return err;
}

/* Another device made versions 1 to `made` in windows of their own; this one learned of them by a
 * search for the newest alone. */
static void other_device(uint32_t made, struct kt_dist *ret_from)
{
    struct kt_result result;
    own_count = 0;
    close_epoch();
    own_update(BOB, 0, "0");
    next_window();
    *ret_from = (struct kt_dist){.index = 0};
    assert_ok(monitor(BOB, ret_from));
    for (uint32_t version = 1; version <= made; version++) {
        add(BOB, "another device's");
        close_epoch();
        next_window();
    }
    find(BOB, NULL, &result);
    for (size_t i = 0; i < result.known.count; i++) /* at the latest there */
        if (result.known.lookups[i].present && result.known.lookups[i].version > 0)
            result.known.lookups[i].epoch = view.size - 1;
    own_merge(&result.known);
}

static void test_owner_of_several_devices(void **state)
{
    for (uint32_t made = 1; made < 12; made++) {
        struct kt_dist from, at;
        other_device(made, &from);
        assert_ok(monitor_late(BOB, &from, &at));
        assert_int_equal(at.index, op.epoch_count);
        /* from here on as the only one */
        at.index = op.epoch_count;
        own_update(BOB, made + 1, "ours");
        next_window();
        at = *kt_view_newest_dist(&view);
        assert_ok(monitor_late(BOB, &at, &at));
        /* one that none of the devices made */
        add(BOB, "not his");
        next_window();
        struct kt_dist before = at;
        assert_err(monitor_late(BOB, &at, &at), TLOG_UNEXPECTED);
        assert_int_equal(at.index, before.index);
        end(state);
        begin(state);
    }
}

/* What is known to be there must stay there, also where much was missed. */
static void test_owner_of_several_devices_rolled_back(void **state)
{
    (void)state;
    struct kt_dist from, at;
    other_device(5, &from);
    assert_ok(monitor_late(BOB, &from, &at));
    assert_ok(operator_roll_back(&op, 3));
    operator_find(&op, BOB, 5)->hidden = operator_find(&op, BOB, 4)->hidden = true;
    operator_find(&op, BOB, 3)->hidden = operator_find(&op, BOB, 2)->hidden = true;
    next_window();
    assert_err(monitor_late(BOB, &at, &at), TLOG_VERSION);
}

/* A label that its owner never used. */
static void test_owner_of_nothing(void **state)
{
    (void)state;
    struct kt_dist at = {.index = 0};
    struct kt_result result;
    close_epoch();
    find(CAROL, NULL, &result);
    own_count = 0;
    own_merge(&result.known);
    next_window();
    assert_ok(monitor(CAROL, &at));
    assert_int_equal(at.index, 2);
    add(CAROL, "not hers");
    next_window();
    assert_err(monitor(CAROL, &at), TLOG_UNEXPECTED);
    assert_int_equal(at.index, 2);
}

static void test_first_epoch_update(void **state)
{
    (void)state;
    struct kt_source source = operator_source(&op);
    struct kt_own own = {ALICE, NULL, 0};
    struct buf response = BUF_INIT;
    struct kt_result result;
    add(ALICE, "a");
    close_epoch();
    assert_ok(kt_prove_update(&source, 1, ALICE, 0, &response));
    assert_ok(
        kt_verify_update(&view, &own, 0, bytes_str("a"), now_ms, buf_view(&response), &result));
    buf_clear(&response);
}

/* What a search of one's own label shows makes the very proof that the log would make. */
static void test_proof_of_search(void **state)
{
    struct kt_source source = operator_source(&op);
    static struct search_response parsed;
    struct kt_result result;
    (void)state;
    for (int version = 0; version < 12; version++) {
        struct buf request = BUF_INIT, response = BUF_INIT, made = BUF_INIT, wanted = BUF_INIT;
        char value[16];
        (void)snprintf(value, sizeof value, "a%d", version);
        const struct kt_query query = {
            .label = ALICE, .now_ms = now_ms + 500, .opaque_value = true};
        add(ALICE, value);
        for (int step = 0; step < 3; step++) { /* new; at the window's first entry; after it */
            struct search_request parsed_request;
            struct kt_view fresh;
            struct kt_query now = query;
            if (step == 1)
                next_window();
            else
                close_epoch();
            now.now_ms = now_ms + 500;
            buf_clear(&request), buf_clear(&response), buf_clear(&made), buf_clear(&wanted);
            assert_ok(kt_view_init(buf_view(&op.config_bytes), &fresh));
            assert_ok(kt_search_request(&request, &fresh, &now));
            assert_ok(search_request_parse(buf_view(&request), &parsed_request));
            assert_ok(kt_prove_search(&source, &parsed_request, &response));
            assert_ok(kt_verify_search(&fresh, &now, buf_view(&response), &result));
            assert_ok(search_response_parse(buf_view(&response), &parsed));
            struct err err = kt_proof_of_search(&made, kt_config_origin(&op.config), ALICE, &parsed,
                                                &result.known);
            if (step == 0 && result.known.pending) {
                assert_err(err, TLOG_UNKNOWN);
                continue;
            }
            assert_ok(err);
            assert_ok(kt_prove_member(&source, ALICE, result.known.dist_index, &wanted));
            assert_true(bytes_equal(buf_view(&made), buf_view(&wanted)));
            assert_ok(kt_verify_proof(&fresh, &now, buf_view(&made), &result));
        }
        buf_clear(&request), buf_clear(&response), buf_clear(&made), buf_clear(&wanted);
    }
}

static void test_member_proof(void **state)
{
    (void)state;
    struct kt_source source = operator_source(&op);
    struct buf proof = BUF_INIT;
    struct kt_result result, searched;
    for (int i = 0; i < 3; i++) {
        add(ALICE, "a");
        close_epoch();
    }
    next_window();
    assert_ok(kt_prove_member(&source, ALICE, op.epoch_count, &proof));
    struct kt_query query = query_of(ALICE, NULL);
    assert_err(kt_verify_proof(&view, &query, buf_view(&proof), &result), TLOG_UNKNOWN);
    find(BOB, NULL, &searched); /* brings D, names nobody */
    assert_ok(kt_verify_proof(&view, &query, buf_view(&proof), &result));
    assert_int_equal(result.known.version, 2);
    test_assert_bytes(result.value, bytes_str("a"));
    find(ALICE, NULL, &searched);
    assert_memory_equal(result.known.lookups, searched.known.lookups, sizeof result.known.lookups);
    query.label = BOB;
    assert_err(kt_verify_proof(&view, &query, buf_view(&proof), &result), TLOG_CHECKPOINT);
    query.label = ALICE;
    for (size_t i = 0; i < proof.len; i++) {
        proof.data[i] ^= 4;
        assert_false(err_is_ok(kt_verify_proof(&view, &query, buf_view(&proof), &result)));
        proof.data[i] ^= 4;
    }
    buf_clear(&proof);
    assert_err(kt_prove_member(&source, BOB, op.epoch_count, &proof), NOT_FOUND);
}

/* No bit of an answer can be changed: every one of them is refused or comes to the same. */
static void test_tampering(void **state)
{
    (void)state;
    struct kt_result honest, result;
    add(ALICE, "a0");
    add(BOB, "b0");
    close_epoch();
    add(ALICE, "a1");
    close_epoch();
    next_window();
    add(ALICE, "a2");
    close_epoch();
    find(ALICE, NULL, &honest);
    struct buf response = last_response;
    last_response = BUF_INIT;
    assert_ok(kt_view_init(buf_view(&op.config_bytes), &view));
    struct kt_view fresh = view;
    struct kt_query query = query_of(ALICE, NULL);
    size_t taken = 0;
    for (size_t i = 0; i < response.len; i++) {
        response.data[i] ^= (uint8_t)(1 << i % 8);
        struct err err = kt_verify_search(&view, &query, buf_view(&response), &result);
        if (err_is_ok(err)) { /* the padding bits of a note's base64, at most */
            taken++;
            assert_memory_equal(&result.known, &honest.known, sizeof honest.known);
            view = fresh;
        }
        assert_memory_equal(&view, &fresh, sizeof view);
        response.data[i] ^= (uint8_t)(1 << i % 8);
    }
    assert_true(taken <= 2);
    for (size_t len = 0; len < response.len; len++)
        assert_false(
            err_is_ok(kt_verify_search(&view, &query, bytes_of(response.data, len), &result)));
    assert_ok(kt_verify_search(&view, &query, buf_view(&response), &result));
    buf_clear(&response);
}

static void test_time(void **state)
{
    (void)state;
    struct kt_result result;
    add(ALICE, "a0");
    close_epoch();
    struct kt_query query = query_of(ALICE, NULL);
    query.now_ms = now_ms + 3600001;
    assert_err(search(&query, &result), TLOG_STALE);
    query.now_ms = now_ms - 60001;
    assert_err(search(&query, &result), TLOG_FUTURE);
    query.now_ms = now_ms + 3600000;
    assert_ok(search(&query, &result));
    assert_false(kt_view_overdue(&view, now_ms + WINDOW_MS + 3600000));
    assert_true(kt_view_overdue(&view, now_ms + WINDOW_MS + 3600001));
}

/* Counts over what we take, and kinds that are none: refused before anything is read. */
static void test_monitor_forms(void **state)
{
    (void)state;
    static struct contact_request contacts, parsed;
    static struct contact_response checked;
    static const uint8_t opening[OPENING_BYTES];
    struct owner_request owner;
    struct owner_response steps;
    struct buf b = BUF_INIT;
    contacts.item_count = CONTACT_ITEMS_MAX;
    for (size_t i = 0; i < CONTACT_ITEMS_MAX; i++)
        contacts.items[i] = (struct contact_item){BOB, 1, opening};
    contact_request_write(&b, &contacts);
    assert_ok(contact_request_parse(buf_view(&b), &parsed));
    assert_err(owner_request_parse(buf_view(&b), &owner), WIRE_VALUE);
    b.data[9]++; /* the count */
    assert_err(contact_request_parse(buf_view(&b), &parsed), WIRE_LIMIT);
    buf_clear(&b);
    contacts.item_count = CONTACT_ITEMS_MAX;
    for (size_t i = 0; i < CONTACT_ITEMS_MAX; i++)
        contacts.items[i].version = 1000; /* more lookups than a proof holds */
    contact_request_write(&b, &contacts);
    assert_err(contact_request_parse(buf_view(&b), &parsed), WIRE_LIMIT);
    buf_clear(&b);
    contacts.item_count = 1;
    contacts.items[0].version = UINT32_MAX;
    contact_request_write(&b, &contacts);
    assert_err(contact_request_parse(buf_view(&b), &parsed), WIRE_VALUE);
    buf_clear(&b);
    buf_append(&b, "\x01\0\0\0\x21", 5); /* 33 steps */
    assert_err(owner_response_parse(buf_view(&b), &steps), WIRE_LIMIT);
    assert_err(contact_response_parse(buf_view(&b), &checked), WIRE_VALUE);
    memset(buf_extend(&b, MONITOR_RESPONSE_MAX_BYTES), 0, MONITOR_RESPONSE_MAX_BYTES);
    assert_err(owner_response_parse(buf_view(&b), &steps), WIRE_LIMIT);
    assert_err(contact_response_parse(buf_view(&b), &checked), WIRE_LIMIT);
    buf_clear(&b);
}

/* transparency.md 8: before the first epoch is the configuration, which is no entry. */
static void test_dist_forms(void **state)
{
    (void)state;
    for (int change = 0; change < 4; change++) {
        struct dist_entry dist = {.index = change == 1 ? 0 : 1}, got;
        struct buf b = BUF_INIT;
        static const uint8_t hash[HASH_VALUE_BYTES];
        dist.prev.timestamp = change == 2;
        if (change == 3)
            dist.incl_prev = (struct hash_run){hash, 1};
        dist_entry_write(&b, &dist);
        struct wire_reader r = wire_reader_of(buf_view(&b));
        dist_entry_read(&r, &got);
        if (change == 0)
            assert_ok(wire_reader_end(&r));
        else
            assert_err(wire_reader_end(&r), WIRE_VALUE);
        buf_clear(&b);
    }
}

/* The whole log of an origin, its heads and a friend's. */
static void test_heads(void **state)
{
    (void)state;
    struct kt_source source = operator_source(&op);
    struct kt_result result;
    struct kt_head head;
    struct kt_heads heads;
    struct buf message = BUF_INIT, note = BUF_INIT;
    bool compared = false;
    close_epoch();
    close_epoch();
    next_window();
    close_epoch();
    find(ALICE, NULL, &result);
    for (size_t i = 0; i < view.dist_count; i++) { /* roots of what their inclusion proofs tell */
        assert_true(kt_view_head_of(&view, i, &head));
        assert_memory_equal(head.log_root.data, op.epochs[head.dist_index - 1].root.data, 32);
    }
    const struct kt_dist *dist = kt_view_newest_dist(&view);
    assert_ok(kt_prove_dist_note(&source, buf_view(&op.epochs[dist->index - 1].note),
                                 dist->index + 1, view.size, &note));
    assert_ok(kt_view_dist_note(&view, buf_view(&note)));
    assert_true(kt_view_head_of(&view, view.dist_count - 1, &head));
    assert_memory_equal(head.log_root.data, op.epochs[dist->index - 1].root.data, 32);
    assert_ok(kt_heads_write(&message, &head, 1));
    assert_ok(kt_heads_parse(buf_view(&message), &heads));
    assert_int_equal(heads.count, 1);
    struct kt_head got;
    kt_head_read(&heads.heads, &got);
    assert_ok(kt_view_compare(&view, &got, &compared));
    assert_true(compared);
    got.log_root.data[9] ^= 1;
    assert_err(kt_view_compare(&view, &got, &compared), TLOG_FORK);
    got = head;
    got.dist_index++;
    assert_err(kt_view_compare(&view, &got, &compared), TLOG_FORK);
    got = head;
    got.window++;
    assert_err(kt_view_compare(&view, &got, &compared), TLOG_FORK);
    got.dist_index += 100;
    assert_ok(kt_view_compare(&view, &got, &compared));
    assert_false(compared);
    got = head;
    got.origin = bytes_str("b.example/kt/1");
    got.log_root.data[9] ^= 1;
    assert_ok(kt_view_compare(&view, &got, &compared));
    assert_false(compared);
    /* a note of another size, or of another log, gives no root */
    buf_clear(&note);
    assert_ok(kt_prove_dist_note(&source, buf_view(&op.epochs[1].note), 3, view.size, &note));
    assert_err(kt_view_dist_note(&view, buf_view(&note)), TLOG_UNKNOWN);
    buf_clear(&note);
    buf_clear(&message);
}

static void test_audit(void **state)
{
    (void)state;
    static struct auditor_update update;
    struct log_entry before = {.timestamp = 0};
    for (int i = 0; i < 6; i++) {
        struct memory_view past = {op.tree, (uint32_t)op.epoch_count};
        struct prefix_store store = memory_view_store(&past);
        struct prefix_leaf added[PREFIX_LOOKUPS_MAX];
        struct buf message = BUF_INIT, again = BUF_INIT;
        struct hash_value after;
        size_t count = 0, from = op.version_count;
        add(ALICE, "a");
        add(BOB, "b");
        now_ms += EPOCH_MS;
        assert_ok(operator_close(&op, now_ms, 0));
        for (size_t v = from; v < op.version_count; v++) {
            memcpy(added[count].index, op.versions[v].pair.index, 32);
            memcpy(added[count].commitment, op.versions[v].pair.commitment.data, 32);
            count++;
        }
        assert_ok(kt_prove_audit(&store, now_ms, added, count, &message));
        assert_ok(auditor_update_parse(buf_view(&message), &update));
        auditor_update_write(&again, &update);
        test_assert_bytes(buf_view(&again), buf_view(&message));
        assert_ok(auditor_update_verify(&update, &before, &after));
        assert_memory_equal(after.data, op.epochs[i].entry.prefix_root.data, 32);
        if (i > 0) {
            update.timestamp = before.timestamp - 1;
            assert_err(auditor_update_verify(&update, &before, &after), TLOG_TIME);
            update.timestamp = now_ms;
            before.prefix_root.data[0] ^= 1;
            assert_err(auditor_update_verify(&update, &before, &after), TLOG_PREFIX_PROOF);
        }
        before = op.epochs[i].entry;
        /* this log never takes a leaf out */
        size_t removed = 8 + 2 + count * PREFIX_LEAF_BYTES;
        message.data[removed + 1] = 1;
        assert_err(auditor_update_parse(buf_view(&message), &update), WIRE_VALUE);
        buf_clear(&message);
        buf_clear(&again);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_config_bounds),
        TEST(test_search),
        TEST(test_every_pair_of_versions),
        TEST(test_repeat_is_short),
        TEST(test_repeat_at_dist),
        TEST(test_contacts),
        TEST(test_owner),
        TEST(test_owner_of_several_devices),
        TEST(test_owner_of_several_devices_rolled_back),
        TEST(test_owner_of_nothing),
        TEST(test_first_epoch_update),
        TEST(test_member_proof),
        TEST(test_proof_of_search),
        TEST(test_tampering),
        TEST(test_time),
        TEST(test_heads),
        TEST(test_audit),
        cmocka_unit_test(test_dist_forms),
        cmocka_unit_test(test_monitor_forms),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_clear(&last_response);
    return failed;
}
