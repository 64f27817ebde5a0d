/* Files, profile, safety numbers. */
#include <stdio.h>
#include <string.h>

#include "client/core/door.h"
#include "client/core/file.h"
#include "client/core/profile.h"
#include "client/core/safety.h"

/* ---- files */

struct transfer {
    struct verb verb;
    const struct hearth_id *chat;
    const char *path;
    uint64_t number;
};

static struct err step_send(struct core *c, struct db_txn *t, void *arg)
{
    struct transfer *f = arg;
    return file_send_begin(c, t, f->chat, f->path, &f->number, &f->verb.task);
}

static struct err step_get(struct core *c, struct db_txn *t, void *arg)
{
    struct transfer *f = arg;
    return file_get_begin(c, t, f->chat, f->number, f->path, &f->verb.task);
}

struct hearth_op *hearth_file_send(struct hearth_account *a, const struct hearth_id *chat,
                                   const char *path)
{
    struct transfer f = {.chat = chat, .path = path};
    if (path == NULL)
        return verb_usage(a, "a path is wanted", NULL);
    return verb_begin(a, step_send, &f.verb);
}

struct hearth_op *hearth_file_get(struct hearth_account *a, const struct hearth_id *chat,
                                  uint64_t number, const char *path)
{
    struct transfer f = {.chat = chat, .path = path, .number = number};
    if (path == NULL)
        return verb_usage(a, "a path is wanted", NULL);
    return verb_begin(a, step_get, &f.verb);
}

/* ---- profile */

struct showing {
    struct verb verb;
    const char *name;
    struct bytes picture;
};

static struct err step_profile(struct core *c, struct db_txn *t, void *arg)
{
    struct showing *s = arg;
    return profile_set(c, t, s->name, s->picture, &s->verb.task);
}

struct hearth_op *hearth_profile_set(struct hearth_account *a, const char *name,
                                     const void *picture, size_t picture_bytes)
{
    struct showing s = {.name = name, .picture = bytes_of(picture, picture_bytes)};
    if (name == NULL || strlen(name) > DISPLAY_NAME_MAX_BYTES)
        return verb_usage(a, "a display name has at most 128 bytes", NULL);
    return verb_begin(a, step_profile, &s.verb);
}

/* ---- comparing */

struct looking {
    const struct hearth_id *contact;
    struct safety_sides sides;
    bool compared;
};

static struct err look_safety(struct core *c, struct db_txn *t, void *arg)
{
    struct looking *l = arg;
    return safety_of(c, t, l->contact, &l->sides);
}

bool hearth_safety_number(struct hearth_account *a, const struct hearth_id *contact,
                          struct hearth_safety *ret_safety)
{
    struct looking l = {.contact = contact};
    if (!door_look(a, look_safety, &l)) {
        struct hearth_error *e = &a->core->error;
        if (e->result == HEARTH_NOT_THERE)
            (void)snprintf(e->hint, sizeof e->hint, "his keys come with his first messages: sync");
        return false;
    }
    safety_show(&l.sides, ret_safety);
    return true;
}

static struct err step_compared(struct core *c, struct db_txn *t, void *arg)
{
    const struct looking *l = arg;
    return safety_set_compared(c, t, l->contact, l->compared);
}

bool hearth_contact_set_compared(struct hearth_account *a, const struct hearth_id *contact,
                                 bool compared)
{
    struct looking l = {.contact = contact, .compared = compared};
    return door_look(a, step_compared, &l);
}

enum hearth_result hearth_safety_compare(struct hearth_account *a, const struct hearth_id *contact,
                                         const void *qr, size_t len)
{
    static const char *const causes[] = {
        "", "the other side sees other keys of ours than we have",
        "we see other keys of the other side than it has",
        "both sides' keys differ, or it is the code of somebody else"};
    struct looking l = {.contact = contact};
    enum safety_says says;
    if (!door_look(a, look_safety, &l))
        return a->core->error.result;
    struct err err = safety_compare(&l.sides, bytes_of(qr, len), &says);
    if (!err_is_ok(err)) {
        (void)verb_usage(a, "that is no code of a safety number", NULL);
        return HEARTH_USAGE;
    }
    if (says == SAFETY_SAME)
        return hearth_contact_set_compared(a, contact, true) ? HEARTH_DONE : a->core->error.result;
    struct hearth_error *e = &a->core->error;
    *e = (struct hearth_error){
        .result = HEARTH_UNVERIFIED, .name = "SAFETY_DIFFERS", .text = "the safety numbers differ"};
    (void)snprintf(e->cause, sizeof e->cause, "%s", causes[says]);
    (void)snprintf(e->hint, sizeof e->hint,
                   "somebody may be between you: do not write before you know why");
    return HEARTH_UNVERIFIED;
}
