#include "server/delivery/leaf_check.h"

#include "seal/sealed_ref.h"

static struct err extensions_check(const struct delivery *d, const struct extensions *list)
{
    uint64_t most = delivery_limit(d, LIMIT_EXTENSIONS);
    uint64_t bytes = delivery_limit(d, LIMIT_EXTENSION_BYTES);
    uint64_t count = 0;
    struct wire_reader it = extensions_begin(list);
    struct extension x;
    while (extensions_next(&it, &x)) {
        if (++count > most || x.data.len > bytes)
            return ERR(DELIVERY_LEAF);
    }
    return ERR_OK;
}

struct err leaf_check(const struct delivery *d, const struct leaf_node *leaf,
                      struct leaf_credential *ret_credential)
{
    if (leaf->credential.type != LEAF_CREDENTIAL_TYPE ||
        leaf->credential.body.len > delivery_limit(d, LIMIT_CREDENTIAL_BYTES) ||
        leaf->raw.len > delivery_limit(d, LIMIT_KEY_PACKAGE_BYTES) ||
        !err_is_ok(leaf_credential_parse(leaf->credential.body, ret_credential)) ||
        ret_credential->sealed_identity.len == 0)
        return ERR(DELIVERY_LEAF);
    return extensions_check(d, &leaf->extensions);
}

struct err key_package_check(const struct delivery *d, const struct key_package *kp)
{
    if (kp->raw.len > delivery_limit(d, LIMIT_KEY_PACKAGE_BYTES))
        return ERR(DELIVERY_LEAF);
    return extensions_check(d, &kp->extensions);
}

struct err reference_check(const struct delivery *d, const struct suite *suite,
                           const Hearth__V1__QueueReference *reference, struct leaf_entry *leaf)
{
    struct bytes domain = bytes_str(reference->domain);
    struct bytes sealed = pb_view(reference->sealed);
    struct bytes signature = pb_view(reference->signature);
    if (!err_is_ok(domain_check(domain, d->env.development)))
        return ERR(DELIVERY_RECORD);
    /* said now rather than when nothing can be delivered */
    if (d->admits != NULL && !bytes_equal(domain, bytes_str(d->env.domain)) &&
        !d->admits(d->admits_self, domain))
        return ERR(FEDERATION_REFUSED);
    struct err err = sealed_ref_verify(suite->sig, leaf->signature_key, domain, sealed, signature);
    if (!err_is_ok(err))
        return err.code == ERR_NO_MEMORY ? err : ERR(DELIVERY_RECORD);
    leaf->domain = domain;
    leaf->sealed_ref = sealed;
    leaf->ref_signature = signature;
    return ERR_OK;
}

struct err record_check(const struct delivery *d, const struct suite *suite,
                        const struct leaf_node *leaf, const Hearth__V1__LeafRecord *record,
                        struct leaf_entry *ret_leaf)
{
    struct leaf_credential credential;
    TRY(leaf_check(d, leaf, &credential));
    if (record == NULL || record->queue_reference == NULL ||
        record->user_pseudonym.len != PSEUDONYM_BYTES)
        return ERR(DELIVERY_RECORD);
    struct leaf_entry entry = {
        .signature_key = leaf->signature_key,
        .pseudonym = bytes_of(credential.pseudonym, PSEUDONYM_BYTES),
        .user_pseudonym = pb_view(record->user_pseudonym),
        .wrapped_identity_key = pb_view(record->wrapped_identity_key),
        .wrapped_profile_key = pb_view(record->wrapped_profile_key),
        .pseudonym_signature = pb_view(record->pseudonym_signature),
        .policy = (uint8_t)record->notification_policy,
    };
    TRY(reference_check(d, suite, record->queue_reference, &entry));
    *ret_leaf = entry;
    return ERR_OK;
}

struct err pseudonym_is_fresh(const struct leaf_entry *leaves, size_t count,
                              const struct leaf_entry *leaf, uint32_t except)
{
    for (size_t i = 0; i < count; i++) {
        if (leaves[i].index != except && leaves[i].index != leaf->index &&
            bytes_equal(leaves[i].pseudonym, leaf->pseudonym))
            return ERR(DELIVERY_LEAF);
    }
    return ERR_OK;
}

struct err user_pseudonym_check(const struct group_state *state, struct bytes group_id,
                                const struct leaf_entry *leaf)
{
    bool in_use = false;
    for (uint32_t i = 0; i < state->leaf_count; i++) {
        const struct leaf_entry *other = &state->leaves[i];
        if (!bytes_equal(other->user_pseudonym, leaf->user_pseudonym))
            continue;
        in_use = true;
        struct err err = user_pseudonym_verify(state->suite->sig, other->signature_key, group_id,
                                               leaf->user_pseudonym.data, leaf->signature_key,
                                               leaf->pseudonym_signature);
        if (err_is_ok(err) || err.code == ERR_NO_MEMORY)
            return err;
    }
    return in_use || leaf->pseudonym_signature.len > 0 ? ERR(DELIVERY_RECORD) : ERR_OK;
}

struct leaf_news leaf_news_of(const struct leaf_entry *leaf)
{
    return (struct leaf_news){
        .leaf = leaf->index,
        .user_pseudonym = leaf->user_pseudonym.data,
        .wrapped_identity_key = leaf->wrapped_identity_key,
        .wrapped_profile_key = leaf->wrapped_profile_key,
        .pseudonym_signature = leaf->pseudonym_signature,
    };
}

/* protobuf-c has no const; nobody writes through these. */
static ProtobufCBinaryData to_pb(struct bytes view)
{
    ProtobufCBinaryData data = {.len = view.len};
    memcpy(&data.data, &view.data, sizeof data.data);
    return data;
}

struct err leaf_record_of(const struct leaf_entry *leaf, struct arena *arena,
                          Hearth__V1__PublicLeafRecord **ret_record)
{
    Hearth__V1__PublicLeafRecord *record = arena_alloc(arena, sizeof *record);
    if (record == NULL)
        return ERR(NO_MEMORY);
    hearth__v1__public_leaf_record__init(record);
    record->wrapped_identity_key = to_pb(leaf->wrapped_identity_key);
    record->wrapped_profile_key = to_pb(leaf->wrapped_profile_key);
    record->user_pseudonym = to_pb(leaf->user_pseudonym);
    record->pseudonym_signature = to_pb(leaf->pseudonym_signature);
    *ret_record = record;
    return ERR_OK;
}
