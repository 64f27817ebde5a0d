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

static bool run_killed_at(int steps, bool power, uint64_t seed)
{
    static struct cworld w;
    static struct putting p;
    world_new(&w, seed);
    world_open(&w);
    size_t peer = world_peer(&w, "peer.test");
    uint32_t put = 0;
    for (int i = 0; i < MESSAGES; i++) {
        putting_begin(&p, &w);
        for (uint32_t ref = 1; ref < 8; ref++)
            putting_to(&p, ref % 2 == 0 ? peer : 0, ref, false, 0);
        putting_end(&p); /* durable from here on */
        put += 7;
        if (i == MESSAGES / 2)
            (void)work(&w, 3);
    }
    bool killed = work(&w, steps);
    world_kill(&w, power, seed + 1);
    world_open(&w);
    world_settle(&w);
    assert_int_equal(place_check(&w.places[0]) + place_check(&w.places[peer]), put);
    struct left l = world_left(&w);
    assert_int_equal(l.rows + l.payloads + l.bodies, 0);
    world_close(&w);
    return killed;
}

static void F1_nothing_is_lost_wherever_it_is_killed(void **state)
{
    (void)state;
    int kills = 0;
    while (run_killed_at(kills, false, 1))
        kills++;
    assert_true(kills > 10);
    print_message("killed at %d steps\n", kills);
}

static void F1_nothing_is_lost_when_the_power_goes(void **state)
{
    (void)state;
    int cuts = 0;
    for (uint64_t seed = 0; seed < 5; seed++)
        for (int steps = 0; run_killed_at(steps, true, seed); steps++)
            cuts++;
    assert_true(cuts > 50);
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
        cmocka_unit_test(F1_nothing_is_lost_when_the_power_goes),
        cmocka_unit_test(F1_many_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
