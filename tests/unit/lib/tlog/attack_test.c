/* What a dishonest operator may try (transparency.md 17), and where the client finds out; with
 * evidence that a third party accepts wherever there can be any. */
#include "kit/tlog/operator.h"
#include "seal/key_set.h"
#include "support/test.h"
#include "tlog/evidence.h"

enum { WINDOW_MS = 100000, EPOCH_MS = 10000 };

static const uint8_t seed_a[32] = {1}, seed_b[32] = {2};
static struct kt_operator op;
static uint64_t now_ms;

#define ALICE        \
    bytes_str("\x01" \
              "alice")
#define BOB          \
    bytes_str("\x01" \
              "bob")

/* Someone with a view; what she is answered stays valid until her next question. */
struct client {
    struct kt_view view;
    struct buf response;
    struct kt_result result;
};
static struct client alice, carol;

static void client_begin(struct client *c)
{
    buf_clear(&c->response);
    memset(c, 0, sizeof *c);
    assert_ok(kt_view_init(buf_view(&op.config_bytes), &c->view));
}

static int begin(void **state)
{
    (void)state;
    now_ms = 50 * (uint64_t)WINDOW_MS;
    assert_ok(operator_init(&op, "a.example/kt/1", WINDOW_MS, seed_a, seed_b));
    client_begin(&alice);
    client_begin(&carol);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_clear(&alice.response);
    buf_clear(&carol.response);
    operator_clear(&op);
    return 0;
}

static void close_epoch(void)
{
    now_ms += EPOCH_MS;
    assert_ok(operator_close(&op, now_ms, 3));
}

static void next_window(void)
{
    now_ms = (now_ms / WINDOW_MS + 1) * WINDOW_MS;
    assert_ok(operator_close(&op, now_ms, 3));
}

static void add(struct bytes label, const char *value)
{
    assert_ok(operator_add(&op, label, bytes_str(value), NULL));
}

static struct err search_at(struct client *c, const struct kt_source *source, struct bytes label,
                            const struct kt_known *known)
{
    struct kt_query query = {
        .label = label, .now_ms = now_ms, .known = known, .opaque_value = true};
    struct search_request parsed;
    struct buf request = BUF_INIT;
    assert_ok(kt_search_request(&request, &c->view, &query));
    assert_ok(search_request_parse(buf_view(&request), &parsed));
    buf_clear(&c->response);
    struct err err = kt_prove_search(source, &parsed, &c->response);
    buf_clear(&request);
    TRY(err);
    return kt_verify_search(&c->view, &query, buf_view(&c->response), &c->result);
}

static struct err search(struct client *c, struct kt_operator *by, struct bytes label)
{
    struct kt_source source = operator_source(by);
    return search_at(c, &source, label, NULL);
}

/* The owner's state, as updates make it: every version made, and what lies above. */
static struct kt_lookup own_lookups[64];
static struct kt_own own_of(struct bytes label, uint32_t versions)
{
    struct kt_own own = {.label = label, .lookups = own_lookups};
    for (uint32_t v = 0; v < 32; v++) {
        struct kt_lookup *lookup = &own_lookups[own.count++];
        uint8_t proof[VRF_PROOF_BYTES];
        *lookup = (struct kt_lookup){.version = v, .present = v < versions};
        assert_ok(tlog_index_prove(&op.vrf, label, v, proof, lookup->index));
        if (lookup->present) {
            const struct operator_version *made = operator_find(&op, label, v);
            lookup->commitment = made->pair.commitment;
            lookup->epoch = made->pair.epoch;
        }
    }
    return own;
}

static struct err monitor_at(struct client *c, const struct kt_source *source,
                             const struct kt_own *own, struct kt_dist *at)
{
    struct owner_request parsed;
    struct buf request = BUF_INIT;
    assert_ok(kt_owner_request(&request, &c->view, own, at));
    assert_ok(owner_request_parse(buf_view(&request), &parsed));
    buf_clear(&c->response);
    assert_ok(kt_prove_owner(source, &parsed, &c->response));
    buf_clear(&request);
    return kt_verify_owner(&c->view, own, at, buf_view(&c->response), at);
}

static struct err monitor(struct client *c, const struct kt_own *own, struct kt_dist *at)
{
    struct kt_source source = operator_source(&op);
    return monitor_at(c, &source, own, at);
}

static struct buf contact_answer;

static struct err check_contact(struct client *c, const struct kt_result *pending)
{
    static struct contact_request parsed;
    struct kt_source source = operator_source(&op);
    const struct kt_contact contact = {BOB, &pending->known, pending->opening};
    struct buf request = BUF_INIT;
    uint64_t index;
    assert_ok(kt_contact_request(&request, &c->view, &contact, 1));
    assert_ok(contact_request_parse(buf_view(&request), &parsed));
    buf_clear(&contact_answer);
    assert_ok(kt_prove_contacts(&source, &parsed, &contact_answer));
    buf_clear(&request);
    return kt_verify_contacts(&c->view, &contact, 1, buf_view(&contact_answer), &index);
}

/* A third party's judgement; and that no byte of the file can be changed. */
static void assert_evidence(struct buf *file, enum evidence_kind kind)
{
    struct evidence found;
    assert_ok(evidence_verify(buf_view(file), &found));
    assert_int_equal(found.kind, kind);
    assert_memory_equal(found.config.signature_key, op.config.signature_key, 32);
    assert_true(strlen(evidence_text(kind)) > 20);
    size_t taken = 0;
    for (size_t i = 0; i < file->len; i++) {
        file->data[i] ^= 0x10;
        taken += err_is_ok(evidence_verify(buf_view(file), &found));
        file->data[i] ^= 0x10;
    }
    /* fields of the configuration that the proof does not hang on, a note's padding bits; ends of
     * indices that are absent and are not the one in question */
    assert_true(taken <= (kind == EVIDENCE_REWRITTEN ? 4 * INDEX_BYTES : 40));
    for (size_t len = 0; len < file->len; len++)
        assert_false(err_is_ok(evidence_verify(bytes_of(file->data, len), &found)));
    buf_clear(file);
}

/* ---- ME6: different views */

static void test_fork(void **state)
{
    (void)state;
    struct kt_operator fork;
    struct buf file = BUF_INIT, note = BUF_INIT;
    struct kt_head head;
    bool compared;
    add(BOB, "bob's key");
    close_epoch();
    assert_ok(search(&alice, &op, BOB));
    assert_ok(search(&carol, &op, BOB));
    assert_ok(operator_fork(&op, &fork));
    assert_ok(operator_add(&fork, BOB, bytes_str("mallory's key"), NULL));
    now_ms = (now_ms / WINDOW_MS + 1) * WINDOW_MS;
    assert_ok(operator_close(&op, now_ms, 3));
    assert_ok(operator_close(&fork, now_ms, 3));
    assert_ok(search(&alice, &op, BOB));
    assert_ok(search(&carol, &fork, BOB)); /* she sees mallory's, and nothing is wrong with it */
    test_assert_bytes(carol.result.value, bytes_str("mallory's key"));
    /* their heads of the same window tell */
    struct kt_source source = operator_source(&fork);
    assert_ok(kt_prove_dist_note(&source, buf_view(&fork.epochs[1].note), 3, 3, &note));
    assert_ok(kt_view_dist_note(&carol.view, buf_view(&note)));
    buf_clear(&note);
    source = operator_source(&op);
    assert_ok(kt_prove_dist_note(&source, buf_view(&op.epochs[1].note), 3, 3, &note));
    assert_ok(kt_view_dist_note(&alice.view, buf_view(&note)));
    assert_true(kt_view_head_of(&carol.view, carol.view.dist_count - 1, &head));
    assert_err(kt_view_compare(&alice.view, &head, &compared), TLOG_FORK);
    /* and their two checkpoints are evidence */
    assert_ok(evidence_roots(&file, &op.config, bytes_of(alice.view.note, alice.view.note_len),
                             bytes_of(carol.view.note, carol.view.note_len)));
    assert_evidence(&file, EVIDENCE_ROOTS);
    assert_err(evidence_roots(&file, &op.config, bytes_of(alice.view.note, alice.view.note_len),
                              bytes_of(alice.view.note, alice.view.note_len)),
               TLOG_EVIDENCE);
    assert_int_equal(file.len, 0);
    /* the two entries as well */
    struct log_proof proofs[2];
    struct log_store log = memory_log_store(&op.log), other = memory_log_store(&fork.log);
    assert_ok(log_prove_inclusion(&log, 2, 3, &proofs[0]));
    assert_ok(log_prove_inclusion(&other, 2, 3, &proofs[1]));
    struct evidence_sighting a = {buf_view(&op.epochs[1].note), 2, op.epochs[1].entry,
                                  log_proof_run(&proofs[0])};
    struct evidence_sighting b = {buf_view(&fork.epochs[1].note), 2, fork.epochs[1].entry,
                                  log_proof_run(&proofs[1])};
    assert_ok(evidence_sightings(&file, &op.config, EVIDENCE_ENTRIES, &a, &b));
    assert_evidence(&file, EVIDENCE_ENTRIES);
    assert_err(evidence_sightings(&file, &op.config, EVIDENCE_ENTRIES, &a, &a), TLOG_EVIDENCE);
    assert_err(evidence_sightings(&file, &op.config, EVIDENCE_TIME, &a, &b), TLOG_EVIDENCE);
    /* none of them gets from one fork to the other */
    assert_err(search(&alice, &fork, BOB), TLOG_FORK);
    close_epoch();
    assert_ok(operator_close(&fork, now_ms, 3));
    assert_err(search(&alice, &fork, BOB), TLOG_CONSISTENCY);
    assert_err(search(&carol, &op, BOB), TLOG_CONSISTENCY);
    assert_ok(search(&alice, &op, BOB));
    buf_clear(&note);
    operator_clear(&fork);
}

/* A VRF key, or any other setting, for one victim alone: another leaf 0. */
static void test_other_configuration(void **state)
{
    (void)state;
    struct kt_operator other;
    static const uint8_t seed_c[32] = {3};
    assert_ok(operator_init(&other, "a.example/kt/1", WINDOW_MS, seed_a, seed_c));
    assert_ok(operator_add(&other, BOB, bytes_str("b"), NULL));
    now_ms += EPOCH_MS;
    assert_ok(operator_close(&other, now_ms, 0));
    assert_err(search(&alice, &other, BOB), TLOG_CONSISTENCY);
    operator_clear(&other);
}

static void test_rollback_of_the_log(void **state)
{
    (void)state;
    close_epoch();
    close_epoch();
    assert_ok(search(&alice, &op, BOB));
    struct kt_query query = {.label = BOB, .now_ms = now_ms, .opaque_value = true};
    struct search_request request = {.last = 1, .label = BOB};
    struct kt_source source = operator_source(&op);
    op.shown = 1;
    buf_clear(&alice.response);
    assert_ok(kt_prove_search(&source, &request, &alice.response));
    assert_err(kt_verify_search(&alice.view, &query, buf_view(&alice.response), &alice.result),
               TLOG_SHRUNK);
    /* for someone new, only until it is too old */
    query.now_ms += 3600000;
    assert_err(kt_verify_search(&carol.view, &query, buf_view(&alice.response), &alice.result),
               TLOG_STALE);
}

/* ---- MitM1 to 3: keys that are not the owner's */

static void test_mitm2_swapped_key_seen_by_owner(void **state)
{
    (void)state;
    struct kt_dist at = {.index = 0};
    add(BOB, "bob's key");
    close_epoch();
    struct kt_own own = own_of(BOB, 1);
    add(BOB, "mallory's key");
    next_window();
    assert_ok(search(&alice, &op, BOB));
    test_assert_bytes(alice.result.value, bytes_str("mallory's key"));
    assert_err(monitor(&carol, &own, &at), TLOG_UNEXPECTED);
    assert_int_equal(at.index, 0);
}

/* Put in for one look-up and taken out before the owner looks. */
static void test_mitm2_swapped_and_removed(void **state)
{
    (void)state;
    struct kt_dist at = {.index = 0};
    struct buf file = BUF_INIT;
    static struct search_response seen;
    static struct contact_response later;
    static struct evidence_tree trees[2];
    add(BOB, "bob's key");
    close_epoch();
    close_epoch();
    struct kt_own own = own_of(BOB, 1);
    add(BOB, "mallory's key");
    close_epoch();
    assert_ok(search(&alice, &op, BOB));
    assert_true(alice.result.known.pending);
    uint64_t size = alice.view.size;
    struct kt_result pending = alice.result;
    assert_ok(operator_roll_back(&op, 2));
    next_window();
    operator_find(&op, BOB, 1)->hidden = true;
    assert_ok(monitor(&carol, &own, &at)); /* bob sees nothing */
    assert_int_equal(at.index, 4);
    op.versions[1].hidden = false; /* or there would be no answer at all, which tells as much */
    struct kt_view before = alice.view;
    assert_err(check_contact(&alice, &pending), TLOG_VERSION); /* alice does */
    assert_memory_equal(&alice.view, &before, sizeof before);
    assert_ok(search_response_parse(buf_view(&alice.response), &seen));
    assert_ok(contact_response_parse(buf_view(&contact_answer), &later));
    const struct kt_contact contact = {BOB, &pending.known, pending.opening};
    evidence_tree_of_search(&seen, &pending.known, size, &trees[0]);
    assert_ok(evidence_tree_of_contacts(&later, &contact, 1, &trees[1]));
    assert_ok(evidence_rewritten(&file, &op.config, &trees[0], &trees[1]));
    assert_evidence(&file, EVIDENCE_REWRITTEN);
    /* before and after the other way about is what every log does */
    assert_err(evidence_rewritten(&file, &op.config, &trees[1], &trees[0]), TLOG_EVIDENCE);
    assert_err(evidence_rewritten(&file, &op.config, &trees[0], &trees[0]), TLOG_EVIDENCE);
}

/* The same, and back before anybody looks again, so that only the window's first entry lacks it: a
 * look-up sees that as well as the contact's check, which the operator refuses to answer. */
static void test_away_at_the_distinguished_entry(void **state)
{
    (void)state;
    add(BOB, "bob's key");
    close_epoch();
    close_epoch();
    add(BOB, "mallory's key");
    close_epoch();
    assert_ok(search(&alice, &op, BOB));
    assert_true(alice.result.known.pending);
    struct kt_known pending = alice.result.known;
    assert_ok(operator_roll_back(&op, 2));
    next_window();
    assert_ok(operator_roll_back(&op, 3));
    close_epoch();
    operator_find(&op, BOB, 1)->pair.epoch = 5; /* so says the operator */
    struct kt_source source = operator_source(&op);
    assert_ok(search(&carol, &op, BOB)); /* who never saw it before can't tell */
    assert_err(search_at(&alice, &source, BOB, &pending), TLOG_VERSION);
}

/* What every log does, shown in either order, convicts nobody: a version that is absent first and
 * there later. */
static void test_growth_is_no_rewriting(void **state)
{
    (void)state;
    struct buf file = BUF_INIT;
    static struct search_response responses[2];
    static struct evidence_tree trees[2];
    static struct buf answers[2];
    add(BOB, "0");
    close_epoch();
    for (int i = 0; i < 2; i++) {
        assert_ok(search(&alice, &op, BOB));
        buf_append_bytes(&answers[i], buf_view(&alice.response));
        assert_ok(search_response_parse(buf_view(&answers[i]), &responses[i]));
        evidence_tree_of_search(&responses[i], &alice.result.known, alice.view.size, &trees[i]);
        add(BOB, "1");
        close_epoch();
    }
    assert_err(evidence_rewritten(&file, &op.config, &trees[0], &trees[1]), TLOG_EVIDENCE);
    assert_err(evidence_rewritten(&file, &op.config, &trees[1], &trees[0]), TLOG_EVIDENCE);
    buf_clear(&answers[0]);
    buf_clear(&answers[1]);
}

/* The same version again with another value. */
static void test_replaced_commitment(void **state)
{
    (void)state;
    struct kt_dist at = {.index = 0};
    struct buf file = BUF_INIT;
    static struct search_response seen[2];
    static struct evidence_tree trees[2];
    close_epoch();
    add(BOB, "bob's key");
    close_epoch();
    struct kt_own own = own_of(BOB, 1);
    assert_ok(search(&alice, &op, BOB));
    struct kt_result pending = alice.result;
    assert_ok(search_response_parse(buf_view(&alice.response), &seen[0]));
    evidence_tree_of_search(&seen[0], &pending.known, alice.view.size, &trees[0]);
    assert_ok(operator_roll_back(&op, 1));
    operator_find(&op, BOB, 0)->hidden = true;
    add(BOB, "mallory's key");
    next_window();
    assert_err(check_contact(&alice, &pending), TLOG_PREFIX_PROOF);
    assert_err(monitor(&carol, &own, &at), TLOG_PREFIX_PROOF);
    struct kt_source source = operator_source(&op);
    struct buf kept = alice.response;
    alice.response = BUF_INIT;
    assert_err(search_at(&alice, &source, BOB, &pending.known), TLOG_COMMITMENT);
    /* somebody new believes it; together they have the evidence */
    assert_ok(search(&carol, &op, BOB));
    assert_ok(search_response_parse(buf_view(&carol.response), &seen[1]));
    evidence_tree_of_search(&seen[1], &carol.result.known, carol.view.size, &trees[1]);
    assert_ok(evidence_rewritten(&file, &op.config, &trees[0], &trees[1]));
    assert_evidence(&file, EVIDENCE_REWRITTEN);
    buf_clear(&kept);
}

/* A version above the owner's next, so that the owner's own next one is not taken. Of those that
 * anybody believes each lies in the way of the owner's walk. */
static uint32_t lie_version;

static struct err lying_greatest(void *self, struct bytes label, uint64_t epoch,
                                 uint32_t *ret_version)
{
    (void)self;
    (void)label;
    *ret_version = epoch < 2 ? 5 : lie_version;
    return ERR_OK;
}

static void test_skipped_versions(void **state)
{
    (void)state;
    size_t believed = 0;
    for (lie_version = 6; lie_version < 24; lie_version++) {
        struct kt_dist at = {.index = 0};
        for (uint32_t v = 0; v <= 5; v++)
            add(BOB, "bob's key");
        close_epoch();
        struct kt_own own = own_of(BOB, 6);
        add(BOB, "mallory's key");
        struct operator_version *forged = operator_find(&op, BOB, 6);
        forged->version = lie_version;
        assert_ok(
            tlog_index_prove(&op.vrf, BOB, lie_version, forged->pair.proof, forged->pair.index));
        tlog_commit(forged->opening, BOB, lie_version, buf_view(&forged->value),
                    &forged->pair.commitment);
        next_window();
        struct kt_source source = operator_source(&op);
        source.greatest = lying_greatest;
        struct err err = search_at(&alice, &source, BOB, NULL);
        if (err_is_ok(err)) {
            assert_int_equal(alice.result.known.version, lie_version);
            assert_err(monitor(&carol, &own, &at), TLOG_UNEXPECTED);
            believed++;
        } else {
            assert_err(err, TLOG_VERSION);
        }
        end(NULL);
        begin(NULL);
    }
    assert_int_equal(believed, 2); /* 6 and 7 */
}

/* What the operator must prove so that anybody believes version u: by the ladders' intersection
 * that and the owner's own view can't both hold at one entry (transparency.md 17). */
static void test_skipped_versions_are_not_believed(void **state)
{
    (void)state;
    for (uint32_t u = 6; u < 40; u++) {
        struct version_ladder theirs, owners;
        bool contradiction = false;
        ladder_base(u, &theirs);
        ladder_base(5, &owners);
        for (size_t i = 0; i < owners.count; i++)
            contradiction |=
                owners.at[i] > 5 && owners.at[i] <= u && ladder_has(&theirs, owners.at[i]);
        assert_true(contradiction);
    }
}

/* A revocation withheld: the version before is shown although D has the newer one. */
static void test_dropped_revocation(void **state)
{
    (void)state;
    add(BOB, "with the stolen phone");
    close_epoch();
    add(BOB, "without it");
    close_epoch();
    next_window();
    close_epoch();
    operator_find(&op, BOB, 1)->hidden = true; /* says it was never there */
    assert_err(search(&alice, &op, BOB), TLOG_VERSION);
    /* taken out of the tree as well: at D it still stands */
    assert_ok(operator_roll_back(&op, 1));
    close_epoch();
    assert_err(search(&alice, &op, BOB), TLOG_VERSION);
    /* in the next window it is gone for good: whoever knew of it, and the owner, find out */
    next_window();
    assert_ok(search(&carol, &op, BOB));
    assert_int_equal(carol.result.known.version, 0);
    operator_find(&op, BOB, 0);
    for (size_t i = 0; i < op.version_count; i++)
        op.versions[i].hidden = false;
    struct kt_own own = own_of(BOB, 2);
    struct kt_dist at = {.index = 0};
    client_begin(&alice);
    assert_err(monitor(&alice, &own, &at), TLOG_VERSION);
}

static void test_version_goes_back(void **state)
{
    (void)state;
    add(BOB, "0");
    close_epoch();
    add(BOB, "1");
    close_epoch();
    assert_ok(search(&alice, &op, BOB));
    struct kt_known known = alice.result.known;
    operator_find(&op, BOB, 1)->hidden = true;
    assert_ok(operator_roll_back(&op, 1));
    next_window();
    struct kt_source source = operator_source(&op);
    assert_err(search_at(&alice, &source, BOB, &known), TLOG_VERSION);
    /* and to nothing at all */
    operator_find(&op, BOB, 0)->hidden = true;
    assert_err(search_at(&alice, &source, BOB, &known), TLOG_VERSION);
}

/* ---- time */

static void test_time_runs_backwards(void **state)
{
    (void)state;
    struct buf file = BUF_INIT;
    struct log_proof proofs[4];
    close_epoch();
    close_epoch();
    close_epoch();
    assert_ok(search(&alice, &op, BOB));
    now_ms -= 3 * EPOCH_MS + 1; /* to before the first, which is distinguished */
    close_epoch();
    assert_err(search(&alice, &op, BOB), TLOG_TIME);
    assert_err(search(&carol, &op, BOB), TLOG_TIME);
    struct log_store log = memory_log_store(&op.log);
    assert_ok(log_prove_inclusion(&log, 3, 4, &proofs[0]));
    assert_ok(log_prove_inclusion(&log, 4, 5, &proofs[1]));
    struct evidence_sighting a = {buf_view(&op.epochs[2].note), 3, op.epochs[2].entry,
                                  log_proof_run(&proofs[0])};
    struct evidence_sighting b = {buf_view(&op.epochs[3].note), 4, op.epochs[3].entry,
                                  log_proof_run(&proofs[1])};
    assert_ok(evidence_sightings(&file, &op.config, EVIDENCE_TIME, &a, &b));
    assert_evidence(&file, EVIDENCE_TIME);
    assert_err(evidence_sightings(&file, &op.config, EVIDENCE_TIME, &b, &a), TLOG_EVIDENCE);
    /* later and earlier entries as they should be, in either order */
    assert_ok(log_prove_inclusion(&log, 2, 3, &proofs[2]));
    struct evidence_sighting c = {buf_view(&op.epochs[1].note), 2, op.epochs[1].entry,
                                  log_proof_run(&proofs[2])};
    assert_err(evidence_sightings(&file, &op.config, EVIDENCE_TIME, &a, &c), TLOG_EVIDENCE);
    assert_err(evidence_sightings(&file, &op.config, EVIDENCE_TIME, &c, &a), TLOG_EVIDENCE);
}

/* By less than to the window's first entry: each answer alone is as it should be. */
static void test_time_runs_back_a_little(void **state)
{
    (void)state;
    close_epoch();
    close_epoch();
    close_epoch();
    assert_ok(search(&alice, &op, BOB));
    struct kt_view before = alice.view;
    now_ms -= EPOCH_MS + 1;
    close_epoch(); /* a millisecond before the entry that she has seen */
    assert_err(search(&alice, &op, BOB), TLOG_TIME);
    assert_memory_equal(&alice.view, &before, sizeof before);
    assert_ok(search(&carol, &op, BOB)); /* who has not seen that one can't know */
}

/* An update that is said to lie before the epoch before it. */
static void test_update_in_the_past(void **state)
{
    (void)state;
    const struct kt_own own = {BOB, NULL, 0};
    struct kt_source source = operator_source(&op);
    close_epoch();
    close_epoch();
    now_ms -= EPOCH_MS + 1;
    add(BOB, "0");
    close_epoch();
    buf_clear(&alice.response);
    assert_ok(kt_prove_update(&source, 1, BOB, 0, &alice.response));
    assert_err(kt_verify_update(&alice.view, &own, 0, bytes_str("0"), now_ms,
                                buf_view(&alice.response), &alice.result),
               TLOG_TIME);
}

/* Back over a boundary and across it again: a second first entry of one window. */
static void test_two_entries_of_one_window(void **state)
{
    (void)state;
    struct buf file = BUF_INIT;
    struct log_proof proofs[4];
    struct dist_entry dists[2];
    struct log_store log = memory_log_store(&op.log);
    close_epoch();
    next_window(); /* 2 */
    assert_ok(search(&alice, &op, BOB));
    now_ms -= 2 * EPOCH_MS;
    close_epoch(); /* 3 */
    next_window(); /* 4 */
    for (size_t i = 0; i < 2; i++) {
        size_t index = 2 + 2 * i;
        assert_ok(log_prove_inclusion(&log, index - 1, 5, &proofs[2 * i]));
        assert_ok(log_prove_inclusion(&log, index, 5, &proofs[2 * i + 1]));
        dists[i] =
            (struct dist_entry){index, op.epochs[index - 2].entry, op.epochs[index - 1].entry,
                                log_proof_run(&proofs[2 * i]), log_proof_run(&proofs[2 * i + 1])};
    }
    assert_err(search(&alice, &op, BOB), TLOG_DISTINGUISHED);
    struct bytes note = buf_view(&op.epochs[3].note);
    assert_ok(evidence_windows(&file, &op.config, note, &dists[0], note, &dists[1]));
    assert_evidence(&file, EVIDENCE_WINDOWS);
    assert_err(evidence_windows(&file, &op.config, note, &dists[0], note, &dists[0]),
               TLOG_EVIDENCE);
}

/* A distinguished entry that is not the rightmost would hide what came after it. */
static struct kt_source honest;
static uint64_t lie_dist;

static struct err lying_dist(void *self, uint64_t epoch, uint64_t *ret_epoch)
{
    (void)self;
    (void)epoch;
    *ret_epoch = lie_dist;
    return ERR_OK;
}

static struct err skipping_next_dist(void *self, uint64_t epoch, uint64_t last, uint64_t *ret_epoch)
{
    TRY(honest.next_dist(self, epoch, last, ret_epoch));
    return *ret_epoch == lie_dist ? honest.next_dist(self, *ret_epoch, last, ret_epoch) : ERR_OK;
}

static void test_wrong_distinguished_entry(void **state)
{
    (void)state;
    close_epoch();
    close_epoch();
    next_window();
    close_epoch();
    honest = operator_source(&op);
    struct kt_source source = honest;
    source.dist = lying_dist;
    for (lie_dist = 1; lie_dist <= 4; lie_dist++) {
        client_begin(&alice);
        struct err err = search_at(&alice, &source, BOB, NULL);
        if (lie_dist == 3)
            assert_ok(err);
        else
            assert_err(err, TLOG_DISTINGUISHED);
    }
}

static void test_owner_step_left_out(void **state)
{
    (void)state;
    add(BOB, "b");
    close_epoch();
    struct kt_own own = own_of(BOB, 1);
    for (int i = 0; i < 4; i++)
        next_window();
    honest = operator_source(&op);
    struct kt_source source = honest;
    source.next_dist = skipping_next_dist;
    for (lie_dist = 1; lie_dist <= 4; lie_dist++) {
        struct kt_dist at = {.index = 0};
        client_begin(&alice);
        assert_err(monitor_at(&alice, &source, &own, &at), TLOG_STEPS);
    }
}

/* ---- an update that the operator says has happened */

static void test_update_not_made(void **state)
{
    (void)state;
    struct kt_own own;
    struct kt_source source = operator_source(&op);
    add(BOB, "0");
    close_epoch();
    own = own_of(BOB, 1);
    add(BOB, "1");
    close_epoch();
    buf_clear(&alice.response);
    assert_ok(kt_prove_update(&source, 1, BOB, 1, &alice.response));
    assert_ok(kt_verify_update(&alice.view, &own, 1, bytes_str("1"), now_ms,
                               buf_view(&alice.response), &alice.result));
    /* one above it in the same epoch */
    add(BOB, "2");
    add(BOB, "3");
    close_epoch();
    buf_clear(&alice.response);
    assert_ok(kt_prove_update(&source, alice.view.size, BOB, 2, &alice.response));
    own = own_of(BOB, 2);
    assert_err(kt_verify_update(&alice.view, &own, 2, bytes_str("2"), now_ms,
                                buf_view(&alice.response), &alice.result),
               TLOG_UNEXPECTED);
    /* an older version of the owner's own under another commitment */
    own_lookups[0].commitment.data[0] ^= 1;
    add(BOB, "4");
    close_epoch();
    buf_clear(&alice.response);
    assert_ok(kt_prove_update(&source, alice.view.size, BOB, 4, &alice.response));
    assert_err(kt_verify_update(&alice.view, &own, 4, bytes_str("4"), now_ms,
                                buf_view(&alice.response), &alice.result),
               TLOG_COMMITMENT);
}

/* ---- entries that are not in the log: a tree made for one victim */

static struct kt_operator private_op;

static struct err private_entry(void *self, uint64_t epoch, struct log_entry *ret_entry)
{
    (void)self;
    struct kt_source source = operator_source(&private_op);
    return source.entry(source.self, epoch, ret_entry);
}

static struct err private_tree(void *self, uint64_t epoch, struct prefix_store *ret_store)
{
    (void)self;
    struct kt_source source = operator_source(&private_op);
    return source.tree(source.self, epoch, ret_store);
}

static void test_private_entries(void **state)
{
    (void)state;
    struct kt_dist at = {.index = 0};
    uint64_t index;
    add(BOB, "0");
    close_epoch();
    add(BOB, "1");
    close_epoch();
    assert_ok(search(&alice, &op, BOB));
    struct kt_result pending = alice.result;
    struct kt_own own = own_of(BOB, 2);
    assert_ok(operator_fork(&op, &private_op)); /* the same versions, other leaves besides */
    now_ms = (now_ms / WINDOW_MS + 1) * WINDOW_MS;
    assert_ok(operator_close(&op, now_ms, 3));
    assert_ok(operator_close(&private_op, now_ms, 4));
    struct kt_source source = operator_source(&op);
    source.entry = private_entry;
    source.tree = private_tree;
    /* owners, contacts, updates, searches: each has a check of its own */
    assert_err(monitor_at(&carol, &source, &own, &at), TLOG_INCLUSION);
    struct contact_request request = {.last = alice.view.size, .item_count = 1};
    request.items[0] = (struct contact_item){BOB, 1, pending.opening};
    const struct kt_contact contact = {BOB, &pending.known, pending.opening};
    buf_clear(&contact_answer);
    assert_ok(kt_prove_contacts(&source, &request, &contact_answer));
    assert_err(kt_verify_contacts(&alice.view, &contact, 1, buf_view(&contact_answer), &index),
               TLOG_INCLUSION);
    assert_err(search_at(&alice, &source, BOB, NULL), TLOG_INCLUSION);
    assert_ok(operator_add(&op, BOB, bytes_str("2"), NULL));
    assert_ok(operator_add(&private_op, BOB, bytes_str("2"), NULL));
    now_ms += EPOCH_MS;
    assert_ok(operator_close(&op, now_ms, 3));
    assert_ok(operator_close(&private_op, now_ms, 4));
    buf_clear(&carol.response);
    assert_ok(kt_prove_update(&source, 1, BOB, 2, &carol.response));
    assert_err(kt_verify_update(&carol.view, &own, 2, bytes_str("2"), now_ms,
                                buf_view(&carol.response), &carol.result),
               TLOG_INCLUSION);
    operator_clear(&private_op);
}

/* A version that stood there before its owner asked for it, and is shown as new. */
static void test_update_was_there_before(void **state)
{
    (void)state;
    struct kt_source source = operator_source(&op);
    add(BOB, "0");
    add(BOB, "1"); /* both in the first epoch: nothing shows what was before */
    close_epoch();
    const struct kt_own own = {BOB, NULL, 0};
    assert_ok(kt_prove_update(&source, 1, BOB, 1, &alice.response));
    assert_err(kt_verify_update(&alice.view, &own, 1, bytes_str("1"), now_ms,
                                buf_view(&alice.response), &alice.result),
               TLOG_VERSION);
    add(BOB, "2");
    close_epoch();
    close_epoch();
    operator_find(&op, BOB, 2)->pair.epoch++;
    buf_clear(&alice.response);
    assert_ok(kt_prove_update(&source, 1, BOB, 2, &alice.response));
    assert_err(kt_verify_update(&alice.view, &own, 2, bytes_str("2"), now_ms,
                                buf_view(&alice.response), &alice.result),
               TLOG_UNEXPECTED);
}

/* ---- answers that leave out, or show, what they should not */

static struct search_response edited;

static struct err search_edited(struct client *c, const struct kt_known *known)
{
    struct kt_query query = {.label = BOB, .now_ms = now_ms, .known = known, .opaque_value = true};
    struct buf b = BUF_INIT;
    search_response_write(&b, &edited);
    struct err err = kt_verify_search(&c->view, &query, buf_view(&b), &c->result);
    buf_clear(&b);
    return err;
}

/* Without its part at D, an answer could hide what D had: as if D were the newest entry. */
static void test_tree_at_dist_left_out(void **state)
{
    (void)state;
    static const uint32_t base[] = {0, 1, 3, 2};
    struct kt_view view = alice.view;
    add(BOB, "0");
    add(BOB, "1");
    close_epoch();
    assert_ok(search(&alice, &op, BOB)); /* D is the newest */
    assert_ok(search_response_parse(buf_view(&alice.response), &edited));
    assert_false(edited.has_at_dist);
    edited.has_at_dist = true;
    edited.at_dist = edited.at_entry;
    alice.view = view;
    assert_err(search_edited(&alice, NULL), TLOG_LADDER);
    close_epoch();
    assert_ok(search(&alice, &op, BOB));
    assert_ok(search_response_parse(buf_view(&alice.response), &edited));
    assert_true(edited.has_at_dist);
    edited.has_at_dist = false;
    /* all of the ladder at the newest entry instead */
    const uint8_t *indices[4];
    struct kt_pair pairs[4];
    bool present[4];
    struct kt_source source = operator_source(&op);
    struct prefix_store store;
    struct buf proof = BUF_INIT;
    for (size_t i = 0; i < 4; i++) {
        assert_ok(source.pair(source.self, BOB, base[i], &pairs[i]));
        indices[i] = pairs[i].index;
    }
    assert_ok(source.tree(source.self, 2, &store));
    assert_ok(prefix_prove(&store, indices, 4, &proof, present));
    struct wire_reader r = wire_reader_of(buf_view(&proof));
    prefix_proof_read(&r, &edited.at_entry);
    assert_ok(wire_reader_end(&r));
    alice.view = view;
    edited.consistency.count = 0;
    view = alice.view;
    view.size = 3;
    view.root = op.epochs[1].root;
    alice.view = view;
    assert_err(search_edited(&alice, NULL), TLOG_LADDER);
    /* nor for whoever knows the version, but not at this D */
    struct kt_known known = alice.result.known;
    known.dist_index = 0;
    assert_err(search_edited(&alice, &known), TLOG_LADDER);
    buf_clear(&proof);
}

/* Commitments of versions below must be there, that of the version itself and above must not. */
static void test_commitments_of_the_ladder(void **state)
{
    (void)state;
    static const uint8_t some[HASH_VALUE_BYTES];
    struct kt_view view = alice.view;
    add(BOB, "0");
    add(BOB, "1");
    close_epoch();
    assert_ok(search(&alice, &op, BOB));
    for (size_t i = 0; i < 4; i++) {
        assert_ok(search_response_parse(buf_view(&alice.response), &edited));
        assert_int_equal(edited.ladder.at[i].commitment != NULL, i == 0);
        edited.ladder.at[i].commitment = i == 0 ? NULL : some;
        alice.view = view;
        assert_err(search_edited(&alice, NULL), TLOG_LADDER);
    }
}

/* An old version's commitment changed, behind a new version. */
static void test_old_commitment_replaced(void **state)
{
    (void)state;
    close_epoch();
    add(BOB, "0");
    close_epoch();
    assert_ok(search(&alice, &op, BOB));
    struct kt_known known = alice.result.known;
    assert_ok(operator_roll_back(&op, 1));
    operator_find(&op, BOB, 0)->hidden = true;
    add(BOB, "mallory's 0");
    add(BOB, "1");
    next_window();
    struct kt_source source = operator_source(&op);
    assert_err(search_at(&alice, &source, BOB, &known), TLOG_COMMITMENT);
    assert_ok(search_at(&carol, &source, BOB, NULL));
}

/* A member's proof of an older version than the one known. */
static void test_proof_goes_back(void **state)
{
    (void)state;
    struct kt_source source = operator_source(&op);
    struct kt_query query = {.label = BOB, .opaque_value = true};
    add(BOB, "0");
    close_epoch();
    assert_ok(search(&alice, &op, BOB));
    buf_clear(&contact_answer);
    assert_ok(kt_prove_member(&source, BOB, 1, &contact_answer));
    assert_ok(kt_verify_proof(&alice.view, &query, buf_view(&contact_answer), &alice.result));
    add(BOB, "1");
    close_epoch();
    assert_ok(search(&alice, &op, BOB));
    struct kt_known known = alice.result.known;
    query.known = &known;
    assert_err(kt_verify_proof(&alice.view, &query, buf_view(&contact_answer), &alice.result),
               TLOG_VERSION);
}

/* Nor one in which an older version's commitment is another. */
static void test_proof_of_replaced_commitment(void **state)
{
    (void)state;
    struct kt_source source = operator_source(&op);
    close_epoch();
    add(BOB, "0");
    close_epoch();
    assert_ok(search(&alice, &op, BOB));
    struct kt_known known = alice.result.known;
    assert_ok(operator_roll_back(&op, 1));
    operator_find(&op, BOB, 0)->hidden = true;
    add(BOB, "mallory's 0");
    add(BOB, "1");
    next_window();
    assert_ok(search(&alice, &op, ALICE)); /* she holds the entry, and looked for somebody else */
    buf_clear(&contact_answer);
    assert_ok(kt_prove_member(&source, BOB, 3, &contact_answer));
    struct kt_query query = {.label = BOB, .opaque_value = true};
    assert_ok(kt_verify_proof(&alice.view, &query, buf_view(&contact_answer), &alice.result));
    query.known = &known;
    assert_err(kt_verify_proof(&alice.view, &query, buf_view(&contact_answer), &alice.result),
               TLOG_COMMITMENT);
}

/* ---- values that are key sets */

static struct sig_key keys[3];

static void key_set(struct buf *b, uint32_t version, const struct hash_value *before, bool reset,
                    size_t client, size_t signer)
{
    struct key_set set = {.label = BOB, .version = version, .created_ms = 5, .reset = reset};
    static const char *const ids[] = {"c0", "c1", "c2"};
    if (before != NULL)
        set.prev_commitment = hash_value_view(before);
    set.client_count = 1;
    set.clients[0] =
        (struct client_key){bytes_str(ids[client]), 0x0807,
                            public_key_view(&keys[client].public_key), 5, KEY_SET_AUTHORISES};
    const struct sig_key *by[2] = {&keys[client], &keys[signer]};
    const struct bytes as[2] = {bytes_str(ids[client]), bytes_str(ids[signer])};
    assert_ok(key_set_make(b, &set, by, as, client == signer ? 1 : 2));
}

static struct err search_set(const struct kt_known *known, struct bytes known_value)
{
    struct kt_query query = {
        .label = BOB, .now_ms = now_ms, .known = known, .known_value = known_value};
    struct kt_source source = operator_source(&op);
    struct search_request request = {.last = alice.view.size, .label = BOB};
    buf_clear(&alice.response);
    assert_ok(kt_prove_search(&source, &request, &alice.response));
    return kt_verify_search(&alice.view, &query, buf_view(&alice.response), &alice.result);
}

static void test_key_sets(void **state)
{
    (void)state;
    struct buf sets[5] = {{0}};
    for (uint8_t i = 0; i < 3; i++) {
        const uint8_t seed[32] = {10, i};
        assert_ok(sig_key_init(&sig_ed25519, bytes_of(seed, 32), &keys[i]));
    }
    key_set(&sets[0], 0, NULL, false, 0, 0);
    assert_ok(operator_add(&op, BOB, buf_view(&sets[0]), NULL));
    close_epoch();
    struct hash_value c0 = operator_find(&op, BOB, 0)->pair.commitment;
    assert_ok(search_set(NULL, bytes_of(NULL, 0)));
    assert_int_equal(alice.result.continuity, KT_FIRST);
    struct kt_known known = alice.result.known;
    assert_ok(search_set(&known, buf_view(&sets[0])));
    assert_int_equal(alice.result.continuity, KT_SAME);
    /* MitM3: another client, signed by itself alone */
    key_set(&sets[1], 1, &c0, false, 1, 1);
    assert_ok(operator_add(&op, BOB, buf_view(&sets[1]), NULL));
    close_epoch();
    struct kt_view before = alice.view;
    assert_err(search_set(&known, buf_view(&sets[0])), KEY_SET);
    assert_memory_equal(&alice.view, &before, sizeof before);
    /* who does not have the value before can't tell a chain: shown as a gap */
    assert_ok(search_set(&known, bytes_of(NULL, 0)));
    assert_int_equal(alice.result.continuity, KT_GAP);
    /* authorised by the client before */
    struct operator_version *v1 = operator_find(&op, BOB, 1);
    v1->hidden = true;
    assert_ok(operator_roll_back(&op, 1));
    key_set(&sets[2], 1, &c0, false, 1, 0);
    assert_ok(operator_add(&op, BOB, buf_view(&sets[2]), NULL));
    next_window();
    client_begin(&alice);
    assert_ok(search_set(&known, buf_view(&sets[0])));
    assert_int_equal(alice.result.continuity, KT_CHAINED);
    known = alice.result.known;
    /* a reset is loud; a chain to another past is none */
    key_set(&sets[3], 2, NULL, true, 2, 2);
    assert_ok(operator_add(&op, BOB, buf_view(&sets[3]), NULL));
    close_epoch();
    assert_ok(search_set(&known, buf_view(&sets[2])));
    assert_int_equal(alice.result.continuity, KT_RESET);
    known = alice.result.known;
    key_set(&sets[4], 3, &c0, false, 1, 2);
    assert_ok(operator_add(&op, BOB, buf_view(&sets[4]), NULL));
    close_epoch();
    assert_err(search_set(&known, buf_view(&sets[3])), KEY_SET);
    /* version 2 is not on the ladder of 3, so somebody new has nothing to hold against it */
    assert_ok(search_set(NULL, bytes_of(NULL, 0)));
    assert_int_equal(alice.result.continuity, KT_FIRST);
    for (size_t i = 0; i < 5; i++)
        buf_clear(&sets[i]);
}

/* A value of another label or version under this one's commitment. */
static void test_key_set_of_another(void **state)
{
    (void)state;
    struct buf set = BUF_INIT, unsigned_set = BUF_INIT;
    const uint8_t seed[32] = {10};
    assert_ok(sig_key_init(&sig_ed25519, bytes_of(seed, 32), &keys[0]));
    key_set(&set, 0, NULL, false, 0, 0);
    assert_ok(operator_add(&op, BOB, buf_view(&set), NULL));
    assert_ok(operator_add(&op, BOB, buf_view(&set), NULL));
    close_epoch();
    assert_err(search_set(NULL, bytes_of(NULL, 0)), KEY_SET);
    assert_ok(operator_add(&op, ALICE, buf_view(&set), NULL));
    close_epoch();
    struct kt_query query = {.label = ALICE, .now_ms = now_ms};
    struct kt_source source = operator_source(&op);
    struct search_request request = {.last = 1, .label = ALICE};
    buf_clear(&alice.response);
    assert_ok(kt_prove_search(&source, &request, &alice.response));
    assert_err(kt_verify_search(&alice.view, &query, buf_view(&alice.response), &alice.result),
               KEY_SET);
    /* a first version whose keys have not signed */
    struct key_set fields;
    assert_ok(key_set_parse(buf_view(&set), &fields));
    fields.label = request.label = query.label = bytes_str("\x01"
                                                           "carol");
    assert_ok(key_set_make(&unsigned_set, &fields, NULL, NULL, 0));
    assert_ok(operator_add(&op, query.label, buf_view(&unsigned_set), NULL));
    close_epoch();
    buf_clear(&alice.response);
    query.now_ms = now_ms;
    assert_ok(kt_prove_search(&source, &request, &alice.response));
    assert_err(kt_verify_search(&alice.view, &query, buf_view(&alice.response), &alice.result),
               KEY_SET);
    buf_clear(&unsigned_set);
    buf_clear(&set);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_fork),
        TEST(test_other_configuration),
        TEST(test_rollback_of_the_log),
        TEST(test_mitm2_swapped_key_seen_by_owner),
        TEST(test_mitm2_swapped_and_removed),
        TEST(test_away_at_the_distinguished_entry),
        TEST(test_growth_is_no_rewriting),
        TEST(test_replaced_commitment),
        TEST(test_skipped_versions),
        TEST(test_skipped_versions_are_not_believed),
        TEST(test_dropped_revocation),
        TEST(test_version_goes_back),
        TEST(test_time_runs_backwards),
        TEST(test_time_runs_back_a_little),
        TEST(test_update_in_the_past),
        TEST(test_two_entries_of_one_window),
        TEST(test_wrong_distinguished_entry),
        TEST(test_owner_step_left_out),
        TEST(test_update_not_made),
        TEST(test_private_entries),
        TEST(test_update_was_there_before),
        TEST(test_tree_at_dist_left_out),
        TEST(test_commitments_of_the_ladder),
        TEST(test_old_commitment_replaced),
        TEST(test_proof_goes_back),
        TEST(test_proof_of_replaced_commitment),
        TEST(test_key_sets),
        TEST(test_key_set_of_another),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_clear(&contact_answer);
    for (size_t i = 0; i < 3; i++)
        sig_key_clear(&keys[i]);
    return failed;
}
