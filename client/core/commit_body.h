/* The body of a commit task: the wish, what was fetched for it, and the request as it was sent, so
 * that a repeat is the same.
 *
 *     struct { uint8 version = 1; opaque add<V> (ids of 16), remove<V> (16), remove_clients<V>
 * (16); uint8 flags; opaque promote<V>, demote<V> (empty or 16), rename<V>; uint32 tries; uint64
 * not_before_ms, epoch; opaque fetched<V> (GetKeyPackagesResponse<V> each, contacts in order, then
 * own); opaque leaf<V>; opaque identity_key<V>; opaque request<V>; }
 */
#ifndef CLIENT_CORE_COMMIT_BODY_H
#define CLIENT_CORE_COMMIT_BODY_H

#include "client/core/group.h"
#include "hearth/v1/queue.pb-c.h"

enum { FETCHED_MAX = WISH_ADD_MAX + 1 };

struct commit_body {
    struct hearth_id add[WISH_ADD_MAX];
    size_t add_count;
    uint8_t remove[WISH_REMOVE_MAX][16], remove_clients[WISH_REMOVE_MAX][16];
    size_t remove_count, remove_client_count;
    bool add_devices, update, cover, renames, promotes, demotes, fresh_leaf, rotates;
    uint8_t promote[16], demote[16];
    char rename[CHAT_NAME_MAX_BYTES + 1];
    uint32_t tries;
    uint64_t not_before_ms;
    uint64_t epoch; /* that the request was made in */
    struct buf fetched[FETCHED_MAX];
    size_t fetched_count;
    struct chat leaf;                         /* with fresh_leaf: that the commit brings */
    uint8_t identity_key[IDENTITY_KEY_BYTES]; /* with rotates: the group's from then on */
    struct buf request;
};
/* ERR_ARGUMENT when it is too much. Clear what was filled. */
CHECKED struct err commit_body_of(const struct commit_wish *wish, struct commit_body *ret_body);
void commit_body_clear(struct commit_body *body); /* wipes */
CHECKED struct err commit_body_write(const struct commit_body *body, struct buf *b);
CHECKED struct err commit_body_read(struct bytes in, struct commit_body *ret_body);

/* ---- commit_adds.c: who is added */
struct commit_add {
    struct bytes key_package; /* without MLSMessage around; views into the bundle */
    struct digest ref;
    uint8_t client_id[CLIENT_ID_MAX_BYTES];
    size_t client_id_len;
    uint8_t user_pseudonym[PSEUDONYM_BYTES];
    uint8_t wrapped[WRAPPED_KEY_BYTES];
    struct buf wrapped_profile;
    struct signature countersignature;
    Hearth__V1__LeafRecord record;
    Hearth__V1__JoinerPart part;
    struct buf secrets;
    struct leaf_news news;
};
struct commit_adds {
    Hearth__V1__GetKeyPackagesResponse **fetched;
    size_t fetched_count;
    struct commit_add *at;
    size_t count, room;
    size_t refused;
    char wanted[DOMAIN_MAX_BYTES + 1]; /* keys of this homeserver are not there yet; else "" */
};
/* Verifies what was fetched against contacts and account; wraps the identity keys under
 * identity_key. Who is in already is left out; who does not hold is an event. Clear it. */
CHECKED struct err commit_adds_make(struct core *c, struct db_txn *t, const struct open_chat *chat,
                                    const struct commit_body *body,
                                    const uint8_t identity_key[IDENTITY_KEY_BYTES],
                                    struct commit_adds *ret_adds);
void commit_adds_clear(struct commit_adds *adds);
/* Is somebody of this contact in the chat? */
bool chat_has_contact(const struct open_chat *chat, const struct hearth_id *contact);

/* ---- commit_build.c */
enum commit_built {
    COMMIT_BUILT,     /* body.request, epoch; the group's pending commit; unsaved */
    COMMIT_NOTHING,   /* there is nothing to do any more */
    COMMIT_WAITS,     /* for keys of a homeserver */
    COMMIT_UNMAKABLE, /* all who should be added were refused */
};
CHECKED struct err commit_build(struct core *c, struct db_txn *t, const struct task *task,
                                struct open_chat *chat, struct commit_body *body,
                                enum commit_built *ret_built);

#endif
