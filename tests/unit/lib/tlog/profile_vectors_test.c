/* ktl_profile.json: a whole log made by another implementation. We make the same log again, byte by
 * byte, and verify what that one answered. */
#include <stdio.h>

#include "kit/tlog/operator.h"
#include "support/test.h"
#include "support/vectors.h"
#include "tlog/verify.h"

static struct vectors file;
static struct kt_operator op;
static struct sig_key witness;
static struct note_key witness_key;

static struct bytes label_of(const char *user, uint64_t version)
{
    size_t index;
    json_t *c;
    json_array_foreach(vectors_get(file.root, "openings"), index, c)
    {
        if (strcmp(vectors_text(c, "user"), user) == 0 && vectors_uint(c, "version") == version)
            return vectors_hex(&file, c, "label");
    }
    fail_msg("%s", user);
    return bytes_of(NULL, 0);
}

static void add(const char *user, uint64_t version)
{
    size_t index;
    json_t *c;
    json_array_foreach(vectors_get(file.root, "openings"), index, c)
    {
        if (strcmp(vectors_text(c, "user"), user) != 0 || vectors_uint(c, "version") != version)
            continue;
        assert_ok(operator_add(&op, vectors_hex(&file, c, "label"), vectors_hex(&file, c, "value"),
                               vectors_hex(&file, c, "opening").data));
        return;
    }
    fail_msg("%s", user);
}

static void test_config(void **state)
{
    (void)state;
    struct hash_value leaf;
    struct kt_config config;
    struct buf b = BUF_INIT;
    struct bytes want = vectors_hex(&file, file.root, "config");
    test_assert_bytes(buf_view(&op.config_bytes), want);
    log_leaf_hash(want, &leaf);
    test_assert_bytes(hash_value_view(&leaf), vectors_hex(&file, file.root, "config_leaf_hash"));
    assert_ok(kt_config_parse(want, &config));
    assert_memory_equal(&config, &op.config, sizeof config);
    struct note_key key;
    assert_ok(kt_config_log_key(&config, &key));
    note_key_write(&b, &key);
    test_assert_bytes(buf_view(&b), bytes_str(vectors_text(file.root, "log_vkey")));
    buf_clear(&b);
    note_key_write(&b, &witness_key);
    test_assert_bytes(buf_view(&b), bytes_str(vectors_text(file.root, "witness_vkey")));
    buf_clear(&b);
}

static void test_leaves(void **state)
{
    (void)state;
    size_t index;
    json_t *c;
    json_array_foreach(vectors_get(file.root, "leaves"), index, c)
    {
        const struct operator_version *v =
            operator_find(&op, label_of(vectors_text(c, "user"), vectors_uint(c, "version")),
                          (uint32_t)vectors_uint(c, "version"));
        assert_non_null(v);
        test_assert_bytes(bytes_of(v->pair.index, 32), vectors_hex(&file, c, "vrf_output"));
        test_assert_bytes(hash_value_view(&v->pair.commitment),
                          vectors_hex(&file, c, "commitment"));
    }
    assert_int_equal(index, 11);
}

/* The signed text and, for distinguished epochs, the witness's line two seconds later. */
static void check_note(const json_t *c, const struct operator_epoch *epoch)
{
    struct buf b = BUF_INIT;
    struct note note;
    buf_append_bytes(&b, buf_view(&epoch->note));
    assert_ok(note_parse(buf_view(&epoch->note), &note));
    if (json_is_true(vectors_get(c, "distinguished"))) {
        uint64_t time_s;
        assert_ok(
            note_cosign(&b, note.text, &witness_key, &witness, epoch->entry.timestamp / 1000 + 2));
        assert_ok(note_parse(bytes_str(vectors_text(c, "checkpoint")), &note));
        assert_ok(note_verify_cosignature(&note, &witness_key, &time_s));
        assert_int_equal(time_s, epoch->entry.timestamp / 1000 + 2);
    }
    test_assert_bytes(buf_view(&b), bytes_str(vectors_text(c, "checkpoint")));
    buf_clear(&b);
}

static void test_epochs(void **state)
{
    (void)state;
    size_t index;
    json_t *c;
    struct kt_source source = operator_source(&op);
    json_array_foreach(vectors_get(file.root, "epochs"), index, c)
    {
        const struct operator_epoch *epoch = &op.epochs[index];
        struct buf b = BUF_INIT;
        struct hash_value leaf;
        uint64_t dist;
        log_entry_write(&b, &epoch->entry);
        log_entry_hash(&epoch->entry, &leaf);
        test_assert_bytes(buf_view(&b), vectors_hex(&file, c, "log_entry"));
        test_assert_bytes(hash_value_view(&leaf), vectors_hex(&file, c, "leaf_hash"));
        test_assert_bytes(hash_value_view(&epoch->entry.prefix_root),
                          vectors_hex(&file, c, "prefix_root"));
        test_assert_bytes(hash_value_view(&epoch->root), vectors_hex(&file, c, "log_root"));
        assert_ok(source.dist(source.self, index + 1, &dist));
        assert_int_equal(dist == index + 1, json_is_true(vectors_get(c, "distinguished")));
        check_note(c, epoch);
        buf_clear(&b);
    }
    assert_int_equal(index, 6);
}

static void check_ladder(const json_t *list, const struct version_ladder *ladder)
{
    assert_int_equal(json_array_size(list), ladder->count);
    for (size_t i = 0; i < ladder->count; i++)
        assert_int_equal(json_integer_value(json_array_get(list, i)), ladder->at[i]);
}

static void test_ladders(void **state)
{
    (void)state;
    const char *t;
    json_t *list;
    json_object_foreach(vectors_get(file.root, "ladders"), t, list)
    {
        struct version_ladder ladder;
        ladder_base((uint32_t)strtoul(t, NULL, 10), &ladder);
        check_ladder(list, &ladder);
    }
}

/* The state of a client that has seen size `last`. */
static struct kt_view view_at(uint64_t last)
{
    struct kt_view view;
    assert_ok(kt_view_init(vectors_hex(&file, file.root, "config"), &view));
    view.size = last;
    view.root = op.epochs[last - 2].root;
    return view;
}

static void check_search(const json_t *c)
{
    struct bytes want = vectors_hex(&file, c, "search_response");
    struct search_request request = {.last = vectors_uint(c, "last_size"),
                                     .label = vectors_hex(&file, c, "label")};
    struct kt_source source = operator_source(&op);
    struct buf b = BUF_INIT, again = BUF_INIT;
    assert_ok(kt_prove_search(&source, &request, &b));
    test_assert_bytes(buf_view(&b), want);
    static struct search_response parsed;
    assert_ok(search_response_parse(want, &parsed));
    search_response_write(&again, &parsed);
    test_assert_bytes(buf_view(&again), want);

    struct kt_view view = view_at(request.last);
    struct kt_query query = {.label = request.label,
                             .now_ms = op.epochs[5].entry.timestamp + 1000,
                             .opaque_value = true};
    struct kt_result result;
    assert_ok(kt_verify_search(&view, &query, want, &result));
    json_int_t version = json_integer_value(vectors_get(c, "version"));
    assert_int_equal(result.known.exists, version >= 0);
    if (version >= 0)
        assert_int_equal(result.known.version, version);
    assert_int_equal(result.known.pending, json_is_true(vectors_get(c, "pending")));
    assert_int_equal(result.known.dist_index, vectors_uint(c, "dist_index"));
    assert_int_equal(view.size, 7);
    size_t index;
    json_t *step;
    json_array_foreach(vectors_get(c, "steps"), index, step)
    {
        const struct kt_lookup *lookup = &result.known.lookups[index];
        assert_int_equal(lookup->version, vectors_uint(step, "version"));
        test_assert_bytes(bytes_of(lookup->index, 32), vectors_hex(&file, step, "vrf_output"));
        assert_int_equal(lookup->present, vectors_has(step, "commitment"));
        if (lookup->present)
            test_assert_bytes(hash_value_view(&lookup->commitment),
                              vectors_hex(&file, step, "commitment"));
    }
    assert_int_equal(index, result.known.count);
    buf_clear(&again);
    buf_clear(&b);
}

static void test_searches(void **state)
{
    (void)state;
    size_t index;
    json_t *c;
    json_array_foreach(vectors_get(file.root, "searches"), index, c) check_search(c);
    printf("%zu searches\n", index);
    assert_int_equal(index, 5);
}

int main(void)
{
    vectors_open(&file, "ktl_profile.json");
    size_t index, i;
    json_t *epoch, *one;
    assert_ok(operator_init(&op, "hs.example.org/kt/1", vectors_uint(file.root, "rmw_ms"),
                            vectors_hex(&file, file.root, "log_seed").data,
                            vectors_hex(&file, file.root, "vrf_seed").data));
    json_array_foreach(vectors_get(file.root, "epochs"), index, epoch)
    {
        json_array_foreach(vectors_get(epoch, "inserted"), i, one)
            add(vectors_text(one, "user"), vectors_uint(one, "version"));
        assert_ok(operator_close(&op, vectors_uint(epoch, "timestamp"), 0));
    }
    assert_ok(sig_key_init(&sig_ed25519, vectors_hex(&file, file.root, "witness_seed"), &witness));
    assert_ok(note_key_make(bytes_str("peer.example.net/witness"), NOTE_COSIGNATURE,
                            public_key_view(&witness.public_key), &witness_key));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config),   cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_epochs),   cmocka_unit_test(test_ladders),
        cmocka_unit_test(test_searches),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    operator_clear(&op);
    sig_key_clear(&witness);
    vectors_close(&file);
    return failed;
}
