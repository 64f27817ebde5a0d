/* tests/vectors/tlog/messages.json, which an independent Python program made from the design
 * (messages.py beside it): every message that ktl_profile.json lacks, made again byte by byte, and
 * verified as a client would. */
#include "kit/tlog/operator.h"
#include "seal/key_set.h"
#include "support/test.h"
#include "support/vectors.h"
#include "tlog/compare.h"
#include "tlog/verify.h"

static struct vectors file;
static struct kt_operator op;
static struct kt_source source;
static struct bytes bob, carol;

enum { UPDATE_EPOCH = 4, CONTACT_EPOCH = 5 };

static struct bytes seed_of(const char *name)
{
    return vectors_hex(&file, vectors_get(file.root, "seeds"), name);
}

static void check(struct buf *got, const char *field)
{
    test_assert_bytes(buf_view(got), vectors_hex(&file, file.root, field));
    buf_clear(got);
}

/* The view of a client that has seen size `size` and nothing else. */
static struct kt_view view_at(uint64_t size)
{
    struct kt_view view;
    assert_ok(kt_view_init(buf_view(&op.config_bytes), &view));
    view.size = size;
    if (size > 1)
        view.root = op.epochs[size - 2].root;
    return view;
}

static struct bytes value_of(struct bytes label, uint32_t version)
{
    return buf_view(&operator_find(&op, label, version)->value);
}

static void test_epochs(void **state)
{
    (void)state;
    size_t index;
    json_t *c;
    static struct auditor_update update;
    struct log_entry before = {.timestamp = 0};
    test_assert_bytes(buf_view(&op.config_bytes), vectors_hex(&file, file.root, "config"));
    json_array_foreach(vectors_get(file.root, "epochs"), index, c)
    {
        struct buf entry = BUF_INIT, again = BUF_INIT;
        struct hash_value after;
        log_entry_write(&entry, &op.epochs[index].entry);
        test_assert_bytes(buf_view(&entry), vectors_hex(&file, c, "entry"));
        test_assert_bytes(buf_view(&op.epochs[index].note), bytes_str(vectors_text(c, "note")));
        assert_ok(auditor_update_parse(vectors_hex(&file, c, "audit"), &update));
        auditor_update_write(&again, &update);
        test_assert_bytes(buf_view(&again), vectors_hex(&file, c, "audit"));
        assert_ok(auditor_update_verify(&update, &before, &after));
        before = op.epochs[index].entry;
        assert_memory_equal(after.data, before.prefix_root.data, 32);
        struct memory_view past = {op.tree, (uint32_t)index};
        struct prefix_store store = memory_view_store(&past);
        buf_clear(&again);
        assert_ok(
            kt_prove_audit(&store, before.timestamp, update.added, update.added_count, &again));
        test_assert_bytes(buf_view(&again), vectors_hex(&file, c, "audit"));
        buf_clear(&again);
        buf_clear(&entry);
    }
    assert_int_equal(index, op.epoch_count);
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
        assert_int_equal(json_array_size(list), ladder.count);
        for (size_t i = 0; i < ladder.count; i++)
            assert_int_equal(json_integer_value(json_array_get(list, i)), ladder.at[i]);
    }
}

/* Bob's story: a phone, a laptop that the phone lets in, a loud reset that leaves only the laptop.
 */
static void test_key_sets(void **state)
{
    (void)state;
    struct sig_key phone, laptop, recovery;
    struct key_set sets[3];
    assert_ok(sig_key_init(&sig_ed25519, seed_of("bob phone"), &phone));
    assert_ok(sig_key_init(&sig_ed25519, seed_of("bob laptop"), &laptop));
    assert_ok(sig_key_init(&sig_ed25519, seed_of("recovery"), &recovery));
    for (uint32_t v = 0; v < 3; v++) {
        assert_ok(key_set_parse(value_of(bob, v), &sets[v]));
        assert_ok(key_set_verify(&sets[v], v > 0 ? &sets[v - 1] : NULL));
    }
    test_assert_bytes(sets[1].prev_commitment,
                      hash_value_view(&operator_find(&op, bob, 0)->pair.commitment));
    /* made again from its fields */
    const struct sig_key *signers[3][2] = {{&phone, NULL}, {&phone, &laptop}, {&laptop, &recovery}};
    const struct bytes ids[3][2] = {{bytes_str("phone"), bytes_str("")},
                                    {bytes_str("phone"), bytes_str("laptop")},
                                    {bytes_str("laptop"), bytes_str("")}};
    for (size_t v = 0; v < 3; v++) {
        struct buf b = BUF_INIT;
        assert_ok(key_set_make(&b, &sets[v], signers[v], ids[v], v == 0 ? 1 : 2));
        test_assert_bytes(buf_view(&b), value_of(bob, (uint32_t)v));
        buf_clear(&b);
    }
    /* the laptop can't let itself in: the reset says so, and without it nothing holds */
    struct key_set quiet = sets[2];
    quiet.reset = false;
    assert_err(key_set_verify(&quiet, &sets[0]), KEY_SET);
    sig_key_clear(&phone);
    sig_key_clear(&laptop);
    sig_key_clear(&recovery);
}

static void test_search_requests(void **state)
{
    (void)state;
    static const char *const fields[] = {"search_request", "search_request_known"};
    for (size_t i = 0; i < 2; i++) {
        struct search_request request;
        struct buf b = BUF_INIT;
        assert_ok(search_request_parse(vectors_hex(&file, file.root, fields[i]), &request));
        assert_int_equal(request.last, 3);
        assert_int_equal(request.has_known, i == 1);
        search_request_write(&b, &request);
        check(&b, fields[i]);
    }
}

static void test_searches(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct kt_result result;
    struct search_request request = {.last = 3, .label = bob};
    struct kt_query query = {.label = bob, .now_ms = op.epochs[UPDATE_EPOCH - 1].entry.timestamp};
    op.shown = UPDATE_EPOCH;
    assert_ok(kt_prove_search(&source, &request, &b));
    check(&b, "search_pending");
    struct kt_view view = view_at(3);
    assert_ok(
        kt_verify_search(&view, &query, vectors_hex(&file, file.root, "search_pending"), &result));
    assert_true(result.known.pending);
    assert_int_equal(result.continuity, KT_FIRST);
    op.shown = 0;
    query.label = request.label = vectors_hex(&file, vectors_get(file.root, "labels"), "dave");
    request.last = 1;
    query.now_ms = op.epochs[op.epoch_count - 1].entry.timestamp;
    assert_ok(kt_prove_search(&source, &request, &b));
    check(&b, "search_absent");
    view = view_at(1);
    assert_ok(
        kt_verify_search(&view, &query, vectors_hex(&file, file.root, "search_absent"), &result));
    assert_false(result.known.exists);
}

static void test_update(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct update_request request;
    struct kt_result result;
    const struct kt_own own = {bob, NULL, 0};
    assert_ok(update_request_parse(vectors_hex(&file, file.root, "update_request"), &request));
    test_assert_bytes(request.value, value_of(bob, 1));
    update_request_write(&b, &request);
    check(&b, "update_request");
    op.shown = UPDATE_EPOCH;
    assert_ok(kt_prove_update(&source, 2, bob, 1, &b));
    check(&b, "update_response");
    struct kt_view view = view_at(2);
    assert_ok(kt_verify_update(&view, &own, 1, value_of(bob, 1), op.epochs[3].entry.timestamp,
                               vectors_hex(&file, file.root, "update_response"), &result));
    assert_int_equal(result.known.epoch, UPDATE_EPOCH);
    op.shown = 0;
    assert_ok(kt_prove_update(&source, 1, bob, 0, &b));
    check(&b, "update_response_first");
    view = view_at(1);
    assert_ok(kt_verify_update(&view, &own, 0, value_of(bob, 0), op.epochs[0].entry.timestamp,
                               vectors_hex(&file, file.root, "update_response_first"), &result));
}

/* All that bob's clients know of his label. */
static struct kt_own own_bob(struct kt_lookup *lookups)
{
    struct kt_own own = {.label = bob, .lookups = lookups};
    for (uint32_t v = 0; v < 8; v++) {
        struct kt_pair pair;
        assert_ok(source.pair(source.self, bob, v, &pair));
        lookups[own.count] = (struct kt_lookup){.version = v,
                                                .present = pair.exists,
                                                .commitment = pair.commitment,
                                                .epoch = pair.epoch};
        memcpy(lookups[own.count].index, pair.index, INDEX_BYTES);
        own.count++;
    }
    return own;
}

static void test_owner(void **state)
{
    (void)state;
    struct kt_lookup lookups[8];
    struct kt_own own = own_bob(lookups);
    struct owner_request request;
    struct kt_dist from = {.index = 0}, to;
    struct buf b = BUF_INIT;
    assert_ok(owner_request_parse(vectors_hex(&file, file.root, "owner_request"), &request));
    owner_request_write(&b, &request);
    check(&b, "owner_request");
    struct kt_view view = view_at(1);
    assert_ok(kt_owner_request(&b, &view, &own, &from));
    check(&b, "owner_request");
    assert_ok(kt_prove_owner(&source, &request, &b));
    check(&b, "owner_response");
    assert_ok(
        kt_verify_owner(&view, &own, &from, vectors_hex(&file, file.root, "owner_response"), &to));
    assert_int_equal(to.index, op.epoch_count);
    assert_int_equal(view.dist_count, 5);
    /* of a label that nobody has */
    struct kt_pair pair;
    struct owner_request none = {.last = op.epoch_count + 1,
                                 .label =
                                     vectors_hex(&file, vectors_get(file.root, "labels"), "dave")};
    assert_ok(kt_prove_owner(&source, &none, &b));
    check(&b, "owner_response_none");
    assert_ok(source.pair(source.self, none.label, 0, &pair));
    lookups[0] = (struct kt_lookup){.version = 0};
    memcpy(lookups[0].index, pair.index, INDEX_BYTES);
    const struct kt_own dave = {none.label, lookups, 1};
    assert_ok(kt_verify_owner(&view, &dave, &from,
                              vectors_hex(&file, file.root, "owner_response_none"), &to));
}

static void test_contacts(void **state)
{
    (void)state;
    static struct contact_request request;
    struct buf b = BUF_INIT;
    struct kt_result result[2];
    struct bytes labels[2] = {bob, carol};
    uint64_t index;
    assert_ok(contact_request_parse(vectors_hex(&file, file.root, "contact_request"), &request));
    contact_request_write(&b, &request);
    check(&b, "contact_request");
    op.shown = CONTACT_EPOCH;
    assert_ok(kt_prove_contacts(&source, &request, &b));
    check(&b, "contact_response");
    /* the two searches that are pending before */
    struct kt_contact contacts[2];
    for (size_t i = 0; i < 2; i++) {
        struct kt_query query = {.label = labels[i],
                                 .now_ms = op.epochs[UPDATE_EPOCH - 1].entry.timestamp};
        struct search_request search = {.last = 1, .label = labels[i]};
        struct kt_view view = view_at(1);
        op.shown = UPDATE_EPOCH;
        assert_ok(kt_prove_search(&source, &search, &b));
        assert_ok(kt_verify_search(&view, &query, buf_view(&b), &result[i]));
        contacts[i] = (struct kt_contact){labels[i], &result[i].known, result[i].opening};
        buf_clear(&b);
    }
    struct kt_view view = view_at(3);
    assert_ok(kt_verify_contacts(&view, contacts, 2,
                                 vectors_hex(&file, file.root, "contact_response"), &index));
    assert_int_equal(index, CONTACT_EPOCH);
    op.shown = 0;
}

static void test_proof_and_heads(void **state)
{
    (void)state;
    struct kt_lookup lookups[8];
    struct kt_own own = own_bob(lookups);
    struct kt_dist from = {.index = 0}, to;
    struct kt_view view = view_at(1);
    struct buf b = BUF_INIT;
    struct kt_heads heads;
    struct kt_head head[3], mine;
    bool compared;
    assert_ok(
        kt_verify_owner(&view, &own, &from, vectors_hex(&file, file.root, "owner_response"), &to));
    assert_ok(kt_prove_member(&source, bob, to.index, &b));
    check(&b, "kt_proof");
    struct kt_query query = {.label = bob};
    struct kt_result result;
    assert_ok(kt_verify_proof(&view, &query, vectors_hex(&file, file.root, "kt_proof"), &result));
    assert_int_equal(result.known.version, 2);

    assert_ok(kt_heads_parse(vectors_hex(&file, file.root, "kt_heads"), &heads));
    assert_int_equal(heads.count, 3);
    for (size_t i = 0; i < 3; i++) {
        kt_head_read(&heads.heads, &head[i]);
        assert_ok(kt_view_compare(&view, &head[i], &compared));
        assert_true(compared); /* the roots that inclusion proofs told */
    }
    assert_ok(kt_heads_write(&b, head, 3));
    check(&b, "kt_heads");
    assert_ok(kt_prove_dist_note(&source, buf_view(&op.epochs[to.index - 1].note), to.index + 1,
                                 op.epoch_count + 1, &b));
    check(&b, "dist_note");
    assert_ok(kt_view_dist_note(&view, vectors_hex(&file, file.root, "dist_note")));
    assert_ok(kt_view_compare(&view, &head[2], &compared));
    assert_true(compared);
    assert_true(kt_view_head_of(&view, view.dist_count - 1, &mine));

    struct kt_comparison c = {.heads = {mine}, .head_count = 1};
    char code[KT_CODE_CHARS + 1];
    c.persons[0] = (struct kt_person){carol, 1, operator_find(&op, carol, 1)->pair.commitment};
    c.persons[1] = (struct kt_person){bob, 2, operator_find(&op, bob, 2)->pair.commitment};
    assert_ok(kt_comparison_write(&b, &c));
    check(&b, "comparison");
    assert_ok(kt_comparison_code(&c, code));
    assert_string_equal(code, vectors_text(file.root, "comparison_code"));
}

int main(void)
{
    size_t index, i;
    json_t *epoch, *one;
    json_error_t error;
    file.root = json_load_file("tests/vectors/tlog/messages.json", 0, &error);
    if (file.root == NULL) {
        print_error("tests/vectors/tlog/messages.json: %s\n", error.text);
        return 1;
    }
    arena_init(&file.arena, 1 << 24);
    assert_ok(operator_init(&op, vectors_text(file.root, "origin"),
                            vectors_uint(file.root, "window_ms"), seed_of("log").data,
                            seed_of("vrf").data));
    source = operator_source(&op);
    bob = vectors_hex(&file, vectors_get(file.root, "labels"), "bob");
    carol = vectors_hex(&file, vectors_get(file.root, "labels"), "carol");
    json_array_foreach(vectors_get(file.root, "epochs"), index, epoch)
    {
        json_array_foreach(vectors_get(epoch, "added"), i, one)
        {
            assert_ok(operator_add(&op, vectors_hex(&file, one, "label"),
                                   vectors_hex(&file, one, "value"),
                                   vectors_hex(&file, one, "opening").data));
        }
        assert_ok(operator_close(&op, vectors_uint(epoch, "time"), 0));
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_epochs),          cmocka_unit_test(test_ladders),
        cmocka_unit_test(test_key_sets),        cmocka_unit_test(test_search_requests),
        cmocka_unit_test(test_searches),        cmocka_unit_test(test_update),
        cmocka_unit_test(test_owner),           cmocka_unit_test(test_contacts),
        cmocka_unit_test(test_proof_and_heads),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    operator_clear(&op);
    vectors_close(&file);
    return failed;
}
