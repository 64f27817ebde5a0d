#include "client/core/device_set.h"

#include <stdlib.h>

#include "crypto/hash.h"
#include "seal/key_set.h"
#include "wire/writer.h"

static size_t index_of(const struct key_set *set, struct bytes id)
{
    size_t i = 0;
    while (i < set->client_count && bytes_compare(set->clients[i].client_id, id) < 0)
        i++;
    return i;
}

static struct err add(struct key_set *set, const struct device_key *added, uint64_t now_ms)
{
    struct bytes id = bytes_of(added->uuid, UUID_BYTES);
    if (key_set_find(set, id) != NULL)
        return ERR(CLIENT_DEVICE);
    if (set->client_count == KEY_SET_CLIENTS_MAX)
        return ERR(WIRE_LIMIT);
    size_t at = index_of(set, id);
    memmove(&set->clients[at + 1], &set->clients[at],
            (set->client_count - at) * sizeof *set->clients);
    set->client_count++;
    set->clients[at] = (struct client_key){.client_id = id,
                                           .sig_scheme = sig_ed25519.scheme,
                                           .public_key = added->public_key,
                                           .added_ms = now_ms,
                                           .flags = KEY_SET_AUTHORISES};
    return ERR_OK;
}

static struct err take_out(struct key_set *set, const uint8_t *removed)
{
    struct bytes id = bytes_of(removed, UUID_BYTES);
    if (key_set_find(set, id) == NULL || set->client_count == 1)
        return ERR(CLIENT_DEVICE);
    size_t at = index_of(set, id);
    set->client_count--;
    memmove(&set->clients[at], &set->clients[at + 1],
            (set->client_count - at) * sizeof *set->clients);
    return ERR_OK;
}

struct err device_set_tbs(const struct core *c, const struct device_key *added,
                          const uint8_t *removed, const uint8_t before[32], struct buf *tbs)
{
    struct key_set *set = malloc(sizeof *set);
    if (set == NULL)
        return ERR(NO_MEMORY);
    struct err err = key_set_parse(buf_view(&c->account.key_set), set);
    if (err_is_ok(err))
        err = added != NULL ? add(set, added, core_now_ms(c)) : take_out(set, removed);
    if (err_is_ok(err)) {
        set->version++;
        set->prev_commitment = bytes_of(before, 32);
        set->created_ms = core_now_ms(c);
        set->reset = false;
        err = key_set_tbs_make(tbs, set);
    }
    free(set);
    return err;
}

static bool is_ours(const struct key_set *set, struct bytes user_id, const struct device_key *us)
{
    const struct client_key *key = key_set_find(set, bytes_of(us->uuid, UUID_BYTES));
    return set->label.len == 1 + user_id.len && set->label.data[0] == KEY_SET_LABEL_USER &&
           bytes_equal(bytes_of(set->label.data + 1, user_id.len), user_id) && key != NULL &&
           bytes_equal(key->public_key, us->public_key) && set->client_count > 1 && !set->reset;
}

struct err device_set_check(struct bytes tbs, struct bytes user_id, const struct device_key *us)
{
    struct buf whole = BUF_INIT;
    struct key_set *set = malloc(sizeof *set);
    if (set == NULL)
        return ERR(NO_MEMORY);
    buf_append_bytes(&whole, tbs);
    wire_write_u8(&whole, 0); /* no signatures yet */
    struct err err = buf_check(&whole);
    if (err_is_ok(err))
        err = key_set_parse(buf_view(&whole), set);
    if (err_is_ok(err) && !is_ours(set, user_id, us))
        err = ERR(CLIENT_LINK);
    free(set);
    buf_clear(&whole);
    return err;
}

struct err device_set_join(const struct core *c, struct bytes tbs, const struct device_key *added,
                           struct bytes added_signature, struct buf *key_set)
{
    struct signature signatures[2];
    struct bytes ids[2] = {bytes_of(c->account.client_uuid, UUID_BYTES)};
    size_t count = 1;
    TRY(key_set_tbs_sign(tbs, &c->account.client_key, &signatures[0]));
    if (added != NULL) {
        if (added_signature.len != sig_ed25519.signature_max_bytes)
            return ERR(CLIENT_LINK);
        memcpy(signatures[1].data, added_signature.data, added_signature.len);
        signatures[1].len = added_signature.len;
        ids[count++] = bytes_of(added->uuid, UUID_BYTES);
    }
    return key_set_join(key_set, tbs, ids, signatures, count);
}
