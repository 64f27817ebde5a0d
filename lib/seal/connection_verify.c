/* Whether an offer is from whom it says (connection_offer.h). */
#include "seal/connection_offer.h"
#include "seal/key_set.h"
#include "wire/reader.h"

struct err connection_offer_sender(const struct connection_offer *offer,
                                   struct client_id *ret_sender)
{
    struct credential client;
    TRY(credential_parse(offer->client_credential, &client));
    if (client.kind != CREDENTIAL_CLIENT)
        return ERR(CREDENTIAL);
    return client_id_parse(client.subject, ret_sender);
}

static struct err check_credentials(const struct connection_offer *offer,
                                    const struct credential *root, uint64_t now,
                                    struct connection_sender *sender)
{
    struct credential signing, client;
    TRY(connection_offer_sender(offer, &sender->id));
    TRY(credential_parse(offer->signing_credential, &signing));
    TRY(credential_parse(offer->client_credential, &client));
    TRY(credential_chain_verify(root, &signing, &client, now));
    sender->client_key = client.public_key;
    return ERR_OK;
}

/* Each version but the first there is follows from the one before. A version 0 stands by itself;
 * another first one is what the others are held against. */
static struct err check_versions(struct bytes list, struct key_set *ret_current,
                                 struct connection_sender *sender)
{
    struct key_set set, before;
    bool first = true;
    struct wire_reader r = wire_reader_of(list);
    while (wire_reader_more(&r)) {
        sender->key_set = wire_read_vector(&r);
        TRY(wire_reader_check(&r));
        TRY(key_set_parse(sender->key_set, &set));
        if (first)
            sender->key_set_first = set.version;
        if (!first || set.version == 0)
            TRY(key_set_verify(&set, first ? NULL : &before));
        sender->key_set_reset = sender->key_set_reset || set.reset;
        before = set;
        first = false;
    }
    if (first)
        return ERR(KEY_SET);
    sender->key_set_version = before.version;
    *ret_current = before;
    return wire_reader_end(&r);
}

/* The set is the user's, and the client is in it with the key of its credential. */
static struct err check_client(const struct key_set *set, const struct connection_sender *sender)
{
    const struct domain_name *user = &sender->id.user;
    struct buf label = BUF_INIT;
    buf_append_byte(&label, KEY_SET_LABEL_USER);
    domain_name_write(&label, user);
    struct err err = buf_check(&label);
    bool same = err_is_ok(err) && bytes_equal(set->label, buf_view(&label));
    buf_clear(&label);
    TRY(err);
    const struct client_key *client = key_set_find(set, bytes_of(sender->id.client, UUID_BYTES));
    if (!same || client == NULL || client->sig_scheme != sig_ed25519.scheme ||
        !bytes_equal(client->public_key, sender->client_key))
        return ERR(KEY_SET);
    return ERR_OK;
}

struct err connection_offer_verify(const struct connection_offer *offer,
                                   const uint8_t handle_hash[HANDLE_HASH_BYTES],
                                   const uint8_t package_hash[32], const struct credential *root,
                                   uint64_t now, struct connection_sender *ret_sender)
{
    struct connection_sender sender = {0};
    struct key_set set;
    if (!bytes_equal(bytes_of(offer->package_hash, 32), bytes_of(package_hash, 32)))
        return ERR(WIRE_VALUE);
    TRY(check_credentials(offer, root, now, &sender));
    TRY(check_versions(offer->key_sets, &set, &sender));
    TRY(check_client(&set, &sender));
    TRY(connection_offer_check_signature(offer, handle_hash, sender.client_key));
    *ret_sender = sender;
    return ERR_OK;
}
