/* A group's identity keys (CONTENT_IDENTITY_KEY): told by who removed somebody, taken by the
 * others, and one's own leaf brought under a newer one before the one that it came under is
 * forgotten.
 */
#include <string.h>

#include "client/core/receive.h"
#include "client/core/roster.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* So many keys may have come after that of our leaf: between these, by chance, so that not all
 * members commit at once. CHAT_IDENTITY_KEYS leaves some for who is away meanwhile. */
enum { BEHIND_LEAST = 16, BEHIND_SPREAD = 32 };

/* ---- telling */

struct err group_tell_identity_key(struct core *c, struct db_txn *t, const struct open_chat *chat)
{
    struct buf b = BUF_INIT;
    struct hearth_id id;
    uint64_t task;
    if (group_public(chat->group)->tree.member_count < 2)
        return ERR_OK;
    TRY(core_random_id(c, &id));
    wire_write_u64(&b, chat->chat.identity_epoch);
    wire_write_fixed(&b, bytes_of(chat->chat.identity_key, sizeof chat->chat.identity_key));
    wire_write_fixed(&b, bytes_of(chat->chat.identity_before,
                                  chat->chat.identity_before_count * IDENTITY_KEY_BYTES));
    struct content content = {.kind = CONTENT_IDENTITY_KEY,
                              .id = id.bytes,
                              .sent_ms = core_now_ms(c),
                              .body = buf_view(&b)};
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = send_in_lane(c, t, &chat->chat.id, CHAT_LANE_KEYS, &content, 0, &task);
    buf_clear(&b);
    return err;
}

/* ---- taking */

/* The committer of a removal names the key that holds from it on. Whoever joined later has it from
 * his Welcome, or, after a resync, from whoever tells him (receive_commit.c). */
static bool may_name_key(const struct chat *chat, uint32_t leaf, uint64_t epoch, uint64_t now)
{
    if (epoch > now)
        return false;
    for (size_t i = 0; i < chat->rotation_count; i++)
        if (chat->rotations[i].epoch == epoch && chat->rotations[i].leaf == leaf)
            return true;
    return epoch <= chat->joined_epoch && epoch > chat->identity_epoch;
}

/* Whoever tells it: a key that opens a leaf of which nobody has said yet whose it is was that
 * leaf's. It never becomes the one of now. */
static void take_for_waiting(struct open_chat *chat, const uint8_t key[IDENTITY_KEY_BYTES])
{
    if (roster_waits_for(chat->roster, key))
        chat_add_identity_key(&chat->chat, key, 0);
}

struct err identity_key_take(struct core *c, struct db_txn *t, struct open_chat *chat,
                             uint32_t leaf, struct bytes body)
{
    struct wire_reader r = wire_reader_of(body);
    uint64_t epoch = wire_read_u64(&r);
    struct bytes key = wire_read_fixed(&r, IDENTITY_KEY_BYTES);
    struct bytes before = wire_read_fixed(&r, wire_reader_left(&r));
    if (!err_is_ok(wire_reader_end(&r)) || before.len % IDENTITY_KEY_BYTES != 0 ||
        before.len > sizeof chat->chat.identity_before)
        return ERR_OK;
    bool named = may_name_key(&chat->chat, leaf, epoch, group_epoch(chat->group));
    /* oldest first, as they would have come; what a device missed while it joined again */
    for (size_t at = before.len; at > 0; at -= IDENTITY_KEY_BYTES)
        if (named)
            chat_add_identity_key(&chat->chat, before.data + at - IDENTITY_KEY_BYTES, 0);
        else
            take_for_waiting(chat, before.data + at - IDENTITY_KEY_BYTES);
    if (named)
        chat_add_identity_key(&chat->chat, key.data, epoch);
    else
        take_for_waiting(chat, key.data);
    TRY(roster_retry(c, t, chat));
    TRY(identity_key_renew(c, t, chat));
    return group_take_name(chat);
}

/* ---- growing old */

/* How many keys came after the one that our leaf is wrapped under. */
static size_t keys_since(const struct open_chat *chat)
{
    const struct roster_leaf *own = roster_find(chat->roster, group_own_leaf(chat->group));
    size_t since = 0;
    uint8_t key[IDENTITY_KEY_BYTES];
    if (own == NULL || own->wrapped_identity_key.len == 0)
        return 0;
    struct bytes wrapped = buf_view(&own->wrapped_identity_key);
    struct err err = identity_key_unwrap(chat->chat.identity_key, own->pseudonym, wrapped, key);
    for (; since < chat->chat.identity_before_count && !err_is_ok(err); since++)
        err = identity_key_unwrap(chat->chat.identity_before[since], own->pseudonym, wrapped, key);
    bytes_wipe(key, sizeof key);
    return since;
}

struct err identity_key_renew(struct core *c, struct db_txn *t, const struct open_chat *chat)
{
    if (chat->chat.state != HEARTH_CHAT_OPEN || chat->group == NULL || chat->chat.leaving ||
        keys_since(chat) < BEHIND_LEAST + (size_t)(chat->chat.pseudonym[0] % BEHIND_SPREAD))
        return ERR_OK;
    return group_fresh_leaf(c, t, &chat->chat.id); /* or, where that is busy, with the next key */
}
