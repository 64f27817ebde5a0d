#include "mls/public/info_check.h"

#include <stdlib.h>

#include "crypto/labelled.h"
#include "mls/public/public_group.h"
#include "mls/public/staged_commit.h"

struct err info_check_form(const struct group_info *info, const struct suite *suite)
{
    size_t confirmed_len = info->group_context.confirmed_transcript_hash.len;
    struct bytes data;
    struct bytes key;
    /* RFC 9420 8.2: an output of the suite's hash; empty in epoch 0 */
    if (confirmed_len != suite->hash->bytes &&
        !(confirmed_len == 0 && info->group_context.epoch == 0))
        return ERR(MLS_TRANSCRIPT_HASH_LENGTH);
    /* RFC 9420 6.1: a MAC of full length */
    if (info->confirmation_tag.len != suite->hash->bytes)
        return ERR(MLS_CONFIRMATION_TAG_LENGTH);
    /* RFC 9420 13.4: no more than one extension of any given type */
    if (!extensions_unique(&info->extensions))
        return ERR(MLS_EXTENSION_TWICE);
    if (!extensions_find(&info->extensions, EXTENSION_EXTERNAL_PUB, &data))
        return ERR_OK;
    /* RFC 9420 12.4.3.2: an HPKE public key of the suite */
    TRY(validate_blame(external_pub_parse(data, &key), ERR_MLS_EXTERNAL_PUB));
    return validate_blame(kem_check_public(suite->hpke.kem, key), ERR_MLS_EXTERNAL_PUB);
}

struct err info_check_signature(const struct group_info *info, const struct suite *suite,
                                struct bytes key)
{
    struct buf tbs = BUF_INIT;
    group_info_write_tbs(&tbs, info);
    struct err err = buf_check(&tbs);
    if (err_is_ok(err))
        err = labelled_verify(suite->sig, key, LABEL_MLS, bytes_str("GroupInfoTBS"), buf_view(&tbs),
                              info->signature);
    buf_clear(&tbs);
    /* RFC 9420 12.4.3.1: verify the signature on the GroupInfo */
    return validate_blame(err, ERR_MLS_GROUP_INFO_SIGNATURE);
}

static struct err check_state(const struct group_info *info, const struct suite *suite,
                              struct bytes context, struct bytes tag)
{
    if (!bytes_equal(info->group_context.raw, context))
        return ERR(MLS_GROUP_INFO_STATE);
    TRY(info_check_form(info, suite));
    /* RFC 9420 12.4.3: the confirmation tag is that of the commit that began the epoch */
    return bytes_equal(info->confirmation_tag, tag) ? ERR_OK : ERR(MLS_GROUP_INFO_STATE);
}

struct err public_group_check_info(const struct public_group *g, const struct group_info *info)
{
    struct leaf_node signer;
    TRY(check_state(info, g->suite, public_group_context(g), digest_view(&g->confirmation_tag)));
    /* RFC 9420 12.4.3.1: the signer is a leaf of the tree, and not blank */
    if (!tree_leaf(&g->tree, info->signer, &signer))
        return ERR(MLS_GROUP_INFO_SIGNER);
    return info_check_signature(info, g->suite, signer.signature_key);
}

struct err staged_commit_check_info(const struct staged_commit *s, const struct group_info *info)
{
    const struct suite *suite = s->group->suite;
    struct leaf_node signer;
    TRY(check_state(info, suite, buf_view(&s->context), digest_view(&s->confirmation_tag)));
    /* RFC 9420 12.4.3.1: the signer is a leaf of the new tree, and not blank */
    if (!tree_diff_leaf(&s->diff, info->signer, &signer))
        return ERR(MLS_GROUP_INFO_SIGNER);
    return info_check_signature(info, suite, signer.signature_key);
}

static int by_ref(const void *a, const void *b)
{
    const struct digest *x = a;
    const struct digest *y = b;
    return bytes_compare(digest_view(x), digest_view(y));
}

/* KeyPackageRefs of all Adds, sorted; the caller frees. */
static struct err added_refs(const struct staged_commit *s, struct digest **ret_refs)
{
    struct digest *refs = calloc(s->added.count + (size_t)1, sizeof *refs);
    struct err err = refs == NULL ? ERR(NO_MEMORY) : ERR_OK;
    uint32_t count = 0;
    for (size_t i = 0; i < s->list_count && err_is_ok(err); i++) {
        const struct proposal *p = s->list[i].proposal;
        if (p->type == PROPOSAL_ADD)
            err =
                labelled_ref_hash(s->group->suite->hash, bytes_str("MLS 1.0 KeyPackage Reference"),
                                  p->add->raw, &refs[count++]);
    }
    if (!err_is_ok(err)) {
        free(refs);
        return err;
    }
    qsort(refs, count, sizeof *refs, by_ref);
    *ret_refs = refs;
    return ERR_OK;
}

/* Marks the Add a Welcome names; an unknown one, or one named before, is an error. */
static struct err mark_reached(const struct staged_commit *s, const struct digest *refs,
                               bool *reached, struct bytes ref)
{
    struct digest key = {.len = ref.len};
    if (ref.len != s->group->suite->hash->bytes)
        return ERR(MLS_WELCOME_MEMBERS);
    memcpy(key.data, ref.data, ref.len);
    const struct digest *found = bsearch(&key, refs, s->added.count, sizeof *refs, by_ref);
    if (found == NULL || reached[found - refs])
        return ERR(MLS_WELCOME_MEMBERS);
    reached[found - refs] = true;
    return ERR_OK;
}

static struct err check_reach(const struct staged_commit *s, const struct digest *refs,
                              bool *reached, const struct welcome *welcomes, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if (welcomes[i].cipher_suite != s->group->suite->id)
            return ERR(MLS_KEY_PACKAGE_SUITE);
        struct wire_reader it = welcome_begin(&welcomes[i]);
        struct encrypted_group_secrets e;
        for (; welcome_next(&it, &e); total++)
            TRY(mark_reached(s, refs, reached, e.new_member));
    }
    return total == s->added.count ? ERR_OK : ERR(MLS_WELCOME_MEMBERS);
}

struct err staged_commit_check_welcomes(const struct staged_commit *s,
                                        const struct welcome *welcomes, size_t count)
{
    struct digest *refs = NULL;
    TRY(added_refs(s, &refs));
    bool *reached = calloc(s->added.count + (size_t)1, sizeof *reached);
    struct err err =
        reached == NULL ? ERR(NO_MEMORY) : check_reach(s, refs, reached, welcomes, count);
    free(reached);
    free(refs);
    return err;
}
