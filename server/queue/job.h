/* A unary call that is one transaction: what a handler starts and what becomes of it.
 *
 *     handler (loop)   queue_job_new, fills its part, queue_job_run, returns what that returns
 *     run     (store)  repeated request? -> effect -> keep the answer
 *     done    (loop)   reply, or the error
 *
 * A job is its own memory, not the call's: the call may be cancelled while the transaction goes on,
 * and what is committed is found again by the idempotency id.
 */
#ifndef SERVER_QUEUE_JOB_H
#define SERVER_QUEUE_JOB_H

#include "base/arena.h"
#include "hearth/v1/queue_rpc.h"
#include "server/queue/inside.h"

enum { QUEUE_PATH_BYTES = 64 }; /* of an rpc, at most */

struct queue_job {
    struct queue *q;
    struct hearth_call *call; /* NULL: cancelled */
    uint64_t now_s, principal;
    size_t size;                    /* of the derived struct */
    uint8_t caller[QUEUE_ID_BYTES]; /* id of a queue user or queue client */
    bool has_caller, is_client;
    bool read; /* no write: no idempotency id either */
    bool frees;
    uint32_t cost;                     /* [1] */
    const Hearth__V1__Idempotency *id; /* of the request; copied by queue_job_run; NULL: none */
    uint8_t once_id[ONCE_ID_BYTES], body_hash[REQUEST_BODY_HASH_BYTES];
    uint8_t scope[1 + QUEUE_ID_BYTES + QUEUE_PATH_BYTES]; /* kind, id if any, path */
    size_t scope_len;
    struct charge charge; /* paid in the transaction of the effect; charge_account() is the rpc's */
    struct arena arena;   /* for what is copied from the request */
    struct buf answer;    /* the response, serialised */
    bool repeated;        /* the answer is an earlier one's; there was no effect */
    struct err (*check)(
        struct queue_job *job); /* or NULL: dear checks, in a read before the write */
    struct err (*effect)(struct store_txn *txn, struct queue_job *job);
    /* or NULL: on the loop, after the commit of an effect, before the answer */
    void (*after)(struct queue_job *job);
    void (*clear)(struct queue_job *job); /* or NULL: wipes what the derived struct has */
};

enum { QUEUE_JOB_ARENA_BYTES = 1 << 20 };

/* size: of the struct whose first member is the job. Zeroed. On failure *ret_code says how the call
 * ended. */
void *queue_job_new(struct queue *q, struct hearth_call *call, size_t size,
                    enum hearth_code *ret_code);
/* Returns what the handler returns. Takes the job. */
enum hearth_code queue_job_run(struct queue_job *job);
/* Ends a job that was not run. */
enum hearth_code queue_job_fail(struct queue_job *job, struct err err);
/* In effect: sets the answer. */
CHECKED struct err queue_job_answer(struct queue_job *job, const ProtobufCMessage *message);
/* Takes a bucket's credit or ends the call: true, and the code is in ret_code. */
bool queue_limited(struct queue *q, struct hearth_call *call, enum limit limit,
                   struct bytes principal, enum hearth_code *ret_code);

void queue_ref(struct queue *q);
void queue_unref(struct queue *q);

/* The rpcs, one file each. */
enum hearth_code queue_create_user(struct hearth_call *call,
                                   const Hearth__V1__CreateQueueUserRequest *in,
                                   Hearth__V1__CreateQueueUserResponse *out, void *self);
enum hearth_code queue_update_user(struct hearth_call *call,
                                   const Hearth__V1__UpdateQueueUserRequest *in,
                                   Hearth__V1__UpdateQueueUserResponse *out, void *self);
enum hearth_code queue_get_user(struct hearth_call *call, const Hearth__V1__GetQueueUserRequest *in,
                                Hearth__V1__GetQueueUserResponse *out, void *self);
enum hearth_code queue_delete_user(struct hearth_call *call,
                                   const Hearth__V1__DeleteQueueUserRequest *in,
                                   Hearth__V1__DeleteQueueUserResponse *out, void *self);
enum hearth_code queue_create_client(struct hearth_call *call,
                                     const Hearth__V1__CreateQueueClientRequest *in,
                                     Hearth__V1__CreateQueueClientResponse *out, void *self);
enum hearth_code queue_update_client(struct hearth_call *call,
                                     const Hearth__V1__UpdateQueueClientRequest *in,
                                     Hearth__V1__UpdateQueueClientResponse *out, void *self);
enum hearth_code queue_delete_client(struct hearth_call *call,
                                     const Hearth__V1__DeleteQueueClientRequest *in,
                                     Hearth__V1__DeleteQueueClientResponse *out, void *self);
enum hearth_code queue_publish(struct hearth_call *call,
                               const Hearth__V1__PublishKeyPackagesRequest *in,
                               Hearth__V1__PublishKeyPackagesResponse *out, void *self);
enum hearth_code queue_get_packages(struct hearth_call *call,
                                    const Hearth__V1__GetKeyPackagesRequest *in,
                                    Hearth__V1__GetKeyPackagesResponse *out, void *self);
enum hearth_code queue_update_blocklist(struct hearth_call *call,
                                        const Hearth__V1__UpdateBlocklistRequest *in,
                                        Hearth__V1__UpdateBlocklistResponse *out, void *self);
enum hearth_code queue_dequeue(struct hearth_call *call, const Hearth__V1__DequeueRequest *in,
                               Hearth__V1__DequeueResponse *out, void *self);
enum hearth_code queue_listen_call(struct hearth_call *call, const Hearth__V1__ListenRequest *in,
                                   void *self);

/* sweep.c: deletes what deleted clients left, piece by piece. From any thread. */
void queue_sweep(struct queue *q);

#endif
