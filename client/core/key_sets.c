/* A user's KeySets as they follow on each other (transparency.md 4): what a contact says of itself,
 * until the log says it too. */
#include <stdlib.h>

#include "client/core/contact.h"
#include "client/core/log.h"
#include "seal/key_set.h"
#include "wire/reader.h"

/* struct key_set is 10 KB: two of them and what they point into. */
struct follow {
    struct key_set before, next;
    struct bytes newest;
    bool any, reset;
};

static bool is_of(const struct key_set *set, struct bytes user_id)
{
    return set->label.len == 1 + user_id.len && set->label.data[0] == KEY_SET_LABEL_USER &&
           bytes_equal(bytes_of(set->label.data + 1, user_id.len), user_id);
}

/* The first that we see of a user need not be version 0: who sends many leaves out the oldest. */
static struct err first(struct follow *f)
{
    return f->next.version == 0 ? key_set_verify(&f->next, NULL) : ERR_OK;
}

static struct err one(struct follow *f, struct bytes user_id, struct bytes whole)
{
    TRY(key_set_parse(whole, &f->next));
    if (!is_of(&f->next, user_id))
        return ERR(KEY_SET);
    if (f->any && f->next.version < f->before.version)
        return ERR_OK; /* known, or left behind */
    if (f->any && f->next.version == f->before.version)
        return bytes_equal(whole, f->newest) ? ERR_OK : ERR(KEY_SET);
    TRY(f->any ? key_set_verify(&f->next, &f->before) : first(f));
    f->reset = f->reset || (f->any && f->next.reset);
    f->before = f->next;
    f->newest = whole;
    f->any = true;
    return ERR_OK;
}

static struct err all(struct follow *f, struct bytes user_id, struct bytes key_sets)
{
    struct wire_reader r = wire_reader_of(key_sets);
    while (wire_reader_more(&r)) {
        struct bytes whole = wire_read_vector(&r);
        TRY(wire_reader_check(&r));
        TRY(one(f, user_id, whole));
    }
    return wire_reader_end(&r);
}

static struct err follow(struct follow *f, struct buf *known, struct bytes user_id,
                         struct bytes key_sets, enum key_sets_say *ret_says)
{
    struct buf newest = BUF_INIT;
    if (known->len > 0) {
        TRY(key_set_parse(buf_view(known), &f->before));
        f->newest = buf_view(known);
        f->any = true;
    }
    const uint8_t *was = f->newest.data;
    TRY(all(f, user_id, key_sets));
    if (!f->any)
        return ERR(KEY_SET);
    if (f->newest.data == was) {
        *ret_says = KEY_SETS_SAME;
        return ERR_OK;
    }
    buf_append_bytes(&newest, f->newest);
    TRY(buf_check(&newest));
    buf_clear(known);
    *known = newest;
    *ret_says = f->reset ? KEY_SETS_RESET : KEY_SETS_NEWER;
    return ERR_OK;
}

struct err key_sets_follow(struct buf *known, struct bytes user_id, struct bytes key_sets,
                           enum key_sets_say *ret_says)
{
    struct follow *f = calloc(1, sizeof *f);
    if (f == NULL)
        return ERR(NO_MEMORY);
    struct err err = follow(f, known, user_id, key_sets, ret_says);
    free(f);
    return err;
}

struct err contact_key_sets(struct core *c, struct db_txn *t, struct contact *contact,
                            struct bytes key_sets)
{
    enum key_sets_say says = KEY_SETS_SAME;
    struct err err =
        key_sets_follow(&contact->key_set, buf_view(&contact->user_id), key_sets, &says);
    if (err.code == ERR_NO_MEMORY)
        return err;
    if (!err_is_ok(err)) /* his, or whoever speaks for him */
        return contact_event(c, t, HEARTH_EVENT_UNVERIFIED, contact,
                             "keys that do not follow on those known before");
    if (says == KEY_SETS_SAME)
        return ERR_OK;
    contact->compared = contact->compared && says != KEY_SETS_RESET;
    contact->changed = contact->changed || says == KEY_SETS_RESET;
    TRY(log_contact(c, t, buf_view(&contact->user_id), contact->changed));
    return contact_event(c, t, HEARTH_EVENT_CONTACT_CHANGED, contact,
                         says == KEY_SETS_RESET ? "keys were replaced without authority of the "
                                                  "ones before"
                                                : "devices");
}
