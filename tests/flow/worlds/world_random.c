/* Worlds from seeds.
 *
 *     world_random [--seed N] [--seeds K]     else 200 from 1 on, and the controls
 *
 * HEARTH_TRACE=1 tells what happens. */
#include <malloc.h>
#include <stdio.h>

#include "flow/worlds/world.h"

static struct world world;
static uint64_t first = 1, count = 200;

static void run(uint64_t seed, const struct world_fate *fate)
{
    world_begin(&world, seed, fate);
    for (size_t i = 0; i < world.steps; i++) {
        if (fate->faults)
            world_fail(&world);
        world_act(&world);
    }
    world_heal(&world);
    world_judge(&world);
    world_end(&world);
}

static uint64_t running;

static void worlds(void **state)
{
    (void)state;
    world.steps = 40;
    for (uint64_t seed = first; seed < first + count; seed++) {
        running = seed;
        run(seed, &(struct world_fate){.faults = true});
    }
    running = 0;
    play_tell("worlds", &world.play.tally);
    print_message("%u faults\n", world.faults);
    assert_true(world.play.tally.deliveries > 10 * count);
}

static int say_seed(void **state)
{
    (void)state;
    if (running != 0)
        print_message("world_random --seed %llu --seeds 1\n", (unsigned long long)running);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(worlds)};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            first = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seeds") == 0)
            count = strtoull(argv[i + 1], NULL, 10);
    }
    /* worlds come and go: their memory is kept */
    (void)mallopt(M_TRIM_THRESHOLD, 512 << 20);
    (void)mallopt(M_MMAP_THRESHOLD, 256 << 20);
    return cmocka_run_group_tests(tests, NULL, say_seed);
}
