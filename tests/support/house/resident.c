/* A client's life outside groups: keys, queue, KeyPackages. */
#include "support/house/resident.h"

#include <stdio.h>

#include "crypto/labelled.h"
#include "mls/codec/message.h"
#include "seal/contact_token.h"
#include "seal/leaf_credential.h"
#include "seal/sealed_ref.h"
#include "support/house/resident_inside.h"

/* ---- leaves */

void own_package_clear(struct own_package *p)
{
    key_package_bundle_clear(&p->bundle);
    sig_key_clear(&p->leaf_key);
    buf_clear(&p->credential);
    buf_clear(&p->reference);
    buf_clear(&p->reference_signature);
    *p = (struct own_package){0};
}

/* Fresh for each group: key, pseudonym, identity key, reference with its tag. */
void own_package_keys(struct resident *r, struct own_package *p)
{
    struct signature signature;
    *p = (struct own_package){.made = true};
    assert_ok(sig_key_generate(resident_suite()->sig, &r->house->rng, &p->leaf_key));
    resident_random(r, p->tag, sizeof p->tag);
    resident_random(r, p->pseudonym, sizeof p->pseudonym);
    resident_random(r, p->identity_key, sizeof p->identity_key);
    assert_ok(leaf_credential_make(&p->credential, &r->house->rng, p->pseudonym, p->identity_key,
                                   bytes_str("a client credential"), &r->client_key,
                                   public_key_view(&p->leaf_key.public_key)));
    struct queue_ref ref = {.has_push_token_key = r->house->push};
    memcpy(ref.queue_client_id, r->client_id, sizeof ref.queue_client_id);
    memcpy(ref.tag, p->tag, sizeof ref.tag);
    (void)snprintf(p->domain, sizeof p->domain, "%s",
                   r->house->queues_at != NULL ? r->house->queues_at : r->house->domain);
    assert_ok(sealed_ref_seal(&p->reference, &r->house->rng,
                              public_key_view(house_queue_key(r->house)), bytes_str(p->domain),
                              &ref, &r->client.key));
    assert_ok(
        sealed_ref_sign(&p->leaf_key, bytes_str(p->domain), buf_view(&p->reference), &signature));
    buf_append_bytes(&p->reference_signature, signature_view(&signature));
    assert_ok(buf_check(&p->reference_signature));
}

const struct suite *resident_suite(void)
{
    return suite_find(1);
}

struct leaf_profile own_package_profile(const struct own_package *p)
{
    static const uint8_t extensions[] = {ROLES_EXTENSION_TYPE >> 8, ROLES_EXTENSION_TYPE & 255,
                                         GROUP_DATA_EXTENSION_TYPE >> 8,
                                         GROUP_DATA_EXTENSION_TYPE & 255};
    static const uint8_t credentials[] = {LEAF_CREDENTIAL_TYPE >> 8, LEAF_CREDENTIAL_TYPE & 255};
    struct leaf_profile profile = {
        .credential = {LEAF_CREDENTIAL_TYPE, buf_view(&p->credential)},
        .capabilities = capabilities_default(),
    };
    profile.capabilities.extensions.raw = bytes_of(extensions, sizeof extensions);
    profile.capabilities.credentials.raw = bytes_of(credentials, sizeof credentials);
    return profile;
}

/* The one external PSK that residents know is of an offer that they made or took up. */
static struct err find_psk(void *self, struct bytes psk_id, struct buf *psk)
{
    const struct resident *r = self;
    const struct connection_offer_hashes *h = &r->offer.hashes;
    if (!r->offer.open || !bytes_equal(psk_id, bytes_of(h->psk_id, sizeof h->psk_id)))
        return ERR(MLS_PSK_UNKNOWN);
    buf_append(psk, h->psk, sizeof h->psk);
    return buf_check(psk);
}

struct mls_client own_package_client(struct resident *r, const struct own_package *p)
{
    static const struct mls_client_ops ops = {.psk = find_psk};
    return (struct mls_client){.rng = &r->house->rng,
                               .signer = &p->leaf_key,
                               .ops = &ops,
                               .self = r,
                               .policy = mls_policy_at(clock_unix_ms(&r->house->clock) / 1000)};
}

void own_package_reference(const struct own_package *p, Hearth__V1__QueueReference *reference)
{
    hearth__v1__queue_reference__init(reference);
    reference->domain = (char *)(uintptr_t)p->domain;
    reference->sealed = resident_data(buf_view(&p->reference));
    reference->signature = resident_data(buf_view(&p->reference_signature));
}

/* ---- the queue */

static void create_queue(struct resident *r)
{
    struct resident_id id;
    Hearth__V1__QueueClientSettings settings = HEARTH__V1__QUEUE_CLIENT_SETTINGS__INIT;
    Hearth__V1__CreateQueueUserRequest in = HEARTH__V1__CREATE_QUEUE_USER_REQUEST__INIT;
    ProtobufCMessage *out = NULL;
    resident_id(r, &id);
    settings.auth_key = resident_data(caller_public_key(&r->client));
    settings.queue_key = resident_data(public_key_view(&r->queue_public));
    in.idempotency = &id.message;
    in.auth_key = resident_data(caller_public_key(&r->user));
    in.contact_key = resident_data(bytes_of(r->contact_key, sizeof r->contact_key));
    in.client = &settings;
    uint8_t token[] = {(uint8_t)r->number};
    if (r->house->push)
        settings.sealed_push_token = resident_data(bytes_of(token, sizeof token));
    assert_int_equal(
        resident_call(r, NULL, &hearth_queue_descriptor, "CreateQueueUser", &in.base, &out),
        HEARTH_OK);
    const Hearth__V1__CreateQueueUserResponse *answer = (const void *)out;
    assert_int_equal(answer->queue_user_id.len, 16);
    assert_int_equal(answer->queue_client_id.len, 16);
    memcpy(r->user_id, answer->queue_user_id.data, 16);
    memcpy(r->client_id, answer->queue_client_id.data, 16);
    caller_set_id(&r->user, bytes_of(r->user_id, 16));
    caller_set_id(&r->client, bytes_of(r->client_id, 16));
    protobuf_c_message_free_unpacked(out, NULL);
}

void resident_init(struct resident *r, struct house *h, uint32_t number)
{
    *r = (struct resident){.house = h, .number = number};
    house_target(h, number, r->target);
    house_enter(h, r->target, &r->channel);
    caller_init(&r->user, REQUEST_QUEUE_USER, bytes_of(NULL, 0), h->domain, &h->clock, &h->rng);
    caller_init(&r->client, REQUEST_QUEUE_CLIENT, bytes_of(NULL, 0), h->domain, &h->clock, &h->rng);
    resident_random(r, r->contact_key, sizeof r->contact_key);
    resident_random(r, r->friendship_key, sizeof r->friendship_key);
    assert_ok(sig_key_generate(&sig_ed25519, &h->rng, &r->client_key));
    assert_ok(kem_generate(&kem_x25519, &h->rng, &r->queue_private, &r->queue_public));
    create_queue(r);
}

void resident_clear(struct resident *r)
{
    house_exit(r->house, &r->channel);
    for (size_t i = 0; i < RESIDENT_ABROAD && r->abroad[i].house != NULL; i++)
        house_exit(r->abroad[i].house, &r->abroad[i].channel);
    for (size_t i = 0; i < RESIDENT_PACKAGES; i++)
        own_package_clear(&r->packages[i]);
    for (size_t i = 0; i < RESIDENT_GROUPS; i++)
        membership_clear(&r->groups[i]);
    caller_clear(&r->user);
    caller_clear(&r->client);
    sig_key_clear(&r->client_key);
    secret_clear(&r->queue_private);
    bytes_wipe(&r->offer, sizeof r->offer);
    queue_ratchet_clear(&r->ratchet);
    hearth_status_clear(&r->last);
}

void resident_give_up(struct resident *r)
{
    struct resident_id id;
    Hearth__V1__DeleteQueueUserRequest in = HEARTH__V1__DELETE_QUEUE_USER_REQUEST__INIT;
    resident_id(r, &id);
    in.idempotency = &id.message;
    unsigned retries = r->retries;
    enum hearth_code code =
        resident_call(r, &r->user, &hearth_queue_descriptor, "DeleteQueueUser", &in.base, NULL);
    /* whose answer was lost asks again as somebody whom nobody knows any more */
    if (code != HEARTH_UNAUTHENTICATED || r->retries == retries)
        assert_int_equal(code, HEARTH_OK);
    r->gone = true;
}

void resident_lossy(struct resident *r, const uint8_t signature_key[32])
{
    for (size_t i = 0; i < r->introduction_count; i++)
        if (memcmp(r->introductions[i].signature_key, signature_key, 32) == 0)
            r->introductions[i].lossy = true;
    for (size_t i = 0; i < RESIDENT_GROUPS; i++)
        if (r->groups[i].group != NULL &&
            memcmp(r->groups[i].self.leaf_key.public_key.data, signature_key, 32) == 0)
            r->groups[i].lossy = true;
}

/* ---- KeyPackages */

struct outgoing_bundle {
    Hearth__V1__KeyPackageBundle bundle;
    Hearth__V1__QueueReference reference;
    uint8_t wrapped[WRAPPED_KEY_BYTES];
    struct buf message;
};

static void make_package(struct resident *r, struct own_package *p, bool last_resort,
                         struct outgoing_bundle *b)
{
    struct buf list = BUF_INIT;
    own_package_keys(r, p);
    struct leaf_profile profile = own_package_profile(p);
    struct mls_client client = own_package_client(r, p);
    extension_write(&list, EXTENSION_LAST_RESORT, bytes_of(NULL, 0));
    struct extensions extensions = {buf_view(&list)};
    assert_ok(key_package_make(&client, resident_suite(), &profile, 30 * 24 * 3600,
                               last_resort ? &extensions : NULL, &p->bundle));
    assert_ok(key_package_ref(buf_view(&p->bundle.key_package), &p->ref));
    assert_ok(identity_key_wrap(&r->house->rng, r->friendship_key, p->pseudonym, p->identity_key,
                                b->wrapped));
    wire_write_u16(&b->message, 1); /* MLSMessage: mls10, KeyPackage */
    wire_write_u16(&b->message, WIRE_FORMAT_KEY_PACKAGE);
    wire_write_fixed(&b->message, buf_view(&p->bundle.key_package));
    hearth__v1__key_package_bundle__init(&b->bundle);
    own_package_reference(p, &b->reference);
    b->bundle.key_package = resident_data(buf_view(&b->message));
    b->bundle.wrapped_identity_key = resident_data(bytes_of(b->wrapped, sizeof b->wrapped));
    b->bundle.queue_reference = &b->reference;
    buf_clear(&list);
}

/* The last of the packages is the one of last resort. */
enum hearth_code resident_publish(struct resident *r, size_t count)
{
    struct resident_id id;
    struct outgoing_bundle bundles[RESIDENT_PACKAGES] = {0};
    Hearth__V1__KeyPackageBundle *list[RESIDENT_PACKAGES];
    Hearth__V1__PublishKeyPackagesRequest in = HEARTH__V1__PUBLISH_KEY_PACKAGES_REQUEST__INIT;
    assert_true(count < RESIDENT_PACKAGES);
    for (size_t i = 0; i <= count; i++) {
        struct own_package *p = &r->packages[i < count ? i : RESIDENT_PACKAGES - 1];
        own_package_clear(p);
        make_package(r, p, i == count, &bundles[i]);
        list[i] = &bundles[i].bundle;
    }
    resident_id(r, &id);
    in.idempotency = &id.message;
    in.bundles = list;
    in.n_bundles = count;
    in.last_resort = list[count];
    enum hearth_code code = resident_call(r, &r->client, &hearth_queue_descriptor,
                                          "PublishKeyPackages", &in.base, NULL);
    for (size_t i = 0; i <= count; i++)
        buf_clear(&bundles[i].message);
    return code;
}

void resident_token(struct resident *r, uint32_t contact, uint8_t token[48])
{
    uint8_t id[CONTACT_ID_BYTES] = {0};
    memcpy(id, &contact, sizeof contact);
    contact_token_make(r->contact_key, id, token);
}

void resident_taken(struct resident *by, struct resident *who, const struct digest *ref)
{
    (void)by;
    if (bytes_equal(digest_view(&who->packages[RESIDENT_PACKAGES - 1].ref), digest_view(ref)))
        return; /* of last resort */
    for (size_t i = 0; i < who->taken_count; i++)
        assert_false(bytes_equal(digest_view(&who->taken[i]), digest_view(ref)));
    assert_true(who->taken_count < RESIDENT_PACKAGES);
    who->taken[who->taken_count++] = *ref;
}
