/* A second device of a person, for the tests of this folder. */
#ifndef TESTS_UNIT_CLIENT_CORE_LINKING_H
#define TESTS_UNIT_CLIENT_CORE_LINKING_H

#include "unit/client/core/friends.h"

/* ---- linking */

struct shown {
    char code[64];
};

static void show(const char *code, void *arg)
{
    struct shown *s = arg;
    (void)snprintf(s->code, sizeof s->code, "%s", code);
}

struct wait {
    bool over;
    struct hearth_error result;
};

static void on_done(const struct hearth_error *result, void *arg)
{
    struct wait *w = arg;
    w->over = true;
    w->result = *result;
}

static bool link_once(struct pair *p, struct person *old, struct person *fresh, struct wait *a,
                      struct wait *b)
{
    struct shown shown = {0};
    const struct hearth_link_options options = {.size = sizeof options,
                                                .domain = old->domain,
                                                .device = fresh->name,
                                                .show = show,
                                                .arg = &shown};
    *a = *b = (struct wait){0};
    struct hearth_op *op = hearth_link(&fresh->account, &options);
    if (op == NULL)
        return false;
    hearth_op_on_done(op, on_done, a);
    people_run_ms(&p->all, 1000);
    assert_int_equal(strlen(shown.code), 31);
    op = hearth_link_accept(&old->account, shown.code);
    if (op == NULL)
        return false;
    hearth_op_on_done(op, on_done, b);
    unsigned lives = old->lives + fresh->lives;
    for (int i = 0; i < 300 && !(a->over && b->over); i++) {
        people_run_ms(&p->all, 100);
        person_alive(old);
        person_alive(fresh);
        if (old->lives + fresh->lives != lives)
            return false; /* one of the ends is gone, and its operation with it */
    }
    return a->over && b->over && a->result.result == HEARTH_DONE && b->result.result == HEARTH_DONE;
}

__attribute__((unused)) static void link_device(struct pair *p, struct person *old,
                                                struct person *fresh)
{
    struct wait a, b;
    if (!link_once(p, old, fresh, &a, &b))
        fail_msg("not linked: new %d %s %s; old %d %s %s", a.over, a.result.name, a.result.text,
                 b.over, b.result.name, b.result.text);
    people_run_ms(&p->all, 20000);
    meet(p);
    people_run_ms(&p->all, 20000);
    meet(p);
}

static bool count_device(const struct hearth_device *device, void *arg)
{
    unsigned *count = arg;
    (*count)++;
    return device->name != NULL;
}

__attribute__((unused)) static unsigned devices_of(struct person *p)
{
    unsigned count = 0;
    assert_true(hearth_device_each(&p->account, count_device, &count));
    return count;
}

__attribute__((unused)) static struct hearth_id chat_with(struct person *p, const char *handle)
{
    struct hearth_id contact, nothing = {{0}};
    if (!hearth_contact_find(&p->account, handle, &contact))
        fail_msg("%s does not know %s", p->name, handle);
    struct hearth_id chat = contact_of(p, &contact).chat;
    if (hearth_id_equal(&chat, &nothing))
        fail_msg("%s has no chat with %s", p->name, handle);
    return chat;
}

__attribute__((unused)) static bool first_other(const struct hearth_device *device, void *arg)
{
    if (device->self)
        return true;
    *(struct hearth_id *)arg = device->id;
    return false;
}

#endif
