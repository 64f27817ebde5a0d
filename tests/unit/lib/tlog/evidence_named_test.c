/* Evidence that names a label: KeySets that no key before allowed, and versions left out; and that
 * nothing an honest log holds is taken for either. */
#include "kit/tlog/operator.h"
#include "seal/key_set.h"
#include "support/test.h"
#include "tlog/evidence.h"

enum { WINDOW_MS = 100000, EPOCH_MS = 10000 };

static const uint8_t seed_a[32] = {1}, seed_b[32] = {2};
static struct kt_operator op;
static uint64_t now_ms;
static struct sig_key bobs, mallorys;

#define BOB          \
    bytes_str("\x01" \
              "bob")
#define CAROL        \
    bytes_str("\x01" \
              "carol")

static int begin(void **state)
{
    static const uint8_t seed[2][32] = {{7}, {8}};
    (void)state;
    now_ms = 50 * (uint64_t)WINDOW_MS;
    assert_ok(operator_init(&op, "a.example/kt/1", WINDOW_MS, seed_a, seed_b));
    assert_ok(sig_key_init(&sig_ed25519, bytes_of(seed[0], 32), &bobs));
    assert_ok(sig_key_init(&sig_ed25519, bytes_of(seed[1], 32), &mallorys));
    return 0;
}

static int end(void **state)
{
    (void)state;
    operator_clear(&op);
    sig_key_clear(&bobs);
    sig_key_clear(&mallorys);
    return 0;
}

static void close_epoch(void)
{
    now_ms += EPOCH_MS;
    assert_ok(operator_close(&op, now_ms, 3));
}

/* A KeySet with bob's key and, in later versions, mallory's beside it. by: whose keys sign. */
static void make_set(struct buf *b, struct bytes label, uint32_t version, bool reset,
                     const struct sig_key *const *by, const char *const *ids, size_t count)
{
    static const uint8_t commitment[32] = {1};
    struct bytes id[2];
    struct key_set set = {
        .label = label,
        .version = version,
        .reset = reset,
        .prev_commitment = bytes_of(commitment, version > 0 ? 32 : 0),
        .created_ms = 1,
        .clients = {{bytes_str("a"), sig_ed25519.scheme, public_key_view(&bobs.public_key), 1,
                     KEY_SET_AUTHORISES},
                    {bytes_str("b"), sig_ed25519.scheme, public_key_view(&mallorys.public_key), 1,
                     KEY_SET_AUTHORISES}},
        .client_count = version > 0 ? 2 : 1,
    };
    for (size_t i = 0; i < count; i++)
        id[i] = bytes_str(ids[i]);
    buf_clear(b);
    assert_ok(key_set_make(b, &set, by, id, count));
}

/* What a search shows of the newest version, as one half. */
struct shown {
    struct buf response;
    struct search_response parsed;
    struct kt_result result;
    struct evidence_tree tree;
    struct evidence_named named;
};

static void show(struct shown *s, struct bytes label)
{
    struct kt_view view;
    struct kt_query query = {.label = label, .now_ms = now_ms, .opaque_value = true};
    struct search_request request;
    struct buf b = BUF_INIT;
    struct kt_source source = operator_source(&op);
    assert_ok(kt_view_init(buf_view(&op.config_bytes), &view));
    assert_ok(kt_search_request(&b, &view, &query));
    assert_ok(search_request_parse(buf_view(&b), &request));
    buf_clear(&s->response);
    assert_ok(kt_prove_search(&source, &request, &s->response));
    assert_ok(kt_verify_search(&view, &query, buf_view(&s->response), &s->result));
    buf_clear(&b);
    assert_ok(search_response_parse(buf_view(&s->response), &s->parsed));
    evidence_tree_of_search(&s->parsed, &s->result.known, view.size, &s->tree);
    s->named = (struct evidence_named){&s->tree, label, 1, {{.version = s->result.known.version}}};
    for (size_t i = 0; i < s->result.known.count; i++)
        if (s->result.known.lookups[i].version == s->result.known.version)
            s->named.versions[0].proof = s->parsed.ladder.at[i].proof;
    s->named.versions[0].opening = s->result.opening;
    s->named.versions[0].value = s->result.value;
}

/* Accepted as it is, and not with any byte of it changed that matters. */
static void assert_evidence(struct buf *file, enum evidence_kind kind)
{
    struct evidence found;
    assert_ok(evidence_verify(buf_view(file), &found));
    assert_int_equal(found.kind, kind);
    assert_true(strlen(evidence_text(kind)) > 20);
    size_t taken = 0;
    for (size_t i = 0; i < file->len; i++) {
        file->data[i] ^= 0x10;
        taken += err_is_ok(evidence_verify(buf_view(file), &found));
        file->data[i] ^= 0x10;
    }
    /* the configuration's times, ends of indices that are absent, bits of forged signatures */
    assert_true(taken <= 40 + 4 * INDEX_BYTES + 64);
    for (size_t len = 0; len < file->len; len++)
        assert_false(err_is_ok(evidence_verify(bytes_of(file->data, len), &found)));
    buf_clear(file);
}

static struct shown before, after;

/* Bob's versions 0 and 1, shown one after the other. */
static void two_versions(struct bytes first, struct bytes second)
{
    assert_ok(operator_add(&op, BOB, first, NULL));
    close_epoch();
    show(&before, BOB);
    assert_ok(operator_add(&op, BOB, second, NULL));
    close_epoch();
    show(&after, BOB);
}

static void clear_shown(void)
{
    buf_clear(&before.response);
    buf_clear(&after.response);
}

static const struct sig_key *const both[2] = {&bobs, &mallorys};
static const char *const both_ids[2] = {"a", "b"};

static void test_unsigned(void **state)
{
    (void)state;
    struct buf first = BUF_INIT, second = BUF_INIT, file = BUF_INIT;
    make_set(&first, BOB, 0, false, both, both_ids, 1);
    make_set(&second, BOB, 1, false, both + 1, both_ids + 1, 1); /* the new key alone */
    two_versions(buf_view(&first), buf_view(&second));
    assert_ok(evidence_unsigned(&file, &op.config, &before.named, &after.named));
    assert_evidence(&file, EVIDENCE_UNSIGNED);
    /* the halves must be what they are */
    assert_err(evidence_unsigned(&file, &op.config, &after.named, &before.named), TLOG_EVIDENCE);
    assert_err(evidence_unsigned(&file, &op.config, &after.named, &after.named), TLOG_EVIDENCE);
    struct evidence_named other = after.named;
    other.versions[0].value = buf_view(&first); /* not what is committed to */
    assert_err(evidence_unsigned(&file, &op.config, &before.named, &other), TLOG_COMMITMENT);
    other = after.named;
    other.label = CAROL; /* another index */
    assert_err(evidence_unsigned(&file, &op.config, &before.named, &other), CRYPTO_VRF);
    assert_int_equal(file.len, 0);
    clear_shown();
    buf_clear(&first);
    buf_clear(&second);
}

/* What honest logs hold: versions that are signed, resets, values that are no KeySets. */
static void test_honest_versions_are_no_evidence(void **state)
{
    (void)state;
    struct buf first = BUF_INIT, second = BUF_INIT, file = BUF_INIT;
    make_set(&first, BOB, 0, false, both, both_ids, 1);
    make_set(&second, BOB, 1, false, both, both_ids, 2);
    two_versions(buf_view(&first), buf_view(&second));
    assert_err(evidence_unsigned(&file, &op.config, &before.named, &after.named), TLOG_EVIDENCE);
    end(NULL);
    begin(NULL);
    make_set(&second, BOB, 1, true, both + 1, both_ids + 1, 1);
    two_versions(buf_view(&first), buf_view(&second));
    assert_err(evidence_unsigned(&file, &op.config, &before.named, &after.named), TLOG_EVIDENCE);
    end(NULL);
    begin(NULL);
    two_versions(bytes_of(NULL, 0), buf_view(&second)); /* older than the log */
    assert_false(err_is_ok(evidence_unsigned(&file, &op.config, &before.named, &after.named)));
    end(NULL);
    begin(NULL);
    two_versions(buf_view(&first), bytes_str("of a version to come"));
    assert_false(err_is_ok(evidence_unsigned(&file, &op.config, &before.named, &after.named)));
    assert_int_equal(file.len, 0);
    clear_shown();
    buf_clear(&first);
    buf_clear(&second);
}

/* Somebody else's set, rightly signed, under bob's label. */
static void test_set_of_somebody_else(void **state)
{
    (void)state;
    struct buf first = BUF_INIT, second = BUF_INIT, file = BUF_INIT;
    make_set(&first, BOB, 0, false, both, both_ids, 1);
    make_set(&second, CAROL, 1, true, both, both_ids, 2);
    two_versions(buf_view(&first), buf_view(&second));
    assert_ok(evidence_unsigned(&file, &op.config, &before.named, &after.named));
    buf_clear(&file);
    clear_shown();
    buf_clear(&first);
    buf_clear(&second);
}

/* ---- forks, shown by consistency proofs alone */

static void consistency(struct kt_operator *of, uint64_t from, uint64_t to, struct log_proof *proof,
                        struct evidence_prefix *ret_prefix)
{
    struct log_store store = memory_log_store(&of->log);
    *proof = (struct log_proof){.count = 0};
    if ((from & (from - 1)) == 0)
        from = from == to ? to : 1;
    if (from != to)
        assert_ok(log_prove_consistency(&store, from, to, proof));
    *ret_prefix =
        (struct evidence_prefix){buf_view(&of->epochs[to - 2].note), log_proof_run(proof)};
}

static void test_forked(void **state)
{
    (void)state;
    struct kt_operator fork;
    struct buf file = BUF_INIT;
    enum { SHARED = 5, ALL = 20 };
    for (size_t i = 1; i < SHARED; i++)
        close_epoch();
    assert_ok(operator_fork(&op, &fork));
    assert_ok(operator_add(&fork, BOB, bytes_str("other"), NULL));
    for (size_t i = SHARED; i < ALL; i++) {
        now_ms += EPOCH_MS;
        assert_ok(operator_close(&op, now_ms, 1));
        assert_ok(operator_close(&fork, now_ms, 2));
    }
    for (uint64_t size = 2; size <= ALL; size++) {
        static struct log_proof proofs[3];
        struct evidence_prefix ours, theirs, later;
        consistency(&op, size, size, &proofs[0], &ours);
        consistency(&fork, size, ALL, &proofs[1], &theirs);
        consistency(&op, size, ALL, &proofs[2], &later);
        struct err err = evidence_forked(&file, &op.config, size, &ours, &theirs);
        if (size <= SHARED)
            assert_err(err, TLOG_EVIDENCE); /* what both have */
        else
            assert_ok(err);
        if (file.len > 0)
            assert_evidence(&file, EVIDENCE_FORKED);
        assert_err(evidence_forked(&file, &op.config, size, &ours, &later), TLOG_EVIDENCE);
        if (size + 1 < ALL) /* a proof from another size on */
            assert_false(err_is_ok(evidence_forked(&file, &op.config, size + 1, &ours, &theirs)));
    }
    assert_int_equal(file.len, 0);
    operator_clear(&fork);
}

/* ---- versions left out */

static struct kt_lookup known[8];

static void learn(uint32_t version, uint8_t proof[VRF_PROOF_BYTES])
{
    const struct operator_version *made = operator_find(&op, BOB, version);
    known[version] = (struct kt_lookup){.version = version, .present = made != NULL};
    assert_ok(tlog_index_prove(&op.vrf, BOB, version, proof, known[version].index));
    if (made != NULL)
        known[version].commitment = made->pair.commitment;
}

/* Owner monitoring with `expected` makes the log show that the version after it is not there. */
static void test_skipped(void **state)
{
    (void)state;
    static uint8_t proofs[8][VRF_PROOF_BYTES];
    static struct evidence_tree tree;
    struct buf answer = BUF_INIT, file = BUF_INIT;
    struct owner_response response;
    struct owner_step step;
    const struct kt_own own = {BOB, known, 4};
    assert_ok(operator_add(&op, BOB, bytes_str("0"), NULL));
    assert_ok(operator_add(&op, BOB, bytes_str("1"), NULL));
    close_epoch();
    assert_ok(operator_add(&op, BOB, bytes_str("mallory's"), NULL));
    struct operator_version *forged = operator_find(&op, BOB, 2);
    forged->version = 3;
    assert_ok(tlog_index_prove(&op.vrf, BOB, 3, forged->pair.proof, forged->pair.index));
    tlog_commit(forged->opening, BOB, 3, buf_view(&forged->value), &forged->pair.commitment);
    now_ms = (now_ms / WINDOW_MS + 1) * WINDOW_MS;
    assert_ok(operator_close(&op, now_ms, 3));
    for (uint32_t v = 0; v < 4; v++)
        learn(v, proofs[v]);
    struct kt_source source = operator_source(&op);
    const struct owner_request request = {.last = 1, .from_dist = 1, .label = BOB, .expected = 2};
    assert_ok(kt_prove_owner(&source, &request, &answer));
    assert_ok(owner_response_parse(buf_view(&answer), &response));
    assert_int_equal(response.step_count, 1);
    owner_step_read(&response.steps, &step);
    assert_ok(evidence_tree_of_step(&step, response.checkpoint, 2, &own, &tree));
    struct evidence_named named = {
        &tree, BOB, 2, {{.version = 3, .proof = proofs[3]}, {.version = 2, .proof = proofs[2]}}};
    assert_ok(evidence_skipped(&file, &op.config, &named));
    assert_evidence(&file, EVIDENCE_SKIPPED);
    /* one that is there below it, and the two the other way about, are as they should be */
    named.versions[1] = (struct evidence_version){.version = 1, .proof = proofs[1]};
    assert_err(evidence_skipped(&file, &op.config, &named), TLOG_EVIDENCE);
    named.versions[0] = (struct evidence_version){.version = 2, .proof = proofs[2]};
    assert_err(evidence_skipped(&file, &op.config, &named), TLOG_EVIDENCE);
    named.versions[1] = (struct evidence_version){.version = 3, .proof = proofs[3]};
    assert_err(evidence_skipped(&file, &op.config, &named), TLOG_EVIDENCE);
    named.versions[0] = (struct evidence_version){.version = 3, .proof = proofs[2]};
    named.versions[1] = (struct evidence_version){.version = 2, .proof = proofs[3]};
    assert_err(evidence_skipped(&file, &op.config, &named), CRYPTO_VRF);
    assert_int_equal(file.len, 0);
    buf_clear(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unsigned, begin, end),
        cmocka_unit_test_setup_teardown(test_honest_versions_are_no_evidence, begin, end),
        cmocka_unit_test_setup_teardown(test_set_of_somebody_else, begin, end),
        cmocka_unit_test_setup_teardown(test_forked, begin, end),
        cmocka_unit_test_setup_teardown(test_skipped, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
