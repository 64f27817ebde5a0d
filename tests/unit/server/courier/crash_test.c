/* F1: the server is killed, or loses its power, between any two steps of the courier's work:
 * nothing that was put is lost, and what is sent again has the same number. */
#include "support/courier/courier_world.h"

enum { MESSAGES = 12 };

/* Works with at most `steps` steps of loop or store; false: it was done before. */
static bool work(struct cworld *w, int steps)
{
    for (int i = 0; i < steps; i++)
        if (!(loop_step(w->loop) | (int)store_turn(w->store)))
            return false;
    return true;
}

/* Puts one message to seven references. False: it was not told that it is durable. */
static bool put_seven(struct cworld *w, size_t peer)
{
    static struct putting p;
    putting_begin(&p, w);
    for (uint32_t ref = 1; ref < 8; ref++)
        putting_to(&p, ref % 2 == 0 ? peer : 0, ref, false, 0);
    return putting_try(&p);
}

/* What was acknowledged arrived everywhere, each once and in order; the rest everywhere or
 * nowhere. */
static void check_taken(struct cworld *w, size_t peer, const bool *acknowledged)
{
    unsigned got[MESSAGES + 1] = {0};
    struct place *places[] = {&w->places[0], &w->places[peer]};
    for (size_t i = 0; i < 2; i++) {
        (void)place_check(places[i]);
        for (size_t t = 0; t < places[i]->taken_count; t++)
            got[places[i]->taken[t].message]++;
    }
    for (size_t m = 1; m <= MESSAGES; m++)
        assert_true(got[m] == 7 || (got[m] == 0 && !acknowledged[m]));
}

/* Killed after so many steps of the loop and the store, or (changes) of the files. */
static bool run_killed_at(long steps, long changes, bool power, uint64_t seed)
{
    static struct cworld w;
    bool acknowledged[MESSAGES + 1] = {false};
    world_new(&w, seed);
    world_open(&w);
    world_settle(&w);
    size_t peer = world_peer(&w, "peer.test");
    if (changes >= 0)
        vfs_power_off_after(w.vfs, changes);
    bool killed = true;
    for (int i = 1; i <= MESSAGES; i++) {
        acknowledged[i] = put_seven(&w, peer);
        for (int j = 0; j < 3 && steps > 0; j++, steps--)
            (void)work(&w, 1);
    }
    if (changes < 0 || vfs_is_off(w.vfs))
        killed = work(&w, (int)steps) || changes >= 0;
    else
        killed = work(&w, (int)steps) && vfs_is_off(w.vfs);
    world_kill(&w, power, seed + 1);
    world_open(&w);
    world_settle(&w);
    check_taken(&w, peer, acknowledged);
    struct left l = world_left(&w);
    assert_int_equal(l.rows + l.payloads + l.bodies, 0);
    world_close(&w);
    return killed;
}

static void F1_nothing_is_lost_wherever_it_is_killed(void **state)
{
    (void)state;
    int kills = 0;
    while (run_killed_at(kills, -1, false, 1))
        kills++;
    assert_true(kills > 30);
    print_message("killed at %d steps\n", kills);
}

static void F1_nothing_is_lost_in_the_middle_of_a_commit(void **state)
{
    (void)state;
    int kills = 0;
    for (bool power = false;; power = true) {
        for (long changes = 0; run_killed_at(1000, changes, power, (uint64_t)changes); changes++)
            kills++;
        if (power)
            break;
    }
    assert_true(kills > 100);
    print_message("killed at %d changes of the files\n", kills);
}

static void F1_nothing_is_lost_when_the_power_goes(void **state)
{
    (void)state;
    int cuts = 0;
    for (uint64_t seed = 0; seed < 5; seed++)
        for (int steps = 0; run_killed_at(steps, -1, true, seed); steps++)
            cuts++;
    assert_true(cuts > 150);
    print_message("cut at %d steps\n", cuts);
}

/* Many lives, with destinations that come and go, and messages in all of them. */
static void F1_many_lives(void **state)
{
    (void)state;
    static struct cworld w;
    unsigned repeats = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        world_new(&w, seed);
        world_open(&w);
        size_t peer = world_peer(&w, "peer.test");
        uint32_t put[2][REFS] = {{0}};
        for (int life = 0; life < 12; life++) {
            for (int i = 0; i < 20; i++) {
                uint64_t r = rng_seeded_next(&w.seeded);
                size_t place = (r & 1) != 0 ? peer : 0;
                uint32_t ref = 1 + (uint32_t)((r >> 1) % 5);
                put_one(&w, place, ref, (r >> 8) % 4 == 0, 0);
                put[place != 0][ref]++;
                w.places[place].mood = (r >> 16) % 3 == 0 ? FAILS : TAKES;
                w.places[place].later_ref = (r >> 20) % 4 == 0 ? ref : 0;
                (void)work(&w, (int)((r >> 32) % 12));
                if ((r >> 40) % 4 == 0)
                    world_run_ms(&w, (r >> 44) % 3000);
            }
            world_kill(&w, life % 2 == 0, seed);
            world_open(&w);
        }
        for (size_t i = 0; i < 2; i++) {
            w.places[i == 0 ? 0 : peer].mood = TAKES;
            w.places[i == 0 ? 0 : peer].later_ref = 0;
        }
        world_run_ms(&w, 3600 * 1000);
        assert_int_equal(world_left(&w).rows, 0);
        for (size_t i = 0; i < 2; i++) {
            struct place *p = &w.places[i == 0 ? 0 : peer];
            uint32_t got[REFS] = {0};
            (void)place_check(p);
            for (size_t t = 0; t < p->taken_count; t++)
                got[p->taken[t].ref]++;
            assert_memory_equal(got, put[i], sizeof got);
            repeats += p->repeats;
        }
        world_close(&w);
    }
    assert_true(repeats > 0); /* it happened that something was sent again */
    print_message("%u rows sent again\n", repeats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(F1_nothing_is_lost_wherever_it_is_killed),
        cmocka_unit_test(F1_nothing_is_lost_in_the_middle_of_a_commit),
        cmocka_unit_test(F1_nothing_is_lost_when_the_power_goes),
        cmocka_unit_test(F1_many_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
