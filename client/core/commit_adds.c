/* Who is added: KeyPackages as they were fetched, each held against its user's keys (MitM3). */
#include <stdlib.h>

#include "client/core/commit_body.h"
#include "client/core/contact.h"
#include "client/core/event.h"
#include "client/core/homeserver.h"
#include "client/core/roster.h"
#include "mls/codec/message.h"

/* Whose packages these are. */
struct owner {
    bool own;
    struct hearth_id contact;
    const uint8_t *friendship_key, *friendship_before; /* the second may be NULL */
    uint8_t user_pseudonym[PSEUDONYM_BYTES];
};

bool chat_has_contact(const struct open_chat *chat, const struct hearth_id *contact)
{
    for (size_t i = 0; i < chat->roster->count; i++)
        if (memcmp(chat->roster->leaves[i].contact.bytes, contact->bytes, 16) == 0)
            return true;
    return false;
}

void commit_adds_clear(struct commit_adds *adds)
{
    for (size_t i = 0; i < adds->count; i++) {
        buf_clear(&adds->at[i].wrapped_profile);
        buf_clear(&adds->at[i].secrets);
    }
    for (size_t i = 0; i < adds->fetched_count; i++)
        if (adds->fetched[i] != NULL)
            protobuf_c_message_free_unpacked(&adds->fetched[i]->base, NULL);
    free(adds->fetched);
    free(adds->at);
    *adds = (struct commit_adds){0};
}

/* ---- one bundle */

static bool device_is_in(const struct open_chat *chat, const struct commit_adds *adds,
                         const struct roster_identity *identity)
{
    for (size_t i = 0; i < adds->count; i++)
        if (adds->at[i].client_id_len == identity->client_id_len &&
            memcmp(adds->at[i].client_id, identity->client_id, identity->client_id_len) == 0)
            return true;
    for (size_t i = 0; i < chat->roster->count; i++) {
        const struct roster_leaf *l = &chat->roster->leaves[i];
        if (l->client_id_len == identity->client_id_len &&
            memcmp(l->client_id, identity->client_id, l->client_id_len) == 0)
            return true;
    }
    return false;
}

static struct err unwrap(const struct owner *owner, const uint8_t *pseudonym, struct bytes wrapped,
                         uint8_t ret_key[IDENTITY_KEY_BYTES])
{
    struct err err = identity_key_unwrap(owner->friendship_key, pseudonym, wrapped, ret_key);
    if (!err_is_ok(err) && owner->friendship_before != NULL)
        err = identity_key_unwrap(owner->friendship_before, pseudonym, wrapped, ret_key);
    return err;
}

/* Is it a package of a device of the owner's? The identity key, and whose device. */
static struct err check_bundle(struct core *c, struct db_txn *t, const struct owner *owner,
                               const Hearth__V1__KeyPackageBundle *bundle, struct key_package *kp,
                               struct commit_adds *adds, uint8_t ret_key[IDENTITY_KEY_BYTES],
                               struct roster_identity *ret_identity)
{
    struct bytes message = bytes_of(bundle->key_package.data, bundle->key_package.len);
    struct leaf_credential credential;
    uint16_t format;
    char domain[DOMAIN_MAX_BYTES + 1];
    TRY(mls_message_peek(message, &format));
    if (format != WIRE_FORMAT_KEY_PACKAGE || bundle->queue_reference == NULL)
        return ERR(MLS_WIRE_FORMAT);
    TRY(key_package_parse(bytes_of(message.data + 4, message.len - 4), kp));
    if (kp->leaf_node.credential.type != LEAF_CREDENTIAL_TYPE)
        return ERR(MLS_CREDENTIAL_REFUSED);
    TRY(leaf_credential_parse(kp->leaf_node.credential.body, &credential));
    TRY(unwrap(owner, credential.pseudonym,
               bytes_of(bundle->wrapped_identity_key.data, bundle->wrapped_identity_key.len),
               ret_key));
    struct err err =
        roster_identify(c, t, kp->leaf_node.credential.body, kp->leaf_node.signature_key, ret_key,
                        false, domain, ret_identity);
    if (err.code == ERR_NOT_FOUND || err.code == ERR_CLIENT_MEMBER_LATER)
        memcpy(adds->wanted, domain, sizeof adds->wanted);
    TRY(err);
    bool his = owner->own ? ret_identity->own_user
                          : memcmp(ret_identity->contact.bytes, owner->contact.bytes, 16) == 0;
    return his ? ERR_OK : ERR(MLS_CREDENTIAL_REFUSED);
}

static struct err fill_add(struct core *c, const struct open_chat *chat, const struct owner *owner,
                           const Hearth__V1__KeyPackageBundle *bundle, const struct key_package *kp,
                           const uint8_t *identity_key, const uint8_t *group_key,
                           struct commit_add *a)
{
    struct leaf_credential credential;
    TRY(leaf_credential_parse(kp->leaf_node.credential.body, &credential));
    a->key_package = bytes_of(bundle->key_package.data + 4, bundle->key_package.len - 4);
    TRY(key_package_ref(a->key_package, &a->ref));
    memcpy(a->user_pseudonym, owner->user_pseudonym, sizeof a->user_pseudonym);
    TRY(identity_key_wrap(c->rng, group_key, credential.pseudonym, identity_key, a->wrapped));
    if (owner->own)
        TRY(user_pseudonym_sign(&chat->chat.leaf_key, chat_group_id(&chat->chat), a->user_pseudonym,
                                kp->leaf_node.signature_key, &a->countersignature));
    hearth__v1__leaf_record__init(&a->record);
    a->record.queue_reference = bundle->queue_reference;
    return ERR_OK;
}

/* Views; after the array has its place. */
static void point_add(struct commit_add *a)
{
    a->record.wrapped_identity_key = pb_of(bytes_of(a->wrapped, sizeof a->wrapped));
    a->record.user_pseudonym = pb_of(bytes_of(a->user_pseudonym, sizeof a->user_pseudonym));
    a->record.pseudonym_signature = pb_of(signature_view(&a->countersignature));
    a->news = (struct leaf_news){.user_pseudonym = a->user_pseudonym,
                                 .wrapped_identity_key = bytes_of(a->wrapped, sizeof a->wrapped)};
}

static struct err grow(struct commit_adds *adds)
{
    if (adds->count < adds->room)
        return ERR_OK;
    size_t room = adds->room > 0 ? 2 * adds->room : 8;
    struct commit_add *at = realloc(adds->at, room * sizeof *at);
    if (at == NULL)
        return ERR(NO_MEMORY);
    adds->at = at;
    adds->room = room;
    return ERR_OK;
}

static struct err refuse(struct core *c, struct db_txn *t, const struct open_chat *chat,
                         const struct owner *owner, struct commit_adds *adds)
{
    adds->refused++;
    return event_tell(c, t,
                      &(struct hearth_event){
                          .kind = HEARTH_EVENT_UNVERIFIED,
                          .chat = chat->chat.id,
                          .contact = owner->contact,
                          .result = HEARTH_UNVERIFIED,
                          .text =
                              "a device that the homeserver handed out is not the contact's: it "
                              "was not added"});
}

static struct err take_bundle(struct core *c, struct db_txn *t, const struct open_chat *chat,
                              const struct owner *owner, const uint8_t *group_key,
                              const Hearth__V1__KeyPackageBundle *bundle, struct commit_adds *adds)
{
    struct key_package kp;
    struct roster_identity identity = {0};
    uint8_t key[IDENTITY_KEY_BYTES];
    struct err err = check_bundle(c, t, owner, bundle, &kp, adds, key, &identity);
    if (err_is_ok(err) && !device_is_in(chat, adds, &identity)) {
        err = grow(adds);
        if (err_is_ok(err)) {
            struct commit_add *a = &adds->at[adds->count];
            *a = (struct commit_add){.client_id_len = identity.client_id_len};
            memcpy(a->client_id, identity.client_id, identity.client_id_len);
            err = fill_add(c, chat, owner, bundle, &kp, key, group_key, a);
            adds->count += err_is_ok(err);
        }
    } else if ((err.code == ERR_NOT_FOUND || err.code == ERR_CLIENT_MEMBER_LATER) &&
               adds->wanted[0] != '\0') {
        err = ERR_OK; /* later */
    } else if (!err_is_ok(err) && err.code != ERR_NO_MEMORY && err.code != ERR_IO) {
        err = refuse(c, t, chat, owner, adds);
    }
    bytes_wipe(key, sizeof key);
    return err;
}

/* ---- all of an owner's */

static struct err take_answer(struct core *c, struct db_txn *t, const struct open_chat *chat,
                              const struct owner *owner, const uint8_t *group_key,
                              struct bytes packed, struct commit_adds *adds)
{
    if (packed.len == 0)
        return ERR_OK;
    Hearth__V1__GetKeyPackagesResponse *out =
        hearth__v1__get_key_packages_response__unpack(NULL, packed.len, packed.data);
    if (out == NULL)
        return ERR(NO_MEMORY);
    adds->fetched[adds->fetched_count++] = out;
    for (size_t i = 0; i < out->n_bundles; i++)
        TRY(take_bundle(c, t, chat, owner, group_key, out->bundles[i], adds));
    return ERR_OK;
}

static struct err take_contact(struct core *c, struct db_txn *t, const struct open_chat *chat,
                               const struct hearth_id *id, const uint8_t *group_key,
                               struct bytes packed, struct commit_adds *adds)
{
    struct contact contact = {0};
    struct owner owner = {.contact = *id};
    if (chat_has_contact(chat, id))
        return ERR_OK;
    TRY(contact_get(c, t, id, &contact));
    owner.friendship_key = contact.friendship_key;
    owner.friendship_before = contact.friendship_before;
    struct err err = rng_fill(c->rng, owner.user_pseudonym, sizeof owner.user_pseudonym);
    if (err_is_ok(err))
        err = take_answer(c, t, chat, &owner, group_key, packed, adds);
    contact_clear(&contact);
    return err;
}

static struct err take_all(struct core *c, struct db_txn *t, const struct open_chat *chat,
                           const struct commit_body *body, const uint8_t *group_key,
                           struct commit_adds *adds)
{
    for (size_t i = 0; i < body->add_count && i < body->fetched_count; i++)
        TRY(take_contact(c, t, chat, &body->add[i], group_key, buf_view(&body->fetched[i]), adds));
    if (!body->add_devices || body->fetched_count <= body->add_count)
        return ERR_OK;
    struct owner owner = {.own = true,
                          .friendship_key = c->account.user.friendship_key,
                          .friendship_before = c->account.user.friendship_before};
    memcpy(owner.user_pseudonym, chat->chat.user_pseudonym, sizeof owner.user_pseudonym);
    return take_answer(c, t, chat, &owner, group_key, buf_view(&body->fetched[body->add_count]),
                       adds);
}

struct err commit_adds_make(struct core *c, struct db_txn *t, const struct open_chat *chat,
                            const struct commit_body *body,
                            const uint8_t identity_key[IDENTITY_KEY_BYTES],
                            struct commit_adds *ret_adds)
{
    struct commit_adds adds = {0};
    adds.fetched = calloc(FETCHED_MAX, sizeof *adds.fetched);
    if (adds.fetched == NULL)
        return ERR(NO_MEMORY);
    struct err err = take_all(c, t, chat, body, identity_key, &adds);
    if (err_is_ok(err) && adds.wanted[0] != '\0')
        err = homeserver_want(c, t, adds.wanted);
    if (!err_is_ok(err)) {
        commit_adds_clear(&adds);
        return err;
    }
    for (size_t i = 0; i < adds.count; i++)
        point_add(&adds.at[i]);
    *ret_adds = adds;
    return ERR_OK;
}
