#include "planted/planted.h"
#include "planted/third.h"
#include "server/delivery/commit_check.h"
#include "server/delivery/fanout.h"
#include "server/delivery/group_store.h"
#include "server/delivery/notices.h"
#include "server/delivery/rpcs.h"
#include "server/federation/inside.h"
#include "server/front/once.h"

__typeof__(delivery_refused) __real_delivery_refused, __wrap_delivery_refused;
struct err __wrap_delivery_refused(struct store_txn *txn, void *self, const uint8_t notice[16],
                                   enum queue_outcome why)
{
    return plant_is(PLANT_NOTICES_LOST) ? ERR_OK : __real_delivery_refused(txn, self, notice, why);
}

__typeof__(group_store_expect) __real_group_store_expect, __wrap_group_store_expect;
struct err __wrap_group_store_expect(struct store_txn *txn, const struct delivery *d,
                                     struct bytes group_id, uint64_t version)
{
    struct err err = __real_group_store_expect(txn, d, group_id, version);
    if (!plant_is(PLANT_STALE_MESSAGE) || err.code != ERR_DELIVERY_CHANGED)
        return err;
    plant_strikes();
    return ERR_OK;
}

__typeof__(once_find) __real_once_find, __wrap_once_find;
struct err __wrap_once_find(struct store_txn *txn, const struct once *once, struct buf *ret_answer,
                            bool *ret_found)
{
    struct buf forgotten = BUF_INIT;
    bool forget = plant_is(PLANT_REPEAT_IS_NEW);
    struct err err = __real_once_find(txn, once, forget ? &forgotten : ret_answer, ret_found);
    buf_clear(&forgotten);
    if (forget && err_is_ok(err) && *ret_found) {
        plant_strikes();
        *ret_found = false;
    }
    return err;
}

__typeof__(once_keep) __real_once_keep, __wrap_once_keep;
struct err __wrap_once_keep(struct store_txn *txn, const struct once *once, const struct rng *rng,
                            struct bytes answer, uint64_t now_s)
{
    return plant_is(PLANT_REPEAT_IS_NEW) ? ERR_OK : __real_once_keep(txn, once, rng, answer, now_s);
}

__typeof__(peer_want_keys) __real_peer_want_keys, __wrap_peer_want_keys;
void __wrap_peer_want_keys(struct peer *peer)
{
    if (!plant_is(PLANT_OLD_KEY) || peer->key.len == 0)
        __real_peer_want_keys(peer);
}

/* ---- the second set */

/* Requests whose last attempt was a resync's, by what they are going to write. */
enum { RESYNCS = 64 };
static const struct request *resyncs[RESYNCS];
static size_t resync_next;

__typeof__(commit_run) __real_commit_run, __wrap_commit_run;
struct err __wrap_commit_run(struct request *r, const struct commit_in *in)
{
    for (size_t i = 0; i < RESYNCS; i++)
        if (resyncs[i] == r)
            resyncs[i] = NULL; /* of before, at the same address */
    if (in->kind == COMMIT_RESYNC)
        resyncs[resync_next++ % RESYNCS] = r;
    return __real_commit_run(r, in);
}

static bool is_resync(const struct sealed_group *sealed, struct bytes group_id)
{
    for (size_t i = 0; i < RESYNCS; i++)
        if (resyncs[i] != NULL && &resyncs[i]->sealed == sealed)
            return resyncs[i]->row == &resync_row && bytes_equal(resyncs[i]->group_id, group_id);
    return false;
}

__typeof__(group_store_replace) __real_group_store_replace, __wrap_group_store_replace;
struct err __wrap_group_store_replace(struct store_txn *txn, const struct delivery *d,
                                      struct bytes group_id, uint64_t version,
                                      const struct sealed_group *sealed, uint64_t now_s)
{
    struct err err = __real_group_store_replace(txn, d, group_id, version, sealed, now_s);
    if (!plant_is(PLANT_RESYNC_UNVERSIONED) || err.code != ERR_DELIVERY_CHANGED ||
        !is_resync(sealed, group_id))
        return err;
    struct delivery *forced = (struct delivery *)(uintptr_t)d;
    uint32_t control = d->control;
    plant_strikes();
    forced->control |= DELIVERY_NO_VERSION;
    err = __real_group_store_replace(txn, d, group_id, version, sealed, now_s);
    forced->control = control;
    return err;
}

/* Rows of a further part are copies of those of the first. */
static bool is_further_part(const struct fanout *f, size_t i)
{
    const struct fanout_payload *p = &f->payloads[i];
    return i > 0 && p->count > 0 && p->count == p[-1].count &&
           f->rows[p->first].sealed_ref.data == f->rows[p[-1].first].sealed_ref.data;
}

__typeof__(fanout_write) __real_fanout_write, __wrap_fanout_write;
struct err __wrap_fanout_write(struct store_txn *txn, const struct outbox *outbox,
                               const struct fanout *f)
{
    for (size_t i = f->payload_count; plant_is(PLANT_PART_MISSES_LAST) && i-- > 0;)
        if (is_further_part(f, i)) {
            f->payloads[i].count--;
            plant_strikes();
        }
    return __real_fanout_write(txn, outbox, f);
}

static struct front_key_source real_source;

static void find_marked(void *self, struct front_pending *pending, enum request_caller kind,
                        struct bytes id)
{
    third_finding(true);
    real_source.find(self, pending, kind, id);
    third_finding(false);
}

static void find_known(void *self, struct front_pending *pending, enum request_caller kind,
                       struct bytes id)
{
    struct federation *f = self;
    federation_lock(f);
    const struct peer *peer = peer_find(f, id);
    bool known = peer != NULL && peer->known && peer_has_key(peer) && peer_banned_s(peer) == 0;
    bool blocked = known && !policy_admits(f->policy, id);
    struct public_key key = known ? peer->key : (struct public_key){0};
    federation_unlock(f);
    if (!blocked) {
        real_source.find(self, pending, kind, id);
        return;
    }
    plant_strikes();
    front_key(pending, &sig_ed25519, public_key_view(&key));
}

__typeof__(known_source) __real_known_source, __wrap_known_source;
struct front_key_source __wrap_known_source(struct federation *f)
{
    struct front_key_source source = __real_known_source(f);
    real_source = source;
    if (plant_is(PLANT_BLOCKED_IS_KNOWN))
        source.find = find_known;
    if (plant_is(PLANT_BAN_OF_STRANGERS))
        source.find = find_marked;
    return source;
}
