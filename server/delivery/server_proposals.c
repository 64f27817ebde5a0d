#include "server/delivery/server_proposals.h"

#include <stdlib.h>

#include "mls/codec/message.h"
#include "server/delivery/access.h"
#include "server/delivery/notices.h"

/* Proposals of one run; the next request goes on. */
enum { UPKEEP_PROPOSALS = 16 };

/* Groups are founded rarely and proposals made rarely: the keeper is asked each time, so that
 * nothing need be told of its rotations. */
struct err server_sender_find(const struct delivery *d, const struct suite *suite,
                              const struct extensions *extensions, uint32_t *ret_index,
                              struct public_key *ret_key)
{
    struct bytes data;
    struct external_sender sender;
    struct keeper_external keys[KEEPER_EXTERNAL_KEYS];
    size_t count = 0;
    if (!extensions_find(extensions, EXTENSION_EXTERNAL_SENDERS, &data))
        return ERR(NOT_FOUND);
    TRY(keeper_external_keys(d->env.keeper, keys, &count));
    for (uint32_t i = 0; err_is_ok(external_senders_at(data, i, &sender)); i++) {
        for (size_t k = 0; k < count; k++) {
            if (keys[k].scheme != suite->sig->scheme ||
                !bytes_equal(sender.signature_key, public_key_view(&keys[k].key)))
                continue;
            *ret_index = i;
            *ret_key = keys[k].key;
            return ERR_OK;
        }
    }
    return ERR(NOT_FOUND);
}

/* Signs and stores what content says; appends the MLSMessage. */
static struct err propose(const struct delivery *d, struct public_group *group,
                          struct framed_content *content, const struct public_key *key,
                          const struct mls_policy *policy, struct buf *tbs, struct buf *message)
{
    struct signature signature;
    framed_content_write_tbs(tbs, WIRE_FORMAT_PUBLIC_MESSAGE, content, bytes_of(NULL, 0));
    TRY(buf_check(tbs));
    TRY(keeper_sign_external(d->env.keeper, public_key_view(key), bytes_str("FramedContentTBS"),
                             buf_view(tbs), &signature));
    struct mls_message m = {
        .wire_format = WIRE_FORMAT_PUBLIC_MESSAGE,
        .public_message = {.content = {.wire_format = WIRE_FORMAT_PUBLIC_MESSAGE,
                                       .content = *content,
                                       .auth = {.signature = signature_view(&signature)}}},
    };
    mls_message_write(message, &m);
    TRY(buf_check(message));
    /* through the same door as everybody's proposals */
    struct staged_commit *staged = NULL;
    return public_group_process(group, buf_view(message), policy, &staged);
}

struct err server_proposal_remove(const struct delivery *d, struct public_group *group,
                                  uint32_t leaf, const struct mls_policy *policy,
                                  struct buf *message)
{
    struct framed_content content = {
        .group_id = group->context.group_id,
        .epoch = group->context.epoch,
        .sender = {.type = SENDER_EXTERNAL},
        .type = CONTENT_PROPOSAL,
        .proposal = {.type = PROPOSAL_REMOVE, .remove = leaf},
    };
    struct public_key key;
    TRY(server_sender_find(d, group->suite, &group->context.extensions, &content.sender.index,
                           &key));
    struct buf tbs = BUF_INIT;
    struct err err = propose(d, group, &content, &key, policy, &tbs, message);
    buf_clear(&tbs);
    return err;
}

/* ---- the job */

struct upkeep {
    struct delivery *d;
    struct inbox *inbox;
    uint64_t principal;
    struct buf group_id;
    uint8_t state_key[STATE_KEY_BYTES];
    uint64_t version;
    uint64_t now_s;
    struct group_state state;
    struct public_group group;
    struct buf saved; /* public_group_save */
    struct notice notices[NOTICES_AT_ONCE];
    size_t notice_count;
    struct rested *rested; /* owned; taken into the state */
    size_t rested_count;
    struct fanout fanout;
    struct sealed_group sealed;
    bool changed; /* the state, beside the notices */
};

static void upkeep_free(struct upkeep *u)
{
    fanout_clear(&u->fanout);
    free(u->rested);
    sealed_group_clear(&u->sealed);
    public_group_clear(&u->group);
    group_state_clear(&u->state);
    buf_clear(&u->saved);
    buf_clear(&u->group_id);
    bytes_wipe(u->state_key, sizeof u->state_key);
    delivery_unref(u->d);
    free(u);
}

static struct err write_all(struct upkeep *u, struct store_txn *txn)
{
    struct outbox outbox = delivery_outbox(u->d);
    struct bytes group_id = buf_view(&u->group_id);
    if (u->changed)
        TRY(group_store_replace(txn, u->d, group_id, u->version, &u->sealed, u->now_s));
    else
        TRY(group_store_expect(txn, u->d, group_id, u->version));
    for (size_t i = 0; i < u->notice_count; i++)
        TRY(notice_drop(txn, u->d, group_id, &u->notices[i]));
    for (size_t i = 0; i < u->rested_count; i++)
        TRY(rested_take(txn, u->d, group_id, &u->rested[i]));
    return fanout_write(txn, &outbox, &u->fanout);
}

static struct err run_write(struct store_txn *txn, void *arg)
{
    return write_all(arg, txn);
}

static void written(void *arg, struct err result)
{
    struct upkeep *u = arg;
    if (err_is_ok(result) && !atomic_load(&u->d->closed) && u->d->wake != NULL &&
        u->fanout.row_count > 0)
        u->d->wake(u->d->wake_self);
    upkeep_free(u);
}

static struct fanout_from from_of(const struct upkeep *u)
{
    return (struct fanout_from){u->d, buf_view(&u->group_id), u->state_key, u->now_s};
}

static struct err remove_leaf(struct upkeep *u, struct leaf_entry *leaf,
                              const struct mls_policy *policy)
{
    struct buf message = BUF_INIT;
    struct buf body = BUF_INIT;
    struct fanout_from from = from_of(u);
    enum delivery_reason reason =
        (leaf->flags & LEAF_QUEUE_GONE) != 0 ? DELIVERY_REASON_GONE : DELIVERY_REASON_INACTIVE;
    struct err err = server_proposal_remove(u->d, &u->group, leaf->index, policy, &message);
    if (err_is_ok(err)) {
        delivery_proposal_write(&body, reason, buf_view(&message));
        err = buf_check(&body);
    }
    if (err_is_ok(err))
        err = fanout_all(&u->fanout, &from, DELIVERY_PROPOSAL, buf_view(&body), u->state.leaves,
                         u->state.leaf_count, FANOUT_NOBODY, (struct fanout_how){.control = true});
    if (err_is_ok(err)) {
        leaf->flags |= LEAF_REMOVE_PENDING;
        u->changed = true;
    }
    buf_clear(&message);
    buf_clear(&body);
    return err;
}

static struct err send_loss(struct upkeep *u, const struct leaf_entry *leaf)
{
    struct buf body = BUF_INIT;
    struct fanout_from from = from_of(u);
    delivery_loss_write(&body, leaf->lost);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = fanout_one(&u->fanout, &from, DELIVERY_LOSS, buf_view(&body), leaf,
                         (struct fanout_how){.control = true, .loss = true});
    buf_clear(&body);
    return err;
}

/* What became of the word that it has lost something: who refuses that refuses all, so what follows
 * would go there for nothing, and each refusal be told anew. It rests, from the telling on: when
 * nobody has spoken for long, the refusal is old as well, and the queue may be open again. */
static void take_loss_notice(struct upkeep *u, struct leaf_entry *leaf, const struct notice *n)
{
    u->changed = true;
    if (n->why == QUEUE_GONE)
        leaf->flags |= LEAF_QUEUE_GONE;
    leaf->flags &= (uint8_t)~LEAF_LOSS_TOLD; /* it was not */
    if (n->why == QUEUE_REFUSED)
        leaf->refusals += leaf->refusals < UINT8_MAX;
    if (leaf->lost == 0) /* taken for told, for it took so long */
        leaf->lost = 1;
}

/* Never silently: told at once, unless it rests. */
static void take_notice(struct upkeep *u, struct leaf_entry *leaf, const struct notice *n)
{
    u->changed = true;
    if (n->why == QUEUE_GONE) {
        leaf->flags |= LEAF_QUEUE_GONE;
        return;
    }
    if ((leaf->flags & LEAF_LOSS_TOLD) != 0)
        leaf->lost = 0; /* of those it was told */
    leaf->flags &= (uint8_t)~LEAF_LOSS_TOLD;
    leaf_add_lost(leaf, n->count);
}

/* Once a leaf in a run: who begins to rest is not told. */
static struct err take_rested(struct upkeep *u, struct store_txn *txn, uint32_t leaf,
                              uint64_t *ret_count)
{
    struct rested rested = {.leaf = leaf};
    if (u->rested == NULL)
        u->rested = calloc(u->state.leaf_count, sizeof *u->rested);
    if (u->rested == NULL)
        return ERR(NO_MEMORY);
    TRY(rested_count(txn, u->d, buf_view(&u->group_id), leaf, &rested.count));
    u->rested[u->rested_count++] = rested;
    *ret_count = rested.count;
    return ERR_OK;
}

/* The count of who begins to rest begins at 0, whoever had the index before. */
static struct err begin_rests(struct upkeep *u, struct store_txn *txn)
{
    for (uint32_t i = 0; i < u->state.leaf_count; i++) {
        struct leaf_entry *leaf = &u->state.leaves[i];
        uint64_t of_another = 0;
        if ((leaf->flags & LEAF_RESTED) != 0 || !leaf_rests(leaf, u->now_s))
            continue;
        TRY(take_rested(u, txn, leaf->index, &of_another));
        leaf->flags |= LEAF_RESTED;
        u->changed = true;
    }
    return ERR_OK;
}

static void read_notices(struct upkeep *u)
{
    uint8_t tag[NOTICE_TAG_BYTES], loss[NOTICE_TAG_BYTES];
    for (uint32_t i = 0; i < u->state.leaf_count && u->notice_count > 0; i++) {
        struct leaf_entry *leaf = &u->state.leaves[i];
        notice_leaf_tag(u->d, buf_view(&u->group_id), leaf, tag);
        notice_loss_tag(u->d, buf_view(&u->group_id), leaf, loss);
        for (size_t k = 0; k < u->notice_count; k++)
            if (memcmp(u->notices[k].leaf_tag, loss, NOTICE_TAG_BYTES) == 0)
                take_loss_notice(u, leaf, &u->notices[k]);
        for (size_t k = 0; k < u->notice_count; k++)
            if (memcmp(u->notices[k].leaf_tag, tag, NOTICE_TAG_BYTES) == 0)
                take_notice(u, leaf, &u->notices[k]);
    }
}

static struct err tell_losses(struct upkeep *u, struct store_txn *txn)
{
    for (uint32_t i = 0; i < u->state.leaf_count; i++) {
        struct leaf_entry *leaf = &u->state.leaves[i];
        if (!leaf_has_loss(leaf, u->now_s))
            continue;
        u->changed = true;
        if ((leaf->flags & LEAF_LOSS_TOLD) != 0) { /* and nobody has refused it since */
            leaf->flags &= (uint8_t)~LEAF_LOSS_TOLD;
            leaf->lost = leaf->refusals = 0;
            continue;
        }
        if ((leaf->flags & LEAF_RESTED) != 0) {
            uint64_t count = 0;
            TRY(take_rested(u, txn, leaf->index, &count));
            leaf_add_lost(leaf, count);
            leaf->flags &= (uint8_t)~LEAF_RESTED;
        }
        TRY(send_loss(u, leaf));
        leaf->flags |= LEAF_LOSS_TOLD;
        leaf->loss_s = u->now_s;
    }
    return ERR_OK;
}

static struct err propose_removes(struct upkeep *u)
{
    struct mls_policy policy = mls_policy_at(u->now_s);
    uint64_t room = delivery_limit(u->d, LIMIT_PENDING_PROPOSALS);
    unsigned made = 0;
    for (uint32_t i = 0; i < u->state.leaf_count && u->state.leaf_count > 1; i++) {
        struct leaf_entry *leaf = &u->state.leaves[i];
        bool due = (leaf->flags & LEAF_QUEUE_GONE) != 0 || access_is_silent(u->d, leaf, u->now_s);
        if (!due || (leaf->flags & LEAF_REMOVE_PENDING) != 0 || made == UPKEEP_PROPOSALS ||
            u->group.proposals.count >= room)
            continue;
        struct err err = remove_leaf(u, leaf, &policy);
        if (err.code == ERR_NOT_FOUND)
            return ERR_OK;
        TRY(err);
        made++;
    }
    return ERR_OK;
}

static struct err seal_state(struct upkeep *u)
{
    public_group_save(&u->saved, &u->group);
    TRY(buf_check(&u->saved));
    u->state.public_group = buf_view(&u->saved);
    return group_seal(u->d, buf_view(&u->group_id), u->state_key, u->version + 1, &u->state,
                      &u->sealed);
}

static struct err run_read(struct store_txn *txn, void *arg)
{
    struct upkeep *u = arg;
    struct buf plain = BUF_INIT;
    struct err err =
        group_store_load(txn, u->d, buf_view(&u->group_id), u->state_key, &plain, &u->version);
    if (!err_is_ok(err)) {
        buf_clear(&plain);
        return err;
    }
    TRY(group_state_parse(&plain, &u->state));
    TRY(notices_list(txn, u->d, buf_view(&u->group_id), u->notices, &u->notice_count));
    TRY(public_group_load(u->state.public_group, &u->group));
    read_notices(u);
    TRY(begin_rests(u, txn));
    TRY(tell_losses(u, txn));
    TRY(propose_removes(u));
    return u->changed ? seal_state(u) : ERR_OK;
}

static struct err submit(struct upkeep *u, bool write, uint32_t cost,
                         struct err (*run)(struct store_txn *txn, void *arg),
                         void (*done)(void *arg, struct err result))
{
    struct store_work work = {
        .principal = u->principal,
        .cost = cost < STORE_COST_MAX ? cost : STORE_COST_MAX,
        .run = run,
        .done = done,
        .arg = u,
    };
    return delivery_submit(u->d, write, u->inbox, &work);
}

static void read_done(void *arg, struct err result)
{
    struct upkeep *u = arg;
    bool nothing = !u->changed && u->notice_count == 0;
    if (!err_is_ok(result) || nothing || atomic_load(&u->d->closed)) {
        upkeep_free(u);
        return;
    }
    if (!err_is_ok(submit(u, true, (uint32_t)(2 + u->fanout.row_count), run_write, written)))
        upkeep_free(u);
}

void upkeep_start(struct delivery *d, struct inbox *inbox, uint64_t principal,
                  struct bytes group_id, const uint8_t state_key[STATE_KEY_BYTES])
{
    struct upkeep *u = calloc(1, sizeof *u);
    if (u == NULL)
        return;
    u->d = delivery_ref(d);
    u->inbox = inbox;
    u->principal = principal;
    u->now_s = delivery_now_s(d);
    buf_append_bytes(&u->group_id, group_id);
    memcpy(u->state_key, state_key, sizeof u->state_key);
    if (!err_is_ok(buf_check(&u->group_id)) || !err_is_ok(submit(u, false, 1, run_read, read_done)))
        upkeep_free(u);
}
