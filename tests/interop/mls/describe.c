#include "interop/mls/describe.h"

#include "interop/mls/party.h"

struct err describe_add(struct bytes key_package, struct buf *b)
{
    struct arena a;
    struct mls_message m;
    arena_init(&a, 4096);
    struct err err = mls_message_parse(key_package, &a, &m);
    if (err_is_ok(err) && m.wire_format != WIRE_FORMAT_KEY_PACKAGE)
        err = ERR(MLS_WIRE_FORMAT);
    if (err_is_ok(err)) {
        wire_write_u16(b, PROPOSAL_ADD);
        wire_write_fixed(b, m.key_package.raw);
        err = buf_check(b);
    }
    arena_clear(&a);
    return err;
}

static struct err write(const struct proposal *p, struct buf *b)
{
    proposal_write(b, p);
    return buf_check(b);
}

struct err describe_remove(const struct tree *tree, struct bytes identity, struct buf *b)
{
    struct proposal p = {.type = PROPOSAL_REMOVE};
    TRY(party_leaf_of(tree, identity, &p.remove));
    return write(&p, b);
}

static struct err write_psk(const struct suite *suite, struct psk_id id, struct buf *b)
{
    struct secret nonce = {0};
    TRY(secret_random(&rng_system, suite_hash_bytes(suite), &nonce));
    id.nonce = secret_view(&nonce);
    return write(&(struct proposal){.type = PROPOSAL_PSK, .psk = id}, b);
}

struct err describe_external_psk(const struct suite *suite, struct bytes psk_id, struct buf *b)
{
    return write_psk(suite, (struct psk_id){.type = PSK_EXTERNAL, .id = psk_id}, b);
}

struct err describe_resumption_psk(const struct suite *suite, struct bytes group_id, uint64_t epoch,
                                   struct buf *b)
{
    return write_psk(suite,
                     (struct psk_id){.type = PSK_RESUMPTION,
                                     .usage = PSK_USAGE_APPLICATION,
                                     .group_id = group_id,
                                     .epoch = epoch},
                     b);
}

struct err describe_extensions(MlsClient__Extension *const *list, size_t count,
                               struct buf *ret_list)
{
    for (size_t i = 0; i < count; i++)
        extension_write(ret_list, (uint16_t)list[i]->extension_type,
                        describe_view(list[i]->extension_data));
    return buf_check(ret_list);
}

struct err describe_context_extensions(struct bytes list, struct buf *b)
{
    return write(&(struct proposal){.type = PROPOSAL_GROUP_CONTEXT_EXTENSIONS,
                                    .group_context_extensions = {list}},
                 b);
}

struct err describe_reinit(struct bytes group_id, uint32_t suite, struct bytes list, struct buf *b)
{
    return write(&(struct proposal){.type = PROPOSAL_REINIT,
                                    .reinit = {.group_id = group_id,
                                               .version = MLS_VERSION_MLS10,
                                               .cipher_suite = (uint16_t)suite,
                                               .extensions = {list}}},
                 b);
}

struct err describe_proposal(const struct public_group *g, const MlsClient__ProposalDescription *d,
                             struct buf *b)
{
    struct bytes type = describe_view(d->proposal_type);
    struct buf list = BUF_INIT;
    if (bytes_equal(type, bytes_str("add")))
        return describe_add(describe_view(d->key_package), b);
    if (bytes_equal(type, bytes_str("remove")))
        return describe_remove(&g->tree, describe_view(d->removed_id), b);
    if (bytes_equal(type, bytes_str("externalPSK")))
        return describe_external_psk(g->suite, describe_view(d->psk_id), b);
    if (bytes_equal(type, bytes_str("resumptionPSK")))
        return describe_resumption_psk(g->suite, g->context.group_id, d->epoch_id, b);
    struct err err = describe_extensions(d->extensions, d->n_extensions, &list);
    if (err_is_ok(err) && bytes_equal(type, bytes_str("groupContextExtensions")))
        err = describe_context_extensions(buf_view(&list), b);
    else if (err_is_ok(err) && bytes_equal(type, bytes_str("reinit")))
        err = describe_reinit(describe_view(d->group_id), d->cipher_suite, buf_view(&list), b);
    else if (err_is_ok(err))
        err = ERR(ARGUMENT);
    buf_clear(&list);
    return err;
}
