/* Chats in memory: records all at once, groups and rosters when they are asked for.
 *
 * What lies here is a copy of the file's. After a failed step everything is forgotten, so a copy
 * that was changed and not written never outlives its step.
 */
#include "client/core/chat.h"

#include <stdlib.h>

#include "client/core/chat_store.h"
#include "client/core/contact.h"
#include "client/core/roster.h"

/* A chat that is known; open comes first, so that callers' pointers lead back. */
struct known_chat {
    struct open_chat open;
    bool loaded;                        /* group and roster */
    bool fresh_group;                   /* in another's place: all of it is written */
    struct buf written, written_roster; /* as they stand in the file */
    struct known_chat *next;
};

struct chat_cache {
    struct core *core;
    struct db_txn *txn; /* of the step that asked last: for mls_client_ops */
    struct known_chat *first;
};

/* ---- the cache */

static void known_free(struct known_chat *k)
{
    group_free(k->open.group);
    roster_free(k->open.roster);
    chat_clear(&k->open.chat);
    buf_clear(&k->written);
    buf_clear(&k->written_roster);
    free(k);
}

void chat_forget(struct core *c)
{
    struct chat_cache *cache = c->chats;
    if (cache == NULL)
        return;
    while (cache->first != NULL) {
        struct known_chat *k = cache->first;
        cache->first = k->next;
        known_free(k);
    }
    free(cache);
    c->chats = NULL;
}

static struct err op_psk(void *self, struct bytes psk_id, struct buf *psk)
{
    struct chat_cache *cache = self;
    return contact_psk(cache->core, cache->txn, psk_id, psk);
}

static const struct mls_client_ops client_ops = {.psk = op_psk};

static void refresh_client(struct chat_cache *cache, struct known_chat *k)
{
    k->open.client = (struct mls_client){
        .rng = cache->core->rng,
        .signer = &k->open.chat.leaf_key,
        .policy = mls_policy_at(core_now_ms(cache->core) / 1000),
        .ops = &client_ops,
        .self = cache,
    };
}

static struct err keep(struct chat_cache *cache, struct known_chat **ret_known)
{
    struct known_chat *k = calloc(1, sizeof *k);
    if (k == NULL)
        return ERR(NO_MEMORY);
    struct known_chat **last = &cache->first;
    while (*last != NULL)
        last = &(*last)->next;
    *last = k;
    *ret_known = k;
    return ERR_OK;
}

static struct err read_row(void *arg, struct bytes id, struct bytes value)
{
    struct chat_cache *cache = arg;
    struct known_chat *k;
    (void)id;
    TRY(keep(cache, &k));
    TRY(chat_read(value, &k->open.chat));
    buf_append_bytes(&k->written, value);
    return buf_check(&k->written);
}

/* All records, once. */
static struct err cache_of(struct core *c, struct db_txn *t, struct chat_cache **ret_cache)
{
    if (c->chats == NULL) {
        c->chats = calloc(1, sizeof *c->chats);
        if (c->chats == NULL)
            return ERR(NO_MEMORY);
        c->chats->core = c;
        struct err err = db_each(t, DB_CHAT, read_row, c->chats);
        if (!err_is_ok(err)) {
            chat_forget(c);
            return err;
        }
    }
    c->chats->txn = t;
    *ret_cache = c->chats;
    return ERR_OK;
}

/* ---- opening */

static struct err load_roster(struct db_txn *t, struct known_chat *k)
{
    struct bytes id = bytes_of(k->open.chat.id.bytes, sizeof k->open.chat.id.bytes);
    buf_reset_unwiped(&k->written_roster);
    struct err err = db_get(t, DB_ROSTER, id, &k->written_roster);
    if (err.code == ERR_NOT_FOUND) {
        k->open.roster = calloc(1, sizeof *k->open.roster);
        return k->open.roster != NULL ? ERR_OK : ERR(NO_MEMORY);
    }
    TRY(err);
    return roster_read(buf_view(&k->written_roster), &k->open.roster);
}

static struct err load(struct chat_cache *cache, struct db_txn *t, struct known_chat *k)
{
    if (k->loaded)
        return ERR_OK;
    if (k->open.roster == NULL)
        TRY(load_roster(t, k));
    if (k->open.group == NULL) {
        struct err err = chat_group_load(t, &k->open.chat.id, &k->open.client, &k->open.group);
        if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
            return err;
    }
    (void)cache;
    k->loaded = true;
    return ERR_OK;
}

static struct known_chat *known_by_id(struct chat_cache *cache, const struct hearth_id *id)
{
    for (struct known_chat *k = cache->first; k != NULL; k = k->next)
        if (memcmp(k->open.chat.id.bytes, id->bytes, sizeof id->bytes) == 0)
            return k;
    return NULL;
}

struct err chat_open(struct core *c, struct db_txn *t, const struct hearth_id *id,
                     struct open_chat **ret_chat)
{
    struct chat_cache *cache;
    TRY(cache_of(c, t, &cache));
    struct known_chat *k = known_by_id(cache, id);
    if (k == NULL)
        return ERR(NOT_FOUND);
    refresh_client(cache, k);
    TRY(load(cache, t, k));
    *ret_chat = &k->open;
    return ERR_OK;
}

/* ---- finding */

static bool has_tag(const struct chat *chat, const uint8_t tag[QUEUE_TAG_BYTES])
{
    static const uint8_t none[QUEUE_TAG_BYTES];
    if (memcmp(tag, none, sizeof none) == 0)
        return false;
    for (size_t i = 0; i < chat->tags_before_count; i++)
        if (memcmp(chat->tags_before[i], tag, QUEUE_TAG_BYTES) == 0)
            return true;
    return memcmp(chat->tag, tag, sizeof chat->tag) == 0 ||
           memcmp(chat->tag_next, tag, sizeof chat->tag_next) == 0;
}

struct err chat_by_tag_after(struct core *c, struct db_txn *t, const uint8_t tag[QUEUE_TAG_BYTES],
                             const struct hearth_id *after, struct hearth_id *ret_id)
{
    struct chat_cache *cache;
    TRY(cache_of(c, t, &cache));
    struct known_chat *k = cache->first;
    if (after != NULL) {
        k = known_by_id(cache, after);
        k = k != NULL ? k->next : NULL;
    }
    for (; k != NULL; k = k->next)
        if (has_tag(&k->open.chat, tag)) {
            *ret_id = k->open.chat.id;
            return ERR_OK;
        }
    return ERR(NOT_FOUND);
}

struct err chat_by_tag(struct core *c, struct db_txn *t, const uint8_t tag[QUEUE_TAG_BYTES],
                       struct hearth_id *ret_id)
{
    return chat_by_tag_after(c, t, tag, NULL, ret_id);
}

struct err chat_by_group_id_after(struct core *c, struct db_txn *t, struct bytes group_id,
                                  const struct hearth_id *after, struct hearth_id *ret_id)
{
    struct chat_cache *cache;
    TRY(cache_of(c, t, &cache));
    struct known_chat *k = cache->first;
    if (after != NULL) {
        k = known_by_id(cache, after);
        k = k != NULL ? k->next : NULL;
    }
    for (; k != NULL; k = k->next)
        if (group_id.len > 0 && bytes_equal(chat_group_id(&k->open.chat), group_id)) {
            *ret_id = k->open.chat.id;
            return ERR_OK;
        }
    return ERR(NOT_FOUND);
}

struct err chat_by_group_id(struct core *c, struct db_txn *t, struct bytes group_id,
                            struct hearth_id *ret_id)
{
    return chat_by_group_id_after(c, t, group_id, NULL, ret_id);
}

struct err chat_each(struct core *c, struct db_txn *t,
                     struct err (*fn)(void *arg, struct open_chat *chat), void *arg)
{
    struct chat_cache *cache;
    TRY(cache_of(c, t, &cache));
    for (struct known_chat *k = cache->first; k != NULL; k = k->next) {
        refresh_client(cache, k);
        TRY(load(cache, t, k));
        TRY(fn(arg, &k->open));
    }
    return ERR_OK;
}

/* ---- writing */

/* Writes encoded unless it stands there already. */
static struct err put_changed(struct db_txn *t, enum db_kind kind, const struct hearth_id *id,
                              struct buf *encoded, struct buf *written)
{
    struct err err = buf_check(encoded);
    if (err_is_ok(err) && !bytes_equal(buf_view(encoded), buf_view(written)))
        err = db_put(t, kind, bytes_of(id->bytes, sizeof id->bytes), buf_view(encoded));
    if (err_is_ok(err)) {
        struct buf old = *written;
        *written = *encoded;
        *encoded = old;
    }
    buf_clear(encoded);
    return err;
}

struct err chat_save(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    struct known_chat *k = (struct known_chat *)chat;
    struct buf row = BUF_INIT, roster = BUF_INIT;
    (void)c;
    chat_write(&row, &chat->chat);
    TRY(put_changed(t, DB_CHAT, &chat->chat.id, &row, &k->written));
    if (chat->roster->changed) { /* encoding it costs as much as there are members */
        TRY(roster_write(chat->roster, &roster));
        TRY(put_changed(t, DB_ROSTER, &chat->chat.id, &roster, &k->written_roster));
        chat->roster->changed = false;
    }
    TRY(chat_group_save(t, &chat->chat.id, chat->group, k->fresh_group));
    k->fresh_group = false;
    return ERR_OK;
}

void chat_set_group(struct open_chat *chat, struct mls_group **group)
{
    struct known_chat *k = (struct known_chat *)chat;
    if (chat->group != NULL && (group == NULL || chat->group != *group))
        group_free(chat->group);
    chat->group = group != NULL ? *group : NULL;
    if (group != NULL)
        *group = NULL;
    k->fresh_group = true;
}

struct err chat_add(struct core *c, struct db_txn *t, struct chat *chat, struct mls_group **group)
{
    struct chat_cache *cache;
    struct known_chat *k;
    TRY(cache_of(c, t, &cache));
    if (known_by_id(cache, &chat->id) != NULL)
        return ERR(WRONG_STATE);
    TRY(keep(cache, &k));
    k->open.roster = calloc(1, sizeof *k->open.roster);
    if (k->open.roster == NULL)
        return ERR(NO_MEMORY); /* the step fails, and with it the cache */
    k->open.chat = *chat;
    bytes_wipe(chat, sizeof *chat);
    k->loaded = true;
    if (group != NULL)
        chat_set_group(&k->open, group);
    refresh_client(cache, k);
    return chat_save(c, t, &k->open);
}
