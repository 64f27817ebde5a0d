#include "planted/planted.h"
#include "server/delivery/group_store.h"
#include "server/delivery/notices.h"
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
