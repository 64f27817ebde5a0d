/* TASK_PUBLISH: a batch of KeyPackages is made and kept with its private parts, then published in
 * place of the one before. The request is made once and lies in the task's body, so that a repeat
 * says the same. */
#include "client/core/publish.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/core/key_package_inside.h"
#include "client/core/task.h"
#include "hearth/v1/queue.pb-c.h"
#include "seal/leaf_credential.h"
#include "wire/writer.h"

enum { COUNT = KEY_PACKAGES_PUBLISHED + 1 }; /* the last is the one of last resort */

static const uint8_t publish_lane[16] = "publish";

struct err key_package_publishing(struct core *c, struct db_txn *t, bool *ret_there)
{
    return task_in_lane(c, t, publish_lane, TASK_PUBLISH, ret_there);
}

struct err key_package_publish(struct core *c, struct db_txn *t)
{
    bool there = false;
    TRY(key_package_publishing(c, t, &there));
    return there ? ERR_OK
                 : task_add(c, t, TASK_PUBLISH, publish_lane, NULL, bytes_of(NULL, 0), NULL);
}

/* ---- making */

/* One of a batch with all that its message points to. */
struct outgoing {
    struct own_key_package own;
    uint8_t wrapped[WRAPPED_KEY_BYTES];
    struct buf message;
    Hearth__V1__KeyPackageBundle bundle;
    Hearth__V1__QueueReference reference;
};

static struct err make_one(struct core *c, struct db_txn *t, struct outgoing *o)
{
    struct own_key_package *p = &o->own;
    struct buf list = BUF_INIT;
    TRY(chat_new_leaf(c, t, &p->leaf));
    struct mls_client client = {
        .rng = c->rng, .signer = &p->leaf.leaf_key, .policy = mls_policy_at(core_now_ms(c) / 1000)};
    struct leaf_profile profile = chat_leaf_profile(buf_view(&p->leaf.credential));
    extension_write(&list, EXTENSION_LAST_RESORT, bytes_of(NULL, 0));
    struct extensions extensions = {buf_view(&list)};
    struct err err = buf_check(&list);
    if (err_is_ok(err))
        err = key_package_make(&client, chat_suite(), &profile, KEY_PACKAGE_LIFETIME_S,
                               p->last_resort ? &extensions : NULL, &p->bundle);
    buf_clear(&list);
    TRY(err);
    TRY(key_package_ref(buf_view(&p->bundle.key_package), &p->ref));
    TRY(identity_key_wrap(c->rng, c->account.user.friendship_key, p->leaf.pseudonym,
                          p->leaf.leaf_identity_key, o->wrapped));
    return key_package_put(t, p);
}

static struct err fill_one(struct core *c, struct outgoing *o)
{
    struct own_key_package *p = &o->own;
    wire_write_u16(&o->message, 1); /* MLSMessage (RFC 9420 6): mls10, KeyPackage */
    wire_write_u16(&o->message, WIRE_FORMAT_KEY_PACKAGE);
    wire_write_fixed(&o->message, buf_view(&p->bundle.key_package));
    hearth__v1__key_package_bundle__init(&o->bundle);
    hearth__v1__queue_reference__init(&o->reference);
    o->reference.domain = c->account.domain;
    o->reference.sealed = core_out(buf_view(&p->leaf.reference));
    o->reference.signature = core_out(buf_view(&p->leaf.reference_signature));
    o->bundle.key_package = core_out(buf_view(&o->message));
    o->bundle.wrapped_identity_key = core_out(bytes_of(o->wrapped, sizeof o->wrapped));
    o->bundle.queue_reference = &o->reference;
    return buf_check(&o->message);
}

static struct err make_batch(struct core *c, struct db_txn *t, struct task *task,
                             struct outgoing *all, struct task_call *call)
{
    Hearth__V1__PublishKeyPackagesRequest in = HEARTH__V1__PUBLISH_KEY_PACKAGES_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    Hearth__V1__KeyPackageBundle *bundles[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        all[i].own.last_resort = i == COUNT - 1;
        all[i].own.batch = task->number;
        all[i].own.made_ms = core_now_ms(c);
        TRY(make_one(c, t, &all[i]));
        TRY(fill_one(c, &all[i]));
        bundles[i] = &all[i].bundle;
    }
    id.id = core_out(bytes_of(task->idempotency, sizeof task->idempotency));
    in.idempotency = &id;
    in.bundles = bundles;
    in.n_bundles = COUNT - 1;
    in.last_resort = bundles[COUNT - 1];
    TRY(task_call_request(call, "Queue", "PublishKeyPackages", &in.base));
    buf_clear(&task->body);
    buf_append_bytes(&task->body, buf_view(&call->request));
    return buf_check(&task->body);
}

static struct err begin_batch(struct core *c, struct db_txn *t, struct task *task,
                              struct task_call *call)
{
    struct outgoing *all = calloc(COUNT, sizeof *all);
    if (all == NULL)
        return ERR(NO_MEMORY);
    struct err err = make_batch(c, t, task, all, call);
    for (size_t i = 0; i < COUNT; i++) {
        own_key_package_clear(&all[i].own);
        buf_clear(&all[i].message);
    }
    free(all);
    return err;
}

/* ---- steps */

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    const struct account *a = &c->account;
    *ret_next = TASK_NEXT_CALL;
    if (task->body.len != 0) {
        call->endpoint = api_endpoint("Queue", "PublishKeyPackages");
        buf_append_bytes(&call->request, buf_view(&task->body));
    } else {
        struct err err = begin_batch(c, t, task, call);
        if (err.code == ERR_NOT_FOUND) { /* the queue service's key is being fetched */
            *ret_next = TASK_NEXT_WAIT;
            return ERR_OK;
        }
        TRY(err);
    }
    return call_as_queue_client(a, call);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    *ret_next = TASK_NEXT_DONE;
    task_wake(c, NULL);
    if (answer->out != NULL)
        return key_package_forget_old(c, t);
    return task_step_refused(c, task, answer, ret_next);
}

static struct err failed(struct core *c, struct db_txn *t, struct task *task,
                         const struct hearth_error *error)
{
    (void)t;
    (void)task;
    (void)error;
    task_wake(c, NULL);
    return ERR_OK;
}

const struct task_steps task_steps_PUBLISH = {
    .prepare = prepare, .settle = settle, .failed = failed};
