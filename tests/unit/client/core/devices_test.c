/* Several devices of one person: linked, in all chats, removed; across kills. */
#include <stdio.h>

#include "client/core/handle.h"
#include "client/core/link.h"
#include "client/core/log.h"
#include "seal/key_set.h"
#include "unit/client/core/linking.h"

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

/* So many times the log has not shown yet what the account's set is now, after so many times that
 * it has. */
static unsigned log_is_late, log_late_after;
struct err __real_log_commitment_before(struct core *c, struct db_txn *t, struct bytes before,
                                        uint8_t ret_commitment[HASH_VALUE_BYTES]);
CHECKED struct err __wrap_log_commitment_before(struct core *c, struct db_txn *t,
                                                struct bytes before,
                                                uint8_t ret_commitment[HASH_VALUE_BYTES]);
struct err __wrap_log_commitment_before(struct core *c, struct db_txn *t, struct bytes before,
                                        uint8_t ret_commitment[HASH_VALUE_BYTES])
{
    if (log_is_late > 0 && log_late_after == 0) {
        log_is_late--;
        return ERR(CLIENT_LOG_LATER);
    }
    log_late_after -= log_late_after > 0;
    return __real_log_commitment_before(c, t, before, ret_commitment);
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

static unsigned places; /* that the relay holds, or held */
struct end;
void __real_session_wait(struct end *end);
void __wrap_session_wait(struct end *end);
void __wrap_session_wait(struct end *end)
{
    places++;
    __real_session_wait(end);
}

static void show_held(const char *code, void *arg)
{
    struct shown *s = arg;
    assert_int_equal(places, 1); /* else who is quick finds nobody */
    assert_string_equal(s->code, "");
    (void)snprintf(s->code, sizeof s->code, "%s", code);
}

static void test_shown_when_held(void **state)
{
    static struct pair p;
    static const char nobodys[] = "00000-00000-00000-00000-00000-0";
    struct shown shown = {0};
    struct hearth_link_options options = {
        .size = sizeof options, .domain = TOWN_DOMAIN, .show = show_held, .arg = &shown};
    (void)state;
    pair_init(&p, 31);
    struct person *phone = person_new(&p.all, "phone");
    /* a code that nobody shows: said as what it is, and nothing else is spoilt by it */
    assert_int_equal(person_op(p.alice, hearth_link_accept(&p.alice->account, nobodys)),
                     HEARTH_NOT_THERE);
    assert_string_equal(p.alice->error.name, "CLIENT_LINK_NOBODY");
    places = 0;
    struct wait a = {0};
    struct hearth_op *op = hearth_link(&phone->account, &options);
    assert_non_null(op);
    hearth_op_on_done(op, on_done, &a);
    for (int i = 0; i < 60000 && shown.code[0] == '\0'; i++)
        people_run_ms(&p.all, 1);
    done(p.alice, hearth_link_accept(&p.alice->account, shown.code));
    for (int i = 0; i < 300 && !a.over; i++)
        people_run_ms(&p.all, 100);
    assert_true(a.over);
    assert_int_equal(a.result.result, HEARTH_DONE);
    assert_int_equal(devices_of(p.alice), 2);
    people_close(&p.all);
}

static void test_log_is_waited_for(void **state)
{
    static struct pair p;
    struct wait a, b;
    (void)state;
    pair_init(&p, 28);
    befriend(&p);
    struct person *phone = person_new(&p.all, "phone");
    log_is_late = 1000;
    assert_false(link_once(&p, p.alice, phone, &a, &b)); /* some half a minute, then it is told */
    assert_true(b.over);
    assert_string_equal(b.result.name, "CLIENT_LOG_LATER");
    log_is_late = 5;
    link_device(&p, p.alice, phone);
    assert_int_equal(log_is_late, 0);
    assert_int_equal(devices_of(p.alice), 2);
    /* and asked again once it was seen, as each window: that is nothing to wait for */
    struct person *tablet = person_new(&p.all, "tablet");
    log_late_after = 1;
    log_is_late = 1000;
    link_device(&p, p.alice, tablet);
    log_is_late = 0;
    assert_int_equal(devices_of(p.alice), 3);
    people_close(&p.all);
}

struct first_handle {
    struct sig_key key;
    uint32_t version;
};

static struct err find_handle(void *arg, const struct handle_row *row)
{
    struct first_handle *first = arg;
    struct key_set set;
    TRY(key_set_parse(buf_view(&row->key_set), &set));
    first->version = set.version;
    return sig_key_init(&sig_ed25519, secret_view(&row->key.private_key), &first->key);
}

static struct err find_handles(struct core *c, struct db_txn *t, void *arg)
{
    return handle_each(c, t, find_handle, arg);
}

static struct first_handle handle_of(struct person *p)
{
    struct first_handle first = {.version = UINT32_MAX};
    assert_ok(core_step(p->core, find_handles, &first));
    return first;
}

static bool same_key(const struct first_handle *a, const struct first_handle *b)
{
    return bytes_equal(secret_view(&a->key.private_key), secret_view(&b->key.private_key));
}

/* Somebody who never heard of alice asks her by her handle, and she hears it. */
static void a_stranger_asks(struct pair *p, struct person *alice, const char *name)
{
    struct hearth_id id;
    char handle[64];
    struct person *stranger = person_new(&p->all, name);
    person_register(stranger, name);
    done(stranger, hearth_contact_add(&stranger->account, "alice@a.test"));
    meet(p);
    people_run_ms(&p->all, 5000);
    meet(p);
    (void)snprintf(handle, sizeof handle, "%s@a.test", name);
    assert_true(hearth_contact_find(&alice->account, handle, &id));
}

/* Each of two devices gives the handle another key; the other takes it over, and hears offers. */
static void test_handle_rotated(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 29);
    befriend(&p);
    struct person *phone = person_new(&p.all, "phone");
    link_device(&p, p.alice, phone);
    struct first_handle first = handle_of(p.alice), there = handle_of(phone);
    assert_int_equal(first.version, 0);
    assert_true(same_key(&first, &there));
    done(p.alice, hearth_handle_rotate(&p.alice->account, "alice"));
    meet(&p);
    people_run_ms(&p.all, 20000);
    meet(&p);
    struct first_handle second = handle_of(p.alice);
    there = handle_of(phone);
    assert_int_equal(second.version, 1);
    assert_false(same_key(&first, &second));
    assert_int_equal(there.version, 1);
    assert_true(same_key(&second, &there));
    a_stranger_asks(&p, phone, "carol");
    done(phone, hearth_handle_rotate(&phone->account, "alice"));
    meet(&p);
    people_run_ms(&p.all, 20000);
    meet(&p);
    there = handle_of(p.alice);
    assert_int_equal(there.version, 2);
    a_stranger_asks(&p, p.alice, "dave");
    talk(&p, "still friends");
    assert_int_equal(hearth_handle_rotate(&p.alice->account, "nobody") == NULL ||
                         person_op(p.alice, hearth_handle_rotate(&p.alice->account, "nobody")) !=
                             HEARTH_DONE,
                     true);
    people_close(&p.all);
}

static void test_removed(void **state)
{
    static struct pair p;
    struct hearth_id id;
    uint8_t contact_key[32];
    (void)state;
    pair_init(&p, 22);
    befriend(&p);
    struct person *phone = person_new(&p.all, "phone");
    link_device(&p, p.alice, phone);
    struct hearth_id phone_chat = chat_with(phone, "bob@a.test");
    memcpy(contact_key, p.alice->core->account.user.contact_key, sizeof contact_key);
    assert_true(hearth_device_each(&p.alice->account, first_other, &id));
    p.out = phone;
    const struct first_handle before = handle_of(p.alice);
    done(p.alice, hearth_device_remove(&p.alice->account, &id));
    meet(&p);
    people_run_ms(&p.all, 5000);
    meet(&p);
    assert_int_equal(devices_of(p.alice), 1);
    assert_int_equal(contact_of(p.bob, &p.alice_id).devices, 1);
    /* the handle has another key, under which alice is found; the one before is nobody's */
    const struct first_handle after = handle_of(p.alice), left = handle_of(phone);
    assert_int_equal(after.version, 1);
    assert_false(same_key(&before, &after));
    assert_true(same_key(&before, &left));
    assert_int_not_equal(person_op(phone, hearth_handle_rotate(&phone->account, "alice")),
                         HEARTH_DONE);
    a_stranger_asks(&p, p.alice, "carol");
    /* what it knew is good for nothing */
    assert_memory_not_equal(p.alice->core->account.user.contact_key, contact_key,
                            sizeof contact_key);
    (void)hearth_send(&phone->account, &phone_chat, "I am alice");
    people_run_ms(&p.all, 30000);
    meet(&p);
    struct hearing h = {.text = "I am alice"};
    assert_true(hearth_message_each(&p.bob->account, &p.bob_chat, 1, 0, hear_one, &h));
    assert_int_equal(h.times, 0);
    talk(&p, "alone again");
    /* and bob still can add alice to groups: he has a new token */
    struct hearth_op *op = hearth_group_create(&p.bob->account, "club");
    struct hearth_id club = hearth_op_id(op);
    done(p.bob, op);
    done(p.bob, hearth_group_add(&p.bob->account, &club, &p.alice_id, 1));
    meet(&p);
    assert_true(hearth_chat_find(&p.alice->account, "club", &club));
    people_close(&p.all);
}

/* What one device does the other knows: a request accepted there, a name. */
static void test_news(void **state)
{
    static struct pair p;
    struct hearth_id carol_id, alice_at_carol;
    (void)state;
    pair_init(&p, 23);
    befriend(&p);
    struct person *phone = person_new(&p.all, "phone");
    link_device(&p, p.alice, phone);
    struct person *carol = person_new(&p.all, "carol");
    person_register(carol, "carol");
    struct hearth_op *op = hearth_contact_add(&carol->account, "alice@a.test");
    alice_at_carol = hearth_op_id(op);
    done(carol, op);
    meet(&p);
    /* either device may have heard the request: both can accept it */
    assert_true(hearth_contact_find(&phone->account, "carol@a.test", &carol_id));
    done(phone, hearth_contact_accept(&phone->account, &carol_id));
    meet(&p);
    people_run_ms(&p.all, 10000);
    meet(&p);
    assert_int_equal(contact_of(carol, &alice_at_carol).state, HEARTH_CONTACT_FRIEND);
    assert_int_equal(contact_of(p.alice, &carol_id).state, HEARTH_CONTACT_FRIEND);
    struct hearth_id carol_chat = contact_of(carol, &alice_at_carol).chat;
    done(carol, hearth_send(&carol->account, &carol_chat, "to both of you"));
    struct hearth_id here = chat_with(p.alice, "carol@a.test");
    struct hearth_id there = chat_with(phone, "carol@a.test");
    (void)hears(p.alice, &here, "to both of you");
    (void)hears(phone, &there, "to both of you");
    done(phone, hearth_profile_set(&phone->account, "Alice", NULL, 0));
    meet(&p);
    assert_string_equal(p.alice->core->account.name, "Alice");
    people_close(&p.all);
}

/* Killed with each step: linked at the first or the second attempt, and nothing left over. */
static void kills(uint64_t seed, uint64_t old_at, uint64_t new_at)
{
    static struct pair p;
    struct wait a, b;
    pair_init(&p, seed + old_at + new_at);
    befriend(&p);
    struct person *phone = person_new(&p.all, "phone");
    person_kill_at(p.alice, old_at);
    person_kill_at(phone, new_at);
    unsigned attempts = 0;
    while (!phone->core->account.registered && attempts < 4) {
        attempts++;
        (void)link_once(&p, p.alice, phone, &a, &b);
        people_run_ms(&p.all, 30000); /* what was stored goes on by itself */
        person_alive(p.alice);
        person_alive(phone);
        people_run_ms(&p.all, 30000);
    }
    assert_true(phone->core->account.registered);
    person_kill_at(p.alice, 0);
    person_kill_at(phone, 0);
    /* a device that never came is taken out again */
    people_run_ms(&p.all, 20 * 60 * 1000);
    meet(&p);
    people_run_ms(&p.all, 20000);
    meet(&p);
    print_message("old %u new %u: %u attempts\n", (unsigned)old_at, (unsigned)new_at, attempts);
    assert_int_equal(devices_of(p.alice), 2);
    assert_int_equal(devices_of(phone), 2);
    all_talk(&p, phone, "here");
    people_close(&p.all);
}

static void test_old_killed(void **state)
{
    (void)state;
    for (uint64_t at = 1; at < 24; at++)
        kills(300, at, 0);
}

static void test_new_killed(void **state)
{
    (void)state;
    for (uint64_t at = 1; at < 16; at++)
        kills(400, 0, at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_code),
        cmocka_unit_test(test_linked),
        cmocka_unit_test(test_shown_when_held),
        cmocka_unit_test(test_log_is_waited_for),
        cmocka_unit_test(test_removed),
        cmocka_unit_test(test_handle_rotated),
        cmocka_unit_test(test_news),
        cmocka_unit_test(test_new_killed),
        cmocka_unit_test(test_old_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
