/* Groups that follow a reinitialised one or branch off a living one (RFC 9420 11.2, 11.3). */
#include <stdlib.h>

#include "mls/member/group_state.h"

struct err group_check_successor(const struct mls_group *old, const struct psk_id *psk,
                                 const struct public_group *g)
{
    if (old == NULL)
        return ERR_OK;
    /* who expects a successor must get one: a Welcome without the PSK proves nothing */
    if (psk == NULL)
        return ERR(MLS_SUCCESSOR);
    /* RFC 9420 11.2, 11.3: the PSK is the old group's, of its last epoch when it was
     * reinitialised */
    struct secret known = {0};
    if (!bytes_equal(psk->group_id, old->public.context.group_id) ||
        !err_is_ok(group_resumption_psk(old, psk->epoch, &known)))
        return ERR(MLS_SUCCESSOR);
    secret_clear(&known);
    if (psk->usage == PSK_USAGE_BRANCH)
        return public_group_check_branch(&old->public, g);
    if (psk->epoch != group_epoch(old))
        return ERR(MLS_SUCCESSOR);
    return public_group_check_reinit(&old->public, g);
}

/* The proposals of the first commit: an Add for each key package, then the PSK. One buffer, and a
 * view of each. */
static struct err write_list(const struct mls_group *old, const struct mls_client *client,
                             const struct successor *successor, const struct suite *suite,
                             int usage, struct buf *all, struct bytes *views)
{
    struct secret nonce = {0};
    TRY(secret_random(client->rng, suite_hash_bytes(suite), &nonce));
    struct proposal psk = {
        .type = PROPOSAL_PSK,
        .psk = {.type = PSK_RESUMPTION,
                .usage = (enum psk_usage)usage,
                .group_id = old->public.context.group_id,
                .epoch = group_epoch(old),
                .nonce = secret_view(&nonce)},
    };
    for (size_t i = 0; i < successor->count; i++) {
        wire_write_u16(all, PROPOSAL_ADD);
        wire_write_fixed(all, successor->key_packages[i]);
    }
    proposal_write(all, &psk);
    TRY(buf_check(all));
    enum { TYPE_BYTES = 2 };
    size_t at = 0;
    for (size_t i = 0; i < successor->count; i++) {
        views[i] = bytes_of(all->data + at, TYPE_BYTES + successor->key_packages[i].len);
        at += views[i].len;
    }
    views[successor->count] = bytes_of(all->data + at, all->len - at);
    return ERR_OK;
}

static struct err first_commit(const struct mls_group *old, const struct mls_client *client,
                               const struct successor *successor, int usage, struct mls_group *g,
                               struct commit_output *ret_output)
{
    struct buf all = BUF_INIT;
    struct bytes *views = calloc(successor->count + 1, sizeof *views);
    if (views == NULL)
        return ERR(NO_MEMORY);
    struct err err = write_list(old, client, successor, g->public.suite, usage, &all, views);
    struct commit_options options = {
        .proposals = views,
        .proposal_count = successor->count + 1,
        .force_path = successor->force_path,
        .tree_beside = successor->tree_beside,
        .predecessor = old,
        .psk_usage = usage,
    };
    if (err_is_ok(err))
        err = group_commit(g, client, &options, ret_output);
    buf_clear(&all);
    free(views);
    return err;
}

static struct err succeed(const struct mls_group *old, const struct mls_client *client,
                          const struct successor *successor, const struct suite *suite,
                          struct bytes group_id, const struct extensions *extensions, int usage,
                          struct commit_output *ret_output, struct mls_group **ret_group)
{
    struct mls_group *g;
    TRY(group_create(client, suite, successor->config, group_id, extensions, successor->profile,
                     &g));
    struct err err = first_commit(old, client, successor, usage, g, ret_output);
    if (!err_is_ok(err)) {
        group_free(g);
        return err;
    }
    *ret_group = g;
    return ERR_OK;
}

struct err group_reinit(const struct mls_group *closed, const struct mls_client *client,
                        const struct successor *successor, struct commit_output *ret_output,
                        struct mls_group **ret_group)
{
    struct wire_reader r = wire_reader_of(buf_view(&closed->public.reinit));
    struct reinit reinit;
    if (!closed->active || !public_group_is_closed(&closed->public))
        return ERR(WRONG_STATE);
    reinit_read(&r, &reinit);
    TRY(wire_reader_end(&r));
    const struct suite *suite = suite_find(reinit.cipher_suite);
    if (suite == NULL)
        return ERR(MLS_SUITE_UNKNOWN);
    if (reinit.version != MLS_VERSION_MLS10)
        return ERR(MLS_VERSION);
    return succeed(closed, client, successor, suite, reinit.group_id, &reinit.extensions,
                   PSK_USAGE_REINIT, ret_output, ret_group);
}

struct err group_branch(const struct mls_group *from, const struct mls_client *client,
                        const struct successor *successor, struct commit_output *ret_output,
                        struct mls_group **ret_group)
{
    TRY(group_check_open(from));
    return succeed(from, client, successor, from->public.suite, successor->group_id,
                   successor->extensions, PSK_USAGE_BRANCH, ret_output, ret_group);
}
