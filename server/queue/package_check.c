/* Is this a KeyPackage that others may be given? Cheap checks first, signatures last. */
#include "mls/codec/message.h"
#include "mls/public/validate_leaf.h"

#include "crypto/labelled.h"
#include "seal/leaf_credential.h"
#include "seal/sealed_ref.h"
#include "server/front/limit.h"
#include "server/queue/package.h"

enum { KEY_PACKAGE_VERSION = 1 /* mls10 */ };

static struct bytes view(ProtobufCBinaryData data)
{
    return bytes_of(data.data, data.len);
}

/* protocol.md 2: the suites of Hearth's own groups. */
static bool suite_served(uint16_t id)
{
    static const uint16_t served[] = {1, 2, 3, 5, 7};
    for (size_t i = 0; i < sizeof served / sizeof *served; i++)
        if (served[i] == id)
            return true;
    return false;
}

static struct err check_extensions(const struct queue *q, const struct extensions *list)
{
    uint64_t count = 0;
    struct wire_reader it = extensions_begin(list);
    struct extension x;
    while (extensions_next(&it, &x)) {
        if (x.data.len > limit_value(q->limits, LIMIT_EXTENSION_BYTES))
            return ERR(TOO_LARGE);
        count++;
    }
    return count > limit_value(q->limits, LIMIT_EXTENSIONS) ? ERR(TOO_LARGE) : ERR_OK;
}

/* DoS6, and what kind of leaf it is. */
static struct err check_form(const struct queue *q, const struct key_package *kp, bool last_resort)
{
    const struct mls_credential *c = &kp->leaf_node.credential;
    struct leaf_credential leaf;
    TRY(check_extensions(q, &kp->extensions));
    TRY(check_extensions(q, &kp->leaf_node.extensions));
    if (!suite_served(kp->cipher_suite))
        return ERR(MLS_SUITE_UNKNOWN);
    if (c->type != LEAF_CREDENTIAL_TYPE)
        return ERR(KEY_PACKAGE);
    if (c->body.len > limit_value(q->limits, LIMIT_CREDENTIAL_BYTES))
        return ERR(TOO_LARGE);
    TRY(leaf_credential_parse(c->body, &leaf));
    return key_package_is_last_resort(kp) == last_resort ? ERR_OK : ERR(KEY_PACKAGE_LAST_RESORT);
}

static struct err check_reference(const struct queue *q, const struct key_package *kp,
                                  const struct suite *suite,
                                  const Hearth__V1__QueueReference *reference)
{
    struct bytes domain = bytes_str(reference->domain);
    if (!bytes_equal(domain, bytes_str(q->env->domain)))
        return ERR(KEY_PACKAGE_REFERENCE);
    return sealed_ref_verify(suite->sig, kp->leaf_node.signature_key, domain,
                             view(reference->sealed), view(reference->signature));
}

static struct err ref_of(const struct suite *suite, const struct key_package *kp,
                         struct arena *arena, struct bytes *ret_ref)
{
    struct digest ref;
    TRY(labelled_ref_hash(suite->hash, bytes_str("MLS 1.0 KeyPackage Reference"), kp->raw, &ref));
    uint8_t *copy = arena_copy(arena, ref.data, ref.len);
    if (copy == NULL)
        return ERR(NO_MEMORY);
    *ret_ref = bytes_of(copy, ref.len);
    return ERR_OK;
}

static struct err parse(struct bytes in, struct arena *arena, struct mls_message *ret_message)
{
    TRY(mls_message_parse(in, arena, ret_message));
    return ret_message->wire_format == WIRE_FORMAT_KEY_PACKAGE ? ERR_OK : ERR(KEY_PACKAGE);
}

struct err package_check(const struct queue *q, const Hearth__V1__KeyPackageBundle *bundle,
                         bool last_resort, uint64_t now_s, struct arena *arena,
                         struct package *ret_package)
{
    struct mls_message message;
    struct mls_policy policy = mls_policy_at(now_s);
    if (bundle->key_package.len > limit_value(q->limits, LIMIT_KEY_PACKAGE_BYTES))
        return ERR(TOO_LARGE);
    TRY(parse(view(bundle->key_package), arena, &message));
    const struct key_package *kp = &message.key_package;
    TRY(check_form(q, kp, last_resort));
    const struct suite *suite = suite_find(kp->cipher_suite);
    if (suite == NULL)
        return ERR(MLS_SUITE_UNKNOWN);
    TRY(check_reference(q, kp, suite, bundle->queue_reference));
    TRY(validate_key_package(kp, NULL, &policy));
    ret_package->not_after = kp->leaf_node.not_after;
    return ref_of(suite, kp, arena, &ret_package->ref);
}
