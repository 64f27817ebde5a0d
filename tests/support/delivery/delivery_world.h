/* A delivery service with its front, keeper and courier on one stepped loop, its queue services a
 * model, and members that are real MLS clients of ours with Hearth's leaf credentials.
 *
 *     dw_start(&w, ...);  struct member *a = dw_member(&w, USER_NEW);  dw_found(&w, a);
 *     dw_add(&w, a, &b, 1);  dw_say(&w, a, "hi");  dw_receive(&w, b);
 *
 * What members get they open as clients do: state key, parts, Welcome, rotation. Any disagreement
 * fails the running cmocka test. One world at a time.
 */
#ifndef TESTS_SUPPORT_DELIVERY_WORLD_H
#define TESTS_SUPPORT_DELIVERY_WORLD_H

#include "hearth/v1/delivery_rpc.h"
#include "mls/member/group.h"
#include "net/loop.h"
#include "seal/delivery_body.h"
#include "seal/fan_out.h"
#include "seal/sealed_ref.h"
#include "server/courier/courier.h"
#include "server/delivery/delivery.h"
#include "support/test.h"
#include "support/tokens/tokens.h"

#define DW_DOMAIN "a.test"
#define DW_PEER   "c.test" /* whose queues the courier's peer route reaches */

enum { DW_MEMBERS = 24, DW_ITEMS = 256, DW_NOW_S = 1800000000, DW_REF_BYTES = 96 };

struct dworld;

/* What lay in a member's queue. */
struct ditem {
    struct buf sealed;
    uint64_t sequence;
    bool notify, quiet, control;
};

struct member {
    struct dworld *w;
    struct sig_key key; /* of the leaf */
    struct sig_key client_key;
    uint8_t pseudonym[PSEUDONYM_BYTES];
    uint8_t user_pseudonym[PSEUDONYM_BYTES];
    uint8_t wrapped_key[WRAPPED_KEY_BYTES];
    struct signature countersignature; /* len 0: none */
    uint8_t ref[DW_REF_BYTES];
    const char *domain;
    struct buf credential;
    struct leaf_profile profile;
    struct mls_client client;
    struct mls_group *group;
    struct key_package_bundle bundle;
    struct digest package_ref;
    uint8_t state_key[STATE_KEY_BYTES];
    uint8_t old_state_key[STATE_KEY_BYTES]; /* one's own rotation comes under it too */
    uint64_t state_epoch;                   /* since when state_key is good */
    enum queue_outcome mood;                /* of its queue */
    unsigned refused;                       /* rows to which it was another than OK */
    Hearth__V1__NotificationPolicy policy;  /* said in its own records */
    struct ditem items[DW_ITEMS];
    size_t item_count;
    size_t read;      /* items looked at by dw_receive */
    struct buf parts; /* of a large item */
    /* what dw_receive saw, by kind; and of application data the last */
    unsigned seen[DELIVERY_PART + 1];
    struct buf text;
    struct buf last_body; /* of the last item that is neither message nor commit */
};

struct dworld {
    struct clock_fake fake;
    struct clock clock;
    struct rng_seeded seeded;
    struct rng rng;
    struct arena arena; /* of requests being built */
    const struct suite *suite;
    struct hearth_loop *loop;
    struct keeper *keeper;
    struct front_env env;
    struct front *front;
    struct hearth_interceptor interceptor;
    struct delivery_options options;
    struct front_options front_options;
    /* every call is written here, where it is not NULL: dw_record_read */
    struct buf *recording;
    struct delivery *delivery;
    struct courier *courier;
    struct hearth_server *server;
    struct hearth_channel *channel;
    struct buf group_id;
    struct member members[DW_MEMBERS];
    unsigned member_count;
    unsigned wakes;
    bool same_id; /* the next group is founded under the id and reservation of the last */
    struct bytes reservation;
    /* dw_restart: while nobody has the files open */
    void (*between)(struct dworld *w);
    /* sent with each call: tokens */
    const struct hearth_metadata *metadata;
    size_t metadata_count;
    /* of the last call */
    enum hearth_code code;
    char message[200];
    uint64_t wrong_epoch; /* of its detail; 0: none */
    uint32_t retry_s;
    uint32_t wanted;       /* tokens, of its detail; 0: none */
    ProtobufCMessage *out; /* NULL unless OK */
};

/* Before dw_start: the zero state, with options and suite where they differ from the usual. */
void dw_start(struct dworld *w);
void dw_end(struct dworld *w);
/* The same files again, as after a crash; options.store must name some. */
void dw_restart(struct dworld *w);
/* Everything that happens without time moving. */
void dw_settle(struct dworld *w);
void dw_pass_s(struct dworld *w, uint64_t seconds);
/* Rows now. */
struct delivery_stats dw_stats(struct dworld *w);
/* How often the group's state was written, as whoever has the key sees it. */
uint64_t dw_version(struct dworld *w, const uint8_t state_key[STATE_KEY_BYTES]);
/* A row of limit.def. */
void dw_limit(struct dworld *w, const char *name, uint64_t value);

/* A client outside any group. user: whose further client it is, or NULL for another user. */
struct member *dw_member(struct dworld *w, const struct member *user);
/* Another pseudonym and identity: of its next commit with a new record, or resync. */
void dw_renew(struct member *m);
/* A fresh key package for it. */
struct bytes dw_package(struct member *m);

/* ---- calls */

/* Who signs. */
struct dsigner {
    enum request_caller kind; /* 0: nobody */
    struct bytes id;
    const struct sig_key *key;
    const char *path; /* NULL: the right one */
    struct dworld *w;
};
/* As the member at its leaf. */
struct dsigner dw_signer(struct member *m);
/* Any rpc by its name, to its end; the outcome is in w. */
enum hearth_code dw_call(struct dworld *w, const char *name, const struct dsigner *signer,
                         const ProtobufCMessage *in);
/* Begins one and does not wait: dw_wait says how it went, in the order of beginning. */
void dw_begin(struct dworld *w, const char *name, const struct dsigner *signer,
              const ProtobufCMessage *in);
enum hearth_code dw_wait(struct dworld *w);

/* What recordings and the inputs of fuzz_delivery_calls consist of:
 *     struct { uint8 rpc; uint8 caller; opaque id<V>; opaque request<V>; } Record;
 * rpc counts the endpoints of the service. False at the end, or where it can't be read. */
struct drecord {
    const struct hearth_endpoint *endpoint;
    uint8_t caller;
    struct bytes id;
    struct bytes request;
};
bool dw_record_read(struct bytes *in, struct drecord *ret_record);

/* Fields of messages, in the world's arena. */
Hearth__V1__GroupAccess *dw_access(struct dworld *w, const uint8_t state_key[STATE_KEY_BYTES]);
Hearth__V1__Idempotency *dw_once(struct dworld *w);
Hearth__V1__LeafRecord *dw_record(struct member *m);
Hearth__V1__QueueReference *dw_reference(struct member *m);
Hearth__V1__GroupInfoParts *dw_parts(struct dworld *w, struct bytes group_info);
ProtobufCBinaryData dw_bytes(struct dworld *w, struct bytes view); /* copied */

/* ---- what members do; each expects OK unless it returns the code */

/* The present key of the server's external sender of that scheme; where there is none, another. */
void dw_sender_key(struct dworld *w, const struct sig_alg *alg, struct public_key *ret_key);
/* The GroupContext extensions of a group with these admins. */
struct extensions dw_context(struct dworld *w, struct member *const *admins, size_t count);
/* The whole of it: reservation, group of one, CreateGroup. m is the admin. */
void dw_found(struct dworld *w, struct member *m);
Hearth__V1__CreateGroupRequest *dw_found_request(struct dworld *w, struct member *m,
                                                 const struct extensions *extensions);

struct dcommit {
    struct member *const *adds;
    size_t add_count;
    const uint32_t *removes;
    size_t remove_count;
    const struct extensions *extensions; /* new ones */
    bool no_references;                  /* leaves pending proposals out */
    bool no_binding;                     /* authenticated_data stays empty */
    bool new_record;                     /* with an own_leaf */
};
/* Makes one, pending in the member's group; the request can be changed before it is sent. */
Hearth__V1__CommitRequest *dw_commit_request(struct member *m, const struct dcommit *commit);
/* Sends it; when it is accepted the member merges. */
enum hearth_code dw_commit_send(struct member *m, Hearth__V1__CommitRequest *in);
enum hearth_code dw_commit(struct member *m, const struct dcommit *commit);
/* Adds, and the joiners join; all others receive. */
void dw_add(struct dworld *w, struct member *by, struct member *const *joiners, size_t count);
/* Takes the Welcome out of the queue and fetches the tree with the key given. */
void dw_join(struct member *m, const uint8_t state_key[STATE_KEY_BYTES], uint64_t epoch);
/* An external commit: resync of the member's own leaf, or into a connection with a PSK. */
Hearth__V1__ResyncRequest *dw_resync_request(struct member *m, const struct member *info_of);
Hearth__V1__JoinConnectionRequest *dw_connect_request(struct member *m, const struct member *host);
enum hearth_code dw_say(struct member *m, const char *text);
Hearth__V1__SendMessageRequest *dw_say_request(struct member *m, const char *text);
enum hearth_code dw_leave(struct member *m);

/* Reads everything new in the queue as a client does. */
void dw_receive(struct member *m);
void dw_receive_all(struct dworld *w);
/* Opens an item under the key; false: it does not open. */
bool dw_opens(struct member *m, size_t item, const uint8_t state_key[STATE_KEY_BYTES]);
uint32_t dw_leaf(const struct member *m);
/* All active members agree on epoch and authenticator. */
void dw_agree(struct dworld *w);

#endif
