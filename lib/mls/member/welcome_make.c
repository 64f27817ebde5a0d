/* Welcome (RFC 9420 12.4.3.1): the new epoch's joiner secret for each member added. */
#include "crypto/labelled.h"
#include "mls/member/commit_build.h"

static struct err seal_info(const struct commit_build *b, struct bytes group_info,
                            struct buf *sealed)
{
    const struct suite *suite = b->group->public.suite;
    struct secret welcome_secret = {0};
    struct secret key = {0};
    uint8_t nonce[AEAD_NONCE_BYTES] = {0};
    struct err err;
    uint8_t *to = buf_extend(sealed, group_info.len + AEAD_TAG_BYTES);
    TRY(buf_check(sealed));
    TRY_OR(key_schedule_welcome(suite, &b->next.joiner, &b->next.psk, &welcome_secret), err, out);
    TRY_OR(key_schedule_welcome_key(suite, &welcome_secret, &key, nonce), err, out);
    err = aead_seal(suite->hpke.aead, &key, nonce, bytes_of(NULL, 0), group_info, to);
out:
    secret_clear(&welcome_secret);
    secret_clear(&key);
    bytes_wipe(nonce, sizeof nonce);
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

static struct err seal_secrets(const struct commit_build *b, const struct hpke_info *info,
                               const struct key_package *kp, const struct group_secrets *plain,
                               struct buf *scratch, struct buf *secrets)
{
    struct digest ref;
    struct public_key enc;
    /* text first, then room for the ciphertext behind it */
    buf_reset_unwiped(scratch);
    group_secrets_write(scratch, plain);
    size_t len = scratch->len;
    (void)buf_extend(scratch, len + AEAD_TAG_BYTES);
    TRY(buf_check(scratch));
    uint8_t *sealed = scratch->data + len;
    TRY(hpke_seal_with(info, b->client->rng, kp->init_key, bytes_of(NULL, 0),
                       bytes_of(scratch->data, len), &enc, sealed));
    TRY(labelled_ref_hash(b->group->public.suite->hash, bytes_str("MLS 1.0 KeyPackage Reference"),
                          kp->raw, &ref));
    encrypted_group_secrets_write(
        secrets,
        &(struct encrypted_group_secrets){
            digest_view(&ref), {public_key_view(&enc), bytes_of(sealed, len + AEAD_TAG_BYTES)}});
    return buf_check(secrets);
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
    TRY_OR(labelled_encrypt_info(&suite->hpke, LABEL_MLS, bytes_str("Welcome"),
                                 buf_view(&sealed_info), &info),
           err, out);
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
