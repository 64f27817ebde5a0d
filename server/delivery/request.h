/* A request on its way through the delivery service (delivery.h says the stages).
 *
 * A request outlives its call: jobs can't be cancelled, and a server that ends answers its calls at
 * once. So it owns a copy of the message, in an arena that is wiped with the state key in it, and
 * `call` is NULL when nobody waits any more; what was to be written is written all the same.
 */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include "base/arena.h"
#include "server/delivery/fanout.h"
#include "server/delivery/group_store.h"
#include "server/delivery/past_tree.h"

struct request;

enum { REQUEST_TRIES = 8, REQUEST_BUFS = 8, REQUEST_WORK_BYTES = 4 * 1024 * 1024 };

/* What kind of request it is: one row for each rpc, constant. */
struct request_row {
    const char *name;           /* sets repeated requests of different rpcs apart */
    enum request_caller caller; /* REQUEST_MEMBER, REQUEST_JOINER; 0: whoever has the key */
    bool changes;               /* has an idempotency id, ends in a transaction */
    bool light;                 /* check runs on the loop: it costs less than a change of threads */
    bool commits;               /* what is invalid in it counts against its sender (DoS8) */
    /* The group and, for what changes, the idempotency id in the message. */
    const Hearth__V1__GroupAccess *(*group)(const ProtobufCMessage *in);
    const Hearth__V1__Idempotency *(*idempotency)(const ProtobufCMessage *in);
    /* A reader's thread: finds r->key. NULL: opens the group (request_open). Errors NOT_FOUND and
     * FRONT_UNAUTHENTICATED answer as one. */
    struct err (*open)(struct request *r, struct store_txn *txn);
    /* Loop, after the signature holds: limits. May be NULL. r->retry_after_s where ERR_LIMIT. */
    struct err (*admit)(struct request *r);
    /* Decides; fills r->out, what is to be written, what goes out. No database. Must not change
     * anything that outlives the attempt. */
    struct err (*check)(struct request *r);
};

struct request {
    const struct request_row *row;
    struct delivery *d;
    struct hearth_call *call; /* NULL: over */
    struct inbox *inbox;
    struct hearth_loop *loop;
    struct arena arena;         /* of this request; wiped */
    const ProtobufCMessage *in; /* a copy */
    struct bytes group_id;      /* in `in` */
    const uint8_t *state_key;   /* in `in` */
    struct bytes caller_id;     /* in the arena */
    struct bytes source;        /* where it comes from; in the arena */
    struct bytes scope;         /* of the idempotency id; in the arena */
    const uint8_t *once_id;     /* in `in`; NULL: none */
    uint8_t body_hash[REQUEST_BODY_HASH_BYTES];
    uint64_t principal;
    uint32_t leaf_index; /* of a member */
    unsigned tries;
    bool state_keys_paid;  /* once, however many attempts there are */
    bool verified;         /* once; the nonce is used up by then */
    bool judged;           /* it was looked at: what is wrong is its sender's */
    struct charge charge;  /* paid in the transaction of the effect */
    struct public_key key; /* that verifies the call, or verified it */
    const struct sig_alg *alg;
    struct err result; /* of the job that is under way */
    uint32_t retry_after_s;

    /* one attempt; cleared before the next */
    struct arena work; /* of check */
    struct buf kept[REQUEST_BUFS];
    size_t kept_count;
    uint64_t now_s;
    uint64_t version;
    struct group_state state; /* opened */
    struct leaf_entry *leaf;  /* of the member, in state; until check changes the leaves */
    uint8_t pseudonym_id[ROW_ID_BYTES]; /* of the leaf, or of the group where there is none */
    bool upkeep; /* notices wait, or members are silent (server_proposals.h) */
    uint64_t paused_until_hour;
    struct buf answer; /* packed */
    bool repeated;     /* answer is the first one */
    const ProtobufCMessage *out;
    enum request_effect {
        REQUEST_KEEPS,    /* the state stays as it is */
        REQUEST_INSERTS,  /* `sealed` is a new group */
        REQUEST_REPLACES, /* `sealed` takes the place of the state */
        REQUEST_DELETES,
        REQUEST_FETCHED, /* a joiner has got its past tree */
    } effect;
    struct sealed_group sealed;
    struct past_tree past;
    bool has_past;
    struct past_entry past_gone[GROUP_PAST_TREES]; /* past trees to be dropped */
    uint32_t past_gone_count;
    struct fanout fanout;
    /* What the caller's leaf is called from now on, and further leaves of its user that it adds:
     * they have spent what it has (access_bequeath). In `work`. */
    uint8_t (*heirs)[ROW_ID_BYTES];
    size_t heir_count;
    bool renamed;                           /* the first of them is the caller itself */
    uint8_t new_state_key[STATE_KEY_BYTES]; /* after a removal */
    bool rotated;
};

/* Handlers of the generated vtable are this. Answers later, always. */
enum hearth_code request_start(struct delivery *d, const struct request_row *row,
                               struct hearth_call *call, const ProtobufCMessage *in);

/* Private to request_start.c and request.c: the first stage of the first attempt; the end. */
void request_run(struct request *r, struct hearth_call *call);
void request_free(struct request *r);

/* The default of request_row.open. */
CHECKED struct err request_open(struct request *r, struct store_txn *txn);

/* For admit: takes from a bucket of the caller's leaf pseudonym, of the group, of the caller. */
CHECKED struct err request_take_leaf(struct request *r, enum limit limit, uint32_t cost);
CHECKED struct err request_take_group(struct request *r, enum limit limit, uint32_t cost);
CHECKED struct err request_take(struct request *r, enum limit limit, struct bytes principal,
                                uint32_t cost);

/* Of the leaf's bytes; and of the group's rows: one for each member and part of what is sent to
 * all.
 */
CHECKED struct err request_take_bytes(struct request *r, size_t len);
/* DoS17: of all leaves of the member's homeserver, where that is another. */
CHECKED struct err request_take_origin(struct request *r);
CHECKED struct err request_take_fan_out(struct request *r, size_t len);
uint32_t request_fan_out_rows(const struct request *r, size_t len);

/* For check: encodes r->state and seals it as the next version, under the new state key where there
 * is one. */
CHECKED struct err request_seal_state(struct request *r);
struct fanout_from request_from(const struct request *r);
/* NULL when out of memory: then check fails with ERR_NO_MEMORY. Zeroed; lives as long as the
 * attempt. */
void *request_alloc(struct request *r, size_t len);
/* An initialised response of that type, which becomes r->out; NULL when out of memory. */
void *request_answer(struct request *r, const ProtobufCMessageDescriptor *type);
/* Takes the memory of b into the attempt; b is empty afterwards. */
CHECKED struct err request_take_buf(struct request *r, struct buf *b, struct bytes *ret_view);

#endif
