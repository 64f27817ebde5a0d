/* A client of the house, for tests: has a queue, publishes KeyPackages, founds groups with
 * mls_member, adds and removes others, sends, receives, leaves, resyncs. What the server answers is
 * returned; what the client itself can't do, or what may not happen (a gap in the queue, an item
 * that does not open, something after a removal), fails the running test.
 *
 * Every call is repeated under the same idempotency id until the answer is definite, through kills
 * of the house.
 */
#ifndef TESTS_SUPPORT_RESIDENT_H
#define TESTS_SUPPORT_RESIDENT_H

#include "hearth/v1/delivery_rpc.h"
#include "hearth/v1/queue_rpc.h"
#include "mls/member/group.h"
#include "seal/connection_answer.h"
#include "seal/delivery_body.h"
#include "seal/fan_out.h"
#include "seal/names.h"
#include "seal/queue_ratchet.h"
#include "support/house/house.h"
#include "support/server/caller.h"

enum {
    RESIDENT_PACKAGES = 24,
    RESIDENT_GROUPS = 8,
    RESIDENT_STATE_KEYS = 16,
    RESIDENT_ITEMS = 20000,
    RESIDENT_GOT = 8192,
    RESIDENT_BEFORE = 8,
    RESIDENT_ABROAD = 2,
};

/* A KeyPackage of ours with what belongs to it. */
struct own_package {
    bool made, used;
    struct key_package_bundle bundle;
    struct digest ref;
    struct sig_key leaf_key;
    uint8_t tag[16], pseudonym[16], identity_key[32];
    char domain[16]; /* of the reference */
    struct buf credential, reference, reference_signature;
};

struct membership {
    struct resident *resident;
    struct house *owner; /* of the group */
    bool in;             /* as far as we know */
    bool left;           /* was removed: nothing may come any more */
    uint8_t group_id[NAME_MAX_BYTES];
    size_t group_id_len;
    uint8_t keys[RESIDENT_STATE_KEYS][STATE_KEY_BYTES]; /* newest first */
    size_t key_count;
    uint64_t key_epoch;                       /* the first came with */
    uint8_t identity_key[IDENTITY_KEY_BYTES]; /* the group's */
    struct mls_group *group;
    /* of before resyncs, newest first: for messages that came meanwhile */
    struct mls_group *before[RESIDENT_BEFORE];
    struct own_package self; /* leaf key, tag, credential; bundle empty for founders */
    uint8_t user_pseudonym[16];
    struct caller caller;
    bool leaving;          /* proposed to be removed */
    bool broken;           /* a commit could not be processed: resync */
    uint64_t broken_epoch; /* the first that we have no secrets of */
    uint64_t heard_epoch;  /* that the last commit out of the queue led to */
    /* test: items may be missing, as it is with who is at a blocked homeserver; it was told so */
    bool lossy, told;
    uint64_t told_count; /* so many messages were given up, it was told */
    struct buf parts;    /* of a large item, as far as they came */
    uint8_t parts_id[PART_ID_BYTES];
    uint16_t parts_next;
    bool deaf;                              /* test: commits are not processed */
    bool doubts;                            /* test: the next commit proves wrong */
    uint8_t commit_hash[COMMIT_HASH_BYTES]; /* of the last that came: for a report */
    /* of the next messages: who is called by name; whether the others may be woken */
    uint32_t mentioned[4];
    size_t mentioned_count;
    bool unmarked;
};

/* An application message that was read. */
struct got {
    const struct membership *in;
    uint64_t epoch;
    uint32_t message;
    uint32_t sender;
};

/* For the test: somebody was added, so a Welcome is due. Nothing in it is used for joining. */
struct introduction {
    uint8_t signature_key[32]; /* of the leaf */
    struct digest ref;
    bool lossy; /* of the membership that will be */
};

/* A connection that was asked for: what the asker keeps, and the asked while it accepts. */
struct resident_offer {
    bool open;
    struct connection_offer_hashes hashes;
    struct secret answer_private;
    struct public_key answer_public;
    bool answered;
    enum connection_reason refusal;
};

struct resident {
    struct house *house; /* where its queue is */
    uint32_t number;
    char target[64];
    struct hearth_channel *channel;
    struct {
        struct house *house; /* NULL: not yet called */
        struct hearth_channel *channel;
    } abroad[RESIDENT_ABROAD];
    struct caller user, client; /* of the queue */
    uint8_t user_id[16], client_id[16];
    uint8_t contact_key[32], friendship_key[32];
    struct sig_key client_key; /* of the ClientCredential */
    struct secret queue_private;
    struct public_key queue_public;
    struct queue_ratchet ratchet;
    uint64_t seen;                     /* items opened: the next number */
    uint64_t acked;                    /* told so */
    bool greedy;                       /* never acknowledges */
    bool gone;                         /* has no queue any more */
    uint8_t hashes[RESIDENT_ITEMS][8]; /* of items, to compare repeats */
    struct own_package packages[RESIDENT_PACKAGES];
    struct membership groups[RESIDENT_GROUPS];
    struct digest taken[RESIDENT_PACKAGES]; /* refs of ours that were handed out (K1) */
    size_t taken_count;
    struct introduction introductions[RESIDENT_PACKAGES];
    size_t introduction_count;
    struct resident_offer offer;
    struct got got[RESIDENT_GOT];
    size_t got_count;
    unsigned welcomes, commits, proposals, gaps, repeats, last_resorts, faults, lies;
    unsigned retries; /* of calls */
    struct hearth_status last;
};

/* ---- calls */

ProtobufCBinaryData resident_data(struct bytes view);
/* caller NULL: unsigned. out may be NULL; else the caller's to free. Repeats until definite. to:
 * the homeserver that is called; else one's own. */
enum hearth_code resident_call_at(struct resident *r, struct house *to, struct caller *caller,
                                  const struct hearth_service *service, const char *method,
                                  const ProtobufCMessage *in, ProtobufCMessage **out);
enum hearth_code resident_call(struct resident *r, struct caller *caller,
                               const struct hearth_service *service, const char *method,
                               const ProtobufCMessage *in, ProtobufCMessage **out);
/* The same in two steps, so that several calls are under way at once. begin copies `in`; caller
 * lives until the end. */
struct resident_request {
    struct resident *resident;
    struct house *to;
    struct caller *caller;
    const struct hearth_endpoint *endpoint;
    ProtobufCMessage *in, *out;
    bool done;
    enum hearth_code code;
};
void resident_begin(struct resident *r, struct house *to, struct caller *caller,
                    const struct hearth_service *service, const char *method,
                    const ProtobufCMessage *in, struct resident_request *q);
enum hearth_code resident_end(struct resident_request *q, ProtobufCMessage **out);
/* Is this no answer, so that the call is to be repeated? */
bool resident_is_indefinite(const struct resident *r, enum hearth_code code);
/* 16 random bytes, in the init of a message. */
struct resident_id {
    uint8_t bytes[16];
    Hearth__V1__Idempotency message;
};
void resident_id(struct resident *r, struct resident_id *id);
void resident_random(struct resident *r, void *out, size_t len);

/* ---- life */

/* Makes keys, and a queue in the house. */
void resident_init(struct resident *r, struct house *h, uint32_t number);
void resident_clear(struct resident *r);
/* Deletes the queue: whoever has a reference to it will hear that it is gone. */
void resident_give_up(struct resident *r);
enum hearth_code resident_publish(struct resident *r, size_t count);
/* Items to this leaf may be missing from now on. */
void resident_lossy(struct resident *r, const uint8_t signature_key[32]);
/* `by` asks for one of who's KeyPackages and does nothing with it. */
enum hearth_code resident_take_package(struct resident *by, struct resident *who,
                                       struct digest *ret_ref);
/* A token that lets others fetch r's KeyPackages. */
void resident_token(struct resident *r, uint32_t contact, uint8_t token[48]);

/* ---- groups */

/* NULL, and r->last, when it is refused. The group is owned by that homeserver, else by one's own.
 */
struct membership *resident_found_at(struct resident *r, struct house *owner);
struct membership *resident_found(struct resident *r);
struct membership *resident_in(struct resident *r, const struct membership *group);
/* A commit that adds these and removes those (others' memberships of the same group); both may be
 * empty. */
struct commit_wish {
    struct resident *const *add;
    size_t add_count;
    const uint32_t *remove; /* leaf indices */
    size_t remove_count;
};
enum hearth_code membership_commit(struct membership *m, const struct commit_wish *wish);
enum hearth_code membership_send(struct membership *m, uint32_t message);
/* In two steps. */
struct committing;
/* NULL: it can't be made (group_commit's error is printed), or a KeyPackage is refused. */
struct committing *membership_commit_begin(struct membership *m, const struct commit_wish *wish);
/* Is there an answer? Then end waits no more, unless it has to repeat the call. */
bool membership_commit_answered(const struct committing *c);
enum hearth_code membership_commit_end(struct committing *c);
void membership_send_begin(struct membership *m, uint32_t message, struct resident_request *q);
enum hearth_code membership_leave(struct membership *m);
/* To one leaf; what is in it is not looked at. */
enum hearth_code membership_send_targeted(struct membership *m, uint32_t leaf);
/* UpdateQueueReference with a notification policy alone. */
enum hearth_code membership_policy(struct membership *m, Hearth__V1__NotificationPolicy policy);
enum hearth_code membership_resync(struct membership *m);
/* In three steps: what it joins is asked for; the commit is sent; the answer. prepare: NULL, and
 * ret_code, when it is refused. */
struct resyncing;
struct resyncing *membership_resync_prepare(struct membership *m, enum hearth_code *ret_code);
void membership_resync_begin(struct resyncing *s);
enum hearth_code membership_resync_end(struct resyncing *s);
/* Does the owner open the group's state for it? What only members should be able to. */
enum hearth_code membership_look(struct membership *m);
/* By a commit that removes everybody else; ours is over, too, then. */
enum hearth_code membership_delete(struct membership *m);
struct bytes membership_group_id(const struct membership *m);

/* ---- connections (connecting.c) */

/* m waits alone in its group for who takes up the offer. fields: credentials, client sets, names;
 * the rest is of m. Appends what Auth.Connect would carry. client_key: of the ClientCredential. */
void membership_offer(struct membership *m, struct connection_offer *fields,
                      const struct connection_package *package, struct buf *ret_sealed);
/* By external commit into the group of the offer. NULL, and r->last, when it is refused.
 * without_psk: test: another secret than the offer's. */
struct membership *resident_accept(struct resident *r, const struct connection_offer *offer,
                                   bool without_psk);
enum hearth_code resident_refuse(struct resident *r, const struct connection_offer *offer,
                                 enum connection_reason reason);

/* Fetches and opens what waits, `most` items at a time (0: as many as there are), acknowledging
 * what was opened; until nothing is left. */
void resident_sync(struct resident *r, uint32_t most);
/* The same by a listening stream, for so long, through kills. */
void resident_listen(struct resident *r, uint64_t ms);
/* One item. */
void resident_item(struct resident *r, const Hearth__V1__QueueItem *item);

#endif
