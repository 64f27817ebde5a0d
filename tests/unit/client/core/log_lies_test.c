/* Servers that lie: keys that the log does not show, logs that show other keys, answers that fail.
 */
#include "client/core/log_gate.h"
#include "client/core/token_inside.h"
#include "hearth/v1/info.pb-c.h"
#include "hearth/v1/transparency.pb-c.h"
#include "seal/key_set.h"
#include "unit/client/core/linking.h"
#include "unit/client/core/logs.h"

/* ---- keys of a homeserver */

/* Every use that a homeserver has keys of is held against the log: one key that the log does not
 * have, of whichever use, and none is used. */
struct other_key {
    size_t nth;
    bool past; /* there are fewer */
    uint8_t use;
    struct err gate, tokens;
};

static struct err claim_other_key(struct core *c, struct db_txn *t, void *arg)
{
    enum { ASKED = 0, REFETCHED = 1 };
    struct other_key *o = arg;
    struct system_key keys[SYSTEM_KEYS_MOST];
    struct buf value = BUF_INIT, row = BUF_INIT;
    struct log log;
    size_t count;
    TRY(db_get(t, DB_SETTING, bytes_str(keys_row), &value));
    TRY(system_keys_parse(bytes_of(value.data + 2, value.len - 2), keys, &count));
    o->past = o->nth >= count;
    struct err err = ERR_OK;
    if (!o->past) {
        o->use = keys[o->nth].use;
        buf_append_byte(&row, ASKED);
        buf_append_byte(&row, REFETCHED); /* the second answer of GetKeys had it, too */
        ((uint8_t *)(uintptr_t)keys[o->nth].key.data)[0] ^= 1;
        for (size_t i = 0; i < count; i++)
            system_key_write(&row, &keys[i]);
        err = db_put(t, DB_SETTING, bytes_str(keys_row), buf_view(&row));
        if (err_is_ok(err))
            err = log_get(t, "a.test", &log);
        if (err_is_ok(err)) {
            err = log_keys_found(c, t, &log);
            log_clear(&log);
        }
        o->gate = log_keys_gate(t, "a.test");
        o->tokens = token_gate(c, t, "a.test", 0x0005, PASS_AUTH, 0);
    }
    buf_clear(&value);
    buf_clear(&row);
    return err;
}

static void test_keys_of_each_use(void **state)
{
    static struct pair p;
    unsigned uses = 0;
    (void)state;
    for (size_t nth = 0;; nth++) {
        struct other_key o = {.nth = nth};
        pair_init(&p, 12);
        person_step(p.alice, claim_other_key, &o);
        if (o.past)
            break;
        assert_err(o.gate, CLIENT_LOG);
        assert_err(o.tokens, CLIENT_LOG);
        assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 1);
        uses |= 1U << o.use;
        people_close(&p.all);
    }
    people_close(&p.all);
    assert_int_equal(uses, 1U << HEARTH__V1__KEY_USE__KEY_USE_AS_ROOT |
                               1U << HEARTH__V1__KEY_USE__KEY_USE_AS_SIGNING |
                               1U << HEARTH__V1__KEY_USE__KEY_USE_QUEUE_SEALING |
                               1U << HEARTH__V1__KEY_USE__KEY_USE_FEDERATION |
                               1U << HEARTH__V1__KEY_USE__KEY_USE_EXTERNAL_SENDER |
                               1U << HEARTH__V1__KEY_USE__KEY_USE_TOKENS);
}

/* ---- a log that shows, well proved, other keys under the version that we go by */

enum whose { OWN_SET, OWN_HANDLE, CONTACT_SET };
struct other_keys {
    enum whose which;
    bool bad;
};

static bool is_shown(const struct log_label *l, enum whose which)
{
    bool own = (l->roles & LOG_OWN) != 0, user = l->label.data[0] == LABEL_USER;
    return which == OWN_HANDLE ? own && l->label.data[0] == LABEL_HANDLE
                               : user && own == (which == OWN_SET);
}

static struct err show_others(void *arg, struct log_label *l)
{
    struct buf *label = arg;
    enum whose which = (enum whose)label->data[0];
    if (label->len > 1 || !is_shown(l, which))
        return ERR_OK;
    buf_append_bytes(label, buf_view(&l->label));
    return buf_check(label);
}

static struct err show_other_keys(struct core *c, struct db_txn *t, void *arg)
{
    struct other_keys *o = arg;
    struct buf label = BUF_INIT;
    struct log_label *l;
    struct log log;
    buf_append_byte(&label, (uint8_t)o->which);
    TRY(log_label_each(t, "a.test", show_others, &label));
    assert_true(label.len > 1);
    struct bytes name = bytes_of(label.data + 1, label.len - 1);
    TRY(log_get(t, "a.test", &log));
    TRY(log_label_get(t, "a.test", name, &l));
    l->value.data[l->value.len - 1] ^= 1;
    struct err err = log_found(c, t, &log, l, false);
    log_label_free(l);
    if (err_is_ok(err))
        err = log_label_get(t, "a.test", name, &l);
    if (err_is_ok(err)) {
        o->bad = l->bad;
        log_label_free(l);
    }
    log_clear(&log);
    buf_clear(&label);
    return err;
}

static void test_other_keys(void **state)
{
    (void)state;
    for (enum whose which = OWN_SET; which <= CONTACT_SET; which++) {
        static struct pair p;
        struct other_keys o = {.which = which};
        pair_init(&p, 11);
        befriend(&p);
        person_step(p.alice, show_other_keys, &o);
        assert_true(o.bad);
        assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 1);
        struct hearth_op *op = hearth_send(&p.alice->account, &p.alice_chat, "can it be said?");
        assert_int_equal(person_op(p.alice, op),
                         which == CONTACT_SET ? HEARTH_UNVERIFIED : HEARTH_DONE);
        people_close(&p.all);
    }
}

/* ---- the client set of somebody new */

/* The log has just shown alice another set of this user. */
static struct err plant(struct core *c, struct db_txn *t, void *arg)
{
    const struct person *who = arg;
    struct buf label = user_label((struct person *)(uintptr_t)who);
    struct log_label *l;
    struct err err = log_label_new("a.test", buf_view(&label), &l);
    if (err_is_ok(err)) {
        buf_append_bytes(&l->value, buf_view(&who->core->account.key_set));
        l->value.data[l->value.len - 1] ^= 1;
        l->known.exists = true;
        l->checked_ms = core_now_ms(c);
        err = log_label_put(t, l);
        log_label_free(l);
    }
    buf_clear(&label);
    return err;
}

/* Who asks us with keys that the log does not show is not shown. */
static void test_asker(void **state)
{
    static struct pair p;
    (void)state;
    for (int lies = 0; lies < 2; lies++) {
        pair_init(&p, 13);
        struct hearth_op *op = hearth_contact_add(&p.bob->account, "alice@a.test");
        assert_non_null(op);
        done(p.bob, op);
        if (lies)
            person_step(p.alice, plant, p.bob);
        person_sync(p.alice);
        person_settle(p.alice);
        people_run_ms(&p.all, 5000);
        assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_CONTACT_ASKS), lies ? 0 : 1);
        people_close(&p.all);
    }
}

/* A key that the log's set of a member does not have. */
static struct err check_keys(struct core *c, struct db_txn *t, void *arg)
{
    const struct person *bob = arg;
    struct key_set *set = calloc(1, sizeof *set);
    uint8_t other[32] = {1};
    assert_non_null(set);
    struct bytes user = buf_view(&bob->core->account.user_id);
    TRY(key_set_parse(buf_view(&bob->core->account.key_set), set));
    struct bytes uuid = set->clients[0].client_id, key = set->clients[0].public_key;
    assert_ok(log_check_member(c, t, user, uuid, key, false));
    assert_err(log_check_member(c, t, user, uuid, bytes_of(other, sizeof other), false), KEY_SET);
    assert_err(log_check_member(c, t, user, bytes_of(other, 16), key, false), KEY_SET);
    free(set);
    return ERR_OK;
}

static void test_key_of_a_member(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 15);
    befriend(&p);
    person_step(p.alice, check_keys, p.bob);
    people_close(&p.all);
}

static bool was_asked_for(struct person *who, struct person *other, uint32_t version)
{
    struct buf label = user_label(other);
    struct reading r = {.domain = "a.test", .label = buf_view(&label)};
    struct err err = core_look(who->core, read_log_rows, &r);
    bool shown = err_is_ok(err) && r.l->checked_ms != 0 && r.l->known.exists &&
                 r.l->known.version == version;
    reading_end(&r); /* the log was read, whatever the label is */
    buf_clear(&label);
    return shown;
}

/* Members whom we don't know are looked up, and contacts again when they have another device. */
static void test_looked_up(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 14);
    befriend(&p);
    struct person *carol = person_new(&p.all, "carol");
    person_register(carol, "carol");
    person_settle(carol);
    struct hearth_op *op = hearth_contact_add(&carol->account, "bob@a.test");
    struct hearth_id bob_id = hearth_op_id(op);
    done(carol, op);
    person_sync(p.bob);
    person_settle(p.bob);
    struct hearth_id friends[] = {p.alice_id,
                                  person_expect(p.bob, HEARTH_EVENT_CONTACT_ASKS).contact};
    done(p.bob, hearth_contact_accept(&p.bob->account, &friends[1]));
    meet(&p);
    assert_int_equal(contact_of(carol, &bob_id).state, HEARTH_CONTACT_FRIEND);
    assert_false(was_asked_for(p.alice, carol, 0));
    op = hearth_group_create(&p.bob->account, "garden");
    struct hearth_id chat = hearth_op_id(op);
    done(p.bob, op);
    done(p.bob, hearth_group_add(&p.bob->account, &chat, friends, 2));
    meet(&p);
    assert_true(was_asked_for(p.alice, carol, 0));
    assert_true(was_asked_for(carol, p.alice, 0));
    assert_true(was_asked_for(p.alice, p.bob, 0));
    link_device(&p, p.bob, person_new(&p.all, "phone"));
    meet(&p);
    assert_true(was_asked_for(p.alice, p.bob, 1));
    people_close(&p.all);
}

/* ---- answers that fail, given to the task by hand */

static struct err settle_by_hand(struct core *c, struct db_txn *t, struct task *task,
                                 const char *domain, struct bytes label,
                                 const struct task_answer *answer, enum task_next *ret_next)
{
    wire_write_vector(&task->body, bytes_str(domain));
    wire_write_vector(&task->body, label);
    wire_write_vector(&task->body, bytes_of(NULL, 0));
    wire_write_u32(&task->body, 0);
    TRY(buf_check(&task->body));
    return task_steps_LOG.settle(c, t, task, answer, ret_next);
}

/* One that does not verify may have been damaged on its way: it is asked for again as it was, and
 * then afresh, before anybody is told. */
static struct err answer_badly(struct core *c, struct db_txn *t, void *arg)
{
    const struct person *bob = arg;
    struct buf label = user_label((struct person *)(uintptr_t)bob);
    uint8_t nonsense[40] = {7};
    Hearth__V1__LookupResponse in = HEARTH__V1__LOOKUP_RESPONSE__INIT;
    in.search = (ProtobufCBinaryData){sizeof nonsense, nonsense};
    const struct task_answer answer = {.out = &in.base};
    for (uint32_t tries = 0; tries < 2; tries++) {
        struct task task = {.kind = TASK_LOG, .state = tries};
        enum task_next next = TASK_NEXT_DONE;
        struct err err = settle_by_hand(c, t, &task, "a.test", buf_view(&label), &answer, &next);
        assert_int_equal(next, TASK_NEXT_AGAIN);
        assert_int_equal(task.state, tries + 1);
        buf_clear(&task.body);
        TRY(err);
    }
    buf_clear(&label);
    return ERR_OK;
}

static void test_damaged_answer(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 9);
    befriend(&p);
    person_step(p.alice, answer_badly, p.bob);
    struct reading r = reading_of(p.alice, bytes_of(NULL, 0));
    assert_false(r.log.distrusted);
    reading_end(&r);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 0);
    people_close(&p.all);
}

/* Monitoring is answered with nothing, where we know of an entry that is to be looked at. */
static struct err answer_no_step(struct core *c, struct db_txn *t, void *arg)
{
    struct person *alice = arg;
    struct buf label = user_label(alice), response = BUF_INIT;
    struct log log;
    struct log_label *l;
    Hearth__V1__MonitorResponse in = HEARTH__V1__MONITOR_RESPONSE__INIT;
    const struct task_answer answer = {.out = &in.base};
    struct task task = {.kind = TASK_LOG_MONITOR};
    enum task_next next = TASK_NEXT_DONE;
    TRY(log_get(t, "a.test", &log));
    TRY(log_label_get(t, "a.test", buf_view(&label), &l));
    assert_true(log.view.dist_count > 1);
    l->watched = log.view.dists[0];
    TRY(log_label_put(t, l));
    buf_append_byte(&response, MONITOR_OWNER);
    wire_write_vector16(&response, bytes_of(log.view.note, log.view.note_len));
    buf_append_byte(&response, 0); /* the same size: no consistency to prove */
    buf_append_byte(&response, 0); /* no steps */
    in.monitor = (ProtobufCBinaryData){response.len, response.data};
    wire_write_vector(&task.body, bytes_str("a.test"));
    wire_write_vector(&task.body, buf_view(&label));
    struct err err = task_steps_LOG_MONITOR.settle(c, t, &task, &answer, &next);
    assert_int_equal(task.state, 1); /* one answer that failed */
    log_label_free(l);
    log_clear(&log);
    buf_clear(&task.body);
    buf_clear(&response);
    buf_clear(&label);
    return err;
}

static void test_no_step(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 16);
    people_run_ms(&p.all, 7 * 3600 * 1000);
    person_step(p.alice, answer_no_step, p.alice);
    people_close(&p.all);
}

/* Another homeserver serves this one's log as its own. */
static struct err serve_others_log(struct core *c, struct db_txn *t, void *arg)
{
    struct log log;
    struct log_label *l;
    struct buf tile = BUF_INIT, config = BUF_INIT;
    Hearth__V1__GetTileResponse in = HEARTH__V1__GET_TILE_RESPONSE__INIT;
    const struct task_answer answer = {.out = &in.base};
    struct task task = {.kind = TASK_LOG};
    enum task_next next = TASK_NEXT_AGAIN;
    struct bytes label = bytes_str("\1someone");
    (void)arg;
    TRY(log_label_new("m.test", label, &l));
    struct err err = log_label_put(t, l);
    log_label_free(l);
    TRY(err);
    TRY(log_get(t, "a.test", &log));
    kt_config_write(&config, &log.view.config);
    wire_write_vector16(&tile, buf_view(&config));
    in.tile = (ProtobufCBinaryData){tile.len, tile.data};
    err = settle_by_hand(c, t, &task, "m.test", label, &answer, &next);
    assert_int_equal(next, TASK_NEXT_DONE);
    log_clear(&log);
    buf_clear(&task.body);
    buf_clear(&tile);
    buf_clear(&config);
    return err;
}

static void test_others_log(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 10);
    person_step(p.alice, serve_others_log, NULL);
    struct reading r = {.domain = "m.test"};
    assert_ok(core_look(p.alice->core, read_log_rows, &r));
    assert_int_not_equal(r.log.state, LOG_HELD);
    reading_end(&r);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 1);
    people_close(&p.all);
}

/* An answer did not verify, and when it is asked for again there is none: what failed stands. */
static struct err refuse_after_failing(struct core *c, struct db_txn *t, void *arg)
{
    const struct person *bob = arg;
    const struct hearth_status status = {.code = HEARTH_RESOURCE_EXHAUSTED};
    const struct task_answer answer = {.status = &status};
    struct task task = {.kind = TASK_LOG, .state = 1}; /* asked again */
    enum task_next next = TASK_NEXT_AGAIN;
    struct buf label = user_label((struct person *)(uintptr_t)bob);
    wire_write_vector(&task.body, bytes_str("a.test"));
    wire_write_vector(&task.body, buf_view(&label));
    wire_write_vector(&task.body, bytes_str("what failed"));
    wire_write_u32(&task.body, ERR_TLOG_COMMITMENT);
    struct err err = buf_check(&task.body);
    if (err_is_ok(err))
        err = task_steps_LOG.settle(c, t, &task, &answer, &next);
    assert_int_equal(next, TASK_NEXT_DONE);
    buf_clear(&task.body);
    buf_clear(&label);
    return err;
}

/* Monitor says no, of what waits to be seen at a distinguished entry, and of what was ours. */
struct refusal {
    struct person *whose;
    enum hearth_code code;
    uint64_t searched; /* the task that looks it up instead */
};

static struct err refuse_monitor(struct core *c, struct db_txn *t, void *arg)
{
    struct refusal *refusal = arg;
    const struct hearth_status status = {.code = refusal->code};
    const struct task_answer answer = {.status = &status};
    struct task task = {.kind = TASK_LOG_MONITOR};
    enum task_next next = TASK_NEXT_DONE;
    struct buf label = user_label(refusal->whose);
    struct log_label *l;
    struct log log;
    TRY(log_get(t, "a.test", &log));
    TRY(log_label_get(t, "a.test", buf_view(&label), &l));
    assert_true(log.view.dist_count > 2);
    l->watched = log.view.dists[0]; /* as it was a while ago */
    l->known.pending = true;
    l->known.epoch = log.view.dists[0].index + 1;
    TRY(log_label_put(t, l));
    log_label_free(l);
    log_clear(&log);
    wire_write_vector(&task.body, bytes_str("a.test"));
    wire_write_vector(&task.body, buf_view(&label));
    struct err err = task_steps_LOG_MONITOR.settle(c, t, &task, &answer, &next);
    assert_int_equal(next, TASK_NEXT_AGAIN); /* once more */
    if (err_is_ok(err))
        err = task_steps_LOG_MONITOR.settle(c, t, &task, &answer, &next);
    assert_int_equal(next, TASK_NEXT_DONE);
    if (err_is_ok(err))
        err = log_label_get(t, "a.test", buf_view(&label), &l);
    if (err_is_ok(err)) {
        refusal->searched = l->task;
        log_label_free(l);
    }
    buf_clear(&task.body);
    buf_clear(&label);
    return err;
}

static void test_monitor_refused(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 8);
    befriend(&p);
    for (int i = 0; i < 4; i++)
        people_run_ms(&p.all, 6 * 3600 * 1000);
    meet(&p);
    struct refusal refusal = {.whose = p.bob, .code = HEARTH_NOT_FOUND};
    person_step(p.alice, refuse_monitor, &refusal);
    assert_int_not_equal(refusal.searched, 0);
    person_settle(p.alice);
    struct buf label = user_label(p.bob);
    struct reading r = reading_of(p.alice, buf_view(&label));
    assert_false(r.l->known.pending || r.l->bad); /* it stands there, the search says */
    reading_end(&r);
    buf_clear(&label);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 0);
    /* not so long ago that there could be no trees of then */
    refusal = (struct refusal){.whose = p.alice, .code = HEARTH_OUT_OF_RANGE};
    person_step(p.alice, refuse_monitor, &refusal);
    assert_int_equal(hearth_log_alarms(&p.alice->account), 1);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 1);
    people_close(&p.all);
}

static void test_refused_after_failing(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 7);
    befriend(&p);
    person_step(p.alice, refuse_after_failing, p.bob);
    struct buf label = user_label(p.bob);
    struct reading r = reading_of(p.alice, buf_view(&label));
    assert_true(r.l->bad);
    reading_end(&r);
    buf_clear(&label);
    assert_true(person_count_events(p.alice, HEARTH_EVENT_LOG) > 0);
    struct hearth_op *op = hearth_send(&p.alice->account, &p.alice_chat, "can't be said");
    assert_int_equal(person_op(p.alice, op), HEARTH_UNVERIFIED);
    people_close(&p.all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_of_each_use),
        cmocka_unit_test(test_other_keys),
        cmocka_unit_test(test_asker),
        cmocka_unit_test(test_looked_up),
        cmocka_unit_test(test_key_of_a_member),
        cmocka_unit_test(test_no_step),
        cmocka_unit_test(test_damaged_answer),
        cmocka_unit_test(test_others_log),
        cmocka_unit_test(test_monitor_refused),
        cmocka_unit_test(test_refused_after_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
