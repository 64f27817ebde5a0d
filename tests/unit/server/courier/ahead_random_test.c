/* Our own queues' batches, one checked while another is appended, in worlds from seeds: checks that
 * can't be started, fail or take long, answers that fail, hang, come at once or say later, rows
 * that are refused and can't be taken away, a backlog that is given up, contacts, kills. Nothing is
 * lost but what may be, nothing comes twice or out of its order, nothing stands still, and every
 * check comes to its end. HEARTH_SEEDS=N[,FIRST] for more.
 */
#include <stdlib.h>

#include "support/courier/courier_world.h"

enum { SEEDS = 40, ACTIONS = 100, USED_REFS = 32, LATER_REF = 5, REFUSED_REF = 7, PUT_MOST = 4000 };

static struct world {
    struct cworld w;
    struct rng_seeded dice;
    uint32_t put[REFS][PUT_MOST]; /* messages that are durable */
    size_t count[REFS];
    bool drops; /* a bounded backlog: only control rows are kept */
    unsigned kills;
} x;

static uint64_t draw(uint64_t below)
{
    return rng_seeded_next(&x.dice) % below;
}

/* Never dropped: rows of even references are commits. */
static bool is_control(uint32_t ref)
{
    return ref % 2 == 0;
}

static void put(void)
{
    static struct putting p;
    uint64_t most = draw(2) == 0 ? USED_REFS - 1 : 3;
    bool all = most > 3;
    uint32_t refs[USED_REFS];
    size_t n = 0;
    putting_begin(&p, &x.w);
    for (uint32_t ref = 1; ref < USED_REFS && n < most; ref++)
        if (all || draw(6) == 0) {
            refs[n++] = ref;
            putting_to(&p, 0, ref, is_control(ref), (uint8_t)ref);
        }
    if (n == 0)
        return;
    if (putting_try(&p))
        for (size_t i = 0; i < n; i++) {
            assert_true(x.count[refs[i]] < PUT_MOST);
            x.put[refs[i]][x.count[refs[i]]++] = x.w.messages;
        }
}

static void work(uint64_t steps)
{
    for (uint64_t i = 0; i < steps; i++)
        if (draw(2) == 0)
            (void)loop_step(x.w.loop);
        else
            (void)store_turn(x.w.store);
}

/* One thing at a time: where all goes wrong together nothing gets far enough to be turned round. */
static void change_mood(void)
{
    static const enum mood moods[] = {TAKES, TAKES, TAKES, HANGS,      HANGS,
                                      HANGS, HANGS, FAILS, SAYS_LATER, WONT_START};
    struct place *home = &x.w.places[0];
    switch (draw(8)) {
    case 0:
        home->refused_ref = draw(2) == 0 ? REFUSED_REF : 0;
        break;
    case 1:
        home->at_once = draw(2) == 0;
        break;
    case 2:
        x.w.refuse_reports = draw(4) == 0;
        break;
    case 3:
        accept_faults.wont_start = draw(3) == 0 ? 20 : 0;
        break;
    case 4:
        accept_faults.fail = draw(2) == 0 ? 30 : 0;
        break;
    case 5:
        accept_faults.slow = draw(2) == 0 ? 70 : 0;
        break;
    default:
        home->mood = moods[draw(sizeof moods / sizeof *moods)];
    }
}

static void calm(void)
{
    struct place *home = &x.w.places[0];
    home->mood = TAKES;
    home->later_ref = home->refused_ref = 0;
    x.w.refuse_reports = false;
    accept_faults.wont_start = accept_faults.fail = accept_faults.slow = 0;
    release_hanging(&x.w, ERR_OK);
}

static void act(void)
{
    switch (draw(12)) {
    case 0:
    case 1:
        for (uint64_t n = 1 + draw(40); n > 0; n--) /* some batches */
            put();
        break;
    case 2:
        x.w.places[0].later_ref = draw(2) == 0 ? LATER_REF : 0;
        break;
    case 3:
    case 4:
        change_mood();
        break;
    case 5:
        release_hanging(&x.w, draw(8) == 0 ? ERR(TIMEOUT) : ERR_OK);
        break;
    case 6:
        x.w.fake.now_us += draw(3000000);
        break;
    case 7:
        world_run_ms(&x.w, draw(3000));
        break;
    case 8:
        courier_contact(x.w.courier, bytes_str("home.test"));
        break;
    case 9:
        if (draw(8) != 0)
            break;
        world_kill(&x.w, false, 0);
        world_open(&x.w);
        x.kills++;
        break;
    default:
        work(1 + draw(30));
    }
}

/* What was put for the reference came, in its order; of some references a part may be missing. */
static void check_ref(uint32_t ref, uint64_t seed)
{
    const struct place *home = &x.w.places[0];
    bool partly = ref == REFUSED_REF || (x.drops && !is_control(ref));
    size_t at = 0;
    for (size_t i = 0; i < home->taken_count; i++) {
        if (home->taken[i].ref != ref)
            continue;
        while (partly && at < x.count[ref] && x.put[ref][at] != home->taken[i].message)
            at++;
        if (at >= x.count[ref] || x.put[ref][at] != home->taken[i].message)
            fail_msg("seed %llu: reference %u got message %u, %zu of %zu", (unsigned long long)seed,
                     ref, home->taken[i].message, at, x.count[ref]);
        at++;
    }
    if (!partly && at != x.count[ref])
        fail_msg("seed %llu: reference %u got %zu of %zu", (unsigned long long)seed, ref, at,
                 x.count[ref]);
}

static void run_seed(uint64_t seed)
{
    memset(&x, 0, sizeof x);
    rng_seeded_init(&x.dice, seed);
    accept_faults = (struct accept_faults){.rng = &x.dice};
    assert_int_equal(accept_steps_live, 0);
    world_new(&x.w, seed);
    x.drops = seed % 4 == 0;
    x.w.backlog_rows = x.drops ? 300 : 0;
    world_open(&x.w);
    for (int i = 0; i < ACTIONS; i++)
        act();
    calm();
    world_run_ms(&x.w, 120000);
    for (uint32_t ref = 1; ref < USED_REFS; ref++)
        check_ref(ref, seed);
    if (world_left(&x.w).rows != 0)
        fail_msg("seed %llu: %llu rows stand still", (unsigned long long)seed,
                 (unsigned long long)world_left(&x.w).rows);
    (void)place_check(&x.w.places[0]);
    if (seed % 2 == 0) { /* the end comes in the middle of things, too */
        change_mood();
        for (int i = 0; i < 20; i++)
            put();
        work(draw(60));
    }
    world_close(&x.w);
    assert_int_equal(accept_steps_live, 0);
    accept_faults.rng = NULL;
}

static void nothing_is_lost_doubled_or_turned_round(void **state)
{
    (void)state;
    const char *text = getenv("HEARTH_SEEDS");
    char *rest = NULL;
    uint64_t seeds = text != NULL ? strtoull(text, &rest, 10) : SEEDS;
    uint64_t first = rest != NULL && *rest == ',' ? strtoull(rest + 1, NULL, 10) : 1;
    uint64_t batches = 0, kills = 0;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        unsigned before = accept_steps_checks;
        run_seed(seed);
        batches += accept_steps_checks - before;
        kills += x.kills;
    }
    print_message("%llu batches checked, %llu kills\n", (unsigned long long)batches,
                  (unsigned long long)kills);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_doubled_or_turned_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
