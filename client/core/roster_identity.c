/* What the sealed identity of a leaf says, and whether it holds (roster.h). */
#include <string.h>

#include "client/core/client_credential.h"
#include "client/core/contact.h"
#include "client/core/homeserver.h"
#include "client/core/log_gate.h"
#include "client/core/roster.h"
#include "seal/key_set.h"

/* The set that we hold of the user, ours or a contact's, must have this client with this key. */
static struct err check_key_set(struct bytes key_set, const struct verified_client *client)
{
    struct key_set set;
    if (key_set.len == 0)
        return ERR_OK;
    TRY(key_set_parse(key_set, &set));
    const struct client_key *key = key_set_find(&set, bytes_of(client->id.client, UUID_BYTES));
    return key != NULL && bytes_equal(key->public_key, client->public_key) ? ERR_OK : ERR(KEY_SET);
}

static struct err check_owner(struct core *c, struct db_txn *t,
                              const struct verified_client *client,
                              struct roster_identity *identity)
{
    struct bytes user = bytes_of(client->id_bytes.data, client->id_bytes.len - UUID_BYTES);
    struct bytes uuid = bytes_of(client->id.client, UUID_BYTES);
    if (bytes_equal(user, buf_view(&c->account.user_id))) {
        identity->own_user = true;
        struct err own = check_key_set(buf_view(&c->account.key_set), client);
        return own.code == ERR_KEY_SET
                   ? log_check_device(c, t, user, uuid, client->public_key, LOG_OWN)
                   : own;
    }
    struct err err = contact_by_user(c, t, user, &identity->contact);
    if (err.code == ERR_NOT_FOUND)
        return log_check_member(c, t, user, uuid, client->public_key);
    TRY(err);
    struct contact contact = {0};
    TRY(contact_get(c, t, &identity->contact, &contact));
    err = contact.key_set.len > 0 ? check_key_set(buf_view(&contact.key_set), client)
                                  : log_check_member(c, t, user, uuid, client->public_key);
    if (err.code == ERR_KEY_SET && contact.key_set.len > 0) /* he may have another device now */
        err = log_check_device(c, t, user, uuid, client->public_key, LOG_CONTACT);
    contact_clear(&contact);
    return err;
}

struct err roster_identify(struct core *c, struct db_txn *t, struct bytes leaf_credential,
                           struct bytes signature_key,
                           const uint8_t identity_key[IDENTITY_KEY_BYTES],
                           char ret_domain[DOMAIN_MAX_BYTES + 1],
                           struct roster_identity *ret_identity)
{
    struct leaf_credential credential;
    struct buf scratch = BUF_INIT;
    struct bytes client_credential = {0};
    struct verified_client client;
    struct roster_identity identity = {0};
    TRY(leaf_credential_parse(leaf_credential, &credential));
    struct err err = leaf_credential_open(&credential, identity_key, signature_key, &scratch,
                                          &client_credential);
    if (err_is_ok(err))
        err = client_credential_domain(client_credential, ret_domain);
    if (err_is_ok(err))
        err = homeserver_verify_client(c, t, client_credential, &client);
    if (err_is_ok(err) &&
        (client.id_bytes.len > sizeof identity.client_id || client.id_bytes.len <= UUID_BYTES))
        err = ERR(CREDENTIAL);
    if (err_is_ok(err)) {
        memcpy(identity.client_id, client.id_bytes.data, client.id_bytes.len);
        identity.client_id_len = client.id_bytes.len;
        err = check_owner(c, t, &client, &identity);
    }
    buf_clear(&scratch);
    if (err_is_ok(err))
        *ret_identity = identity;
    return err;
}
