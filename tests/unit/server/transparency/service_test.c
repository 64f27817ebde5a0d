/* hearth.v1.Transparency over a pipe: what is served, to a client that verifies it; versions that
 * another service brings, and when it is told. */
#include <stdio.h>

#include "hearth/v1/transparency_rpc.h"
#include "net/loop.h"
#include "server/transparency/inside.h"
#include "server/transparency/keys.h"
#include "server/transparency/transparency.h"
#include "support/test.h"
#include "support/tokens/tokens.h"
#include "tlog/log_verify.h"
#include "tlog/verify.h"

enum { WINDOW_MS = 100000 };

#define BOB          \
    bytes_str("\x01" \
              "bob")
#define CAROL        \
    bytes_str("\x01" \
              "carol")

static struct world {
    struct clock_fake fake;
    struct clock clock;
    struct rng_seeded seeded;
    struct rng rng;
    struct hearth_loop *loop;
    struct front_env env;
    struct front *front;
    struct keeper *keeper;
    struct transparency *t;
    struct hearth_server *server;
    struct hearth_channel *channel;
    struct kt_keys keys;
    struct err (*real_sign)(void *self, struct bytes text, struct signature *ret_signature);
    struct kt_view view;
    bool cant_sign;
    struct sig_key witness_key, stranger_key;
    struct note_key witness, stranger;
} w;

static struct err sign(void *self, struct bytes text, struct signature *ret_signature)
{
    return w.cant_sign ? ERR(KEEPER_GONE) : w.real_sign(self, text, ret_signature);
}

/* The keeper's keys, as the server has them, but for a keeper that can be gone. */
static void begin_log(void)
{
    struct buf config = BUF_INIT;
    assert_ok(kt_keys_open(&w.env, 1, WINDOW_MS, &w.keys));
    w.real_sign = w.keys.log.sign;
    w.keys.log.sign = sign;
    kt_config_write(&config, &w.keys.log.config);
    assert_ok(kt_view_init(buf_view(&config), &w.view));
    buf_clear(&config);
}

static void make_witness(uint8_t seed, const char *name, struct sig_key *key,
                         struct note_key *ret_public)
{
    const uint8_t bytes[32] = {seed};
    assert_ok(sig_key_init(&sig_ed25519, bytes_of(bytes, sizeof bytes), key));
    assert_ok(note_key_make(bytes_str(name), NOTE_COSIGNATURE, public_key_view(&key->public_key),
                            ret_public));
}

static int begin(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    w.fake = (struct clock_fake){.now_us = 1000000, .unix_base_ms = UINT64_C(1800000000000)};
    w.clock = clock_of_fake(&w.fake);
    rng_seeded_init(&w.seeded, 1);
    w.rng = rng_of_seeded(&w.seeded);
    w.loop = loop_new_stepped(&w.fake, &w.rng);
    assert_non_null(w.loop);
    assert_ok(keeper_open(NULL, bytes_str("a.test"), &w.clock, &w.rng, &w.keeper));
    w.env = (struct front_env){.domain = "a.test",
                               .development = true,
                               .clock = &w.clock,
                               .rng = &w.rng,
                               .keeper = w.keeper};
    begin_log();
    assert_ok(front_new(&w.env, &(struct front_options){0}, &w.front));
    assert_ok(limits_set(front_limits(w.front), "ANONYMOUS_PREFIX", 100000));
    make_witness(1, "witness.test", &w.witness_key, &w.witness);
    make_witness(2, "stranger.test", &w.stranger_key, &w.stranger);
    const struct transparency_options options = {.store = {.mode = STORE_INLINE},
                                                 .log = &w.keys.log,
                                                 .witnesses = &w.witness,
                                                 .witness_count = 1};
    assert_ok(transparency_open(&w.env, &options, &w.t));
    struct hearth_interceptor interceptor = front_interceptor(w.front);
    struct hearth_server_options server = {
        .no_health = true, .interceptors = &interceptor, .interceptor_count = 1};
    w.server = hearth_server_new(&server);
    assert_non_null(w.server);
    assert_ok(transparency_add(w.t, w.server));
    assert_true(hearth_server_listen(w.server, "pipe:kt", NULL));
    assert_true(hearth_server_start_on(w.server, w.loop));
    struct hearth_channel_options channel = {.loop = w.loop};
    w.channel = hearth_channel_new("pipe:kt", &channel);
    assert_non_null(w.channel);
    return 0;
}

static void settle(void)
{
    while (loop_step(w.loop) || (w.t != NULL && store_turn(transparency_store(w.t))))
        ;
}

static void end_service(void)
{
    hearth_channel_free(w.channel);
    hearth_server_free(w.server);
    w.channel = NULL;
    settle();
    transparency_close(w.t);
    w.t = NULL;
    settle();
}

static int end(void **state)
{
    (void)state;
    if (w.t != NULL)
        end_service();
    front_free(w.front);
    keeper_close(w.keeper);
    hearth_loop_free(w.loop);
    kt_keys_clear(&w.keys);
    sig_key_clear(&w.witness_key);
    sig_key_clear(&w.stranger_key);
    return 0;
}

static uint64_t now_ms(void)
{
    return clock_unix_ms(&w.clock);
}

static uint64_t tick_after(uint64_t ms)
{
    uint64_t epoch = 0;
    w.fake.now_us += ms * 1000;
    assert_ok(transparency_tick(w.t, &epoch));
    settle();
    return epoch;
}

/* ---- one call each; the answer's bytes are copied */

struct got {
    bool done;
    enum hearth_code code;
    struct buf bytes;
    struct log_proof proof;
};

static void keep(struct got *got, const struct hearth_status *status,
                 const ProtobufCBinaryData *data)
{
    got->done = true;
    got->code = status->code;
    if (data != NULL)
        buf_append(&got->bytes, data->data, data->len);
}

static void on_checkpoint(const struct hearth_status *status,
                          const Hearth__V1__GetCheckpointResponse *out, void *arg)
{
    keep(arg, status, out != NULL ? &out->checkpoint : NULL);
}

static void on_lookup(const struct hearth_status *status, const Hearth__V1__LookupResponse *out,
                      void *arg)
{
    keep(arg, status, out != NULL ? &out->search : NULL);
}

static void on_monitor(const struct hearth_status *status, const Hearth__V1__MonitorResponse *out,
                       void *arg)
{
    keep(arg, status, out != NULL ? &out->monitor : NULL);
}

static void on_tile(const struct hearth_status *status, const Hearth__V1__GetTileResponse *out,
                    void *arg)
{
    keep(arg, status, out != NULL ? &out->tile : NULL);
}

static void on_consistency(const struct hearth_status *status,
                           const Hearth__V1__GetConsistencyResponse *out, void *arg)
{
    struct got *got = arg;
    keep(got, status, NULL);
    for (size_t i = 0; out != NULL && i < out->n_hashes; i++) {
        assert_int_equal(out->hashes[i].len, 32);
        memcpy(got->proof.at[got->proof.count++].data, out->hashes[i].data, 32);
    }
}

static void ended(struct got *got)
{
    settle();
    assert_true(got->done);
}

static enum hearth_code lookup(struct bytes search, struct got *got)
{
    Hearth__V1__LookupRequest in = HEARTH__V1__LOOKUP_REQUEST__INIT;
    *got = (struct got){.done = false};
    in.search = (ProtobufCBinaryData){search.len, (uint8_t *)(uintptr_t)search.data};
    assert_non_null(hearth_transparency_lookup_start(w.channel, NULL, &in, on_lookup, got));
    ended(got);
    return got->code;
}

static void on_many(const struct hearth_status *status, const Hearth__V1__LookupManyResponse *out,
                    void *arg)
{
    keep(arg, status, out != NULL ? &out->search : NULL);
}

static enum hearth_code lookup_many(struct bytes search, struct got *got)
{
    Hearth__V1__LookupManyRequest in = HEARTH__V1__LOOKUP_MANY_REQUEST__INIT;
    *got = (struct got){.done = false};
    in.search = (ProtobufCBinaryData){search.len, (uint8_t *)(uintptr_t)search.data};
    assert_non_null(hearth_transparency_lookup_many_start(w.channel, NULL, &in, on_many, got));
    ended(got);
    return got->code;
}

static enum hearth_code monitor(struct bytes request, struct got *got)
{
    Hearth__V1__MonitorRequest in = HEARTH__V1__MONITOR_REQUEST__INIT;
    *got = (struct got){.done = false};
    in.monitor = (ProtobufCBinaryData){request.len, (uint8_t *)(uintptr_t)request.data};
    assert_non_null(hearth_transparency_monitor_start(w.channel, NULL, &in, on_monitor, got));
    ended(got);
    return got->code;
}

static enum hearth_code checkpoint_for(const struct hearth_metadata *tokens, size_t count,
                                       struct got *got)
{
    Hearth__V1__GetCheckpointRequest in = HEARTH__V1__GET_CHECKPOINT_REQUEST__INIT;
    const struct hearth_call_options options = {.metadata = tokens, .metadata_count = count};
    *got = (struct got){.done = false};
    assert_non_null(
        hearth_transparency_get_checkpoint_start(w.channel, &options, &in, on_checkpoint, got));
    ended(got);
    return got->code;
}

static enum hearth_code checkpoint(struct got *got)
{
    return checkpoint_for(NULL, 0, got);
}

static enum hearth_code consistency(uint64_t old, uint64_t size, struct got *got)
{
    Hearth__V1__GetConsistencyRequest in = HEARTH__V1__GET_CONSISTENCY_REQUEST__INIT;
    *got = (struct got){.done = false};
    in.old_size = old;
    in.new_size = size;
    assert_non_null(
        hearth_transparency_get_consistency_start(w.channel, NULL, &in, on_consistency, got));
    ended(got);
    return got->code;
}

static enum hearth_code tile(uint32_t level, uint64_t index, uint32_t width, bool entries,
                             struct got *got)
{
    Hearth__V1__GetTileRequest in = HEARTH__V1__GET_TILE_REQUEST__INIT;
    *got = (struct got){.done = false};
    in.level = level;
    in.index = index;
    in.width = width;
    in.entries = entries;
    assert_non_null(hearth_transparency_get_tile_start(w.channel, NULL, &in, on_tile, got));
    ended(got);
    return got->code;
}

/* What a client finds. */
static struct err search(struct bytes label, struct kt_result *ret_result)
{
    struct kt_query query = {.label = label, .now_ms = now_ms(), .opaque_value = true};
    struct buf request = BUF_INIT;
    struct got got;
    assert_ok(kt_search_request(&request, &w.view, &query));
    assert_int_equal(lookup(buf_view(&request), &got), HEARTH_OK);
    struct err err = kt_verify_search(&w.view, &query, buf_view(&got.bytes), ret_result);
    buf_clear(&got.bytes);
    buf_clear(&request);
    return err;
}

/* ---- versions that are brought */

struct told {
    unsigned times;
    struct err result;
    struct buf checkpoint, proof;
};

static void on_told(void *arg, struct err result, const struct transparency_receipt *receipt)
{
    struct told *told = arg;
    told->times++;
    told->result = result;
    buf_append_bytes(&told->checkpoint, receipt->checkpoint);
    buf_append_bytes(&told->proof, receipt->proof);
}

static void bring(struct bytes label, uint32_t version, const char *value, struct told *told)
{
    *told = (struct told){.times = 0};
    transparency_append(w.t, label, version, bytes_str(value), w.loop, on_told, told);
    settle();
}

static void told_clear(struct told *told)
{
    buf_clear(&told->checkpoint);
    buf_clear(&told->proof);
}

/* ---- tests */

static void test_before_the_first_epoch(void **state)
{
    (void)state;
    struct got got;
    assert_int_equal(checkpoint(&got), HEARTH_NOT_FOUND);
    assert_int_equal(tile(0, 0, 1, false, &got), HEARTH_NOT_FOUND);
    assert_int_equal(tick_after(0), 1);
    assert_int_equal(checkpoint(&got), HEARTH_OK);
    buf_clear(&got.bytes);
}

static void test_append_and_search(void **state)
{
    (void)state;
    struct told bob, again, carol;
    struct kt_result result;
    const struct kt_own own = {BOB, NULL, 0};
    assert_int_equal(tick_after(0), 1);
    bring(BOB, 0, "bob's", &bob);
    bring(CAROL, KT_LOST_MOST + 1, "no", &carol);
    assert_int_equal(bob.times, 0);
    assert_int_equal(carol.times, 1);
    assert_err(carol.result, AUTH_LABEL_VERSION);
    assert_int_equal(tick_after(500), 0); /* not yet */
    assert_int_equal(bob.times, 0);
    assert_int_equal(tick_after(600), 2);
    assert_int_equal(bob.times, 1);
    assert_ok(bob.result);
    /* the receipt is what an owner verifies, from the configuration on */
    struct kt_view view = w.view;
    assert_ok(kt_verify_update(&view, &own, 0, bytes_str("bob's"), now_ms(), buf_view(&bob.proof),
                               &result));
    assert_ok(search(BOB, &result));
    assert_int_equal(result.known.version, 0);
    bring(BOB, 0, "bob's", &again);
    assert_int_equal(again.times, 1);
    assert_ok(again.result);
    told_clear(&again);
    bring(BOB, 0, "another", &again);
    assert_err(again.result, AUTH_LABEL_VERSION);
    told_clear(&again);
    told_clear(&bob);
    told_clear(&carol);
}

/* Nobody is told before the signature, whatever was committed. */
struct kept {
    uint32_t version;
    bool kept;
};

static struct err run_kept(struct store_txn *txn, void *arg)
{
    struct kept *k = arg;
    uint8_t id[AT_REST_ID_BYTES];
    struct kt_pair pair;
    kt_label_id(&w.keys.log, BOB, id);
    return kt_proof_get(&w.keys.log, txn, BOB, id, k->version, &pair, &k->kept);
}

static bool is_kept(uint32_t version)
{
    struct kept k = {.version = version};
    assert_ok(store_call_read(transparency_store(w.t), run_kept, &k));
    return k.kept;
}

/* What is dear about a version is done before it waits, not by the epoch that takes it in, and is
 * there once. */
static void test_proofs_made_ahead(void **state)
{
    (void)state;
    struct told bob;
    assert_int_equal(tick_after(0), 1);
    bring(BOB, 0, "bob's", &bob);
    assert_int_equal(bob.times, 0);
    assert_true(is_kept(0) && is_kept(1));
    assert_false(is_kept(3)); /* of a ladder that it is not in */
    assert_int_equal(tick_after(1000), 2);
    assert_int_equal(bob.times, 1);
    assert_ok(bob.result);
    assert_false(is_kept(0)); /* the version's own row has it */
    assert_true(is_kept(1));
    told_clear(&bob);
    bring(BOB, 1, "bob's next", &bob);
    assert_true(is_kept(1) && is_kept(2) && is_kept(3));
    assert_int_equal(tick_after(1000), 3);
    assert_ok(bob.result);
    told_clear(&bob);
}

/* As many labels as one call may ask for, some of them there. */
static void test_many(void **state)
{
    (void)state;
    static struct kt_result results[SEARCH_MANY_MAX];
    static struct kt_query queries[SEARCH_MANY_MAX];
    static char names[SEARCH_MANY_MAX][256];
    struct buf request = BUF_INIT;
    struct got got;
    struct told bob;
    size_t count = 0;
    assert_int_equal(tick_after(0), 1);
    bring(BOB, 0, "bob's", &bob);
    assert_int_equal(tick_after(1000), 2);
    told_clear(&bob);
    for (size_t i = 0; i < SEARCH_MANY_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "%0255zu", i);
        queries[i] = (struct kt_query){
            .label = bytes_str(names[i]), .now_ms = now_ms(), .opaque_value = true};
    }
    queries[7].label = BOB;
    assert_ok(kt_many_request(&request, &w.view, queries, SEARCH_MANY_MAX));
    assert_int_equal(lookup_many(buf_view(&request), &got), HEARTH_OK);
    assert_ok(
        kt_verify_many(&w.view, queries, SEARCH_MANY_MAX, buf_view(&got.bytes), results, &count));
    assert_int_equal(count, SEARCH_MANY_MAX);
    assert_true(results[7].known.exists && results[7].known.pending);
    test_assert_bytes(results[7].value, bytes_str("bob's"));
    assert_false(results[8].known.exists);
    buf_clear(&got.bytes);
    request.len--;
    assert_int_equal(lookup_many(buf_view(&request), &got), HEARTH_INVALID_ARGUMENT);
    buf_clear(&request);
}

static void test_keeper_gone(void **state)
{
    (void)state;
    struct told bob;
    struct kt_result result;
    uint64_t epoch;
    assert_int_equal(tick_after(0), 1);
    bring(BOB, 0, "bob's", &bob);
    w.cant_sign = true;
    w.fake.now_us += 2000000;
    assert_err(transparency_tick(w.t, &epoch), KEEPER_GONE);
    settle();
    assert_int_equal(bob.times, 0);
    assert_ok(search(BOB, &result));
    assert_false(result.known.exists);
    w.cant_sign = false;
    assert_int_equal(tick_after(0), 0); /* nothing is due, but something is to be signed */
    assert_int_equal(bob.times, 1);
    assert_ok(search(BOB, &result));
    assert_true(result.known.exists);
    told_clear(&bob);
}

static void test_who_waits_at_the_end(void **state)
{
    (void)state;
    struct told told[3];
    assert_int_equal(tick_after(0), 1);
    for (uint32_t v = 0; v < 3; v++)
        bring(BOB, v, "bob's", &told[v]);
    end_service();
    for (uint32_t v = 0; v < 3; v++) {
        assert_int_equal(told[v].times, 1);
        assert_err(told[v].result, STORE_STOPPED);
        told_clear(&told[v]);
    }
}

static void test_monitoring(void **state)
{
    (void)state;
    struct told bob;
    struct kt_result result;
    struct kt_dist at = {.index = 0};
    struct buf request = BUF_INIT;
    struct got got;
    uint64_t index;
    assert_int_equal(tick_after(0), 1);
    bring(BOB, 0, "bob's", &bob);
    (void)tick_after(1000);
    assert_ok(kt_verify_update(&w.view, &(struct kt_own){BOB, NULL, 0}, 0, bytes_str("bob's"),
                               now_ms(), buf_view(&bob.proof), &result));
    const struct kt_own own = {BOB, result.known.lookups, result.known.count};
    struct kt_result pending;
    assert_ok(search(BOB, &pending));
    assert_true(pending.known.pending);
    (void)tick_after(WINDOW_MS);
    assert_ok(kt_owner_request(&request, &w.view, &own, &at));
    assert_int_equal(monitor(buf_view(&request), &got), HEARTH_OK);
    assert_ok(kt_verify_owner(&w.view, &own, &at, buf_view(&got.bytes), &at));
    assert_int_equal(at.index, 3);
    buf_clear(&got.bytes);
    buf_clear(&request);
    const struct kt_contact contact = {BOB, &pending.known, pending.opening};
    assert_ok(kt_contact_request(&request, &w.view, &contact, 1));
    assert_int_equal(monitor(buf_view(&request), &got), HEARTH_OK);
    assert_ok(kt_verify_contacts(&w.view, &contact, 1, buf_view(&got.bytes), &index));
    buf_clear(&got.bytes);
    /* without the opening nobody asks */
    request.data[request.len - 1] ^= 1;
    assert_int_equal(monitor(buf_view(&request), &got), HEARTH_NOT_FOUND);
    assert_int_equal(monitor(bytes_str("\x03"), &got), HEARTH_INVALID_ARGUMENT);
    assert_int_equal(lookup(bytes_str("x"), &got), HEARTH_INVALID_ARGUMENT);
    buf_clear(&request);
    told_clear(&bob);
}

static void test_tiles_and_consistency(void **state)
{
    (void)state;
    struct got note, got, entries;
    struct note_key key;
    struct checkpoint c;
    struct hash_value leaves[9], root;
    for (int i = 0; i < 8; i++)
        (void)tick_after(WINDOW_MS);
    assert_int_equal(checkpoint(&note), HEARTH_OK);
    assert_ok(kt_config_log_key(&w.keys.log.config, &key));
    assert_ok(checkpoint_open(buf_view(&note.bytes), &key, &c));
    assert_int_equal(c.size, 9);
    /* the leaves' hashes are those of the entries, and make the root */
    assert_int_equal(tile(0, 0, 9, false, &got), HEARTH_OK);
    assert_int_equal(got.bytes.len, 9 * 32);
    assert_int_equal(tile(0, 0, 9, true, &entries), HEARTH_OK);
    struct wire_reader r = wire_reader_of(buf_view(&entries.bytes));
    for (size_t i = 0; i < 9; i++) {
        log_leaf_hash(wire_read_vector16(&r), &leaves[i]);
        assert_memory_equal(leaves[i].data, got.bytes.data + 32 * i, 32);
    }
    assert_ok(wire_reader_end(&r));
    struct hash_value quads[2], pair[2];
    for (size_t i = 0; i < 2; i++) {
        log_parent_hash(&leaves[4 * i], &leaves[4 * i + 1], &pair[0]);
        log_parent_hash(&leaves[4 * i + 2], &leaves[4 * i + 3], &pair[1]);
        log_parent_hash(&pair[0], &pair[1], &quads[i]);
    }
    log_parent_hash(&quads[0], &quads[1], &root);
    log_parent_hash(&root, &leaves[8], &root);
    assert_memory_equal(root.data, c.root.data, 32);
    buf_clear(&got.bytes);
    buf_clear(&entries.bytes);
    assert_int_equal(tile(0, 0, 10, false, &got), HEARTH_NOT_FOUND);
    assert_int_equal(tile(0, 1, 1, false, &got), HEARTH_NOT_FOUND);
    assert_int_equal(tile(1, 0, 1, false, &got), HEARTH_NOT_FOUND);
    assert_int_equal(tile(1, 0, 1, true, &got), HEARTH_NOT_FOUND);
    assert_int_equal(tile(63, UINT64_MAX, 256, false, &got), HEARTH_NOT_FOUND);
    /* the log of one entry is the configuration */
    assert_int_equal(consistency(1, 9, &got), HEARTH_OK);
    struct hash_run run = log_proof_run(&got.proof);
    assert_ok(log_verify_consistency(1, 9, &leaves[0], &c.root, &run));
    assert_int_equal(consistency(9, 9, &got), HEARTH_OK);
    assert_int_equal(got.proof.count, 0);
    assert_int_equal(consistency(5, 10, &got), HEARTH_INVALID_ARGUMENT);
    assert_int_equal(consistency(6, 5, &got), HEARTH_INVALID_ARGUMENT);
    buf_clear(&note.bytes);
}

/* What somebody outside holds is larger: nothing is signed any more. */
static void on_cosigned(const struct hearth_status *status,
                        const Hearth__V1__AddCosignatureResponse *out, void *arg)
{
    (void)out;
    keep(arg, status, NULL);
}

/* A line of this witness over the checkpoint of `size`, brought as one of `said`. */
static enum hearth_code cosign(const struct sig_key *key, const struct note_key *as,
                               struct bytes text, uint64_t said, uint64_t time_s)
{
    Hearth__V1__AddCosignatureRequest in = HEARTH__V1__ADD_COSIGNATURE_REQUEST__INIT;
    struct got got = {.done = false};
    struct buf line = BUF_INIT;
    assert_ok(note_cosign(&line, text, as, key, time_s));
    in.cosignature = (ProtobufCBinaryData){line.len, line.data};
    in.size = said;
    assert_non_null(
        hearth_transparency_add_cosignature_start(w.channel, NULL, &in, on_cosigned, &got));
    ended(&got);
    buf_clear(&line);
    return got.code;
}

static enum hearth_code checkpoint_at(uint64_t size, struct got *got)
{
    Hearth__V1__GetCheckpointRequest in = HEARTH__V1__GET_CHECKPOINT_REQUEST__INIT;
    *got = (struct got){.done = false};
    in.size = size;
    assert_non_null(
        hearth_transparency_get_checkpoint_start(w.channel, NULL, &in, on_checkpoint, got));
    ended(got);
    return got->code;
}

static void test_cosignatures(void **state)
{
    (void)state;
    struct got got;
    struct note note;
    const uint64_t now_s = now_ms() / 1000;
    uint64_t time_s;
    assert_int_equal(tick_after(0), 1);
    assert_int_equal(checkpoint_at(2, &got), HEARTH_OK);
    assert_ok(note_parse(buf_view(&got.bytes), &note));
    assert_int_equal(note.line_count, 1);
    const struct bytes text = note.text;
    assert_int_equal(cosign(&w.stranger_key, &w.stranger, text, 2, now_s),
                     HEARTH_PERMISSION_DENIED);
    assert_int_equal(cosign(&w.stranger_key, &w.witness, text, 2, now_s), HEARTH_INVALID_ARGUMENT);
    assert_int_equal(cosign(&w.witness_key, &w.witness, text, 3, now_s), HEARTH_NOT_FOUND);
    assert_int_equal(cosign(&w.witness_key, &w.witness, bytes_str("other\n"), 2, now_s),
                     HEARTH_INVALID_ARGUMENT);
    assert_int_equal(cosign(&w.witness_key, &w.witness, text, 2, now_s + 100),
                     HEARTH_INVALID_ARGUMENT);
    assert_int_equal(cosign(&w.witness_key, &w.witness, text, 2, now_s - 7), HEARTH_OK);
    assert_int_equal(cosign(&w.witness_key, &w.witness, text, 2, now_s), HEARTH_OK); /* again */
    struct buf before = got.bytes;
    assert_int_equal(tick_after(1000 * 1000), 2);
    assert_int_equal(checkpoint_at(2, &got), HEARTH_OK);
    assert_ok(note_parse(buf_view(&got.bytes), &note));
    assert_int_equal(note.line_count, 2);
    assert_ok(note_verify_cosignature(&note, &w.witness, &time_s));
    assert_int_equal(time_s, now_s);
    buf_clear(&got.bytes);
    assert_int_equal(checkpoint(&got), HEARTH_OK); /* the newest has none */
    assert_ok(note_parse(buf_view(&got.bytes), &note));
    assert_int_equal(note.line_count, 1);
    buf_clear(&got.bytes);
    assert_int_equal(checkpoint_at(77, &got), HEARTH_NOT_FOUND);
    buf_clear(&before);
}

static enum hearth_code show(struct bytes note)
{
    Hearth__V1__GetCheckpointRequest in = HEARTH__V1__GET_CHECKPOINT_REQUEST__INIT;
    struct got got = {.done = false};
    in.known = (ProtobufCBinaryData){note.len, (uint8_t *)(uintptr_t)note.data};
    assert_non_null(
        hearth_transparency_get_checkpoint_start(w.channel, NULL, &in, on_checkpoint, &got));
    ended(&got);
    buf_clear(&got.bytes);
    return got.code;
}

static void smaller_than_outside(bool by_caller)
{
    struct buf text = BUF_INIT, note = BUF_INIT;
    struct note_key key;
    struct got got;
    uint64_t epoch;
    assert_int_equal(tick_after(0), 1);
    assert_int_equal(checkpoint(&got), HEARTH_OK);
    assert_ok(transparency_check_outside(w.t, buf_view(&got.bytes)));
    assert_int_equal(show(buf_view(&got.bytes)), HEARTH_OK); /* our own newest */
    buf_clear(&got.bytes);
    const struct checkpoint c = {.origin = kt_config_origin(&w.keys.log.config), .size = 77};
    assert_ok(kt_config_log_key(&w.keys.log.config, &key));
    checkpoint_write(&text, &c);
    struct signature signature;
    assert_ok(w.real_sign(w.keeper, buf_view(&text), &signature));
    assert_ok(note_write(&note, buf_view(&text), &key, signature_view(&signature)));
    if (!by_caller) {
        assert_err(transparency_check_outside(w.t, buf_view(&note)), TLOG_SHRUNK);
    } else { /* anybody may show it, and only a signed one counts */
        note.data[note.len - 9] ^= 1;
        assert_int_not_equal(show(buf_view(&note)), HEARTH_OK);
        assert_ok(transparency_held(w.t));
        note.data[note.len - 9] ^= 1;
        assert_int_not_equal(show(buf_view(&note)), HEARTH_OK);
    }
    assert_err(transparency_held(w.t), TLOG_SHRUNK);
    w.fake.now_us += UINT64_C(1000000000);
    assert_err(transparency_tick(w.t, &epoch), TLOG_SHRUNK);
    assert_int_equal(checkpoint(&got), HEARTH_OK); /* what there is goes on being served */
    struct told told;
    bring(BOB, 0, "b0", &told);
    assert_int_equal(told.times, 1);
    assert_err(told.result, TLOG_HELD);
    told_clear(&told);
    buf_clear(&text);
    buf_clear(&note);
    buf_clear(&got.bytes);
}

static void test_smaller_than_outside(void **state)
{
    (void)state;
    smaller_than_outside(false);
}

static void test_a_caller_shows_a_newer_one(void **state)
{
    (void)state;
    smaller_than_outside(true);
}

/* Trees of long ago are removed beside what goes on: look-ups answer, a repeat of a change of then
 * is told that it is logged, without a receipt, and who was away for longer that trees are gone. */
static void test_trees_of_long_ago(void **state)
{
    (void)state;
    enum { DAY_MS = 24 * 3600 * 1000 };
    struct told bob;
    struct kt_result result;
    struct buf request = BUF_INIT;
    struct got got;
    const struct kt_own own = {.label = BOB};
    struct kt_dist from = {.index = 0};
    assert_int_equal(tick_after(0), 1);
    bring(BOB, 0, "bob's", &bob);
    (void)tick_after(1000);
    assert_int_equal(bob.times, 1);
    assert_true(bob.proof.len > 0);
    told_clear(&bob);
    for (unsigned day = 0; day < 62; day++)
        assert_true(tick_after(DAY_MS) != 0);
    assert_false(transparency_sweep(w.t)); /* it was one piece */
    assert_ok(search(BOB, &result));
    assert_int_equal(result.known.version, 0);
    bring(BOB, 0, "bob's", &bob);
    assert_int_equal(bob.times, 1);
    assert_ok(bob.result);
    assert_int_equal(bob.checkpoint.len + bob.proof.len, 0);
    told_clear(&bob);
    assert_ok(kt_owner_request(&request, &w.view, &own, &from));
    assert_int_equal(monitor(buf_view(&request), &got), HEARTH_OUT_OF_RANGE);
    buf_clear(&got.bytes);
    buf_clear(&request);
    from.index = 10;
    assert_ok(kt_owner_request(&request, &w.view, &own, &from));
    assert_int_equal(monitor(buf_view(&request), &got), HEARTH_OK);
    buf_clear(&got.bytes);
    buf_clear(&request);
    bring(CAROL, 0, "carol's", &bob); /* the next epoch stands on what is left */
    (void)tick_after(1000);
    assert_int_equal(bob.times, 1);
    assert_true(bob.proof.len > 0);
    told_clear(&bob);
}

static void test_what_is_published(void **state)
{
    (void)state;
    const struct bytes system = bytes_of((const uint8_t[]){0, 'a'}, 2);
    struct transparency_value values[] = {
        {system, bytes_str("first")},
        {bytes_of((const uint8_t[]){0, 'b'}, 2), bytes_str("its own")}};
    struct kt_result result;
    uint64_t epoch;
    assert_ok(transparency_publish(w.t, values, 2));
    assert_ok(transparency_publish(w.t, values, 2)); /* nothing new */
    assert_ok(search(system, &result));
    assert_int_equal(result.known.version, 0);
    values[0].value = bytes_str("second"); /* at once, however young the last epoch is */
    assert_ok(transparency_publish(w.t, values, 2));
    assert_ok(search(system, &result));
    assert_int_equal(result.known.version, 1);
    values[0].value = bytes_str("first"); /* an old value is a new version */
    assert_ok(transparency_publish(w.t, values, 1));
    assert_ok(search(system, &result));
    assert_int_equal(result.known.version, 2);
    assert_ok(search(values[1].label, &result));
    assert_int_equal(result.known.version, 0);
    transparency_hold(w.t);
    assert_ok(transparency_publish(w.t, values, 1)); /* it is there */
    values[0].value = bytes_str("third");
    assert_err(transparency_publish(w.t, values, 1), TLOG_HELD);
    assert_err(transparency_tick(w.t, &epoch), TLOG_HELD);
}

/* Who reads has the allowance of its source, then a token for each question. */
static void test_tokens(void **state)
{
    (void)state;
    static struct tokens t;
    struct got got;
    assert_int_equal(tick_after(0), 1);
    tokens_draw(&t, w.keeper, "a.test", PASS_TRANSPARENCY, clock_unix_ms(&w.clock) / 1000, 4,
                &w.rng);
    assert_ok(limits_set(front_limits(w.front), "FREE_PREFIX", 2));
    front_set_tokens(w.front, true);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(checkpoint(&got), i < 2 ? HEARTH_OK : HEARTH_UNAUTHENTICATED);
        buf_clear(&got.bytes);
    }
    for (int i = 0; i < 5; i++) { /* the same question a few times more, in case answers are lost */
        assert_int_equal(checkpoint_for(t.metadata, 1, &got),
                         i < 4 ? HEARTH_OK : HEARTH_UNAUTHENTICATED);
        buf_clear(&got.bytes);
    }
    assert_int_equal(checkpoint_for(t.metadata + 1, 2, &got), HEARTH_UNAUTHENTICATED); /* one */
    assert_int_equal(checkpoint_for(t.metadata + 1, 1, &got), HEARTH_OK);
    buf_clear(&got.bytes);
    while (transparency_expire(w.t))
        ;
    assert_int_equal(checkpoint_for(t.metadata + 1, 1, &got), HEARTH_OK); /* still a repeat */
    buf_clear(&got.bytes);
    front_set_tokens(w.front, false);
    assert_int_equal(checkpoint(&got), HEARTH_OK);
    buf_clear(&got.bytes);
}

/* ---- who looks for the handles that there are */

static enum hearth_code ask_for(const char *label_text)
{
    struct bytes label = bytes_str(label_text);
    struct kt_query query = {.label = label, .now_ms = now_ms(), .opaque_value = true};
    struct buf request = BUF_INIT;
    struct got got;
    assert_ok(kt_search_request(&request, &w.view, &query));
    enum hearth_code code = lookup(buf_view(&request), &got);
    buf_clear(&got.bytes);
    buf_clear(&request);
    return code;
}

static enum hearth_code ask_for_many(const char *first, const char *second)
{
    struct kt_query queries[2] = {{.label = bytes_str(first), .now_ms = now_ms()},
                                  {.label = bytes_str(second), .now_ms = now_ms()}};
    struct buf request = BUF_INIT;
    struct got got;
    assert_ok(kt_many_request(&request, &w.view, queries, 2));
    enum hearth_code code = lookup_many(buf_view(&request), &got);
    buf_clear(&got.bytes);
    buf_clear(&request);
    return code;
}

static enum hearth_code monitor_it(const char *label)
{
    const struct kt_own own = {.label = bytes_str(label)};
    const struct kt_dist from = {.index = 0};
    struct buf request = BUF_INIT;
    struct got got;
    assert_ok(kt_owner_request(&request, &w.view, &own, &from));
    enum hearth_code code = monitor(buf_view(&request), &got);
    buf_clear(&got.bytes);
    buf_clear(&request);
    return code;
}

/* Handles that are not there are counted, however they are asked for; who has asked for too many is
 * answered about none, so that the refusal tells nothing. Nothing else is counted or refused. */
static void test_handles_are_not_listed(void **state)
{
    (void)state;
    struct told told;
    assert_ok(limits_set(front_limits(w.front), "HANDLE_MISSES", 4));
    bring(bytes_str("\2there"), 0, "a", &told);
    assert_int_equal(tick_after(0), 1);
    assert_int_equal(told.times, 1);
    told_clear(&told);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(ask_for("\2there"), HEARTH_OK);
        assert_int_equal(ask_for("\1nobody"), HEARTH_OK);
    }
    assert_int_equal(ask_for_many("\1nobody", "\1no one"), HEARTH_OK);
    assert_int_equal(ask_for("\2one"), HEARTH_OK);
    assert_int_equal(monitor_it("\2two"), HEARTH_OK);
    assert_int_equal(ask_for_many("\2three", "\2there"), HEARTH_OK); /* both count */
    assert_int_equal(ask_for("\2four"), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(ask_for("\2there"), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(monitor_it("\2there"), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(ask_for_many("\2there", "\1nobody"), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(ask_for("\1nobody"), HEARTH_OK);
    assert_int_equal(ask_for_many("\1nobody", "\1no one"), HEARTH_OK);
}

/* A call whose job is under way when the server ends hears of that, and has ended before the server
 * is gone: the job ends without it. */
static void test_calls_at_the_end(void **state)
{
    Hearth__V1__GetCheckpointRequest newest = HEARTH__V1__GET_CHECKPOINT_REQUEST__INIT;
    Hearth__V1__AddCosignatureRequest line = HEARTH__V1__ADD_COSIGNATURE_REQUEST__INIT;
    struct got read = {.done = false}, write = {.done = false};
    (void)state;
    line.size = 1;
    line.cosignature = (ProtobufCBinaryData){1, (uint8_t *)(uintptr_t) "x"};
    assert_non_null(
        hearth_transparency_get_checkpoint_start(w.channel, NULL, &newest, on_checkpoint, &read));
    assert_non_null(
        hearth_transparency_add_cosignature_start(w.channel, NULL, &line, on_cosigned, &write));
    while (loop_step(w.loop)) /* and the store does nothing */
        ;
    assert_false(read.done || write.done);
    assert_int_equal(metrics_value(front_metrics(w.front), METRIC_CALLS), 2);
    hearth_server_free(w.server);
    w.server = NULL;
    assert_int_equal(metrics_value(front_metrics(w.front), METRIC_CALLS), 0);
    end_service();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_before_the_first_epoch),
        TEST(test_append_and_search),
        TEST(test_many),
        TEST(test_handles_are_not_listed),
        TEST(test_proofs_made_ahead),
        TEST(test_keeper_gone),
        TEST(test_who_waits_at_the_end),
        TEST(test_monitoring),
        TEST(test_tiles_and_consistency),
        TEST(test_cosignatures),
        TEST(test_smaller_than_outside),
        TEST(test_a_caller_shows_a_newer_one),
        TEST(test_trees_of_long_ago),
        TEST(test_what_is_published),
        TEST(test_tokens),
        TEST(test_calls_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
