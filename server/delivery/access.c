#include "server/delivery/access.h"

#include "seal/at_rest.h"
#include "server/delivery/notices.h"
#include "server/delivery/pauses.h"

void delivery_pseudonym_id(const struct delivery *d, struct bytes group_id, struct bytes pseudonym,
                           uint8_t ret_id[ROW_ID_BYTES])
{
    at_rest_prf(d->ids_key, BYTES_LIST(bytes_str("pseudonym"), group_id, pseudonym), ret_id);
}

bool access_is_silent(const struct delivery *d, const struct leaf_entry *leaf, uint64_t now_s)
{
    uint64_t months = delivery_limit(d, LIMIT_MEMBER_IDLE_DAYS) / MONTH_DAYS;
    return leaf->month + months + 1 < month_of(now_s);
}

struct err access_use_key(struct request *r, struct bytes key)
{
    if (r->verified)
        return bytes_equal(public_key_view(&r->key), key) ? ERR_OK : ERR(FRONT_UNAUTHENTICATED);
    if (key.len > sizeof r->key.data)
        return ERR(DELIVERY_STATE);
    memcpy(r->key.data, key.data, key.len);
    r->key.len = key.len;
    return ERR_OK;
}

/* Is there something the server has to propose, or to tell? */
static bool needs_upkeep(const struct request *r)
{
    for (uint32_t i = 0; i < r->state.leaf_count; i++) {
        const struct leaf_entry *leaf = &r->state.leaves[i];
        if (leaf_has_loss(leaf, r->now_s))
            return true;
        if ((leaf->flags & LEAF_REMOVE_PENDING) == 0 && r->state.leaf_count > 1 &&
            ((leaf->flags & LEAF_QUEUE_GONE) != 0 || access_is_silent(r->d, leaf, r->now_s)))
            return true;
    }
    return false;
}

static struct err find_leaf(struct request *r)
{
    struct bytes pseudonym = bytes_of(NULL, 0);
    r->leaf = NULL;
    if (r->row->caller == REQUEST_MEMBER) {
        r->leaf = group_state_leaf(&r->state, r->leaf_index);
        if (r->leaf == NULL)
            return ERR(NOT_FOUND);
        r->alg = r->state.suite->sig;
        pseudonym = r->leaf->pseudonym;
        TRY(access_use_key(r, r->leaf->signature_key));
    }
    delivery_pseudonym_id(r->d, r->group_id, pseudonym, r->pseudonym_id);
    return ERR_OK;
}

struct err request_open(struct request *r, struct store_txn *txn)
{
    struct buf plain = BUF_INIT;
    struct notice notices[NOTICES_AT_ONCE];
    size_t notice_count = 0;
    struct err err = group_store_load(txn, r->d, r->group_id, r->state_key, &plain, &r->version);
    if (!err_is_ok(err)) {
        buf_clear(&plain);
        return err;
    }
    TRY(group_state_parse(&plain, &r->state));
    TRY(find_leaf(r));
    TRY(notices_list(txn, r->d, r->group_id, notices, &notice_count));
    r->upkeep = notice_count > 0 || needs_upkeep(r);
    return pause_find(txn, r->pseudonym_id, &r->paused_until_hour);
}

struct err request_take(struct request *r, enum limit limit, struct bytes principal, uint32_t cost)
{
    return limit_take(front_limits(r->d->env.front), limit, principal, cost, &r->retry_after_s);
}

struct err request_take_leaf(struct request *r, enum limit limit, uint32_t cost)
{
    return request_take(r, limit, bytes_of(r->pseudonym_id, sizeof r->pseudonym_id), cost);
}

/* A leaf may take another pseudonym with any commit, and a member may add clients of its own: if
 * each began with all its credits, there would be no limit to what one member may do. */
void access_bequeath(struct request *r)
{
    static const enum limit of_leaf[] = {
        LIMIT_COMMITS_LEAF,  LIMIT_COMMITS_REPORTED, LIMIT_INVALID_COMMITS,
        LIMIT_LEAF_UPDATES,  LIMIT_RESYNC_LEAF,      LIMIT_SEND_LEAF,
        LIMIT_SEND_LEAF_KIB, LIMIT_WELCOMES,         LIMIT_CREDITS_FREE,
    };
    struct limits *limits = front_limits(r->d->env.front);
    for (size_t n = 0; n < r->heir_count; n++) {
        for (size_t i = 0; i < sizeof of_leaf / sizeof *of_leaf; i++)
            limit_inherit(limits, of_leaf[i], bytes_of(r->pseudonym_id, sizeof r->pseudonym_id),
                          bytes_of(r->heirs[n], sizeof r->heirs[n]));
    }
}

struct err request_take_group(struct request *r, enum limit limit, uint32_t cost)
{
    uint8_t id[ROW_ID_BYTES];
    delivery_pseudonym_id(r->d, r->group_id, bytes_of(NULL, 0), id);
    return request_take(r, limit, bytes_of(id, sizeof id), cost);
}

struct err request_take_origin(struct request *r)
{
    if (r->leaf == NULL || bytes_equal(r->leaf->domain, bytes_str(r->d->env.domain)))
        return ERR_OK;
    return request_take(r, LIMIT_SEND_ORIGIN, r->leaf->domain, 1);
}

struct err request_take_bytes(struct request *r, size_t len)
{
    return request_take_leaf(r, LIMIT_SEND_LEAF_KIB, (uint32_t)(len / 1024 + 1));
}

uint32_t request_fan_out_rows(const struct request *r, size_t len)
{
    size_t parts = fan_out_parts(len);
    return r->state.leaf_count * (uint32_t)(parts > 0 ? parts : 1);
}

struct err request_take_fan_out(struct request *r, size_t len)
{
    return request_take_group(r, LIMIT_FAN_OUT_GROUP, request_fan_out_rows(r, len));
}

struct fanout_from request_from(const struct request *r)
{
    return (struct fanout_from){r->d, r->group_id, r->state_key, r->now_s};
}

struct err request_seal_state(struct request *r)
{
    return group_seal(r->d, r->group_id, r->rotated ? r->new_state_key : r->state_key,
                      r->version + 1, &r->state, &r->sealed);
}
