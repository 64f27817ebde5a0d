/* Members of groups prove themselves that their keys are in the log: who is looked up by name, and
 * by whom, as both homeservers see it; and what is made of proofs that don't hold. */
#include "client/core/log_proof.h"

#include "client/core/chat.h"
#include "client/core/content.h"
#include "client/core/log_inside.h"
#include "client/core/roster.h"
#include "hearth/v1/transparency.pb-c.h"
#include "unit/client/core/linking.h"

/* alice@a.test founds a group; bob, carol and dave of b.test come, who know nobody but her. */
enum { PEOPLE = 4 };
struct four {
    struct pair p; /* alice and bob */
    struct person *who[PEOPLE];
    struct hearth_id id[PEOPLE]; /* as alice knows them */
    struct hearth_id chat[PEOPLE];
    bool away[PEOPLE];
};

static void come(struct four *f, size_t i, const char *name)
{
    struct pair *p = &f->p;
    f->who[i] = person_new_at(&p->all, name, TOWN_OTHER);
    person_register(f->who[i], name);
    done(f->who[i], hearth_contact_add(&f->who[i]->account, "alice@a.test"));
    person_sync(p->alice);
    person_settle(p->alice);
    f->id[i] = person_expect(p->alice, HEARTH_EVENT_CONTACT_ASKS).contact;
    done(p->alice, hearth_contact_accept(&p->alice->account, &f->id[i]));
    meet(p);
}

static void four_init(struct four *f, uint64_t seed)
{
    memset(f, 0, sizeof *f);
    pair_init_two(&f->p, seed);
    befriend(&f->p);
    f->who[0] = f->p.alice;
    f->who[1] = f->p.bob;
    f->id[1] = f->p.bob_id;
    come(f, 2, "carol");
    come(f, 3, "dave");
}

/* All that is in the logs is at their newest distinguished entries, too. */
static void next_window(struct four *f)
{
    people_run_ms(&f->p.all, 7 * 3600 * 1000);
    meet(&f->p);
}

/* Time passes, and who is there listens. */
static void go_on(struct four *f, uint64_t ms)
{
    for (uint64_t at = 0; at < ms; at += 1000)
        for (size_t i = 0; i < PEOPLE; i++) {
            people_run_ms(&f->p.all, 1000 / PEOPLE);
            if (!f->away[i])
                person_sync(f->who[i]);
        }
}

static void leave(struct four *f, size_t i)
{
    f->away[i] = true;
    person_stop(f->who[i]);
}

static void come_back(struct four *f, size_t i)
{
    f->away[i] = false;
    person_start(f->who[i]);
}

static void gather(struct four *f)
{
    struct pair *p = &f->p;
    struct hearth_op *op = hearth_group_create(&p->alice->account, "garden");
    f->chat[0] = hearth_op_id(op);
    done(p->alice, op);
    done(p->alice, hearth_group_add(&p->alice->account, &f->chat[0], &f->id[1], PEOPLE - 1));
}

static void everybody_is_verified(struct four *f, const char *text)
{
    for (size_t i = 0; i < PEOPLE; i++) {
        struct hearth_chat chat;
        if (f->away[i])
            continue;
        assert_true(hearth_chat_find(&f->who[i]->account, "garden", &f->chat[i]));
        assert_true(hearth_chat_get(&f->who[i]->account, &f->chat[i], &chat));
        assert_int_equal(chat.members, PEOPLE);
        assert_int_equal(chat.unverified, 0);
        assert_int_equal(person_count_events(f->who[i], HEARTH_EVENT_LOG), 0);
    }
    done(f->who[2], hearth_send(&f->who[2]->account, &f->chat[2], text));
    go_on(f, 3000);
    for (size_t i = 0; i < PEOPLE; i++)
        if (!f->away[i])
            (void)hears(f->who[i], &f->chat[i], text);
}

/* ---- what the homeservers are asked */

struct asked {
    struct four *f;
    unsigned of_others[PEOPLE]; /* whose label, asked for by somebody who is no friend of his */
    unsigned of_friends;
    unsigned own, many, many_labels;
    struct buf users[PEOPLE];
    char alice[32], phone[32]; /* where they call from; the phone is bob's */
};

static void address_of(const struct person *p, char ret_address[32])
{
    (void)snprintf(ret_address, 32, "%s", strstr(p->target, "10.0.1."));
    ret_address[strcspn(ret_address, ",:")] = '\0';
}

static void count_label(struct asked *a, struct bytes label, const char *from)
{
    for (size_t i = 0; i < PEOPLE; i++) {
        const struct person *p = a->f->who[i];
        char address[32];
        if (label.len == 0 || label.data[0] != LABEL_USER ||
            !bytes_equal(bytes_of(label.data + 1, label.len - 1), buf_view(&a->users[i])))
            continue;
        address_of(p, address);
        if (strcmp(from, address) == 0 || (i == 1 && strcmp(from, a->phone) == 0))
            a->own++;
        else if (i == 0 || strcmp(from, a->alice) == 0)
            a->of_friends++;
        else
            a->of_others[i]++;
    }
}

static void heard(void *self, const char *path, const char *from, struct bytes message)
{
    struct asked *a = self;
    if (strstr(path, "Transparency/LookupMany") != NULL) {
        Hearth__V1__LookupManyRequest *in =
            hearth__v1__lookup_many_request__unpack(NULL, message.len, message.data);
        static struct search_many_request request;
        assert_ok(search_many_request_parse(bytes_of(in->search.data, in->search.len), &request));
        a->many++;
        a->many_labels += (unsigned)request.count;
        for (size_t i = 0; i < request.count; i++)
            count_label(a, request.items[i].label, from);
        hearth__v1__lookup_many_request__free_unpacked(in, NULL);
    } else if (strstr(path, "Transparency/Lookup") != NULL) {
        Hearth__V1__LookupRequest *in =
            hearth__v1__lookup_request__unpack(NULL, message.len, message.data);
        struct search_request request;
        assert_ok(search_request_parse(bytes_of(in->search.data, in->search.len), &request));
        count_label(a, request.label, from);
        hearth__v1__lookup_request__free_unpacked(in, NULL);
    } else if (strstr(path, "Transparency/Monitor") != NULL) {
        Hearth__V1__MonitorRequest *in =
            hearth__v1__monitor_request__unpack(NULL, message.len, message.data);
        static struct contact_request request;
        request.item_count = 0; /* of an owner: own labels */
        if (err_is_ok(contact_request_parse(bytes_of(in->monitor.data, in->monitor.len), &request)))
            for (size_t i = 0; i < request.item_count; i++)
                count_label(a, request.items[i].label, from);
        hearth__v1__monitor_request__free_unpacked(in, NULL);
    }
}

static void begin_counting(struct asked *a, struct four *f)
{
    *a = (struct asked){.f = f};
    for (size_t i = 0; i < PEOPLE; i++)
        buf_append_bytes(&a->users[i], buf_view(&f->who[i]->core->account.user_id));
    address_of(f->p.alice, a->alice);
    town_overhear(f->p.all.town, heard, a);
}

static void end_counting(struct asked *a)
{
    for (size_t i = 0; i < PEOPLE; i++)
        buf_clear(&a->users[i]);
}

static unsigned of_others(const struct asked *a)
{
    unsigned sum = 0;
    for (size_t i = 0; i < PEOPLE; i++)
        sum += a->of_others[i];
    return sum;
}

static void test_nobody_is_asked(void **state)
{
    static struct four f;
    static struct asked a;
    (void)state;
    four_init(&f, 1);
    begin_counting(&a, &f);
    gather(&f);
    go_on(&f, 10000);
    everybody_is_verified(&f, "tulips");
    assert_int_equal(of_others(&a) + a.of_friends, 0);
    assert_true(a.own >= 3); /* what counts is counted */
    /* nor by and by: windows pass */
    for (int i = 0; i < 3; i++) {
        people_run_ms(&f.p.all, 6 * 3600 * 1000);
        go_on(&f, 2000);
    }
    everybody_is_verified(&f, "roses");
    assert_int_equal(a.of_others[1] + a.of_others[2] + a.of_others[3], 0);
    end_counting(&a);
    people_close(&f.p.all);
}

/* Two of them are away when carol comes: she asks for both at once, after a moment. When they are
 * back, they ask for nobody. */
static void test_silent(void **state)
{
    static struct four f;
    static struct asked a;
    (void)state;
    four_init(&f, 2);
    begin_counting(&a, &f);
    leave(&f, 1);
    leave(&f, 3);
    gather(&f);
    go_on(&f, 10000);
    everybody_is_verified(&f, "where are you?");
    assert_int_equal(a.many, 1);
    assert_int_equal(a.many_labels, 2);
    assert_int_equal(a.of_others[0] + a.of_others[2], 0);
    a.many = 0;
    come_back(&f, 1);
    come_back(&f, 3);
    go_on(&f, 10000);
    everybody_is_verified(&f, "here you are");
    assert_int_equal(a.many, 0);
    end_counting(&a);
    people_close(&f.p.all);
}

/* ---- what somebody knows of another one's label */

struct row {
    struct person *of;
    struct log_label *label;
    struct buf name;
};

static struct err read_row(struct core *c, struct db_txn *t, void *arg)
{
    struct row *r = arg;
    (void)c;
    return log_label_get(t, r->of->domain, buf_view(&r->name), &r->label);
}

static struct log_label *row_of(struct person *p, struct person *of)
{
    struct row r = {.of = of};
    buf_append_byte(&r.name, LABEL_USER);
    buf_append_bytes(&r.name, buf_view(&of->core->account.user_id));
    assert_ok(core_look(p->core, read_row, &r));
    buf_clear(&r.name);
    return r.label;
}

static uint32_t version_at(struct person *p, struct person *of, bool *ret_pending)
{
    struct log_label *l = row_of(p, of);
    uint32_t version = l->known.version;
    assert_true(l->known.exists && l->checked_ms != 0 && !l->bad);
    *ret_pending = l->known.pending;
    log_label_free(l);
    return version;
}

/* bob's devices change: he says so himself, at once for the time being, and again in the next
 * window. Nobody who has not him for a friend asks for him. */
static void test_changes(void **state)
{
    static struct four f;
    static struct asked a;
    bool pending;
    (void)state;
    four_init(&f, 3);
    gather(&f);
    go_on(&f, 10000);
    everybody_is_verified(&f, "before");
    begin_counting(&a, &f);
    struct person *phone = person_new_at(&f.p.all, "phone", TOWN_OTHER);
    address_of(phone, a.phone);
    link_device(&f.p, f.p.bob, phone);
    go_on(&f, 10000);
    assert_int_equal(version_at(f.who[2], f.p.bob, &pending), 1);
    assert_true(pending);
    people_run_ms(&f.p.all, 6 * 3600 * 1000);
    go_on(&f, 2000);
    people_run_ms(&f.p.all, 2 * 3600 * 1000);
    go_on(&f, 4000);
    assert_int_equal(version_at(f.who[2], f.p.bob, &pending), 1);
    assert_false(pending);
    assert_int_equal(of_others(&a), 0);
    for (size_t i = 0; i < PEOPLE; i++)
        assert_int_equal(person_count_events(f.who[i], HEARTH_EVENT_LOG), 0);
    end_counting(&a);
    people_close(&f.p.all);
}

/* ---- proofs that are no good */

struct saying {
    struct bytes label, proof;
    enum proof_form form;
};

static struct err say_it(struct core *c, struct db_txn *t, void *arg)
{
    const struct saying *s = arg;
    struct buf body = BUF_INIT;
    wire_write_vector(&body, s->label);
    wire_write_u8(&body, (uint8_t)s->form);
    wire_write_vector(&body, s->proof);
    struct err err = log_proof_hear(c, t, buf_view(&body));
    buf_clear(&body);
    return err;
}

static struct err forget(struct core *c, struct db_txn *t, void *arg)
{
    struct log_label *old = arg, *l;
    TRY(log_label_new(old->domain, buf_view(&old->label), &l));
    l->awaited_ms = core_now_ms(c);
    struct err err = log_label_put(t, l);
    log_label_free(l);
    return err;
}

static bool is_unknown(struct person *p, struct person *of)
{
    struct log_label *l = row_of(p, of);
    bool is = l->checked_ms == 0;
    log_label_free(l);
    return is;
}

/* Whichever byte is another one, it is refused; of some, people are told, once a window. */
static void test_tampered(void **state)
{
    static struct four f;
    struct buf proof = BUF_INIT;
    (void)state;
    four_init(&f, 4);
    next_window(&f);
    gather(&f);
    go_on(&f, 10000);
    everybody_is_verified(&f, "before");
    struct log_label *own = row_of(f.p.bob, f.p.bob);
    assert_true(own->proof.len > 0);
    buf_append_bytes(&proof, buf_view(&own->proof));
    struct saying s = {buf_view(&own->label), buf_view(&proof), PROOF_AT_DIST};
    person_step(f.who[2], forget, own);
    for (size_t i = 0; i < proof.len; i += 7) {
        proof.data[i] ^= 0x10;
        person_step(f.who[2], say_it, &s);
        assert_true(is_unknown(f.who[2], f.p.bob));
        proof.data[i] ^= 0x10;
    }
    assert_int_equal(person_count_events(f.who[2], HEARTH_EVENT_LOG), 1);
    /* of somebody else's label */
    struct log_label *daves = row_of(f.who[3], f.who[3]);
    person_step(f.who[2], forget, daves);
    struct saying wrong = {buf_view(&daves->label), buf_view(&proof), PROOF_AT_DIST};
    person_step(f.who[2], say_it, &wrong);
    assert_true(is_unknown(f.who[2], f.who[3]));
    /* and as it was made */
    person_step(f.who[2], say_it, &s);
    assert_false(is_unknown(f.who[2], f.p.bob));
    log_label_free(own);
    log_label_free(daves);
    buf_clear(&proof);
    people_close(&f.p.all);
}

/* A proof of before a device came or went is worth nothing any more: not to who knows of the
 * change, and after two windows to nobody. It is no reason for an alarm: it was on its way. */
static void test_old(void **state)
{
    static struct four f;
    bool pending;
    (void)state;
    four_init(&f, 5);
    next_window(&f);
    gather(&f);
    go_on(&f, 10000);
    struct log_label *own = row_of(f.p.bob, f.p.bob);
    struct saying s = {buf_view(&own->label), buf_view(&own->proof), PROOF_AT_DIST};
    assert_true(own->proof.len > 0);
    struct person *phone = person_new_at(&f.p.all, "phone", TOWN_OTHER);
    link_device(&f.p, f.p.bob, phone);
    go_on(&f, 10000);
    assert_int_equal(version_at(f.who[2], f.p.bob, &pending), 1);
    person_step(f.who[2], say_it, &s);
    assert_int_equal(version_at(f.who[2], f.p.bob, &pending), 1);
    for (int i = 0; i < 2; i++) {
        people_run_ms(&f.p.all, 6 * 3600 * 1000);
        go_on(&f, 4000);
    }
    person_step(f.who[3], forget, own);
    person_step(f.who[3], say_it, &s);
    assert_true(is_unknown(f.who[3], f.p.bob));
    for (size_t i = 0; i < PEOPLE; i++)
        assert_int_equal(person_count_events(f.who[i], HEARTH_EVENT_LOG), 0);
    log_label_free(own);
    people_close(&f.p.all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_is_asked),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_tampered),
        cmocka_unit_test(test_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
