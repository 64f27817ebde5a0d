#include "server/attachment/attachment.h"

#include <stdlib.h>

#include "seal/pad.h"
#include "server/attachment/inside.h"
#include "wire/writer.h"

enum { DAY_MS = 24 * 3600 * 1000 };

/* ---- ids, capabilities, keys */

uint32_t attachment_today(const struct attachment *a)
{
    return (uint32_t)(clock_unix_ms(a->env->clock) / DAY_MS);
}

bool attachment_size_fits(uint64_t bytes)
{
    if (bytes < ATTACHMENT_LEAST_BYTES || bytes > SIZE_MAX / 2)
        return false;
    return pad_padme_bytes((size_t)bytes - PAD_HEAD_BYTES, ATTACHMENT_LEAST_BYTES) == bytes;
}

void attachment_row_id(const struct attachment *a, const uint8_t id[ATTACHMENT_ID_BYTES],
                       uint8_t ret_row_id[AT_REST_ID_BYTES])
{
    at_rest_prf(a->ids_key, BYTES_LIST(bytes_str("attachment"), bytes_of(id, ATTACHMENT_ID_BYTES)),
                ret_row_id);
}

/* A plain hash: a capability has 256 bits. */
void attachment_hash(struct bytes what, const uint8_t id[ATTACHMENT_ID_BYTES],
                     const uint8_t capability[ATTACHMENT_CAPABILITY_BYTES],
                     uint8_t ret_hash[ROWS_HASH_BYTES])
{
    struct digest digest;
    hash_list(&hash_sha256,
              BYTES_LIST(bytes_str("Hearth 1 attachment "), what, bytes_of(id, ATTACHMENT_ID_BYTES),
                         bytes_of(capability, ATTACHMENT_CAPABILITY_BYTES)),
              &digest);
    memcpy(ret_hash, digest.data, ROWS_HASH_BYTES);
}

void attachment_block_key(const struct attachment *a, const uint8_t id[ATTACHMENT_ID_BYTES],
                          const uint8_t capability[ATTACHMENT_CAPABILITY_BYTES],
                          uint8_t ret_key[AT_REST_KEY_BYTES])
{
    struct digest digest;
    hmac_once(&hash_sha256, bytes_of(a->rows_key, sizeof a->rows_key),
              BYTES_LIST(bytes_str("Hearth 1 attachment blocks"), bytes_of(id, ATTACHMENT_ID_BYTES),
                         bytes_of(capability, ATTACHMENT_CAPABILITY_BYTES)),
              &digest);
    memcpy(ret_key, digest.data, AT_REST_KEY_BYTES);
    bytes_wipe(&digest, sizeof digest);
}

static void draw(const struct attachment *a, const char *what, const uint8_t *once_id, uint8_t *out,
                 size_t len)
{
    struct digest digest;
    hmac_once(&hash_sha256, bytes_of(a->rows_key, sizeof a->rows_key),
              BYTES_LIST(bytes_str("Hearth 1 attachment draw"), bytes_of(once_id, ONCE_ID_BYTES),
                         bytes_str(what)),
              &digest);
    memcpy(out, digest.data, len);
    bytes_wipe(&digest, sizeof digest);
}

void attachment_draw(const struct attachment *a, const uint8_t once_id[ONCE_ID_BYTES],
                     uint8_t ret_id[ATTACHMENT_ID_BYTES],
                     uint8_t ret_download[ATTACHMENT_CAPABILITY_BYTES],
                     uint8_t ret_remove[ATTACHMENT_CAPABILITY_BYTES])
{
    draw(a, "id", once_id, ret_id, ATTACHMENT_ID_BYTES);
    draw(a, "download", once_id, ret_download, ATTACHMENT_CAPABILITY_BYTES);
    draw(a, "delete", once_id, ret_remove, ATTACHMENT_CAPABILITY_BYTES);
}

struct bytes attachment_block_aad(const uint8_t row_id[AT_REST_ID_BYTES], uint64_t bytes_in_all,
                                  uint64_t place, uint8_t room[BLOCK_AAD_BYTES])
{
    struct buf b = {.data = room, .cap = BLOCK_AAD_BYTES, .limit = BLOCK_AAD_BYTES};
    buf_append_bytes(&b, bytes_str("attachment block"));
    buf_append(&b, row_id, AT_REST_ID_BYTES);
    wire_write_u64(&b, bytes_in_all);
    wire_write_u64(&b, place);
    return buf_view(&b);
}

struct err attachment_begin(struct attachment *a, struct slots *slots, enum limit limit,
                            struct hearth_call *call, unsigned *ret_bin)
{
    uint8_t prf[AT_REST_ID_BYTES];
    at_rest_prf(a->ids_key, BYTES_LIST(bytes_str("source"), front_caller(call)->source), prf);
    unsigned bin = (prf[0] | (unsigned)prf[1] << 8) % SLOTS_BINS;
    uint64_t most = limit_value(front_limits(a->env->front), limit);
    TRY(slots_take(slots, (unsigned)most, a->control, bin));
    atomic_fetch_add(&a->refs, 1);
    *ret_bin = bin;
    return ERR_OK;
}

void attachment_end(struct attachment *a, struct slots *slots, unsigned bin)
{
    slots_give(slots, bin);
    attachment_unref(a);
}

/* ---- removing what is doomed */

static struct err run_sweep(struct store_txn *txn, void *arg)
{
    struct attachment *a = arg;
    return rows_sweep(txn, &a->sweep_more);
}

static void submit_sweep(struct attachment *a);

/* On the store's thread, like every sweep: one at a time. */
static void sweep_done(void *arg, struct err result)
{
    struct attachment *a = arg;
    if (err_is_ok(result) && a->sweep_more) {
        submit_sweep(a);
        return;
    }
    /* after a failure the next one who asks, or attachment_expire(), goes on */
    if (!err_is_ok(result)) {
        atomic_store(&a->sweeps_wanted, 0);
        return;
    }
    /* who asked meanwhile may have doomed something after this one looked */
    unsigned seen = a->sweeps_seen;
    if (atomic_fetch_sub(&a->sweeps_wanted, seen) != seen)
        submit_sweep(a);
}

static void submit_sweep(struct attachment *a)
{
    a->sweeps_seen = atomic_load(&a->sweeps_wanted);
    const struct store_work work = {
        .cost = ROWS_SWEEP_BLOCKS,
        .frees = true,
        .run = run_sweep,
        .done = sweep_done,
        .arg = a,
    };
    if (!err_is_ok(store_submit(a->store, NULL, &work)))
        atomic_store(&a->sweeps_wanted, 0);
}

void attachment_sweep(struct attachment *a)
{
    if (!a->control && atomic_fetch_add(&a->sweeps_wanted, 1) == 0)
        submit_sweep(a);
}

/* ---- paying */

void attachment_charge(struct attachment *a, struct hearth_call *call, const uint8_t *row_id,
                       struct charge *ret_charge)
{
    uint8_t account[AT_REST_ID_BYTES];
    charge_begin(a->env->front, call, PASS_ATTACHMENT, ret_charge);
    at_rest_prf(a->ids_key, BYTES_LIST(bytes_str("credits"), bytes_of(row_id, AT_REST_ID_BYTES)),
                account);
    charge_account(ret_charge, account, true);
    charge_allowance(ret_charge);
}

static void ref(void *service)
{
    atomic_fetch_add(&((struct attachment *)service)->refs, 1);
}

static void unref(void *service)
{
    attachment_unref(service);
}

static struct err submit(void *service, bool write, struct inbox *inbox,
                         const struct store_work *work)
{
    struct attachment *a = service;
    if (a->closed)
        return ERR(STORE_STOPPED);
    return write ? store_submit(a->store, inbox, work) : store_read(a->store, inbox, work);
}

struct charge_till attachment_till(struct attachment *a)
{
    return (struct charge_till){attachment_purse(a), a, ref, unref, submit};
}

/* ---- expiry */

struct expiry {
    struct attachment *a;
    uint32_t today;
    bool more;
};

static struct err run_expire(struct store_txn *txn, void *arg)
{
    struct expiry *e = arg;
    bool more_rows, more_blocks;
    TRY(rows_expire(txn, e->today, &more_rows));
    TRY(rows_sweep(txn, &more_blocks));
    const struct purse purse = attachment_purse(e->a);
    bool more = false;
    TRY(purse_expire(txn, &purse, front_limits(e->a->env->front),
                     (uint64_t)e->today * DAY_MS / 1000, ROWS_EXPIRE_MOST, &more));
    e->more = more_rows || more_blocks || more;
    return ERR_OK;
}

bool attachment_expire(struct attachment *a)
{
    struct expiry e = {.a = a, .today = attachment_today(a)};
    /* what goes wrong now is tried again by the next run */
    return !a->control && err_is_ok(store_call(a->store, run_expire, &e)) && e.more;
}

/* ---- life */

static struct err abandon_open(struct store_txn *txn, void *arg)
{
    (void)arg;
    return rows_abandon_open(txn);
}

void attachment_unref(struct attachment *a)
{
    if (atomic_fetch_sub(&a->refs, 1) != 1)
        return;
    bytes_wipe(a->rows_key, sizeof a->rows_key);
    bytes_wipe(a->ids_key, sizeof a->ids_key);
    free(a);
}

struct err attachment_open(struct front_env *env, const struct attachment_options *options,
                           struct attachment **ret_attachment)
{
    struct attachment *a = calloc(1, sizeof *a);
    if (a == NULL)
        return ERR(NO_MEMORY);
    a->env = env;
    a->control = options->control;
    atomic_init(&a->refs, 1);
    struct store_options store = options->store;
    store.schema = &attachment_schema;
    struct err err = keeper_storage_key(env->keeper, KEEPER_ATTACHMENT_ROWS, a->rows_key);
    if (err_is_ok(err))
        err = keeper_storage_key(env->keeper, KEEPER_ATTACHMENT_IDS, a->ids_key);
    purse_key(a->ids_key, a->spent_key);
    if (err_is_ok(err))
        err = store_open(&store, NULL, &a->store);
    if (err_is_ok(err) && !a->control)
        err = store_call(a->store, abandon_open, NULL);
    if (!err_is_ok(err)) {
        if (a->store != NULL)
            store_close(a->store);
        attachment_unref(a);
        return err;
    }
    attachment_sweep(a);
    *ret_attachment = a;
    return ERR_OK;
}

struct err attachment_add(struct attachment *a, struct hearth_server *server)
{
    static const struct hearth_attachment_service service = {
        .upload = attachment_upload,
        .download = attachment_download,
        .delete_ = attachment_delete,
    };
    return hearth_server_add_attachment(server, &service, a) ? ERR_OK : ERR(NO_MEMORY);
}

void attachment_close(struct attachment *a)
{
    if (a == NULL)
        return;
    store_close(a->store);
    a->store = NULL;
    a->closed = true;
    attachment_unref(a);
}

struct store *attachment_store(struct attachment *a)
{
    return a->store;
}
