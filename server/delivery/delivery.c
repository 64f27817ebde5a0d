/* The service: opening, adding, ending, expiring. */
#include "server/delivery/delivery_inside.h"

#include <stdlib.h>

#include "server/delivery/group_store.h"
#include "server/delivery/past_tree.h"
#include "server/delivery/rpcs.h"

/* ---- life */

struct delivery *delivery_ref(struct delivery *d)
{
    atomic_fetch_add(&d->refs, 1);
    return d;
}

void delivery_unref(struct delivery *d)
{
    if (d == NULL || atomic_fetch_sub(&d->refs, 1) != 1)
        return;
    bytes_wipe(d, sizeof *d);
    free(d);
}

struct err delivery_submit(struct delivery *d, bool write, struct inbox *inbox,
                           const struct store_work *work)
{
    /* what lay in an inbox until its end wants to go on, but there is nothing any more */
    if (atomic_load(&d->closed))
        return ERR(STORE_STOPPED);
    return write ? store_submit(d->store, inbox, work) : store_read(d->store, inbox, work);
}

static struct err take_keys(struct delivery *d)
{
    struct keeper *keeper = d->env.keeper;
    TRY(keeper_storage_key(keeper, KEEPER_DELIVERY_ROWS, d->rows_key));
    TRY(keeper_storage_key(keeper, KEEPER_DELIVERY_IDS, d->ids_key));
    purse_key(d->ids_key, d->spent_key);
    TRY(keeper_storage_key(keeper, KEEPER_ONCE_DELIVERY, d->once_key));
    return keeper_storage_key(keeper, KEEPER_RESERVATION, d->reservation_key);
}

static struct err open_all(struct delivery *d, const struct delivery_options *options)
{
    struct store_options store = options->store;
    const char *bad = NULL;
    TRY(take_keys(d));
    store.schema = &delivery_schema;
    TRY(store_open(&store, &bad, &d->store));
    struct err err = store_call(d->store, group_store_ready, NULL);
    if (err_is_ok(err))
        err = store_call(d->store, past_tree_ready, NULL);
    if (!err_is_ok(err)) {
        store_close(d->store);
        d->store = NULL;
    }
    return err;
}

struct err delivery_open(struct front_env *env, const struct delivery_options *options,
                         struct delivery **ret_delivery)
{
    struct delivery *d = calloc(1, sizeof *d);
    if (d == NULL)
        return ERR(NO_MEMORY);
    atomic_init(&d->refs, 1);
    atomic_init(&d->closed, false);
    d->env = *env;
    d->wake = options->wake;
    d->wake_self = options->wake_self;
    d->admits = options->admits;
    d->admits_self = options->admits_self;
    d->control = options->control;
    struct err err = open_all(d, options);
    if (!err_is_ok(err)) {
        delivery_unref(d);
        return err;
    }
    *ret_delivery = d;
    return ERR_OK;
}

void delivery_close(struct delivery *delivery)
{
    if (delivery == NULL)
        return;
    atomic_store(&delivery->closed, true);
    store_close(delivery->store);
    delivery->store = NULL;
    delivery_unref(delivery);
}

struct store *delivery_store(struct delivery *delivery)
{
    return delivery->store;
}

struct outbox delivery_outbox(struct delivery *delivery)
{
    return (struct outbox){
        .statements = DELIVERY_OUTBOX,
        .key = delivery->rows_key,
        .ids = delivery->ids_key,
        .rng = delivery->env.rng,
        .clock = delivery->env.clock,
    };
}

/* ---- the vtable */

static enum hearth_code on_reserve_group_id(struct hearth_call *call,
                                            const Hearth__V1__ReserveGroupIdRequest *in,
                                            Hearth__V1__ReserveGroupIdResponse *out, void *self)
{
    (void)in;
    return reserve_group_id(self, call, out);
}

/* Every other rpc is a row. */
#define HANDLER(name, Type)                                                          \
    static enum hearth_code on_##name(struct hearth_call *call,                      \
                                      const Hearth__V1__##Type##Request *in,         \
                                      Hearth__V1__##Type##Response *out, void *self) \
    {                                                                                \
        (void)out;                                                                   \
        return request_start(self, &name##_row, call, &in->base);                    \
    }

HANDLER(create_group, CreateGroup)
HANDLER(get_welcome_info, GetWelcomeInfo)
HANDLER(get_external_commit_info, GetExternalCommitInfo)
HANDLER(join_connection, JoinConnection)
HANDLER(refuse_connection, RefuseConnection)
HANDLER(commit, Commit)
HANDLER(resync, Resync)
HANDLER(propose_self_remove, ProposeSelfRemove)
HANDLER(send_message, SendMessage)
HANDLER(send_targeted_message, SendTargetedMessage)
HANDLER(update_queue_reference, UpdateQueueReference)
HANDLER(update_profile_key, UpdateProfileKey)
HANDLER(replace_group_info, ReplaceGroupInfo)
HANDLER(report_fault, ReportFault)
HANDLER(delete_group, DeleteGroup)

static const struct hearth_delivery_service vtable = {
    .reserve_group_id = on_reserve_group_id,
    .create_group = on_create_group,
    .get_welcome_info = on_get_welcome_info,
    .get_external_commit_info = on_get_external_commit_info,
    .join_connection = on_join_connection,
    .refuse_connection = on_refuse_connection,
    .commit = on_commit,
    .resync = on_resync,
    .propose_self_remove = on_propose_self_remove,
    .send_message = on_send_message,
    .send_targeted_message = on_send_targeted_message,
    .update_queue_reference = on_update_queue_reference,
    .update_profile_key = on_update_profile_key,
    .replace_group_info = on_replace_group_info,
    .report_fault = on_report_fault,
    .delete_group = on_delete_group,
};

struct err delivery_add(struct delivery *delivery, struct hearth_server *server)
{
    return hearth_server_add_delivery(server, &vtable, delivery) ? ERR_OK : ERR(NO_MEMORY);
}
