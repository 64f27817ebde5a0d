/* What follows from a commit that holds: the new state, what goes to whom, a new state key. */
#include "crypto/hash.h"
#include "server/delivery/commit_check.h"
#include "server/delivery/leaf_check.h"
#include "server/delivery/welcome_info.h"

static const struct fanout_how control_rows = {.control = true};

/* To everybody who was a member before, those removed included, but for the committer. The payload
 * is under the state key of before: a removed member can read the commit that removes it, and
 * nothing that comes later (G5). */
static struct err send_commit(struct request *r, const struct commit_in *in,
                              const struct commit_ok *ok)
{
    struct fanout_from from = request_from(r);
    struct buf body = BUF_INIT;
    struct digest hash;
    struct bytes hash_view = bytes_of(NULL, 0);
    if (in->kind != COMMIT_DELETE) {
        hash_once(&hash_sha256, ok->external_pub, &hash);
        hash_view = digest_view(&hash);
    }
    uint32_t except = in->kind == COMMIT_JOIN ? FANOUT_NOBODY : r->leaf_index;
    delivery_commit_write(&body, in->message, hash_view, ok->news, ok->news_count);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = fanout_all(&r->fanout, &from, DELIVERY_COMMIT, buf_view(&body), r->state.leaves,
                         r->state.leaf_count, except, control_rows);
    if (err_is_ok(err) && in->kind == COMMIT_DELETE)
        err = fanout_all(&r->fanout, &from, DELIVERY_DELETED, bytes_of(NULL, 0), r->state.leaves,
                         r->state.leaf_count, except, control_rows);
    buf_clear(&body);
    return err;
}

/* Each joiner gets a Welcome with its own secrets alone. */
static struct err send_welcome(struct request *r, const struct commit_in *in,
                               const struct commit_ok *ok, size_t n, struct buf *message)
{
    struct fanout_from from = request_from(r);
    struct mls_message m = {
        .wire_format = WIRE_FORMAT_WELCOME,
        .welcome = {.cipher_suite = r->state.suite->id,
                    .secrets = pb_view(in->joiners[n]->encrypted_group_secrets),
                    .secret_count = 1,
                    .encrypted_group_info = in->welcome_group_info},
    };
    mls_message_write(message, &m);
    TRY(buf_check(message));
    return fanout_joiner(&r->fanout, &from, &r->state.suite->hpke, ok->init_keys[n],
                         buf_view(message), &ok->added[n]);
}

static struct err send_welcomes(struct request *r, const struct commit_in *in,
                                const struct commit_ok *ok)
{
    struct err err = ERR_OK;
    for (size_t n = 0; n < ok->added_count && err_is_ok(err); n++) {
        struct buf message = BUF_INIT;
        err = send_welcome(r, in, ok, n, &message);
        buf_clear(&message);
    }
    return err;
}

/* The new state key to each leaf that remains or comes, to its encryption key: a member that can't
 * process the commit can still resync, and a committer can't hand out garbage. */
static struct err send_state_keys(struct request *r, const struct commit_ok *ok)
{
    struct fanout_from from = request_from(r);
    for (uint32_t i = 0; i < r->state.leaf_count; i++) {
        struct leaf_node leaf;
        struct buf body = BUF_INIT;
        if (!public_group_leaf(&ok->group, r->state.leaves[i].index, &leaf))
            return ERR(INTERNAL);
        struct err err =
            state_key_seal(&body, r->d->env.rng, &r->state.suite->hpke, leaf.encryption_key,
                           r->group_id, r->state.epoch, r->new_state_key);
        if (err_is_ok(err))
            err = fanout_one(&r->fanout, &from, DELIVERY_STATE_KEY, buf_view(&body),
                             &r->state.leaves[i], control_rows);
        buf_clear(&body);
        TRY(err);
    }
    return ERR_OK;
}

/* DoS4: each leaf of the new epoch gets a row and what is sealed to it, which only the validated
 * commit tells. Before anything is sealed; a reader's thread, and limits are safe there. */
static struct err pay_for_state_keys(struct request *r, const struct commit_in *in,
                                     const struct commit_ok *ok)
{
    uint32_t rows = ok->staged->diff.member_count;
    if (r->state_keys_paid)
        return ERR_OK;
    if (rows + (uint64_t)request_fan_out_rows(r, in->message.len) >
        delivery_limit(r->d, LIMIT_FAN_OUT_GROUP))
        return ERR(QUOTA); /* with the commit's own rows more than there will ever be at once */
    TRY(request_take_group(r, LIMIT_FAN_OUT_GROUP, rows));
    r->state_keys_paid = true;
    return ERR_OK;
}

static struct err keep_past_tree(struct request *r, const struct commit_ok *ok)
{
    struct buf answer = BUF_INIT;
    struct err err = welcome_info_write(&ok->group, &r->state, &answer);
    if (err_is_ok(err))
        err = past_tree_seal(r->d, r->group_id, r->state_key, r->state.epoch, buf_view(&answer),
                             ok->joiners, ok->added_count, &r->past);
    buf_clear(&answer);
    r->has_past = err_is_ok(err);
    if (r->has_past)
        group_state_add_past(
            &r->state, (struct past_entry){r->state.epoch, (uint32_t)r->past.tree.len},
            delivery_limit(r->d, LIMIT_PAST_TREE_BYTES), r->past_gone, &r->past_gone_count);
    return err;
}

/* The leaves of the new epoch. removed: copied before the merge. */
static struct err change_leaves(struct request *r, const struct commit_in *in,
                                const struct commit_ok *ok, const uint32_t *removed, size_t count)
{
    for (size_t i = 0; i < count; i++)
        group_state_drop(&r->state, removed[i]);
    /* pending proposals are covered now, or void */
    for (uint32_t i = 0; i < r->state.leaf_count; i++)
        r->state.leaves[i].flags &= (uint8_t)~LEAF_REMOVE_PENDING;
    if (in->kind == COMMIT_RESYNC)
        group_state_drop(&r->state, r->leaf_index);
    for (size_t n = 0; n < ok->added_count; n++)
        TRY(group_state_put(&r->state, &ok->added[n]));
    return group_state_put(&r->state, &ok->own);
}

/* Whoever goes on under another pseudonym, and clients that a member adds of its own user, have
 * spent what the committer has; and a report of a commit goes with the pseudonym. */
static struct err name_heirs(struct request *r, const struct commit_ok *ok)
{
    const struct leaf_entry *old = r->leaf;
    r->heirs = request_alloc(r, (ok->added_count + 1) * sizeof *r->heirs);
    if (r->heirs == NULL)
        return ERR(NO_MEMORY);
    if (!bytes_equal(old->pseudonym, ok->own.pseudonym)) {
        r->renamed = true;
        delivery_pseudonym_id(r->d, r->group_id, ok->own.pseudonym, r->heirs[r->heir_count++]);
        for (uint32_t i = 0; i < r->state.fact_count; i++) {
            if (bytes_equal(r->state.facts[i].committer, old->pseudonym))
                r->state.facts[i].committer = ok->own.pseudonym;
        }
    }
    for (size_t n = 0; n < ok->added_count; n++) {
        if (bytes_equal(ok->added[n].user_pseudonym, old->user_pseudonym))
            delivery_pseudonym_id(r->d, r->group_id, ok->added[n].pseudonym,
                                  r->heirs[r->heir_count++]);
    }
    return ERR_OK;
}

static struct err add_fact(struct request *r, const struct commit_in *in,
                           const struct commit_ok *ok)
{
    struct digest *hash = request_alloc(r, sizeof *hash);
    if (hash == NULL)
        return ERR(NO_MEMORY);
    hash_once(&hash_sha256, in->message, hash);
    group_state_add_fact(&r->state, &(struct epoch_fact){
                                        .epoch = r->state.epoch,
                                        .hour = r->now_s / HOUR_S,
                                        .committer = ok->own.pseudonym,
                                        .commit_hash = digest_view(hash),
                                    });
    return ERR_OK;
}

/* What a commit adds to a group, most times: so its bytes are not moved as they grow. */
enum { SAVED_MORE_BYTES = 16384 };

static struct err save_group(struct request *r, const struct commit_ok *ok)
{
    struct buf saved = BUF_INIT;
    buf_reserve(&saved, r->state.public_group.len + SAVED_MORE_BYTES);
    public_group_save(&saved, &ok->group);
    return request_take_buf(r, &saved, &r->state.public_group);
}

struct err commit_accept(struct request *r, const struct commit_in *in, struct commit_ok *ok)
{
    size_t count = ok->staged->removed.count;
    bool rotates =
        count > 0 && in->kind == COMMIT_REGULAR && !delivery_off(r->d, DELIVERY_NO_ROTATION);
    if (rotates)
        TRY(pay_for_state_keys(r, in, ok));
    TRY(send_commit(r, in, ok));
    if (in->kind == COMMIT_DELETE) {
        r->effect = REQUEST_DELETES;
        return ERR_OK;
    }
    uint32_t *removed = request_alloc(r, (count + 1) * sizeof *removed);
    if (removed == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < count; i++)
        removed[i] = ok->staged->removed.at[i] / 2;
    TRY(send_welcomes(r, in, ok));
    public_group_merge(&ok->group, &ok->staged);
    r->state.epoch++;
    if (in->kind != COMMIT_JOIN)
        TRY(name_heirs(r, ok)); /* while r->leaf is there */
    TRY(change_leaves(r, in, ok, removed, count));
    r->state.info_extensions = ok->info_extensions.raw;
    r->state.info_signer = ok->own.index;
    r->state.info_signature = pb_view(in->info->signature);
    TRY(add_fact(r, in, ok));
    TRY(save_group(r, ok));
    if (rotates) {
        TRY(rng_fill(r->d->env.rng, r->new_state_key, sizeof r->new_state_key));
        r->rotated = true;
        TRY(send_state_keys(r, ok));
    }
    if (ok->added_count > 0)
        TRY(keep_past_tree(r, ok));
    TRY(request_seal_state(r));
    r->effect = REQUEST_REPLACES;
    return ERR_OK;
}
