/* Several devices of one person: linked, in all chats, removed; across kills. */
#include <stdio.h>

#include "client/core/link.h"
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
                                                .domain = TOWN_DOMAIN,
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

static void link_device(struct pair *p, struct person *old, struct person *fresh)
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

static unsigned devices_of(struct person *p)
{
    unsigned count = 0;
    assert_true(hearth_device_each(&p->account, count_device, &count));
    return count;
}

static struct hearth_id chat_with(struct person *p, const char *handle)
{
    struct hearth_id contact, nothing = {{0}};
    if (!hearth_contact_find(&p->account, handle, &contact))
        fail_msg("%s does not know %s", p->name, handle);
    struct hearth_id chat = contact_of(p, &contact).chat;
    if (hearth_id_equal(&chat, &nothing))
        fail_msg("%s has no chat with %s", p->name, handle);
    return chat;
}

/* Whatever one of the three says the other two hear. */
static void all_talk(struct pair *p, struct person *phone, const char *text)
{
    struct hearth_id phone_chat = chat_with(phone, "bob@a.test");
    char line[3][64];
    for (int i = 0; i < 3; i++)
        (void)snprintf(line[i], sizeof line[i], "%s %d", text, i);
    done(p->alice, hearth_send(&p->alice->account, &p->alice_chat, line[0]));
    done(p->bob, hearth_send(&p->bob->account, &p->bob_chat, line[1]));
    done(phone, hearth_send(&phone->account, &phone_chat, line[2]));
    meet(p);
    for (int i = 0; i < 3; i++) {
        (void)hears(p->alice, &p->alice_chat, line[i]);
        (void)hears(p->bob, &p->bob_chat, line[i]);
        (void)hears(phone, &phone_chat, line[i]);
    }
}

/* ---- tests */

static void test_code(void **state)
{
    uint8_t code[LINK_CODE_BYTES], back[LINK_CODE_BYTES];
    char text[LINK_CODE_TEXT_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof code; i++)
        code[i] = (uint8_t)(37 * i + 200);
    link_code_text(code, text);
    assert_ok(link_code_read(text, back));
    assert_memory_equal(code, back, sizeof code);
    for (char *c = text; *c != 0; c++) { /* as people type */
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
        if (*c == '0')
            *c = 'o';
        if (*c == '1')
            *c = 'l';
    }
    assert_ok(link_code_read(text, back));
    assert_memory_equal(code, back, sizeof code);
    text[3] = 'u';
    assert_err(link_code_read(text, back), CLIENT_LINK_CODE);
    assert_err(link_code_read("", back), CLIENT_LINK_CODE);
    assert_err(link_code_read("00000-00000-00000-00000-00000-1", back), CLIENT_LINK_CODE);
    assert_err(link_code_read("00000-00000-00000-00000-00000-00", back), CLIENT_LINK_CODE);
}

static void test_linked(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 21);
    befriend(&p);
    struct person *phone = person_new(&p.all, "phone");
    link_device(&p, p.alice, phone);
    assert_true(phone->core->account.registered);
    assert_int_equal(devices_of(p.alice), 2);
    assert_int_equal(devices_of(phone), 2);
    assert_int_equal(contact_of(p.bob, &p.alice_id).devices, 2);
    all_talk(&p, phone, "three");
    /* both show the same number to bob */
    struct hearth_safety a, b;
    struct hearth_id bob;
    assert_true(hearth_contact_find(&phone->account, "bob@a.test", &bob));
    assert_true(hearth_safety_number(&phone->account, &bob, &a));
    assert_true(hearth_safety_number(&p.bob->account, &p.alice_id, &b));
    assert_string_equal(a.digits, b.digits);
    people_close(&p.all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_code),
        cmocka_unit_test(test_linked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
