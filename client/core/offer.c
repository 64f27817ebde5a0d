#include "client/core/offer.h"

#include <stdlib.h>

#include "client/core/devices.h"
#include "client/core/handle.h"
#include "client/core/homeserver.h"
#include "seal/connection_answer.h"
#include "seal/key_set.h"
#include "wire/reader.h"

struct err handle_split(const char *text, struct bytes *ret_local, struct bytes *ret_domain)
{
    const char *at = strchr(text, '@');
    if (at == NULL)
        return ERR(ARGUMENT);
    struct bytes local = bytes_of(text, (size_t)(at - text)), domain = bytes_str(at + 1);
    TRY(handle_check(local));
    TRY(domain_check(domain, true));
    *ret_local = local;
    *ret_domain = domain;
    return ERR_OK;
}

/* ---- the package that we were given */

/* Whoever held the handle before ends in a reset, which has no authority but the server's word: it
 * is taken, as a first version is. A handle that got another key of its owner's is signed by the
 * key before, too, which we don't have: the log is asked for this very version before anything is
 * sent, and who watches the handle's label there would see one that the key before did not allow.
 */
static struct err check_handle_set(struct bytes hash, struct bytes whole, struct key_set *set)
{
    TRY(key_set_parse(whole, set));
    bool fits = set->label.len == 1 + hash.len && set->label.data[0] == KEY_SET_LABEL_HANDLE &&
                bytes_equal(bytes_of(set->label.data + 1, hash.len), hash) &&
                set->client_count == 1 && set->clients[0].sig_scheme == sig_ed25519.scheme;
    if (!fits)
        return ERR(KEY_SET);
    if (set->version == 0)
        return key_set_verify(set, NULL);
    const struct key_set before = {.label = set->label, .version = set->version - 1};
    return set->reset ? key_set_verify(set, &before) : key_set_verify_alone(set);
}

struct err offer_check_package(const uint8_t handle_hash[HANDLE_HASH_BYTES], struct bytes package,
                               struct bytes key_set, uint64_t now,
                               struct connection_package *ret_package)
{
    struct connection_package p;
    struct bytes hash = bytes_of(handle_hash, HANDLE_HASH_BYTES);
    struct key_set *set = malloc(sizeof *set);
    if (set == NULL)
        return ERR(NO_MEMORY);
    struct err err = check_handle_set(hash, key_set, set);
    if (err_is_ok(err))
        err = connection_package_read(package, set->clients[0].public_key, &p);
    free(set);
    TRY(err);
    if (!bytes_equal(bytes_of(p.handle_hash, HANDLE_HASH_BYTES), hash))
        return ERR(KEY_SET);
    if (now < p.not_before || now >= p.not_after)
        return ERR(CREDENTIAL_TIME);
    *ret_package = p;
    return ERR_OK;
}

/* ---- making */

static void hashes_of(const struct connection_offer_hashes *from, struct offer_hashes *to)
{
    memcpy(to->psk_id, from->psk_id, sizeof to->psk_id);
    memcpy(to->psk, from->psk, sizeof to->psk);
    memcpy(to->hash, from->hash, sizeof to->hash);
}

static struct err own_key_sets(struct core *c, struct db_txn *t, struct buf *ret_contents)
{
    struct buf chain = BUF_INIT;
    struct bytes versions[CONNECTION_KEY_SETS_MAX];
    size_t count = 0;
    struct err err = own_key_sets_write(c, t, &chain);
    if (err_is_ok(err)) {
        struct wire_reader r = wire_reader_of(buf_view(&chain));
        while (wire_reader_more(&r) && count < CONNECTION_KEY_SETS_MAX)
            versions[count++] = wire_read_vector(&r);
        err = wire_reader_end(&r);
    }
    if (err_is_ok(err))
        err = connection_offer_key_sets_write(ret_contents, versions, count);
    buf_clear(&chain);
    return err;
}

void friendship_of_us(const struct core *c, const uint8_t contact_id[CONTACT_ID_BYTES],
                      struct friendship *ret_friendship)
{
    const struct user_secrets *user = &c->account.user;
    memcpy(ret_friendship->queue_user_id, user->queue_user_id, QUEUE_ID_BYTES);
    contact_token_make(user->contact_key, contact_id, ret_friendship->contact_token);
    memcpy(ret_friendship->friendship_key, user->friendship_key, FRIENDSHIP_KEY_BYTES);
    memcpy(ret_friendship->profile_base_key, user->profile_key, PROFILE_KEY_BYTES);
}

static struct err keep_hashes(struct db_txn *t, struct asked *asked,
                              const struct offer_hashes *hashes)
{
    if (asked->count == ASKED_OFFERS_MAX) {
        TRY(offer_psk_drop(t, &asked->offers[0]));
        memmove(asked->offers, asked->offers + 1, (ASKED_OFFERS_MAX - 1) * sizeof *asked->offers);
        asked->count--;
    }
    asked->offers[asked->count++] = *hashes;
    return offer_psk_put(t, hashes);
}

static struct err seal(struct core *c, struct connection_offer *fields,
                       const struct contact *contact, const struct connection_package *package,
                       struct buf *ret_sealed, struct offer_hashes *ret_hashes)
{
    struct connection_offer_hashes hashes = {0};
    uint8_t package_hash[32];
    connection_package_hash(package->whole, package_hash);
    fields->package_hash = package_hash;
    friendship_of_us(c, contact->contact_id, &fields->friendship);
    struct err err =
        connection_offer_seal(ret_sealed, c->rng, fields, package, &c->account.client_key, &hashes);
    hashes_of(&hashes, ret_hashes);
    bytes_wipe(&hashes, sizeof hashes);
    connection_offer_clear(fields);
    return err;
}

struct err offer_make(struct core *c, struct db_txn *t, const struct contact *contact,
                      struct asked *asked, const struct offer_group *group,
                      const struct connection_package *package, struct buf *ret_sealed)
{
    char handle[HANDLE_TEXT_MAX_BYTES + 1] = "";
    struct buf key_sets = BUF_INIT;
    struct offer_hashes hashes = {0};
    TRY(handle_own(c, t, handle));
    struct err err = own_key_sets(c, t, &key_sets);
    if (err_is_ok(err)) {
        struct connection_offer fields = {
            .signing_credential = buf_view(&c->account.signing),
            .client_credential = buf_view(&c->account.credential),
            .key_sets = buf_view(&key_sets),
            .group_id = group->group_id,
            .state_key = group->state_key,
            .identity_key = group->identity_key,
            .answer_key = asked->answer_public.data,
            .handle = bytes_str(handle),
            .display_name = bytes_str(c->account.name),
        };
        err = seal(c, &fields, contact, package, ret_sealed, &hashes);
    }
    if (err_is_ok(err))
        err = keep_hashes(t, asked, &hashes);
    bytes_wipe(&hashes, sizeof hashes);
    buf_clear(&key_sets);
    return err;
}

/* ---- judging */

static void facts_of(const struct connection_offer *offer, struct offer_facts *facts)
{
    *facts = (struct offer_facts){
        .key_sets = offer->key_sets,
        .group_id = offer->group_id,
        .state_key = offer->state_key,
        .identity_key = offer->identity_key,
        .answer_key = offer->answer_key,
        .handle = offer->handle,
        .display_name = offer->display_name,
        .text = offer->text,
    };
}

/* The form of a name that people are shown and that rows hold. */
static bool is_text(struct bytes text, size_t most)
{
    return text.len <= most && (text.len == 0 || memchr(text.data, 0, text.len) == NULL);
}

static bool is_handle_of(struct bytes handle, struct bytes domain)
{
    char text[HANDLE_TEXT_MAX_BYTES + 1];
    struct bytes local, at;
    if (handle.len == 0)
        return true; /* not told */
    if (!is_text(handle, HANDLE_TEXT_MAX_BYTES))
        return false;
    memcpy(text, handle.data, handle.len);
    text[handle.len] = 0;
    return err_is_ok(handle_split(text, &local, &at)) && bytes_equal(at, domain);
}

static struct err check_sender(struct core *c, const struct connection_offer *offer,
                               const struct client_id *sender)
{
    struct domain_name group;
    struct wire_reader own = wire_reader_of(buf_view(&c->account.user_id));
    TRY(domain_name_parse(offer->group_id, &group));
    if (!bytes_equal(group.domain, sender->user.domain) ||
        !is_handle_of(offer->handle, sender->user.domain) ||
        !is_text(offer->display_name, SIZE_MAX))
        return ERR(WIRE_VALUE);
    struct bytes uuid = wire_read_fixed(&own, UUID_BYTES);
    bool is_us = bytes_equal(uuid, bytes_of(sender->user.uuid, UUID_BYTES)) &&
                 bytes_equal(sender->user.domain, bytes_str(c->account.domain));
    return is_us ? ERR(ARGUMENT) : ERR_OK;
}

static struct err our_handle_hash(struct core *c, struct db_txn *t, struct bytes handle,
                                  uint8_t ret_hash[HANDLE_HASH_BYTES])
{
    char text[HANDLE_TEXT_MAX_BYTES + 1];
    struct bytes local, domain;
    if (!is_text(handle, HANDLE_TEXT_MAX_BYTES))
        return ERR(ARGUMENT);
    if (handle.len > 0)
        memcpy(text, handle.data, handle.len);
    text[handle.len] = 0;
    TRY(handle_split(text, &local, &domain));
    if (bytes_equal(domain, bytes_str(c->account.domain))) {
        struct err err = handle_own_hash(c, t, local, ret_hash);
        if (err.code != ERR_NOT_FOUND)
            return err;
    }
    return handle_hash(local, domain, ret_hash); /* given up since */
}

static struct err verify(struct core *c, struct db_txn *t, const struct asks *asks,
                         const struct connection_offer *offer, struct bytes root_bytes,
                         struct offer_facts *facts)
{
    uint8_t hash[HANDLE_HASH_BYTES];
    struct credential root;
    struct connection_sender sender;
    TRY(our_handle_hash(c, t, asks->handle, hash));
    TRY(credential_parse(root_bytes, &root));
    TRY(connection_offer_verify(offer, hash, asks->package_hash, &root, core_now_ms(c) / 1000,
                                &sender));
    facts->complete = sender.key_set_first == 0;
    facts->reset = sender.key_set_reset;
    return ERR_OK;
}

/* UserId is what a ClientId begins with. */
static struct err user_of(struct bytes client_credential, struct bytes *ret_user_id)
{
    struct credential client;
    TRY(credential_parse(client_credential, &client));
    if (client.subject.len <= UUID_BYTES)
        return ERR(CREDENTIAL);
    *ret_user_id = bytes_of(client.subject.data, client.subject.len - UUID_BYTES);
    return ERR_OK;
}

struct err offer_judge(struct core *c, struct db_txn *t, const struct asks *asks,
                       struct offer_facts *ret_facts, struct friendship *ret_friendship)
{
    struct connection_offer offer = {0};
    struct client_id sender;
    struct offer_facts facts;
    struct verified_client client;
    struct homeserver h = {0};
    char domain[DOMAIN_MAX_BYTES + 1];
    TRY(connection_offer_parse(asks->offer, &offer));
    facts_of(&offer, &facts);
    struct err err = connection_offer_sender(&offer, &sender);
    if (err_is_ok(err))
        err = check_sender(c, &offer, &sender);
    if (err_is_ok(err)) {
        memcpy(domain, sender.user.domain.data, sender.user.domain.len);
        domain[sender.user.domain.len] = 0;
        err = homeserver_get(c, t, domain, &h);
        if (err.code == ERR_CLIENT_LOG_LATER)
            err = ERR(NOT_FOUND);
        if (err_is_ok(err)) /* revocations, too */
            err = homeserver_verify_client(c, t, offer.client_credential, &client);
        if (err.code == ERR_NOT_FOUND) {
            struct err wanted = homeserver_want(c, t, domain);
            err = err_is_ok(wanted) ? err : wanted;
        }
    }
    if (err_is_ok(err))
        err = verify(c, t, asks, &offer, buf_view(&h.root), &facts);
    if (err_is_ok(err))
        err = user_of(offer.client_credential, &facts.user_id);
    if (err_is_ok(err)) {
        *ret_facts = facts;
        *ret_friendship = offer.friendship;
    }
    homeserver_clear(&h);
    connection_offer_clear(&offer);
    return err;
}

struct err offer_facts_of(struct bytes whole, struct offer_facts *ret_facts,
                          struct offer_hashes *ret_hashes)
{
    struct connection_offer offer = {0};
    struct offer_facts facts;
    TRY(connection_offer_parse(whole, &offer));
    facts_of(&offer, &facts);
    struct err err = user_of(offer.client_credential, &facts.user_id);
    connection_offer_clear(&offer);
    TRY(err);
    struct connection_offer_hashes hashes;
    connection_offer_hashes(whole, &hashes);
    hashes_of(&hashes, ret_hashes);
    bytes_wipe(&hashes, sizeof hashes);
    *ret_facts = facts;
    return ERR_OK;
}

/* ---- saying no */

struct err offer_refusal_seal(struct core *c, struct bytes answer_key,
                              const struct offer_hashes *hashes, struct buf *ret_sealed)
{
    const struct connection_answer no = {.kind = CONNECTION_REFUSED,
                                         .reason = CONNECTION_REASON_UNWANTED};
    return connection_answer_seal(ret_sealed, c->rng, answer_key, hashes->hash, &no);
}

struct err offer_refusal_open(const struct asked *asked, struct bytes sealed, bool *ret_refused)
{
    struct connection_answer answer;
    struct err err = ERR(CRYPTO_TAG);
    for (size_t i = 0; i < asked->count && !err_is_ok(err); i++) {
        struct buf plain = BUF_INIT;
        err = connection_answer_open(secret_view(&asked->answer_private),
                                     public_key_view(&asked->answer_public), asked->offers[i].hash,
                                     sealed, &plain, &answer);
        if (err_is_ok(err))
            *ret_refused = answer.kind == CONNECTION_REFUSED;
        buf_clear(&plain);
    }
    return err;
}
