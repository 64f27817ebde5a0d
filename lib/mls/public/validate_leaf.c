#include "mls/public/validate_leaf.h"

#include "crypto/labelled.h"

struct err validate_blame(struct err err, enum err_code code)
{
    if (err_is_ok(err) || err_class_of(err) == ERR_CLASS_OURS)
        return err;
    return (struct err){code};
}

/* What does not change as time goes by: all members judge it alike. */
static struct err check_lifetime_length(const struct leaf_node *leaf,
                                        const struct mls_policy *policy)
{
    /* RFC 9420 7.2: the lifetime is the time between not_before and not_after */
    if (leaf->not_before > leaf->not_after)
        return ERR(MLS_LIFETIME_RANGE);
    /* RFC 9420 7.2: applications MUST define a maximum total lifetime and reject any LeafNode over
     * it */
    if (policy->max_lifetime_seconds > 0 &&
        leaf->not_after - leaf->not_before > policy->max_lifetime_seconds)
        return ERR(MLS_LIFETIME_TOO_LONG);
    return ERR_OK;
}

static struct err check_lifetime_now(const struct leaf_node *leaf, const struct mls_policy *policy)
{
    /* RFC 9420 7.3: the current time is within the range */
    if (leaf->not_before > policy->now && leaf->not_before - policy->now > policy->early_seconds)
        return ERR(MLS_LIFETIME_EARLY);
    if (leaf->not_after < policy->now)
        return ERR(MLS_LIFETIME_EXPIRED);
    return ERR_OK;
}

static struct err check_extensions(const struct leaf_node *leaf)
{
    /* RFC 9420 13.4: no more than one extension of any given type */
    if (!extensions_unique(&leaf->extensions))
        return ERR(MLS_EXTENSION_TWICE);
    /* RFC 9420 7.2, 7.3: the ID of each extension is listed in the leaf's own capabilities (default
     * types need not be) */
    struct wire_reader it = extensions_begin(&leaf->extensions);
    struct extension x;
    while (extensions_next(&it, &x)) {
        if (!capabilities_has_extension(&leaf->capabilities, x.type))
            return ERR(MLS_LEAF_EXTENSION_UNLISTED);
    }
    return ERR_OK;
}

struct err validate_leaf_alone(const struct leaf_node *leaf, const struct suite *suite, int source,
                               const struct mls_policy *policy)
{
    /* RFC 9420 7.3: leaf_node_source fits the place the leaf stands in */
    if (source != 0 && leaf->source != (enum leaf_source)source)
        return ERR(MLS_LEAF_SOURCE);
    /* RFC 9420 5.1.1, 10: keys are of the form the cipher suite has */
    TRY(validate_blame(kem_check_public(suite->hpke.kem, leaf->encryption_key),
                       ERR_MLS_LEAF_ENCRYPTION_KEY));
    TRY(validate_blame(sig_check_public(suite->sig, leaf->signature_key),
                       ERR_MLS_LEAF_SIGNATURE_KEY));
    /* RFC 9420 7.2, 11.1: all members support the version and the suite in use, and list what they
     * support */
    if (!u16_list_has(&leaf->capabilities.versions, MLS_VERSION_MLS10))
        return ERR(MLS_LEAF_VERSION);
    if (!u16_list_has(&leaf->capabilities.cipher_suites, suite->id))
        return ERR(MLS_LEAF_SUITE);
    /* RFC 9420 7.2: the leaf's credential type is listed in its own capabilities */
    if (!capabilities_has_credential(&leaf->capabilities, leaf->credential.type))
        return ERR(MLS_LEAF_CREDENTIAL_UNLISTED);
    TRY(check_extensions(leaf));
    if (leaf->source != LEAF_SOURCE_KEY_PACKAGE)
        return ERR_OK;
    TRY(check_lifetime_length(leaf, policy));
    bool in_tree = source == 0;
    return in_tree && !policy->strict_tree_lifetime ? ERR_OK : check_lifetime_now(leaf, policy);
}

struct err validate_leaf_signature(const struct leaf_node *leaf, const struct suite *suite,
                                   struct bytes group_id, uint32_t leaf_index)
{
    struct buf tbs = BUF_INIT;
    struct bytes content =
        leaf->raw_tbs; /* of a key_package leaf that was read: nothing is added to it */
    if (leaf->source != LEAF_SOURCE_KEY_PACKAGE || content.len == 0) {
        /* room for all at once, since this is done for each leaf of a tree */
        if (buf_extend(&tbs, content.len + group_id.len + 2 * sizeof(uint32_t)) != NULL)
            buf_reset_unwiped(&tbs);
        leaf_node_write_tbs(&tbs, leaf, group_id, leaf_index);
        content = buf_view(&tbs);
    }
    struct err err = buf_check(&tbs);
    if (err_is_ok(err))
        err = labelled_verify(suite->sig, leaf->signature_key, LABEL_MLS, bytes_str("LeafNodeTBS"),
                              content, leaf->signature);
    buf_clear(&tbs);
    /* RFC 9420 7.3: the signature on the LeafNode is valid using signature_key */
    return validate_blame(err, ERR_MLS_LEAF_SIGNATURE);
}

struct err group_rules_read(const struct extensions *extensions, struct group_rules *ret_rules)
{
    struct group_rules rules = {.extensions = *extensions};
    struct bytes data;
    /* RFC 9420 13.4: no more than one extension of any given type */
    if (!extensions_unique(extensions))
        return ERR(MLS_EXTENSION_TWICE);
    if (extensions_find(extensions, EXTENSION_REQUIRED_CAPABILITIES, &data))
        TRY(validate_blame(required_capabilities_parse(data, &rules.required),
                           ERR_MLS_GROUP_EXTENSION));
    if (extensions_find(extensions, EXTENSION_EXTERNAL_SENDERS, &data))
        TRY(validate_blame(external_senders_check(data), ERR_MLS_GROUP_EXTENSION));
    *ret_rules = rules;
    return ERR_OK;
}

struct err validate_leaf_in_group(const struct leaf_node *leaf, const struct group_rules *rules)
{
    const struct capabilities *has = &leaf->capabilities;
    const struct required_capabilities *required = &rules->required;
    /* RFC 9420 7.3, 11.1: what required_capabilities names is listed in the leaf's capabilities;
     * default extensions and proposals need not be, credential types must */
    for (size_t i = 0; i < u16_list_count(&required->extension_types); i++) {
        if (!capabilities_has_extension(has, u16_list_at(&required->extension_types, i)))
            return ERR(MLS_LEAF_REQUIRED_EXTENSION);
    }
    for (size_t i = 0; i < u16_list_count(&required->proposal_types); i++) {
        if (!capabilities_has_proposal(has, u16_list_at(&required->proposal_types, i)))
            return ERR(MLS_LEAF_REQUIRED_PROPOSAL);
    }
    for (size_t i = 0; i < u16_list_count(&required->credential_types); i++) {
        if (!capabilities_has_credential(has, u16_list_at(&required->credential_types, i)))
            return ERR(MLS_LEAF_REQUIRED_CREDENTIAL);
    }
    /* RFC 9420 13.4: capabilities MUST indicate support for each extension in the GroupContext */
    struct wire_reader it = extensions_begin(&rules->extensions);
    struct extension x;
    while (extensions_next(&it, &x)) {
        if (!capabilities_has_extension(has, x.type))
            return ERR(MLS_LEAF_GROUP_EXTENSION);
    }
    return ERR_OK;
}

struct err validate_leaf_credentials(const struct leaf_node *leaf,
                                     const struct credential_uses *uses)
{
    /* RFC 9420 7.3: the leaf's capabilities indicate support for all credential types in use by
     * other members; asked of every leaf, this is also "supported by all members". Types in use are
     * few, so it is O(1) for each leaf. */
    for (uint32_t i = 0; i < uses->count; i++) {
        if (!capabilities_has_credential(&leaf->capabilities, uses->at[i].type))
            return ERR(MLS_CREDENTIAL_MUTUAL);
    }
    return ERR_OK;
}

static struct err check_key_package_signature(const struct key_package *kp,
                                              const struct suite *suite)
{
    struct buf tbs = BUF_INIT;
    struct bytes content = kp->raw_tbs;
    if (content.len == 0) {
        key_package_write_tbs(&tbs, kp);
        content = buf_view(&tbs);
    }
    struct err err = buf_check(&tbs);
    if (err_is_ok(err))
        err = labelled_verify(suite->sig, kp->leaf_node.signature_key, LABEL_MLS,
                              bytes_str("KeyPackageTBS"), content, kp->signature);
    buf_clear(&tbs);
    /* RFC 9420 10.1: the signature on the KeyPackage is valid using the public key in leaf_node */
    return validate_blame(err, ERR_MLS_KEY_PACKAGE_SIGNATURE);
}

struct err validate_key_package(const struct key_package *kp, const struct suite *suite,
                                const struct mls_policy *policy)
{
    /* RFC 9420 10.1: version and cipher suite are those of the GroupContext */
    if (kp->version != MLS_VERSION_MLS10)
        return ERR(MLS_VERSION);
    if (suite != NULL && kp->cipher_suite != suite->id)
        return ERR(MLS_KEY_PACKAGE_SUITE);
    if (suite == NULL)
        suite = suite_find(kp->cipher_suite);
    if (suite == NULL)
        return ERR(MLS_SUITE_UNKNOWN);
    /* RFC 9420 10: init_key is a public key of the suite */
    TRY(validate_blame(kem_check_public(suite->hpke.kem, kp->init_key), ERR_MLS_INIT_KEY));
    /* RFC 9420 10.1: leaf_node.encryption_key differs from init_key */
    if (bytes_equal(kp->init_key, kp->leaf_node.encryption_key))
        return ERR(MLS_INIT_KEY_REUSED);
    /* RFC 9420 13.4: no more than one extension of any given type */
    if (!extensions_unique(&kp->extensions))
        return ERR(MLS_EXTENSION_TWICE);
    TRY(validate_leaf_alone(&kp->leaf_node, suite, LEAF_SOURCE_KEY_PACKAGE, policy));
    TRY(validate_leaf_signature(&kp->leaf_node, suite, bytes_of(NULL, 0), 0));
    return check_key_package_signature(kp, suite);
}
