/* Every endpoint's cost class is enforced as its row says (tokens.md): three people do what people
 * do, at a homeserver that gives nothing for nothing, and each call's price is held against the
 * table that docs/endpoints.txt is printed from. Our clients pay when they are asked to, so each
 * row is seen refused (TokensRequired, of the right class and price) and then paid.
 *
 * No row of the table can be forgotten: each that costs something is either reached here or named
 * below with the test that has it, and none is both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/core/log.h"
#include "client/core/token.h"
#include "hearth/options.pb-c.h"
#include "hearth/v1/attachment_rpc.h"
#include "hearth/v1/auth_rpc.h"
#include "hearth/v1/delivery_rpc.h"
#include "hearth/v1/federation_rpc.h"
#include "hearth/v1/info_rpc.h"
#include "hearth/v1/queue_rpc.h"
#include "hearth/v1/relay_rpc.h"
#include "hearth/v1/transparency_rpc.h"
#include "server/front/charge.h"
#include "unit/client/core/friends.h"

static const struct {
    const struct hearth_service *service;
    uint8_t class;
} services[] = {
    {&hearth_info_descriptor, 0},
    {&hearth_auth_descriptor, PASS_AUTH},
    {&hearth_queue_descriptor, PASS_QUEUE},
    {&hearth_delivery_descriptor, PASS_DELIVERY},
    {&hearth_attachment_descriptor, PASS_ATTACHMENT},
    {&hearth_relay_descriptor, 0},
    {&hearth_federation_descriptor, 0},
    {&hearth_transparency_descriptor, PASS_TRANSPARENCY},
};

/* Rows that these people don't call, and where they are paid. */
static const struct {
    const char *path, *test;
} elsewhere[] = {
    {"/hearth.v1.Auth/CreateInvitations", "tests/server/hearthd.py: user_invitations_cost_tokens"},
    {"/hearth.v1.Auth/RefreshHandle", "server/auth/charge_test.c: a_handle_pays_with_credits"},
    {"/hearth.v1.Delivery/UpdateProfileKey", "server/delivery/charge_test.c: rare_calls_are_paid"},
    {"/hearth.v1.Delivery/ReplaceGroupInfo", "server/delivery/charge_test.c: rare_calls_are_paid"},
    {"/hearth.v1.Delivery/ReportFault", "server/delivery/charge_test.c: rare_calls_are_paid"},
    {"/hearth.v1.Attachment/Delete", "server/attachment/charge_test.c"},
};

/* ---- what the homeserver does, by row */

enum { JSON_BYTES = 1024 };
enum { ROWS_MOST = 128, BROUGHT_MOST = 8192 };
static struct row {
    const struct hearth_endpoint *endpoint;
    uint8_t class;
    unsigned refused, paid;
    unsigned wrong; /* class, price or demand not as the row says */
} rows[ROWS_MOST];
static size_t row_count;
/* The first token of each payment, by which the database's side of it is known again. */
static struct {
    uint8_t nonce[PASS_NONCE_BYTES];
    struct row *row;
} brought[BROUGHT_MOST];
static size_t brought_count;
static struct front *told; /* its limits are set */
static bool tokens_on;
static unsigned wrong_payments; /* more or fewer tokens taken than the price is */

static struct row *row_of(const char *path)
{
    for (size_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].endpoint->path, path) == 0)
            return &rows[i];
    fail_msg("%s is in no service", path);
    return NULL;
}

static void rows_fill(bool on)
{
    tokens_on = on;
    wrong_payments = 0;
    row_count = brought_count = 0;
    told = NULL;
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        for (size_t k = 0; k < services[i].service->endpoint_count; k++) {
            const struct hearth_endpoint *e = &services[i].service->endpoints[k];
            assert_true(row_count < ROWS_MOST);
            rows[row_count++] = (struct row){.endpoint = e, .class = services[i].class};
        }
}

/* Nothing for nothing (an allowance can't be 0, but no call is as cheap as 1), a token is one
 * credit, and allowances for a long day. */
static void tell(struct front *front)
{
    static const struct {
        const char *name;
        uint64_t value;
    } sets[] = {{"CREDITS_FREE", 1},         {"FREE_PREFIX", 1},           {"PRICE_LOW", 2},
                {"CREDITS_PER_TOKEN", 1},    {"PRICE_FACTOR", 1},          {"TOKENS_FIRST", 5000},
                {"TOKENS_DELIVERY", 5000},   {"TOKENS_QUEUE", 5000},       {"TOKENS_AUTH", 5000},
                {"TOKENS_ATTACHMENT", 5000}, {"TOKENS_TRANSPARENCY", 5000}};
    if (told == front)
        return;
    told = front;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        assert_ok(limits_set(front_limits(front), sets[i].name, sets[i].value));
}

static const uint8_t *first_nonce(const struct charge *charge)
{
    return charge->payment.tokens + 5; /* behind class and period */
}

static void bring(const struct charge *charge, struct row *row)
{
    if (charge->front == NULL || charge->payment.count == 0)
        return;
    assert_true(brought_count < BROUGHT_MOST);
    memcpy(brought[brought_count].nonce, first_nonce(charge), PASS_NONCE_BYTES);
    brought[brought_count++].row = row;
}

static struct row *brought_by(const struct charge *charge)
{
    for (size_t i = brought_count; i-- > 0;)
        if (memcmp(brought[i].nonce, first_nonce(charge), PASS_NONCE_BYTES) == 0)
            return brought[i].row;
    return NULL;
}

void __real_charge_begin(struct front *front, struct hearth_call *call, uint8_t class,
                         struct charge *ret_charge);
void __wrap_charge_begin(struct front *front, struct hearth_call *call, uint8_t class,
                         struct charge *ret_charge);
void __wrap_charge_begin(struct front *front, struct hearth_call *call, uint8_t class,
                         struct charge *ret_charge)
{
    const struct hearth_endpoint *e = hearth_call_endpoint(call);
    struct row *row = row_of(e->path);
    const bool costs = e->cost != HEARTH__COST__COST_UNSPECIFIED;
    tell(front);
    __real_charge_begin(front, call, class, ret_charge);
    row->wrong += (costs && tokens_on) != (ret_charge->front != NULL);
    row->wrong += costs && tokens_on &&
                  (class != row->class || ret_charge->price == 0 ||
                   ret_charge->price != front_price(front, e->cost));
    bring(ret_charge, row);
}

void __real_charge_by_size(struct charge *charge, struct hearth_call *call, uint64_t bytes,
                           struct bytes tokens);
void __wrap_charge_by_size(struct charge *charge, struct hearth_call *call, uint64_t bytes,
                           struct bytes tokens);
void __wrap_charge_by_size(struct charge *charge, struct hearth_call *call, uint64_t bytes,
                           struct bytes tokens)
{
    struct row *row = row_of(hearth_call_endpoint(call)->path);
    __real_charge_by_size(charge, call, bytes, tokens);
    if (!tokens_on)
        return;
    row->wrong += row->endpoint->cost != HEARTH__COST__COST_BY_SIZE ||
                  charge->price != (bytes + 65535) / 65536;
    bring(charge, row);
}

/* What is asked for is the price, or more where a commit adds somebody. */
enum hearth_code __real_charge_fail(struct hearth_call *call, const struct charge *charge,
                                    struct err err);
enum hearth_code __wrap_charge_fail(struct hearth_call *call, const struct charge *charge,
                                    struct err err);
enum hearth_code __wrap_charge_fail(struct hearth_call *call, const struct charge *charge,
                                    struct err err)
{
    struct row *row = row_of(hearth_call_endpoint(call)->path);
    if (err.code == ERR_PASS_PAY) {
        row->refused++;
        row->wrong += charge->class != row->class || charge->wanted == 0 ||
                      charge->wanted != charge->price ||
                      charge->price < front_price(charge->front, row->endpoint->cost);
    }
    enum hearth_code code = __real_charge_fail(call, charge, err);
    row->wrong += err.code == ERR_PASS_PAY && code != HEARTH_UNAUTHENTICATED;
    return code;
}

struct err __real_charge_take(struct store_txn *txn, const struct purse *purse,
                              struct charge *charge);
struct err __wrap_charge_take(struct store_txn *txn, const struct purse *purse,
                              struct charge *charge);
struct err __wrap_charge_take(struct store_txn *txn, const struct purse *purse,
                              struct charge *charge)
{
    const bool owed = charge_owes(charge);
    struct row *row = owed && charge->payment.count > 0 ? brought_by(charge) : NULL;
    struct err err = __real_charge_take(txn, purse, charge);
    if (owed && err_is_ok(err)) {
        if (row == NULL)
            fail_msg("had without tokens");
        else
            row->paid++;
        wrong_payments += charge->payment.count != charge->price ? 1 : 0;
    }
    return err;
}

/* ---- what people do */

struct tour {
    struct pair p; /* first */
    struct person *carol;
    struct hearth_id chat[3];
};

static void ask_and(struct person *asks, struct person *asked, bool accept)
{
    char handle[64];
    (void)snprintf(handle, sizeof handle, "%s@%s", asked->name, asked->domain);
    done(asks, hearth_contact_add(&asks->account, handle));
    person_sync(asked);
    person_settle(asked);
    struct hearth_event event = person_expect(asked, HEARTH_EVENT_CONTACT_ASKS);
    done(asked, accept ? hearth_contact_accept(&asked->account, &event.contact)
                       : hearth_contact_refuse(&asked->account, &event.contact));
}

struct named {
    const char *name;
    struct hearth_member found;
};

static bool find_member(const struct hearth_member *member, void *arg)
{
    struct named *m = arg;
    if (strcmp(member->name, m->name) == 0)
        m->found = *member;
    return true;
}

static const uint8_t *pseudonym_of(struct person *p, const struct hearth_id *chat, const char *name)
{
    static struct named m;
    m = (struct named){.name = name};
    assert_true(hearth_member_each(&p->account, chat, find_member, &m));
    assert_non_null(m.found.name);
    return m.found.pseudonym;
}

static void in_a_group(struct tour *t)
{
    struct pair *p = &t->p;
    struct hearth_op *op = hearth_group_create(&p->alice->account, "garden");
    t->chat[0] = hearth_op_id(op);
    done(p->alice, op);
    done(p->alice, hearth_group_add(&p->alice->account, &t->chat[0], &p->bob_id, 1));
    meet(p);
    assert_true(hearth_chat_find(&p->bob->account, "garden", &t->chat[1]));
    done(p->alice, hearth_group_rename(&p->alice->account, &t->chat[0], "orchard"));
    meet(p);
    done(p->bob, hearth_send_to(&p->bob->account, &t->chat[1],
                                pseudonym_of(p->bob, &t->chat[1], "alice@a.test"), "psst"));
    done(p->bob, hearth_group_set_notify(&p->bob->account, &t->chat[1], HEARTH_NOTIFY_NONE));
    done(p->bob, hearth_group_resync(&p->bob->account, &t->chat[1]));
    meet(p);
    done(p->bob, hearth_group_leave(&p->bob->account, &t->chat[1]));
    for (int i = 0; i < 3; i++) {
        meet(p);
        people_run_ms(&p->all, 3000);
    }
    done(p->alice, hearth_group_delete(&p->alice->account, &t->chat[0]));
    meet(p);
}

static void with_files(struct tour *t)
{
    struct pair *p = &t->p;
    char path[] = "/tmp/hearth-prices-XXXXXX", got[64];
    const int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, path, sizeof path) == sizeof path && close(fd) == 0);
    (void)snprintf(got, sizeof got, "%s-got", path);
    done(p->alice, hearth_file_send(&p->alice->account, &p->alice_chat, path));
    meet(p);
    people_run_ms(&p->all, 60 * 1000);
    const uint64_t number = hears(p->bob, &p->bob_chat, strrchr(path, '/') + 1);
    done(p->bob, hearth_file_get(&p->bob->account, &p->bob_chat, number, got));
    assert_int_equal(unlink(path) + unlink(got), 0);
}

/* What no client does by itself, as `hearth rpc` does it: it pays, too, out of the stock. */
static void raw(struct person *p, const char *method, const char *json)
{
    done(p, hearth_rpc(&p->account, method, json, NULL, NULL, NULL));
}

static struct err many_run(struct core *c, struct db_txn *t, void *arg)
{
    struct log log;
    struct buf request = BUF_INIT;
    (void)c;
    TRY(log_get(t, TOWN_DOMAIN, &log));
    const struct kt_query query = {.label = bytes_str("\x01 nobody")};
    struct err err = kt_many_request(&request, &log.view, &query, 1);
    char *json = arg;
    int at = snprintf(json, JSON_BYTES, "{\"search\": \"");
    for (size_t i = 0; i < request.len && at < JSON_BYTES - 8; i++)
        at += snprintf(json + at, (size_t)(JSON_BYTES - at), "%02x", request.data[i]);
    (void)snprintf(json + at, (size_t)(JSON_BYTES - at), "\"}");
    buf_clear(&request);
    log_clear(&log);
    return err;
}

/* A repeated request is answered, and not charged again. */
static void repeated(struct person *p)
{
    static const char report[] = "{\"idempotency\": {\"id\": \"000102030405060708090a0b0c0d0e0f\"},"
                                 " \"report\": \"01\"}";
    const struct row *row = row_of("/hearth.v1.Auth/ReportAbuse");
    raw(p, "Auth/ReportAbuse", report);
    assert_int_equal(row->refused, tokens_on ? 1 : 0);
    assert_int_equal(row->paid, tokens_on ? 1 : 0);
    for (int i = 0; i < 3; i++)
        raw(p, "Auth/ReportAbuse", report);
    assert_int_equal(row->refused, tokens_on ? 1 : 0);
    assert_int_equal(row->paid, tokens_on ? 1 : 0);
}

static void by_hand(struct tour *t)
{
    struct person *p = t->p.alice;
    char json[JSON_BYTES];
    people_run_ms(&t->p.all, 60 * 1000); /* what was fetched has rested */
    assert_ok(core_look(p->core, many_run, json));
    raw(p, "Transparency/LookupMany", json);
    raw(p, "Transparency/GetCheckpoint", "{}");
    repeated(p);
    raw(p, "Transparency/GetConsistency", "{\"old_size\": 2, \"new_size\": 3}");
    raw(p, "Auth/CheckHandle",
        "{\"handle_hash\": \"0000000000000000000000000000000000000000000000000000000000000000\"}");
}

static void tour(struct tour *t)
{
    struct pair *p = &t->p;
    p->alice = person_new(&p->all, "alice");
    p->bob = person_new(&p->all, "bob");
    t->carol = person_new(&p->all, "carol");
    person_register(p->alice, "alice");
    person_register(p->bob, "bob");
    person_register(t->carol, "carol");
    person_settle(t->carol);
    befriend(p);
    talk(p, "hello");
    done(p->alice, hearth_profile_set(&p->alice->account, "Alice", NULL, 0));
    meet(p);
    ask_and(t->carol, p->bob, false);
    meet(p);
    in_a_group(t);
    with_files(t);
    by_hand(t);
    done(t->carol, hearth_handle_remove(&t->carol->account, "carol"));
}

/* ---- the table */

static const char *named_elsewhere(const char *path)
{
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        if (strcmp(elsewhere[i].path, path) == 0)
            return elsewhere[i].test;
    return NULL;
}

static void test_every_row(void **state)
{
    static struct tour t;
    unsigned bad = 0, reached = 0;
    (void)state;
    memset(&t, 0, sizeof t);
    rows_fill(true);
    people_init(&t.p.all, 21);
    town_tokens(t.p.all.town);
    tour(&t);
    for (size_t i = 0; i < row_count; i++) {
        const struct row *row = &rows[i];
        const bool costs = row->endpoint->cost != HEARTH__COST__COST_UNSPECIFIED;
        const bool listed = named_elsewhere(row->endpoint->path) != NULL;
        const bool seen = row->refused > 0 && row->paid > 0;
        const bool good =
            row->wrong == 0 && (costs ? seen != listed : row->refused + row->paid == 0);
        reached += seen ? 1 : 0;
        bad += good ? 0 : 1;
        if (!good)
            print_message("%s: refused %u, paid %u, wrong %u%s\n", row->endpoint->path,
                          row->refused, row->paid, row->wrong, listed ? ", named elsewhere" : "");
    }
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        (void)row_of(elsewhere[i].path); /* there is such a row */
    print_message("%u rows refused and paid\n", reached);
    assert_int_equal(bad, 0);
    assert_int_equal(wrong_payments, 0);
    people_close(&t.p.all);
}

/* Where they are off, all of it is answered, and nothing asked for. */
static void test_off(void **state)
{
    static struct tour t;
    (void)state;
    memset(&t, 0, sizeof t);
    rows_fill(false);
    people_init(&t.p.all, 22);
    tour(&t);
    for (size_t i = 0; i < row_count; i++)
        if (rows[i].refused + rows[i].paid + rows[i].wrong > 0)
            fail_msg("%s: refused %u, paid %u, wrong %u", rows[i].endpoint->path, rows[i].refused,
                     rows[i].paid, rows[i].wrong);
    people_close(&t.p.all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_row),
                                       cmocka_unit_test(test_off)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
