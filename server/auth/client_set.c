/* KeySets of users (transparency.md 4): what one request may change in them. A server can't change
 * one at all: each version is signed by a key of the version before (MitM3), and resets, which
 * clients show loudly, are not for these rpcs. */
#include "server/auth/inside.h"
#include "wire/writer.h"

void user_label(struct bytes user, struct buf *ret_label)
{
    wire_write_u8(ret_label, KEY_SET_LABEL_USER);
    wire_write_fixed(ret_label, user);
}

static bool same_client(const struct client_key *a, const struct client_key *b)
{
    return a->sig_scheme == b->sig_scheme && a->added_ms == b->added_ms && a->flags == b->flags &&
           bytes_equal(a->client_id, b->client_id) && bytes_equal(a->public_key, b->public_key);
}

/* Everything of `from` but the one id stands unchanged in `to`. */
static bool keeps(const struct key_set *from, const struct key_set *to, struct bytes but)
{
    for (size_t i = 0; i < from->client_count; i++) {
        const struct client_key *client = &from->clients[i];
        if (bytes_equal(client->client_id, but))
            continue;
        const struct client_key *found = key_set_find(to, client->client_id);
        if (found == NULL || !same_client(client, found))
            return false;
    }
    return true;
}

static struct err adds(const struct key_set *before, const struct key_set *after,
                       const struct set_change *change)
{
    const struct client_key *added = key_set_find(after, change->added);
    if (added == NULL || key_set_find(before, change->added) != NULL ||
        added->sig_scheme != sig_ed25519.scheme ||
        !bytes_equal(added->public_key, change->added_key) ||
        after->client_count != before->client_count + 1)
        return ERR(KEY_SET);
    return keeps(before, after, bytes_of(NULL, 0)) ? ERR_OK : ERR(KEY_SET);
}

static struct err removes(const struct key_set *before, const struct key_set *after,
                          const struct set_change *change)
{
    if (key_set_find(before, change->removed) == NULL)
        return ERR(NOT_FOUND);
    if (after->client_count + 1 != before->client_count || after->client_count == 0)
        return ERR(KEY_SET);
    return keeps(before, after, change->removed) ? ERR_OK : ERR(KEY_SET);
}

struct err client_set_next(struct bytes current, struct bytes next, const struct set_change *change)
{
    struct key_set before, after;
    if (!err_is_ok(key_set_parse(current, &before)))
        return ERR(STORE_CORRUPT);
    TRY(key_set_parse(next, &after));
    if (after.version != before.version + 1)
        return ERR(AUTH_LABEL_VERSION);
    if (after.reset)
        return ERR(KEY_SET);
    TRY(key_set_verify(&after, &before));
    if (change->all)
        return after.client_count == 0 && after.recovery_key.len == 0 ? ERR_OK : ERR(KEY_SET);
    if (!bytes_equal(after.recovery_key, before.recovery_key))
        return ERR(KEY_SET);
    return change->added.len > 0 ? adds(&before, &after, change) : removes(&before, &after, change);
}

struct err client_set_store(struct store_txn *txn, const struct auth *auth, struct user *user,
                            struct bytes next)
{
    struct key_set set;
    TRY(key_set_parse(next, &set));
    buf_clear(&user->key_set);
    buf_append_bytes(&user->key_set, next);
    TRY(buf_check(&user->key_set));
    TRY(label_advance(txn, auth, &set, next));
    return user_update(txn, auth, user);
}
