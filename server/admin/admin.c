#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/admin/inside.h"

/* Only root and whoever the server runs as; asked of the kernel for each call. */
static enum hearth_code check_operator(struct hearth_call *call, void *self)
{
    (void)self;
    int64_t uid = hearth_call_peer_uid(call);
    if (uid == 0 || (uid > 0 && uid == (int64_t)geteuid()))
        return HEARTH_OK;
    return hearth_call_fail(call, HEARTH_PERMISSION_DENIED, "only the operator may ask this");
}

void admin_list_add(struct admin_list *l, void *item)
{
    if (item == NULL)
        return; /* the call has failed by itself */
    if (l->count == l->room) {
        size_t room = l->room > 0 ? 2 * l->room : 64;
        void **at = hearth_call_alloc(l->call, room * sizeof *at);
        if (at == NULL)
            return;
        if (l->count > 0)
            memcpy(at, l->at, l->count * sizeof *at);
        l->at = at;
        l->room = room;
    }
    l->at[l->count++] = item;
}

void admin_add_metric(void *to, const char *name, uint64_t value)
{
    struct admin_list *l = to;
    Hearth__V1__Metric *metric = hearth_call_alloc(l->call, sizeof *metric);
    if (metric == NULL)
        return;
    hearth__v1__metric__init(metric);
    metric->name = hearth_call_printf(l->call, "%s", name);
    metric->value = value;
    admin_list_add(l, metric);
}

enum hearth_code admin_fail(struct hearth_call *call, struct err err)
{
    int code = err_grpc_status(err);
    return hearth_call_fail(call, code == 0 ? HEARTH_INTERNAL : (enum hearth_code)code, "%s",
                            err_text(err));
}

static enum hearth_code get_status(struct hearth_call *call, const Hearth__V1__GetStatusRequest *in,
                                   Hearth__V1__GetStatusResponse *out, void *self)
{
    (void)in;
    struct admin *admin = self;
    struct admin_list metrics = {.call = call};
    if (admin->verbs.metrics != NULL)
        admin->verbs.metrics(admin->verbs.self, admin_add_metric, &metrics);
    out->domain = hearth_call_printf(call, "%s", admin->env->domain);
    out->uptime_s = admin->verbs.uptime_s != NULL ? admin->verbs.uptime_s(admin->verbs.self) : 0;
    out->draining = admin->verbs.draining != NULL && admin->verbs.draining(admin->verbs.self);
    out->metrics = (Hearth__V1__Metric **)(void *)metrics.at;
    out->n_metrics = metrics.count;
    return HEARTH_OK;
}

static void add_text(void *to, const char *text)
{
    struct admin_list *l = to;
    admin_list_add(l, hearth_call_printf(l->call, "%s", text));
}

static enum hearth_code invite(struct hearth_call *call, const Hearth__V1__InviteRequest *in,
                               Hearth__V1__InviteResponse *out, void *self)
{
    struct admin *admin = self;
    struct admin_list texts = {.call = call};
    if (admin->verbs.invite == NULL)
        return HEARTH_UNIMPLEMENTED;
    struct err err = admin->verbs.invite(admin->verbs.self, in->count, in->days, add_text, &texts);
    if (err.code != ERR_NONE)
        return admin_fail(call, err);
    out->invitations = (char **)(void *)texts.at;
    out->n_invitations = texts.count;
    return HEARTH_OK;
}

struct changes {
    struct admin_list changed, restart;
};

static void add_change(void *to, bool restart, const char *name)
{
    struct changes *changes = to;
    struct admin_list *l = restart ? &changes->restart : &changes->changed;
    admin_list_add(l, hearth_call_printf(l->call, "%s", name));
}

static enum hearth_code reload(struct hearth_call *call, const Hearth__V1__ReloadRequest *in,
                               Hearth__V1__ReloadResponse *out, void *self)
{
    (void)in;
    struct admin *admin = self;
    if (admin->verbs.reload == NULL)
        return HEARTH_UNIMPLEMENTED;
    struct changes changes = {{.call = call}, {.call = call}};
    char why[ADMIN_WHY_BYTES] = "";
    struct err err = admin->verbs.reload(admin->verbs.self, add_change, &changes, why);
    if (err.code != ERR_NONE)
        return hearth_call_fail(call, HEARTH_FAILED_PRECONDITION, "%s",
                                why[0] != '\0' ? why : err_text(err));
    out->changed = (char **)(void *)changes.changed.at;
    out->n_changed = changes.changed.count;
    out->needs_restart = (char **)(void *)changes.restart.at;
    out->n_needs_restart = changes.restart.count;
    return HEARTH_OK;
}

static enum hearth_code drain(struct hearth_call *call, const Hearth__V1__DrainRequest *in,
                              Hearth__V1__DrainResponse *out, void *self)
{
    (void)call;
    (void)out;
    struct admin *admin = self;
    if (admin->verbs.drain == NULL)
        return HEARTH_UNIMPLEMENTED;
    admin->verbs.drain(admin->verbs.self, in->grace_s);
    return HEARTH_OK;
}

static enum hearth_code backup(struct hearth_call *call, const Hearth__V1__BackupRequest *in,
                               Hearth__V1__BackupResponse *out, void *self)
{
    struct admin *admin = self;
    if (admin->verbs.backup == NULL)
        return HEARTH_UNIMPLEMENTED;
    char why[ADMIN_WHY_BYTES] = "";
    struct err err = admin->verbs.backup(admin->verbs.self, in->folder, &out->bytes_written, why);
    if (err.code != ERR_NONE)
        return hearth_call_fail(call, HEARTH_FAILED_PRECONDITION, "%s",
                                why[0] != '\0' ? why : err_text(err));
    return HEARTH_OK;
}

static enum hearth_code rotate_key(struct hearth_call *call, const Hearth__V1__RotateKeyRequest *in,
                                   Hearth__V1__RotateKeyResponse *out, void *self)
{
    struct admin *admin = self;
    const struct admin_verbs *verbs = &admin->verbs;
    uint8_t *fingerprint = hearth_call_alloc(call, 32);
    if (fingerprint == NULL)
        return admin_fail(call, ERR(NO_MEMORY));
    struct err err = ERR(NOT_FOUND);
    if (in->use == HEARTH__V1__ROTATE_KEY_USE__ROTATE_KEY_USE_QUEUE_SEALING &&
        verbs->rotate_queue_key != NULL)
        err = verbs->rotate_queue_key(verbs->self, in->anyway, fingerprint);
    else if (in->use == HEARTH__V1__ROTATE_KEY_USE__ROTATE_KEY_USE_AS_SIGNING &&
             verbs->rotate != NULL)
        err = verbs->rotate(verbs->self, KEEPER_AS_SIGNING, in->anyway, fingerprint);
    else if (in->use == HEARTH__V1__ROTATE_KEY_USE__ROTATE_KEY_USE_FEDERATION &&
             verbs->rotate != NULL)
        err = verbs->rotate(verbs->self, KEEPER_FEDERATION, in->anyway, fingerprint);
    else if (in->use == HEARTH__V1__ROTATE_KEY_USE__ROTATE_KEY_USE_EXTERNAL_SENDER &&
             verbs->rotate != NULL)
        err = verbs->rotate(verbs->self, KEEPER_EXTERNAL_SENDER, in->anyway, fingerprint);
    else
        return HEARTH_UNIMPLEMENTED;
    if (err.code != ERR_NONE)
        return admin_fail(call, err);
    out->fingerprint = (ProtobufCBinaryData){32, fingerprint};
    return HEARTH_OK;
}

/* What is missing answers UNIMPLEMENTED: set_peer comes with federation, get_log_head with the log.
 */
static const struct hearth_admin_service service = {
    .get_status = get_status,
    .invite = invite,
    .reload = reload,
    .drain = drain,
    .backup = backup,
    .rotate_key = rotate_key,
    .get_statistics = admin_get_statistics,
    .show_user = admin_show_user,
    .suspend_user = admin_suspend_user,
    .remove_user = admin_remove_user,
    .list_reports = admin_list_reports,
    .get_report = admin_get_report,
    .drop_report = admin_drop_report,
    .list_peers = admin_list_peers,
    .get_log_head = admin_get_log_head,
    .set_peer = admin_set_peer,
};

struct err admin_open(const struct front_env *env, const char *path,
                      const struct admin_verbs *verbs, struct admin **ret_admin)
{
    char address[300];
    int len = snprintf(address, sizeof address, "unix:%s", path);
    if (len < 0 || (size_t)len >= sizeof address)
        return ERR(ADDRESS);
    struct admin *admin = calloc(1, sizeof *admin);
    if (admin == NULL)
        return ERR(NO_MEMORY);
    *admin = (struct admin){.env = env, .verbs = *verbs};
    const struct hearth_interceptor check = {.on_headers = check_operator};
    const struct hearth_server_options options = {
        .threads = 1,
        .interceptors = &check,
        .interceptor_count = 1,
        /* scripts make a connection for each verb, and nobody but the operator can make any */
        .limits = {.accepts_per_s = 1000, .accepts_burst = 1000}};
    admin->server = hearth_server_new(&options);
    if (admin->server == NULL || !hearth_server_add_admin(admin->server, &service, admin) ||
        !hearth_server_listen(admin->server, address, NULL) ||
        !hearth_server_start(admin->server)) {
        admin_close(admin);
        return ERR(IO);
    }
    *ret_admin = admin;
    return ERR_OK;
}

void admin_close(struct admin *admin)
{
    if (admin == NULL)
        return;
    if (admin->server != NULL)
        hearth_server_free(admin->server);
    free(admin);
}
