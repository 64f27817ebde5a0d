/* Welcome (RFC 9420 12.4.3.1): the new epoch's joiner secret for each member added. */
#include "mls/member/commit_build.h"
#include "mls/member/welcome_protection.h"

static struct err seal_info(const struct commit_build *b, struct bytes group_info,
                            struct buf *sealed)
{
    const struct suite *suite = b->group->public.suite;
    struct secret welcome_secret = {0};
    TRY(key_schedule_welcome(suite, &b->next.joiner, &b->next.psk, &welcome_secret));
    struct err err = welcome_seal_group_info(suite, &welcome_secret, group_info, sealed);
    secret_clear(&welcome_secret);
    return err;
}

/* RFC 9420 12.4.3.1: the PreSharedKeyIDs of the commit, in its order */
static struct err write_psks(const struct staged_commit *s, struct buf *psks, uint32_t *ret_count)
{
    *ret_count = 0;
    for (size_t i = 0; i < s->list_count; i++) {
        if (s->list[i].proposal->type != PROPOSAL_PSK)
            continue;
        psk_id_write(psks, &s->list[i].proposal->psk);
        (*ret_count)++;
    }
    return buf_check(psks);
}

/* The path secret of the lowest node above both committer and joiner; NULL without a path. */
static const struct secret *path_secret_for(const struct commit_build *b, uint32_t leaf_node)
{
    if (b->path == NULL)
        return NULL;
    uint32_t node = tree_math_common_ancestor(leaf_node, 2 * b->s->committer_leaf);
    for (uint32_t i = 0; i < b->s->path.count; i++) {
        if (b->s->path.nodes[i] == node)
            return &b->path->secrets[i];
    }
    return NULL;
}

/* scratch: for the plaintext; wiped when it is cleared */
static struct err seal_secrets(const struct commit_build *b, const struct hpke_info *info,
                               const struct key_package *kp, const struct group_secrets *plain,
                               struct buf *scratch, struct buf *secrets)
{
    struct digest ref;
    buf_reset_unwiped(scratch);
    group_secrets_write(scratch, plain);
    TRY(buf_check(scratch));
    TRY(welcome_key_package_ref(b->group->public.suite, kp->raw, &ref));
    return welcome_seal_secrets_with(info, b->client->rng, digest_view(&ref), kp->init_key,
                                     buf_view(scratch), secrets);
}

static struct err seal_all(const struct commit_build *b, const struct hpke_info *info,
                           struct group_secrets *plain, struct buf *scratch, struct buf *secrets)
{
    const struct staged_commit *s = b->s;
    uint32_t added = 0;
    for (size_t i = 0; i < s->list_count; i++) {
        const struct proposal *p = s->list[i].proposal;
        if (p->type != PROPOSAL_ADD)
            continue;
        const struct secret *path_secret = path_secret_for(b, s->added.at[added++]);
        plain->has_path_secret = path_secret != NULL;
        if (path_secret != NULL)
            plain->path_secret = secret_view(path_secret);
        TRY(seal_secrets(b, info, p->add, plain, scratch, secrets));
    }
    return ERR_OK;
}

struct err welcome_make(const struct commit_build *b, struct bytes group_info,
                        struct buf *ret_welcome)
{
    const struct suite *suite = b->group->public.suite;
    struct group_secrets plain = {.joiner_secret = secret_view(&b->next.joiner)};
    struct buf sealed_info = BUF_INIT;
    struct buf psks = BUF_INIT;
    struct buf scratch = BUF_INIT;
    struct buf secrets = BUF_INIT;
    struct hpke_info info;
    struct err err;
    TRY_OR(seal_info(b, group_info, &sealed_info), err, out);
    TRY_OR(write_psks(b->s, &psks, &plain.psk_count), err, out);
    plain.psks = buf_view(&psks);
    TRY_OR(welcome_seal_info(suite, buf_view(&sealed_info), &info), err, out);
    TRY_OR(seal_all(b, &info, &plain, &scratch, &secrets), err, out);
    struct mls_message m = {
        .wire_format = WIRE_FORMAT_WELCOME,
        .welcome = {suite->id, buf_view(&secrets), b->s->added.count, buf_view(&sealed_info)}};
    mls_message_write(ret_welcome, &m);
    err = buf_check(ret_welcome);
out:
    buf_clear(&sealed_info);
    buf_clear(&psks);
    buf_clear(&scratch); /* wipes */
    buf_clear(&secrets);
    return err;
}
