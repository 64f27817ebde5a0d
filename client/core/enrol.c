/* TASK_ENROL: a linked device checks its credential, when the keys of its homeserver are there, and
 * publishes KeyPackages; the other device then adds it to the chats.
 *
 *     body    struct { opaque credential<V>; opaque signing<V>; }
 */
#include "client/core/enrol.h"
#include "client/core/log.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/core/devices.h"
#include "client/core/homeserver.h"
#include "client/core/key_package.h"
#include "client/core/queue.h"
#include "client/core/register.h"
#include "client/core/task.h"
#include "seal/key_set.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { VERSION = 1, CONTACTS_BYTES = 600000 };

/* ---- making a grant */

struct giving {
    struct core *c;
    struct db_txn *t;
    struct buf *b;
    size_t from;
};

static struct err give_contact(void *arg, const struct contact *contact)
{
    struct giving *g = arg;
    struct buf row = BUF_INIT;
    struct contact theirs = *contact;
    theirs.chat = (struct hearth_id){0}; /* ours: theirs gets one of its own */
    contact_write(&row, &theirs);
    if (!row.failed && g->b->len - g->from + row.len < CONTACTS_BYTES)
        wire_write_vector(g->b, buf_view(&row));
    struct err err = buf_check(&row);
    buf_clear(&row);
    return err;
}

static bool give_device(const struct hearth_device *shown, void *arg)
{
    struct giving *g = arg;
    struct device device = {.added_ms = shown->added_ms};
    struct buf row = BUF_INIT;
    struct device stored;
    memcpy(device.uuid, shown->id.bytes, sizeof device.uuid);
    (void)snprintf(device.name, sizeof device.name, "%s", shown->name);
    if (shown->self)
        memcpy(device.queue_client_id, g->c->account.queue_client_id, UUID_BYTES);
    else if (err_is_ok(device_get(g->t, device.uuid, &stored)))
        memcpy(device.queue_client_id, stored.queue_client_id, UUID_BYTES);
    device_write(&row, &device);
    wire_write_vector(g->b, buf_view(&row));
    buf_clear(&row);
    return true;
}

static struct err give_user(const struct core *c, struct buf *b)
{
    size_t mark = wire_vector_begin(b);
    user_secrets_write(b, &c->account.user);
    wire_vector_end(b, mark);
    wire_write_vector(b, bytes_str(c->account.name));
    return buf_check(b);
}

struct err grant_write(struct core *c, struct db_txn *t, struct bytes credential,
                       struct bytes signing, const uint8_t queue_client_id[UUID_BYTES],
                       struct buf *b)
{
    struct giving g = {c, t, b, 0};
    wire_write_u8(b, VERSION);
    wire_write_vector(b, credential);
    wire_write_vector(b, signing);
    wire_write_fixed(b, bytes_of(queue_client_id, UUID_BYTES));
    size_t mark = wire_vector_begin(b);
    TRY(own_key_sets_write(c, t, b));
    wire_vector_end(b, mark);
    TRY(give_user(c, b));
    mark = wire_vector_begin(b);
    g.from = b->len;
    TRY(contact_each(c, t, give_contact, &g));
    wire_vector_end(b, mark);
    mark = wire_vector_begin(b);
    TRY(handles_write(c, t, b));
    wire_vector_end(b, mark);
    mark = wire_vector_begin(b);
    TRY(devices_each(c, t, give_device, &g));
    wire_vector_end(b, mark);
    return buf_check(b);
}

/* ---- taking one */

struct grant {
    struct bytes credential, signing, queue_client_id, key_sets, user, name, contacts, handles,
        devices;
};

static struct err grant_read(struct bytes in, struct grant *ret)
{
    struct wire_reader r = wire_reader_of(in);
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    ret->credential = wire_read_vector(&r);
    ret->signing = wire_read_vector(&r);
    ret->queue_client_id = wire_read_fixed(&r, UUID_BYTES);
    ret->key_sets = wire_read_vector(&r);
    ret->user = wire_read_vector(&r);
    ret->name = wire_read_vector(&r);
    ret->contacts = wire_read_vector(&r);
    ret->handles = wire_read_vector(&r);
    ret->devices = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    bool fits = ret->name.len <= DISPLAY_NAME_MAX_BYTES &&
                (ret->name.len == 0 || memchr(ret->name.data, 0, ret->name.len) == NULL);
    return fits ? ERR_OK : ERR(WIRE_VALUE);
}

/* The set names us with our key: nobody else's credential would do. */
static struct err check_set(struct bytes key_set, const struct newcomer *us)
{
    struct key_set *set = malloc(sizeof *set);
    if (set == NULL)
        return ERR(NO_MEMORY);
    struct err err = key_set_parse(key_set, set);
    if (err_is_ok(err)) {
        const struct client_key *key = key_set_find(set, bytes_of(us->client_uuid, UUID_BYTES));
        bool fits = key != NULL &&
                    bytes_equal(key->public_key, public_key_view(&us->client_key->public_key));
        err = fits ? ERR_OK : ERR(CLIENT_LINK);
    }
    free(set);
    return err;
}

static struct err fill_names(const struct newcomer *us, const struct grant *grant,
                             struct account *a)
{
    struct domain_name user;
    TRY(domain_name_parse(us->user_id, &user));
    memcpy(a->domain, user.domain.data, user.domain.len);
    memcpy(a->user_uuid, user.uuid, sizeof a->user_uuid);
    memcpy(a->client_uuid, us->client_uuid, sizeof a->client_uuid);
    (void)snprintf(a->device, sizeof a->device, "%s", us->device);
    if (grant->name.len > 0)
        memcpy(a->name, grant->name.data, grant->name.len);
    buf_append_bytes(&a->user_id, us->user_id);
    buf_append_bytes(&a->client_id, us->client_id);
    TRY(buf_check(&a->user_id));
    return buf_check(&a->client_id);
}

static struct err fill(const struct newcomer *us, const struct grant *grant, struct account *a)
{
    enum key_sets_say says;
    TRY(fill_names(us, grant, a));
    TRY(key_sets_follow(&a->key_set, us->user_id, grant->key_sets, &says));
    TRY(check_set(buf_view(&a->key_set), us));
    TRY(user_secrets_read(grant->user, &a->user));
    TRY(sig_key_init(us->client_key->alg, secret_view(&us->client_key->private_key),
                     &a->client_key));
    TRY(sig_key_init(us->queue_client_key->alg, secret_view(&us->queue_client_key->private_key),
                     &a->queue_client_key));
    memcpy(a->queue_client_id, grant->queue_client_id.data, sizeof a->queue_client_id);
    a->queue_private = *us->queue_private;
    a->queue_public = *us->queue_public;
    return ERR_OK;
}

static struct err take_rows(struct core *c, struct db_txn *t, const struct grant *grant)
{
    struct wire_reader r = wire_reader_of(grant->contacts);
    while (wire_reader_more(&r)) {
        struct contact contact = {0};
        TRY(contact_read(wire_read_vector(&r), &contact));
        struct err err = contact_put(c, t, &contact);
        if (err_is_ok(err))
            err = contact_remember_offers(t, &contact);
        contact_clear(&contact);
        TRY(err);
    }
    TRY(wire_reader_end(&r));
    r = wire_reader_of(grant->devices);
    while (wire_reader_more(&r)) {
        struct device device;
        TRY(device_read(wire_read_vector(&r), &device));
        TRY(device_put(t, &device));
    }
    TRY(wire_reader_end(&r));
    return handles_take(c, t, grant->handles);
}

static struct err add_task(struct core *c, struct db_txn *t, const struct grant *grant,
                           uint64_t *ret_task)
{
    struct buf body = BUF_INIT;
    wire_write_vector(&body, grant->credential);
    wire_write_vector(&body, grant->signing);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_ENROL, NULL, NULL, buf_view(&body), ret_task);
    buf_clear(&body);
    return err;
}

struct err grant_take(struct core *c, struct db_txn *t, const struct newcomer *us, struct bytes in,
                      uint64_t *ret_task)
{
    struct grant grant;
    struct account a = {0};
    TRY(grant_read(in, &grant));
    struct err err = fill(us, &grant, &a);
    if (err_is_ok(err))
        err = homeserver_pin(c, t, a.domain, bytes_of(us->pin, 32));
    if (err_is_ok(err))
        err = account_set(c, t, &a);
    account_clear(&a);
    if (err_is_ok(err))
        err = own_key_sets_keep(t, grant.key_sets);
    if (err_is_ok(err))
        err = take_rows(c, t, &grant);
    return err_is_ok(err) ? add_task(c, t, &grant, ret_task) : err;
}

/* ---- the task */

static struct err take_keys(struct core *c, struct db_txn *t, struct task *task,
                            enum task_next *ret_next)
{
    struct homeserver h = {0};
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    struct bytes credential = wire_read_vector(&r), signing = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    struct err err = homeserver_get_unlogged(c, t, c->account.domain, &h);
    homeserver_clear(&h);
    if (err.code == ERR_NOT_FOUND) {
        *ret_next = TASK_NEXT_WAIT;
        return homeserver_want(c, t, c->account.domain);
    }
    TRY(err);
    TRY(account_take_credential(c, t, &c->account, credential, signing));
    c->account.registered = true;
    TRY(account_write(&c->account, t));
    TRY(queue_begin(c, t));
    TRY(log_own(c, t)); /* this device watches, too */
    return key_package_publish(c, t);
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    (void)call;
    *ret_next = TASK_NEXT_DONE;
    return take_keys(c, t, task, ret_next);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    (void)c, (void)t, (void)task, (void)answer;
    *ret_next = TASK_NEXT_AGAIN;
    return ERR_OK;
}

const struct task_steps task_steps_ENROL = {.prepare = prepare, .settle = settle};
