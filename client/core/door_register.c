/* Accounts and handles: registering, linking, what is shown of ourselves. */
#include <stdio.h>
#include <string.h>

#include "client/core/door.h"
#include "client/core/handle.h"
#include "client/core/key_package.h"
#include "client/core/link.h"
#include "client/core/queue_inside.h"
#include "client/core/register.h"
#include "client/core/renew.h"
#include "client/core/task.h"
#include "client/core/token.h"
#include "client/core/unregister.h"
#include "crypto/count.h"

/* ---- registering */

static struct err step_register(struct core *c, struct db_txn *t, void *arg)
{
    struct verb *v = arg;
    return register_begin(c, t, v->arg, &v->task);
}

struct hearth_op *hearth_register(struct hearth_account *a,
                                  const struct hearth_register_options *given)
{
    static const struct hearth_id nothing;
    struct hearth_register_options o = {.size = sizeof o};
    struct hearth_op *op;
    uint64_t begun = tasks_of_kind(a->core, TASK_REGISTER);
    if (begun != 0) {
        struct err err = op_new(a->core, begun, &nothing, &op);
        return err_is_ok(err) ? op : verb_refuse(a, err);
    }
    if (given == NULL || given->size < offsetof(struct hearth_register_options, domain))
        return verb_usage(a, "options without their size", NULL);
    memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
    const struct register_wish wish = {.invitation = o.invitation,
                                       .domain = o.domain,
                                       .root_pin = o.root_pin,
                                       .handle = o.handle,
                                       .device = o.device,
                                       .name = o.name};
    struct verb verb = {.arg = &wish};
    if (o.invitation != NULL && o.root_pin != NULL)
        return verb_usage(a, "an invitation brings its own pin", NULL);
    if ((o.invitation == NULL) == (o.domain == NULL))
        return verb_usage(a, "an invitation or a domain is wanted", NULL);
    return verb_begin(a, step_register, &verb);
}

static struct err step_unregister(struct core *c, struct db_txn *t, void *arg)
{
    struct verb *v = arg;
    return unregister_begin(c, t, &v->task);
}

struct hearth_op *hearth_unregister(struct hearth_account *a)
{
    struct verb verb = {0};
    return verb_begin(a, step_unregister, &verb);
}

struct hearth_op *hearth_link(struct hearth_account *a, const struct hearth_link_options *given)
{
    static const struct hearth_id nothing;
    struct hearth_link_options o = {.size = sizeof o};
    struct hearth_op *op;
    if (given == NULL || given->size < offsetof(struct hearth_link_options, device))
        return verb_usage(a, "options without their size", NULL);
    memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
    if (o.domain == NULL)
        return verb_usage(a, "a domain is wanted", NULL);
    const struct link_new wish = {o.domain, o.device, o.show, o.arg};
    struct err err = op_new_free(a->core, &nothing, &op);
    if (err_is_ok(err) && !err_is_ok(err = link_begin(a->core, &wish, op)))
        op_detach(op);
    return err_is_ok(err) ? op : verb_refuse(a, err);
}

struct hearth_op *hearth_link_accept(struct hearth_account *a, const char *code)
{
    static const struct hearth_id nothing;
    struct hearth_op *op;
    if (code == NULL)
        return verb_usage(a, "a code is wanted", NULL);
    struct err err = op_new_free(a->core, &nothing, &op);
    if (err_is_ok(err) && !err_is_ok(err = link_accept(a->core, code, op)))
        op_detach(op);
    return err_is_ok(err) ? op : verb_refuse(a, err);
}

/* ---- handles */

static struct err step_handle_add(struct core *c, struct db_txn *t, void *arg)
{
    struct verb *v = arg;
    return handle_add_begin(c, t, v->arg, &v->task);
}

static struct err step_handle_remove(struct core *c, struct db_txn *t, void *arg)
{
    struct verb *v = arg;
    return handle_remove_begin(c, t, v->arg, &v->task);
}

static struct err step_handle_rotate(struct core *c, struct db_txn *t, void *arg)
{
    struct verb *v = arg;
    return handle_rotate_begin(c, t, v->arg, &v->task);
}

/* "alice" or "alice@a.test". */
static bool local_part(const struct hearth_account *a, const char *handle,
                       char local[HANDLE_LOCAL_MAX_BYTES + 1])
{
    const char *at = strchr(handle, '@');
    size_t len = at != NULL ? (size_t)(at - handle) : strlen(handle);
    if (len > HANDLE_LOCAL_MAX_BYTES ||
        (at != NULL && strcmp(at + 1, a->core->account.domain) != 0))
        return false;
    memcpy(local, handle, len);
    local[len] = '\0';
    return true;
}

static struct hearth_op *on_handle(struct hearth_account *a, const char *handle,
                                   struct err (*step)(struct core *c, struct db_txn *t, void *verb))
{
    char local[HANDLE_LOCAL_MAX_BYTES + 1];
    struct verb verb = {.arg = local};
    if (handle == NULL || !local_part(a, handle, local) ||
        !err_is_ok(handle_check(bytes_str(local))))
        return verb_usage(a, "that can be no handle of ours",
                          "3 to 63 of a-z 0-9 - _ . and a letter first");
    return verb_begin(a, step, &verb);
}

struct hearth_op *hearth_handle_add(struct hearth_account *a, const char *local)
{
    return on_handle(a, local, step_handle_add);
}

struct hearth_op *hearth_handle_remove(struct hearth_account *a, const char *local)
{
    return on_handle(a, local, step_handle_remove);
}

struct hearth_op *hearth_handle_rotate(struct hearth_account *a, const char *local)
{
    return on_handle(a, local, step_handle_rotate);
}

struct handle_listing {
    const char *domain;
    bool (*fn)(const char *handle, void *arg);
    void *arg;
    bool over;
};

static struct err list_one(void *arg, const struct handle_row *row)
{
    struct handle_listing *l = arg;
    char text[HANDLE_LOCAL_MAX_BYTES + 1 + DOMAIN_MAX_BYTES + 1];
    if (l->over || row->state != HANDLE_OURS)
        return ERR_OK;
    (void)snprintf(text, sizeof text, "%s@%s", row->local, l->domain);
    l->over = !l->fn(text, l->arg);
    return ERR_OK;
}

static struct err list_handles(struct core *c, struct db_txn *t, void *arg)
{
    struct handle_listing *l = arg;
    l->domain = c->account.domain;
    return handle_each(c, t, list_one, l);
}

bool hearth_handle_each(struct hearth_account *a, bool (*fn)(const char *handle, void *arg),
                        void *arg)
{
    struct handle_listing l = {.fn = fn, .arg = arg};
    return door_look(a, list_handles, &l);
}

/* ---- ourselves */

struct counts {
    struct queue_row queue;
    size_t packages;
};

static struct err look_counts(struct core *c, struct db_txn *t, void *arg)
{
    struct counts *counts = arg;
    TRY(key_package_left(c, t, &counts->packages));
    return queue_row_get(t, &counts->queue);
}

void hearth_account_info(struct hearth_account *a, struct hearth_account_info *ret_info)
{
    const struct account *account = &a->core->account;
    struct counts counts = {.packages = 0};
    bool counted = account->registered && door_look(a, look_counts, &counts);
    *ret_info = (struct hearth_account_info){
        .registered = account->registered,
        .domain = account->domain,
        .device = account->device,
        .name = account->name,
        .credential_until_s = account_credential_end(account),
        .tasks = tasks_count(a->core),
    };
    memcpy(ret_info->user_id, account->user_uuid, UUID_BYTES);
    memcpy(ret_info->device_id, account->client_uuid, UUID_BYTES);
    if (counted) {
        ret_info->key_packages_left = (uint32_t)counts.packages;
        ret_info->queue_sequence = counts.queue.ratchet.sequence;
        queue_ratchet_clear(&counts.queue.ratchet);
    }
}

static struct err look_tokens(struct core *c, struct db_txn *t, void *arg)
{
    struct hearth_tokens *tokens = arg;
    struct token_facts facts;
    TRY(token_facts_get(t, c->account.domain, &facts));
    tokens->required = facts.on;
    token_facts_clear(&facts);
    for (int i = 0; i < HEARTH_TOKEN_CLASSES; i++) {
        struct token_pile pile;
        TRY(token_count(c, t, c->account.domain, (uint8_t)(i + 1), &tokens->now[i]));
        struct err err =
            token_pile_get(t, c->account.domain, (uint8_t)(i + 1), token_day(c) + 1, &pile);
        if (err_is_ok(err))
            tokens->tomorrow[i] = (uint32_t)(pile.end - pile.next);
        else if (err.code != ERR_NOT_FOUND)
            return err;
    }
    return ERR_OK;
}

void hearth_account_tokens(struct hearth_account *a, struct hearth_tokens *ret_tokens)
{
    struct hearth_tokens tokens = {.required = false};
    *ret_tokens = tokens;
    if (a->core->account.registered && door_look(a, look_tokens, &tokens))
        *ret_tokens = tokens;
}

void hearth_account_costs(struct hearth_account *a, struct hearth_costs *ret_costs)
{
    const struct api_costs *costs = api_costs(a->core->api);
    *ret_costs = (struct hearth_costs){
        .calls = costs->calls,
        .bytes_out = costs->bytes_out,
        .bytes_in = costs->bytes_in,
        .signatures = crypto_count.signatures,
        .verifications = crypto_count.verifications,
        .exchanges = crypto_count.exchanges,
        .commits = db_commits(a->core->db),
        .group = crypto_count.group,
    };
}
