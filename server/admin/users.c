/* Users, as far as an operator may know them (F3): counts, and one at a time by its id. */
#include "server/admin/inside.h"

ADMIN_HANDLER(get_statistics, GetStatistics)
{
    struct admin *admin = self;
    struct admin_list counts = {.call = call};
    (void)in;
    if (admin->verbs.statistics == NULL)
        return HEARTH_UNIMPLEMENTED;
    struct err err = admin->verbs.statistics(admin->verbs.self, admin_add_metric, &counts);
    if (err.code != ERR_NONE)
        return admin_fail(call, err);
    out->counts = (Hearth__V1__Metric **)(void *)counts.at;
    out->n_counts = counts.count;
    return HEARTH_OK;
}

ADMIN_HANDLER(show_user, ShowUser)
{
    struct admin *admin = self;
    struct admin_user user = {0};
    if (admin->verbs.user_show == NULL)
        return HEARTH_UNIMPLEMENTED;
    struct err err = admin->verbs.user_show(admin->verbs.self, in->user_id.data, &user);
    if (err.code != ERR_NONE)
        return admin_fail(call, err);
    out->clients = user.clients;
    out->last_seen_month = user.seen_month;
    out->suspended = user.suspended;
    return HEARTH_OK;
}

ADMIN_HANDLER(suspend_user, SuspendUser)
{
    struct admin *admin = self;
    (void)out;
    if (admin->verbs.user_suspend == NULL)
        return HEARTH_UNIMPLEMENTED;
    struct err err =
        admin->verbs.user_suspend(admin->verbs.self, in->user_id.data, in->suspended != 0);
    return err.code == ERR_NONE ? HEARTH_OK : admin_fail(call, err);
}

ADMIN_HANDLER(remove_user, RemoveUser)
{
    struct admin *admin = self;
    (void)out;
    if (admin->verbs.user_remove == NULL)
        return HEARTH_UNIMPLEMENTED;
    struct err err = admin->verbs.user_remove(admin->verbs.self, in->user_id.data);
    return err.code == ERR_NONE ? HEARTH_OK : admin_fail(call, err);
}
