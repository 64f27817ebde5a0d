/* The log in a database: offers, epochs, signatures, proofs that a client accepts, and what must
 * never happen: a second root of one size. */
#include <stdio.h>

#include "seal/at_rest.h"
#include "seal/key_set.h"
#include "server/transparency/inside.h"
#include "support/store_dir.h"
#include "support/test.h"
#include "tlog/verify.h"

enum { WINDOW_MS = 100000, EPOCH_MS = 10000 };

static struct store_dir dir;
static struct store *store;
static struct kt_log kt;
static struct sig_key log_key;
static struct vrf_key vrf;
static struct rng_seeded random_numbers;
static struct rng rng;
static struct kt_view view;
static uint64_t now_ms;
static unsigned signatures; /* made so far */
static bool cant_sign;

#define BOB          \
    bytes_str("\x01" \
              "bob")
#define CAROL        \
    bytes_str("\x01" \
              "carol")

static struct err sign(void *self, struct bytes text, struct signature *ret_signature)
{
    (void)self;
    if (cant_sign)
        return ERR(KEEPER_GONE);
    signatures++;
    return sig_sign(&log_key, text, ret_signature);
}

static void open_store(void)
{
    const struct store_options options = {
        .path = dir.path, .schema = &kt_schema, .mode = STORE_INLINE, .relaxed = true};
    const char *bad = NULL;
    struct err err = store_open(&options, &bad, &store);
    if (!err_is_ok(err))
        fail_msg("%s: %s", bad != NULL ? bad : "", err_name(err));
}

static int begin(void **state)
{
    (void)state;
    static const uint8_t seed_a[32] = {1}, seed_b[32] = {2};
    struct buf config = BUF_INIT;
    rng_seeded_init(&random_numbers, 3);
    rng = rng_of_seeded(&random_numbers);
    assert_ok(sig_key_init(&sig_ed25519, bytes_of(seed_a, 32), &log_key));
    assert_ok(vrf_key_init(bytes_of(seed_b, 32), &vrf));
    kt = (struct kt_log){.vrf = &vrf, .rng = &rng, .sign = sign, .rows_key = {3}, .ids_key = {4}};
    kt.config = (struct kt_config){.mode = KT_MODE_CONTACT,
                                   .max_ahead_ms = 60000,
                                   .max_behind_ms = 3600000,
                                   .window_ms = WINDOW_MS};
    kt.config.origin_len = 14;
    memcpy(kt.config.origin, "a.example/kt/1", 14);
    memcpy(kt.config.signature_key, log_key.public_key.data, 32);
    memcpy(kt.config.vrf_key, vrf.public_key, 32);
    kt_config_write(&config, &kt.config);
    assert_ok(kt_view_init(buf_view(&config), &view));
    buf_clear(&config);
    now_ms = 50 * (uint64_t)WINDOW_MS;
    signatures = 0;
    cant_sign = false;
    store_dir_make_fast(&dir);
    open_store();
    return 0;
}

static int end(void **state)
{
    (void)state;
    store_close(store);
    store_dir_remove(&dir);
    sig_key_clear(&log_key);
    vrf_key_clear(&vrf);
    return 0;
}

/* ---- one transaction each */

static struct err run_start(struct store_txn *txn, void *arg)
{
    (void)arg;
    return kt_log_start(&kt, txn);
}

struct offer {
    struct bytes label;
    uint32_t version;
    const char *value;
    uint64_t epoch;
};

static struct err run_offer(struct store_txn *txn, void *arg)
{
    struct offer *o = arg;
    return kt_log_offer(&kt, txn, o->label, o->version, bytes_str(o->value), &o->epoch);
}

struct offer_bytes {
    struct bytes label;
    uint32_t version;
    struct bytes value;
};

static struct err run_offer_bytes(struct store_txn *txn, void *arg)
{
    const struct offer_bytes *o = arg;
    uint64_t at;
    return kt_log_offer(&kt, txn, o->label, o->version, o->value, &at);
}

static struct err offer(struct bytes label, uint32_t version, const char *value,
                        uint64_t *ret_epoch)
{
    struct offer o = {label, version, value, 99};
    struct err err = store_call(store, run_offer, &o);
    *ret_epoch = o.epoch;
    return err;
}

static struct err run_close(struct store_txn *txn, void *arg)
{
    return kt_log_close(&kt, txn, now_ms, arg);
}

static struct err run_sign(struct store_txn *txn, void *arg)
{
    (void)arg;
    return kt_log_sign(&kt, txn);
}

static uint64_t epoch(void)
{
    uint64_t number = 0;
    now_ms += EPOCH_MS;
    assert_ok(store_call(store, run_close, &number));
    assert_ok(store_call(store, run_sign, NULL));
    return number;
}

static void next_window(void)
{
    now_ms = (now_ms / WINDOW_MS + 1) * WINDOW_MS - EPOCH_MS;
    (void)epoch();
}

struct ask {
    const struct search_request *search;
    const struct owner_request *owner;
    const struct contact_request *contact;
    struct bytes update_label;
    uint32_t update_version;
    struct buf answer;
};

static struct err run_ask(struct store_txn *txn, void *arg)
{
    struct ask *a = arg;
    struct kt_log_at at;
    struct kt_source source = kt_log_source(&kt, txn, &at);
    if (a->search != NULL)
        return kt_prove_search(&source, a->search, &a->answer);
    if (a->owner != NULL)
        return kt_prove_owner(&source, a->owner, &a->answer);
    if (a->contact != NULL)
        return kt_prove_contacts(&source, a->contact, &a->answer);
    return kt_prove_update(&source, 1, a->update_label, a->update_version, &a->answer);
}

static struct buf answer; /* the last one */

static struct err search(struct bytes label, const struct kt_known *known,
                         struct kt_result *ret_result)
{
    memset(ret_result, 0, sizeof *ret_result);
    struct kt_query query = {
        .label = label, .now_ms = now_ms, .known = known, .opaque_value = true};
    struct search_request request;
    struct buf b = BUF_INIT;
    assert_ok(kt_search_request(&b, &view, &query));
    assert_ok(search_request_parse(buf_view(&b), &request));
    struct ask ask = {.search = &request};
    struct err err = store_call_read(store, run_ask, &ask);
    buf_clear(&b);
    buf_clear(&answer);
    answer = ask.answer;
    TRY(err);
    return kt_verify_search(&view, &query, buf_view(&answer), ret_result);
}

/* ---- tests */

static void test_start(void **state)
{
    (void)state;
    struct kt_result result;
    uint64_t at;
    assert_ok(store_call(store, run_start, NULL));
    assert_ok(store_call(store, run_start, NULL));
    kt.config.window_ms++; /* while there is no epoch, the configuration may change */
    assert_ok(store_call(store, run_start, NULL));
    kt.config.window_ms--;
    assert_ok(store_call(store, run_start, NULL));
    assert_err(search(BOB, NULL, &result), NOT_FOUND); /* nothing is signed */
    assert_ok(offer(BOB, 0, "b0", &at));
    assert_int_equal(at, 0);
    assert_int_equal(epoch(), 1);
    assert_int_equal(signatures, 1);
    assert_ok(search(BOB, NULL, &result));
    test_assert_bytes(result.value, bytes_str("b0"));
    /* another configuration is another log */
    kt.config.window_ms++;
    assert_err(store_call(store, run_start, NULL), WRONG_STATE);
    kt.config.window_ms--;
    store_close(store);
    open_store();
    assert_ok(store_call(store, run_start, NULL));
    assert_ok(search(BOB, NULL, &result));
    buf_clear(&answer);
}

static void test_offers(void **state)
{
    (void)state;
    uint64_t at = 0;
    assert_ok(store_call(store, run_start, NULL));
    assert_ok(offer(BOB, 0, "b0", &at));
    assert_ok(offer(BOB, 0, "b0", &at));
    assert_err(offer(BOB, 0, "other", &at), AUTH_LABEL_VERSION);
    assert_ok(offer(BOB, 1, "b1", &at)); /* both may wait */
    assert_err(offer(BOB, 3, "b3", &at), AUTH_LABEL_VERSION);
    assert_int_equal(epoch(), 1); /* one version of a label at a time */
    assert_ok(offer(BOB, 0, "b0", &at));
    assert_int_equal(at, 1);
    assert_ok(offer(BOB, 1, "b1", &at));
    assert_int_equal(at, 0);
    assert_int_equal(epoch(), 2);
    assert_ok(offer(BOB, 1, "b1", &at));
    assert_int_equal(at, 2);
    assert_err(offer(BOB, 0, "other", &at), AUTH_LABEL_VERSION);
    assert_err(offer(BOB, 1, "b0", &at), AUTH_LABEL_VERSION);
    assert_err(offer(BOB, 3, "b3", &at), AUTH_LABEL_VERSION); /* with nothing that waits, too */
    assert_ok(offer(BOB, 2, "b2", &at));
    assert_err(offer(bytes_of(NULL, 0), 0, "x", &at), ARGUMENT);
    assert_err(offer(BOB, UINT32_MAX, "x", &at), ARGUMENT);
}

/* Who keeps the newest checkpoint outside is told of each before anybody else; what he can't keep
 * is not signed for others. */
struct keeping {
    bool cant;
    unsigned kept;
    uint64_t size;
};

static struct err keep_note(void *self, struct bytes note)
{
    struct keeping *k = self;
    struct note_key key;
    struct checkpoint c;
    if (k->cant)
        return ERR(IO);
    assert_ok(kt_config_log_key(&kt.config, &key));
    assert_ok(checkpoint_open(note, &key, &c));
    k->kept++;
    k->size = c.size;
    return ERR_OK;
}

static struct err run_signed(struct store_txn *txn, void *arg)
{
    return kt_log_signed(txn, arg);
}

static void test_kept_outside(void **state)
{
    (void)state;
    struct keeping keeping = {.cant = false};
    uint64_t number = 0;
    bool is_signed = true;
    kt.keep = keep_note;
    kt.keep_self = &keeping;
    assert_ok(store_call(store, run_start, NULL));
    assert_int_equal(epoch(), 1);
    assert_int_equal(keeping.kept, 1);
    assert_int_equal(keeping.size, 2);
    keeping.cant = true;
    now_ms += EPOCH_MS;
    assert_ok(store_call(store, run_close, &number));
    assert_err(store_call(store, run_sign, NULL), IO);
    assert_ok(store_call(store, run_signed, &is_signed));
    assert_false(is_signed);
    keeping.cant = false;
    assert_ok(store_call(store, run_sign, NULL));
    assert_ok(store_call(store, run_signed, &is_signed));
    assert_true(is_signed);
    assert_int_equal(keeping.size, 3);
}

/* A label that is older than the log begins with the version it has; those before are empty. */
static void test_older_than_log(void **state)
{
    (void)state;
    struct kt_result result;
    uint64_t at = 0;
    assert_ok(store_call(store, run_start, NULL));
    assert_err(offer(BOB, KT_LOST_MOST + 1, "much", &at), AUTH_LABEL_VERSION);
    assert_ok(offer(BOB, 6, "b6", &at));
    assert_err(offer(BOB, 5, "b5", &at), AUTH_LABEL_VERSION); /* it has begun */
    assert_ok(offer(BOB, 7, "b7", &at));
    assert_ok(offer(CAROL, 0, "c0", &at));
    assert_err(offer(CAROL, 2, "c2", &at), AUTH_LABEL_VERSION);
    assert_int_equal(epoch(), 1);
    assert_ok(search(BOB, NULL, &result));
    assert_int_equal(result.known.version, 6);
    test_assert_bytes(result.value, bytes_str("b6"));
    assert_ok(search(CAROL, NULL, &result));
    assert_int_equal(epoch(), 2);
    assert_ok(search(BOB, NULL, &result));
    assert_int_equal(result.known.version, 7);
    assert_ok(offer(BOB, 6, "b6", &at));
    assert_int_equal(at, 1);
    assert_err(offer(BOB, 5, "b5", &at), AUTH_LABEL_VERSION);
    buf_clear(&answer);
}

/* The client's own checks are the judge: of every label after every epoch. */
static void test_life(void **state)
{
    (void)state;
    struct kt_result result, again;
    struct kt_view fresh = view;
    uint32_t bob = LADDER_NONE, carol = LADDER_NONE;
    uint64_t at;
    assert_ok(store_call(store, run_start, NULL));
    for (uint32_t i = 0; i < 40; i++) {
        if (i % 3 == 0)
            assert_ok(offer(BOB, ++bob, "a value of bob's", &at));
        if (i % 5 == 2)
            assert_ok(offer(CAROL, ++carol, "a value of carol's", &at));
        if (i % 7 == 6)
            next_window();
        else
            (void)epoch();
        view = fresh; /* from first contact each time */
        assert_ok(search(BOB, NULL, &result));
        assert_int_equal(result.known.version, bob);
        assert_ok(search(BOB, &result.known, &again));
        assert_int_equal(again.known.version, bob);
        assert_ok(search(CAROL, NULL, &result));
        assert_int_equal(result.known.exists, carol != LADDER_NONE);
        if (carol != LADDER_NONE)
            assert_int_equal(result.known.version, carol);
    }
    assert_int_equal(signatures, 40);
    buf_clear(&answer);
}

static void test_updates_and_monitoring(void **state)
{
    (void)state;
    struct kt_lookup lookups[64];
    struct kt_own own = {.label = BOB, .lookups = lookups};
    struct kt_dist from = {.index = 0};
    struct kt_result result, carol;
    uint64_t at;
    assert_ok(store_call(store, run_start, NULL));
    (void)epoch();
    for (uint32_t v = 0; v < 5; v++) {
        struct ask ask = {.update_label = BOB, .update_version = v};
        assert_err(store_call_read(store, run_ask, &ask), NOT_FOUND);
        assert_ok(offer(BOB, v, "bob's", &at));
        assert_err(store_call_read(store, run_ask, &ask), NOT_FOUND);
        (void)epoch();
        assert_ok(store_call_read(store, run_ask, &ask));
        struct kt_view scratch = view; /* of the configuration alone still */
        assert_ok(kt_verify_update(&scratch, &own, v, bytes_str("bob's"), now_ms,
                                   buf_view(&ask.answer), &result));
        for (size_t i = 0; i < result.known.count; i++) {
            size_t to = 0;
            while (to < own.count && lookups[to].version != result.known.lookups[i].version)
                to++;
            if (to == own.count || result.known.lookups[i].epoch != 0)
                lookups[to] = result.known.lookups[i];
            own.count += to == own.count;
        }
        buf_clear(&ask.answer);
        if (v % 2 == 1)
            next_window();
    }
    struct owner_request owner = {.last = 1, .label = BOB, .expected = LADDER_NONE};
    struct ask ask = {.owner = &owner};
    assert_ok(store_call_read(store, run_ask, &ask));
    assert_ok(kt_verify_owner(&view, &own, &from, buf_view(&ask.answer), &from));
    buf_clear(&ask.answer);
    assert_ok(offer(CAROL, 0, "carol's", &at));
    (void)epoch();
    assert_ok(search(CAROL, NULL, &carol));
    assert_true(carol.known.pending);
    next_window();
    struct contact_request contact = {.last = view.size, .item_count = 1};
    const struct kt_contact pending = {CAROL, &carol.known, carol.opening};
    contact.items[0] = (struct contact_item){CAROL, 0, carol.opening};
    ask = (struct ask){.contact = &contact};
    assert_ok(store_call_read(store, run_ask, &ask));
    assert_ok(kt_verify_contacts(&view, &pending, 1, buf_view(&ask.answer), &at));
    buf_clear(&ask.answer);
    buf_clear(&answer);
}

/* ---- one root per size */

struct newest {
    struct buf note;
    uint64_t size;
};

static struct err run_newest(struct store_txn *txn, void *arg)
{
    struct newest *n = arg;
    struct kt_log_at at;
    struct kt_source source = kt_log_source(&kt, txn, &at);
    return source.checkpoint(source.self, &n->note, &n->size);
}

static struct err run_outside(struct store_txn *txn, void *arg)
{
    const struct newest *n = arg;
    return kt_log_check_outside(&kt, txn, buf_view(&n->note));
}

/* Between the commit of an epoch and its signature: the answers stay at the size signed last, and
 * whenever it is signed at last, it is that root. */
static void test_not_signed_yet(void **state)
{
    (void)state;
    struct kt_result result;
    struct newest before = {.size = 0}, after = {.size = 0};
    uint64_t number, at;
    assert_ok(store_call(store, run_start, NULL));
    assert_ok(offer(BOB, 0, "b0", &at));
    (void)epoch();
    assert_ok(store_call_read(store, run_newest, &before));
    assert_ok(offer(BOB, 1, "b1", &at));
    now_ms += EPOCH_MS;
    assert_ok(store_call(store, run_close, &number));
    cant_sign = true;
    assert_err(store_call(store, run_sign, NULL), KEEPER_GONE);
    assert_ok(search(BOB, NULL, &result));
    assert_int_equal(result.known.version, 0);
    assert_int_equal(view.size, before.size);
    store_close(store); /* and the process dies */
    open_store();
    cant_sign = false;
    assert_ok(store_call(store, run_start, NULL));
    assert_ok(store_call(store, run_sign, NULL));
    assert_ok(store_call(store, run_sign, NULL));
    assert_int_equal(signatures, 2);
    assert_ok(store_call_read(store, run_newest, &after));
    assert_int_equal(after.size, before.size + 1);
    assert_ok(search(BOB, NULL, &result));
    assert_int_equal(result.known.version, 1);
    buf_clear(&before.note);
    buf_clear(&after.note);
    buf_clear(&answer);
}

/* A hand in the database, or a fault: another root of a size that was signed is never signed. */
static struct err run_forget_epoch(struct store_txn *txn, void *arg)
{
    (void)arg;
    struct stmt *s = stmt_use(txn, CHECKPOINT_PUT);
    stmt_bind_u64(s, 1, 3);
    stmt_bind_blob(s, 2, bytes_str("01234567890123456789012345678901"));
    stmt_bind_blob(s, 3, bytes_str("a note"));
    return stmt_run(s, NULL);
}

static void test_another_root_of_a_size(void **state)
{
    (void)state;
    uint64_t number;
    assert_ok(store_call(store, run_start, NULL));
    (void)epoch();
    assert_ok(store_call(store, run_forget_epoch, NULL));
    assert_ok(store_call(store, run_close, &number));
    assert_err(store_call(store, run_sign, NULL), TLOG_FORK);
    assert_int_equal(signatures, 1);
}

/* A restored backup: it is smaller than what the world has seen, and says so before it signs. */
static void test_restored_backup(void **state)
{
    (void)state;
    struct newest first = {.size = 0}, later = {.size = 0};
    char copy[128];
    uint64_t at;
    assert_ok(store_call(store, run_start, NULL));
    assert_ok(offer(BOB, 0, "b0", &at));
    (void)epoch();
    assert_ok(store_call_read(store, run_newest, &first));
    assert_ok(store_call_read(store, run_outside, &first));
    (void)snprintf(copy, sizeof copy, "%s-copy", dir.path);
    assert_ok(store_backup(store, copy));
    assert_ok(offer(BOB, 1, "b1", &at));
    (void)epoch();
    assert_ok(store_call_read(store, run_newest, &later));
    assert_ok(store_call_read(store, run_outside, &first));
    assert_ok(store_call_read(store, run_outside, &later));
    store_close(store);
    assert_ok(store_restore(copy, dir.path));
    open_store();
    assert_ok(store_call(store, run_start, NULL));
    assert_ok(store_call_read(store, run_outside, &first));
    assert_err(store_call_read(store, run_outside, &later), TLOG_SHRUNK);
    /* who goes on all the same has forked, and sees it in the same way */
    assert_ok(offer(CAROL, 0, "c0", &at));
    (void)epoch();
    assert_err(store_call_read(store, run_outside, &later), TLOG_FORK);
    buf_clear(&first.note);
    buf_clear(&later.note);
}

/* ---- cadence and time */

struct due {
    bool due;
    uint64_t now_ms;
};

static struct err run_due(struct store_txn *txn, void *arg)
{
    struct due *d = arg;
    return kt_log_due(&kt, txn, d->now_ms, 1000, 900000, &d->due);
}

static bool due_at(uint64_t ms)
{
    struct due d = {.now_ms = ms};
    assert_ok(store_call_read(store, run_due, &d));
    return d.due;
}

static void test_cadence(void **state)
{
    (void)state;
    uint64_t at;
    kt.config.window_ms = 21600000;
    now_ms = 83000 * kt.config.window_ms;
    assert_ok(store_call(store, run_start, NULL));
    assert_true(due_at(now_ms)); /* the first */
    (void)epoch();
    assert_false(due_at(now_ms));
    assert_false(due_at(now_ms + 899999));
    assert_true(due_at(now_ms + 900000)); /* heartbeat */
    assert_ok(offer(BOB, 0, "b0", &at));
    assert_false(due_at(now_ms + 999));
    assert_true(due_at(now_ms + 1000));
    (void)epoch();
    assert_false(due_at(now_ms - 5));
    now_ms = 83001 * kt.config.window_ms - 1 - EPOCH_MS;
    (void)epoch();
    assert_false(due_at(now_ms));
    assert_true(due_at(now_ms + 1)); /* a window begins */
}

/* The machine's clock jumps back: the log's does not. */
static void test_clock_goes_back(void **state)
{
    (void)state;
    struct kt_result result;
    assert_ok(store_call(store, run_start, NULL));
    (void)epoch();
    (void)epoch();
    uint64_t seen = now_ms;
    assert_ok(search(BOB, NULL, &result));
    now_ms -= 5 * EPOCH_MS;
    (void)epoch();
    assert_ok(search(BOB, NULL, &result));
    assert_int_equal(view.last_ms, seen);
    buf_clear(&answer);
}

/* ME3: no label, no value, no index of a version that could be matched with a leaf. */
static struct err run_dump(struct store_txn *txn, void *arg)
{
    struct buf *all = arg;
    struct kt_log_at at;
    struct kt_pair pair;
    struct kt_source source = kt_log_source(&kt, txn, &at);
    TRY(source.pair(source.self, BOB, 0, &pair));
    uint8_t id[AT_REST_ID_BYTES];
    at_rest_prf(kt.ids_key, BYTES_LIST(bytes_str("label"), BOB), id);
    struct stmt *s = stmt_use(txn, VERSION_GET);
    stmt_bind_blob(s, 1, bytes_of(id, sizeof id));
    stmt_bind_u64(s, 2, 0);
    bool row;
    TRY(stmt_step(s, &row));
    if (!row)
        return ERR(NOT_FOUND);
    buf_append(all, pair.index, INDEX_BYTES);
    buf_append_bytes(all, stmt_blob(s, 0));
    return buf_check(all);
}

static bool contains(struct bytes all, const void *what, size_t len)
{
    return memmem(all.data, all.len, what, len) != NULL;
}

static void test_rows_at_rest(void **state)
{
    (void)state;
    struct buf row = BUF_INIT;
    uint64_t at;
    assert_ok(store_call(store, run_start, NULL));
    assert_ok(offer(BOB, 0, "a value of bob's", &at));
    (void)epoch();
    assert_ok(store_call_read(store, run_dump, &row));
    struct bytes sealed = bytes_of(row.data + INDEX_BYTES, row.len - INDEX_BYTES);
    assert_true(sealed.len > 200);
    assert_false(contains(sealed, row.data, 8));
    assert_false(contains(sealed, "bob", 3));
    /* under another key there is nothing to read */
    struct kt_result result;
    kt.rows_key[0] ^= 1;
    assert_err(search(BOB, NULL, &result), TLOG_STORE);
    buf_clear(&row);
    buf_clear(&answer);
}

/* ---- erasing */

struct peek {
    struct bytes label;
    uint32_t version;
    struct kt_version row;
};

static struct err run_peek(struct store_txn *txn, void *arg)
{
    struct peek *p = arg;
    uint8_t id[AT_REST_ID_BYTES];
    kt_label_id(&kt, p->label, id);
    return kt_version_get(&kt, txn, id, p->version, &p->row);
}

/* Has it a value, and is its opening there? */
static bool is_open(struct bytes label, uint32_t version)
{
    static const uint8_t none[OPENING_BYTES];
    struct peek p = {.label = label, .version = version};
    assert_ok(store_call_read(store, run_peek, &p));
    bool value = p.row.value.len > 0, opening = memcmp(p.row.opening, none, OPENING_BYTES) != 0;
    buf_clear(&p.row.value);
    assert_int_equal(value, opening);
    return value;
}

static struct err run_erase(struct store_txn *txn, void *arg)
{
    return kt_log_erase(&kt, txn, now_ms, arg);
}

static bool erase(void)
{
    bool more = false;
    assert_ok(store_call(store, run_erase, &more));
    return more;
}

/* A KeySet of BOB's; with or without a client. */
static void put_set(uint32_t version, bool empty)
{
    static const uint8_t before[32] = {9};
    struct buf b = BUF_INIT;
    struct key_set set = {.label = BOB, .version = version, .created_ms = now_ms};
    const struct bytes id = bytes_str("client");
    const struct sig_key *const keys[] = {&log_key};
    if (version > 0)
        set.prev_commitment = bytes_of(before, sizeof before);
    if (!empty) {
        set.client_count = 1;
        set.clients[0] = (struct client_key){.client_id = id,
                                             .sig_scheme = 0x0807,
                                             .public_key = public_key_view(&log_key.public_key),
                                             .added_ms = now_ms,
                                             .flags = 1};
    }
    assert_ok(key_set_make(&b, &set, keys, &id, 1));
    struct offer_bytes o = {BOB, version, buf_view(&b)};
    assert_ok(store_call(store, run_offer_bytes, &o));
    (void)epoch();
    buf_clear(&b);
}

/* Who was deleted is forgotten after a time, but for the word that he was; the log and its proofs
 * are as before. Others are not touched, and neither is who goes on. */
static void test_erasing(void **state)
{
    (void)state;
    enum { VERSIONS = 70 }; /* more than one piece */
    struct kt_result result;
    uint64_t at;
    assert_ok(store_call(store, run_start, NULL));
    assert_ok(offer(CAROL, 0, "carol's", &at));
    for (uint32_t version = 0; version < VERSIONS; version++)
        put_set(version, false);
    now_ms += 2 * KT_ERASE_AFTER_MS;
    assert_false(erase()); /* nobody has ended */
    put_set(VERSIONS, true);
    assert_false(erase());
    now_ms += KT_ERASE_AFTER_MS - 3600000;
    assert_false(erase());
    assert_true(is_open(BOB, 0) && is_open(BOB, VERSIONS - 1));
    now_ms += 2 * 3600000;
    assert_true(erase());
    assert_false(is_open(BOB, 0) || is_open(BOB, 63));
    assert_true(is_open(BOB, 64));
    assert_true(erase());
    assert_false(erase());
    for (uint32_t version = 0; version < VERSIONS; version++)
        assert_false(is_open(BOB, version));
    assert_true(is_open(BOB, VERSIONS) && is_open(CAROL, 0));
    (void)epoch();
    assert_ok(search(BOB, NULL, &result));
    assert_int_equal(result.known.version, VERSIONS);
    assert_true(result.value.len > 0);
    assert_ok(search(CAROL, NULL, &result));
    /* a name that is given again, and given up again */
    put_set(VERSIONS + 1, false);
    put_set(VERSIONS + 2, true);
    now_ms += KT_ERASE_AFTER_MS + 2 * 3600000;
    while (erase())
        ;
    assert_false(is_open(BOB, VERSIONS) || is_open(BOB, VERSIONS + 1));
    assert_true(is_open(BOB, VERSIONS + 2));
    buf_clear(&answer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_start),
        TEST(test_offers),
        TEST(test_kept_outside),
        TEST(test_older_than_log),
        TEST(test_life),
        TEST(test_updates_and_monitoring),
        TEST(test_not_signed_yet),
        TEST(test_another_root_of_a_size),
        TEST(test_restored_backup),
        TEST(test_cadence),
        TEST(test_clock_goes_back),
        TEST(test_rows_at_rest),
        TEST(test_erasing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
