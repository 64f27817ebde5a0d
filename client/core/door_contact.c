/* Contacts and devices, as they are shown, and their verbs. */
#include <stdio.h>
#include <string.h>

#include "client/core/contact.h"
#include "client/core/devices.h"
#include "client/core/door.h"
#include "seal/key_set.h"

/* ---- showing */

static struct err show_contact(const struct contact *contact, struct buf *b,
                               struct hearth_contact *ret)
{
    struct key_set set;
    *ret = (struct hearth_contact){
        .id = contact->id,
        .state = contact->state,
        .chat = contact->chat,
        .compared = contact->compared,
        .changed = contact->changed,
    };
    if (contact->key_set.len > 0 && err_is_ok(key_set_parse(buf_view(&contact->key_set), &set)))
        ret->devices = (uint32_t)set.client_count;
    size_t handle = b->len;
    (void)door_text(b, bytes_str(contact->handle));
    size_t name = b->len;
    (void)door_text(b, bytes_str(contact->name));
    TRY(buf_check(b));
    ret->handle = (const char *)b->data + handle;
    ret->name = (const char *)b->data + name;
    return ERR_OK;
}

struct contact_listing {
    bool (*fn)(const struct hearth_contact *contact, void *arg);
    void *arg;
    bool over;
    /* find and get */
    const char *name;
    const struct hearth_id *id;
    struct hearth_id found;
    bool any;
    struct hearth_contact *ret_contact;
    struct buf *keep;
};

static struct err list_one(void *arg, const struct contact *contact)
{
    struct contact_listing *l = arg;
    struct buf text = BUF_INIT;
    struct hearth_contact shown;
    if (l->over)
        return ERR_OK;
    struct err err = show_contact(contact, &text, &shown);
    if (err_is_ok(err))
        l->over = !l->fn(&shown, l->arg);
    buf_clear(&text);
    return err;
}

static struct err list_all(struct core *c, struct db_txn *t, void *arg)
{
    return contact_each(c, t, list_one, arg);
}

bool hearth_contact_each(struct hearth_account *a,
                         bool (*fn)(const struct hearth_contact *contact, void *arg), void *arg)
{
    struct contact_listing l = {.fn = fn, .arg = arg};
    return door_look(a, list_all, &l);
}

static struct err get_one(struct core *c, struct db_txn *t, void *arg)
{
    struct contact_listing *l = arg;
    struct contact contact = {0};
    TRY(contact_get(c, t, l->id, &contact));
    struct err err = show_contact(&contact, l->keep, l->ret_contact);
    contact_clear(&contact);
    return err;
}

bool hearth_contact_get(struct hearth_account *a, const struct hearth_id *contact,
                        struct hearth_contact *ret_contact)
{
    struct contact_listing l = {
        .id = contact, .ret_contact = ret_contact, .keep = &a->contact_text};
    buf_clear(&a->contact_text);
    return door_look(a, get_one, &l);
}

static bool match_name(const struct hearth_contact *contact, void *arg)
{
    struct contact_listing *l = arg;
    char id[HEARTH_ID_TEXT_BYTES];
    hearth_id_text(&contact->id, id);
    if (strcmp(contact->handle, l->name) == 0 || strcmp(id, l->name) == 0) {
        /* of two with one handle, the one that still is */
        if (!l->any || contact->state != HEARTH_CONTACT_REMOVED)
            l->found = contact->id;
        l->any = true;
    }
    return true;
}

bool hearth_contact_find(struct hearth_account *a, const char *name, struct hearth_id *ret_contact)
{
    struct contact_listing l = {.name = name};
    if (!hearth_contact_each(a, match_name, &l) || !l.any)
        return false;
    *ret_contact = l.found;
    return true;
}

/* ---- verbs */

static struct err step_ask(struct core *c, struct db_txn *t, void *arg)
{
    struct verb *v = arg;
    return contact_ask(c, t, v->arg, &v->id, &v->task);
}

struct hearth_op *hearth_contact_add(struct hearth_account *a, const char *handle)
{
    struct verb verb = {.arg = handle};
    if (handle == NULL || strchr(handle, '@') == NULL)
        return verb_usage(a, "that is no handle", "handles look like bob@b.test");
    return verb_begin(a, step_ask, &verb);
}

static struct err step_accept(struct core *c, struct db_txn *t, void *arg)
{
    struct verb *v = arg;
    return contact_accept(c, t, &v->id, &v->task);
}

static struct err step_refuse(struct core *c, struct db_txn *t, void *arg)
{
    struct verb *v = arg;
    return contact_refuse(c, t, &v->id, &v->task);
}

static struct err step_remove(struct core *c, struct db_txn *t, void *arg)
{
    struct verb *v = arg;
    return contact_remove(c, t, &v->id, &v->task);
}

struct hearth_op *hearth_contact_accept(struct hearth_account *a, const struct hearth_id *contact)
{
    struct verb verb = {.id = *contact};
    return verb_begin(a, step_accept, &verb);
}

struct hearth_op *hearth_contact_refuse(struct hearth_account *a, const struct hearth_id *contact)
{
    struct verb verb = {.id = *contact};
    return verb_begin(a, step_refuse, &verb);
}

struct hearth_op *hearth_contact_remove(struct hearth_account *a, const struct hearth_id *contact)
{
    struct verb verb = {.id = *contact};
    return verb_begin(a, step_remove, &verb);
}

/* ---- devices */

struct device_listing {
    bool (*fn)(const struct hearth_device *device, void *arg);
    void *arg;
};

static struct err list_devices(struct core *c, struct db_txn *t, void *arg)
{
    const struct device_listing *l = arg;
    return devices_each(c, t, l->fn, l->arg);
}

bool hearth_device_each(struct hearth_account *a,
                        bool (*fn)(const struct hearth_device *device, void *arg), void *arg)
{
    struct device_listing l = {fn, arg};
    return door_look(a, list_devices, &l);
}

static struct err step_device_remove(struct core *c, struct db_txn *t, void *arg)
{
    struct verb *v = arg;
    return device_remove_begin(c, t, &v->id, &v->task);
}

struct hearth_op *hearth_device_remove(struct hearth_account *a, const struct hearth_id *device)
{
    struct verb verb = {.id = *device};
    return verb_begin(a, step_device_remove, &verb);
}
