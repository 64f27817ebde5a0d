/* What honest people do beside talking: commits (somebody is added, keys are changed, somebody is
 * removed, and again), fetches of KeyPackages, searches of the log. Each of them is begun when it
 * is due, if the one before is over: what waits is not piled up. */
#include <stdio.h>
#include <stdlib.h>

#include "hearth/v1/transparency_rpc.h"
#include "seal/system_keys.h"
#include "threats/load.h"
#include "threats/threats.h"
#include "tlog/search.h"

/* PEOPLE of a changing group: who commits, who listens, who comes and goes. */
enum { CHANGING = 4, PEOPLE = 3, COMER = 2, OWNERS = 10 };
enum { COMMITS_PER_S = 2, FETCHES_PER_S = 5, SEARCHES_PER_S = 5, CALL_MS = 5000 };
enum { SOURCE = 80 }; /* an address of their own, too */

struct changing {
    struct load_group group;
    struct resident people[PEOPLE];
    struct committing *commit; /* NULL: none is under way */
    unsigned turn;
    bool retried;
};

/* A call that has no listener. */
struct asking {
    struct load *load;
    enum load_kind kind;
    bool under_way, retried;
    uint64_t since_us;
    unsigned turn;
    uint8_t id[16];
};

struct chores {
    struct changing changing[CHANGING];
    struct resident owners[OWNERS], asker;
    struct asking fetch, search;
    uint64_t due_us[LOAD_KINDS];
    unsigned pace, next;
};

static void failed(struct load *l, const char *what, const struct resident *who)
{
    if (l->failed++ == 0)
        print_message("honest %s: %s: %s\n", what, hearth_code_name(who->last.code),
                      who->last.message != NULL ? who->last.message : "");
}

/* ---- commits */

static void commit_begin(struct load *l, struct changing *c)
{
    static const uint32_t comer = COMER;
    struct resident *const list[] = {&c->people[COMER]};
    struct commit_wish wish = {0};
    if (c->turn % 3 == 0)
        wish = (struct commit_wish){.add = list, .add_count = 1};
    else if (c->turn % 3 == 2)
        wish = (struct commit_wish){.remove = &comer, .remove_count = 1};
    c->people[COMER].introduction_count = 0; /* nobody joins */
    c->commit = membership_commit_begin(c->group.founder, &wish);
    if (c->commit == NULL) {
        c->retried = false;
        failed(l, "fetch of whom to add", &c->people[0]);
        return;
    }
    c->group.under_way = true;
    c->group.awaited = 1; /* the one listener: who is removed or comes is not asked */
    if (!c->retried)
        c->group.sent_us = load_now_us();
}

static void commit_end(struct load *l, struct changing *c)
{
    enum hearth_code code = membership_commit_end(c->commit);
    c->commit = NULL;
    c->group.under_way = false;
    if (code == HEARTH_OK) {
        c->group.expected++;
        c->turn++;
        c->retried = false;
        return;
    }
    c->group.awaited = 0;
    if (c->retried)
        failed(l, "commit", &c->people[0]);
    c->retried = !c->retried;
    if (c->retried)
        commit_begin(l, c);
}

static void commit_due(struct load *l)
{
    struct changing *c = &l->chores->changing[l->chores->next++ % CHANGING];
    if (c->commit != NULL || c->group.awaited > 0)
        return;
    l->sent++;
    commit_begin(l, c);
}

/* ---- fetches and searches */

static void ask(struct asking *a);

static void over(struct asking *a, const struct hearth_status *status)
{
    a->under_way = false;
    if (status->code == HEARTH_OK) {
        load_took(a->load, a->kind, a->since_us);
        return;
    }
    if (!a->retried) {
        a->retried = true;
        ask(a);
        return;
    }
    if (a->load->failed++ == 0)
        print_message("honest %s: %s: %s\n", a->kind == LOAD_FETCH ? "fetch" : "search",
                      hearth_code_name(status->code), status->message);
}

static void on_fetched(const struct hearth_status *status,
                       const Hearth__V1__GetKeyPackagesResponse *out, void *arg)
{
    (void)out;
    over(arg, status);
}

static void on_found(const struct hearth_status *status, const Hearth__V1__LookupResponse *out,
                     void *arg)
{
    (void)out;
    over(arg, status);
}

/* A contact who has taken none yet, of the owner whose turn it is. */
static void fetch(struct asking *a)
{
    struct chores *c = a->load->chores;
    struct resident *owner = &c->owners[a->turn % OWNERS];
    uint8_t token[48];
    Hearth__V1__Idempotency idempotency = HEARTH__V1__IDEMPOTENCY__INIT;
    Hearth__V1__GetKeyPackagesRequest in = HEARTH__V1__GET_KEY_PACKAGES_REQUEST__INIT;
    const struct hearth_call_options options = {.deadline_ms = CALL_MS};
    resident_token(owner, 1000 + a->turn, token);
    idempotency.id = resident_data(bytes_of(a->id, sizeof a->id));
    in.idempotency = &idempotency;
    in.queue_user_id = resident_data(bytes_of(owner->user_id, 16));
    in.contact_token = resident_data(bytes_of(token, sizeof token));
    assert_non_null(
        hearth_queue_get_key_packages_start(c->asker.channel, &options, &in, on_fetched, a));
}

static void search(struct asking *a)
{
    struct buf label = BUF_INIT, request = BUF_INIT;
    Hearth__V1__LookupRequest in = HEARTH__V1__LOOKUP_REQUEST__INIT;
    const struct hearth_call_options options = {.deadline_ms = CALL_MS};
    system_label_write(&label, system_labels[a->turn % 2]);
    const struct search_request fields = {.last = 1, .label = buf_view(&label)};
    search_request_write(&request, &fields);
    assert_ok(buf_check(&request));
    in.search = resident_data(buf_view(&request));
    assert_non_null(hearth_transparency_lookup_start(a->load->chores->asker.channel, &options, &in,
                                                     on_found, a));
    buf_clear(&label);
    buf_clear(&request);
}

static void ask(struct asking *a)
{
    a->under_way = true;
    if (a->kind == LOAD_FETCH)
        fetch(a);
    else
        search(a);
}

static void ask_due(struct asking *a)
{
    if (a->under_way)
        return;
    a->load->sent++;
    a->turn++;
    a->retried = false;
    a->since_us = load_now_us();
    resident_random(&a->load->chores->asker, a->id, sizeof a->id);
    ask(a);
}

/* ---- all of it */

void chores_open(struct load *l, unsigned pace)
{
    struct chores *c = l->chores = calloc(1, sizeof *c);
    uint32_t number = 700; /* nobody else's */
    char at[sizeof l->house->address];
    assert_non_null(c);
    c->pace = pace;
    memcpy(at, l->house->address, sizeof at);
    load_move(l->house, at, SOURCE, NULL);
    for (size_t i = 0; i < CHANGING; i++) {
        for (size_t n = 0; n < PEOPLE; n++) {
            resident_init(&c->changing[i].people[n], l->house, number++);
            assert_int_equal(
                resident_publish(&c->changing[i].people[n], n == COMER ? RESIDENT_PACKAGES - 1 : 1),
                HEARTH_OK);
        }
        c->changing[i].group.kind = LOAD_COMMIT;
        load_found(l, &c->changing[i].group, c->changing[i].people, COMER);
    }
    for (size_t i = 0; i < OWNERS; i++) {
        resident_init(&c->owners[i], l->house, number++);
        assert_int_equal(resident_publish(&c->owners[i], RESIDENT_PACKAGES - 1), HEARTH_OK);
    }
    resident_init(&c->asker, l->house, number);
    memcpy(l->house->address, at, sizeof at);
    c->fetch = (struct asking){.load = l, .kind = LOAD_FETCH};
    c->search = (struct asking){.load = l, .kind = LOAD_SEARCH};
    house_run_ms(l->house, 500);
    for (size_t i = 0; i < CHANGING; i++)
        load_group_begin(&c->changing[i].group);
}

static bool is_due(struct chores *c, enum load_kind kind, unsigned per_s)
{
    uint64_t now = load_now_us();
    if (now < c->due_us[kind])
        return false;
    c->due_us[kind] = now + 1000000 / (per_s * c->pace);
    return true;
}

void chores_step(struct load *l, bool only)
{
    struct chores *c = l->chores;
    if (c == NULL)
        return;
    for (size_t i = 0; i < CHANGING; i++)
        if (c->changing[i].commit != NULL && membership_commit_answered(c->changing[i].commit))
            commit_end(l, &c->changing[i]);
    if (only)
        return;
    if (is_due(c, LOAD_COMMIT, COMMITS_PER_S))
        commit_due(l);
    if (is_due(c, LOAD_FETCH, FETCHES_PER_S))
        ask_due(&c->fetch);
    if (is_due(c, LOAD_SEARCH, SEARCHES_PER_S))
        ask_due(&c->search);
}

bool chores_settled(const struct load *l)
{
    const struct chores *c = l->chores;
    if (c == NULL)
        return true;
    for (size_t i = 0; i < CHANGING; i++)
        if (!load_group_settled(&c->changing[i].group))
            return false;
    return !c->fetch.under_way && !c->search.under_way;
}

void chores_hang_up(struct load *l)
{
    struct chores *c = l->chores;
    if (c == NULL)
        return;
    for (size_t i = 0; i < CHANGING; i++) {
        load_group_hang_up(&c->changing[i].group);
        if (c->changing[i].commit != NULL)
            (void)membership_commit_end(c->changing[i].commit);
        c->changing[i].commit = NULL;
    }
    house_run_ms(l->house, 50);
    for (size_t i = 0; i < CHANGING; i++)
        for (size_t n = 0; n < PEOPLE; n++)
            house_exit(l->house, &c->changing[i].people[n].channel);
    for (size_t i = 0; i < OWNERS; i++)
        house_exit(l->house, &c->owners[i].channel);
    house_exit(l->house, &c->asker.channel);
}
