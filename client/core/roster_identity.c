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
                              const struct verified_client *client, bool proves_himself,
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
        return log_check_member(c, t, user, uuid, client->public_key, proves_himself);
    TRY(err);
    struct contact contact = {0};
    TRY(contact_get(c, t, &identity->contact, &contact));
    err = contact.key_set.len > 0
              ? check_key_set(buf_view(&contact.key_set), client)
              : log_check_member(c, t, user, uuid, client->public_key, proves_himself);
    if (err.code == ERR_KEY_SET && contact.key_set.len > 0) /* he may have another device now */
        err = log_check_device(c, t, user, uuid, client->public_key, LOG_CONTACT);
    contact_clear(&contact);
    return err;
}

/* client is of views into scratch. */
static struct err open_client(struct core *c, struct db_txn *t, struct bytes leaf_credential,
                              struct bytes signature_key,
                              const uint8_t identity_key[IDENTITY_KEY_BYTES], struct buf *scratch,
                              char ret_domain[DOMAIN_MAX_BYTES + 1],
                              struct verified_client *ret_client)
{
    struct leaf_credential credential;
    struct bytes client_credential = {0};
    TRY(leaf_credential_parse(leaf_credential, &credential));
    TRY(leaf_credential_open(&credential, identity_key, signature_key, scratch,
                             &client_credential));
    TRY(client_credential_domain(client_credential, ret_domain));
    return homeserver_verify_client(c, t, client_credential, ret_client);
}

bool roster_opens(struct core *c, struct db_txn *t, struct bytes leaf_credential,
                  struct bytes signature_key, const uint8_t identity_key[IDENTITY_KEY_BYTES])
{
    char domain[DOMAIN_MAX_BYTES + 1];
    struct buf scratch = BUF_INIT;
    struct verified_client client;
    struct err err =
        open_client(c, t, leaf_credential, signature_key, identity_key, &scratch, domain, &client);
    buf_clear(&scratch);
    return err_is_ok(err);
}

struct err roster_identify(struct core *c, struct db_txn *t, struct bytes leaf_credential,
                           struct bytes signature_key,
                           const uint8_t identity_key[IDENTITY_KEY_BYTES], bool proves_himself,
                           char ret_domain[DOMAIN_MAX_BYTES + 1],
                           struct roster_identity *ret_identity)
{
    struct buf scratch = BUF_INIT;
    struct verified_client client;
    struct roster_identity identity = {0};
    struct err err = open_client(c, t, leaf_credential, signature_key, identity_key, &scratch,
                                 ret_domain, &client);
    if (err_is_ok(err) &&
        (client.id_bytes.len > sizeof identity.client_id || client.id_bytes.len <= UUID_BYTES))
        err = ERR(CREDENTIAL);
    if (err_is_ok(err)) {
        memcpy(identity.client_id, client.id_bytes.data, client.id_bytes.len);
        identity.client_id_len = client.id_bytes.len;
        err = check_owner(c, t, &client, proves_himself, &identity);
    }
    buf_clear(&scratch);
    if (err_is_ok(err))
        *ret_identity = identity;
    return err;
}
