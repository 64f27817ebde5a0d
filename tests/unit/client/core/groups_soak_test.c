/* Random work in two groups of four while people and the server are killed at random: in the end
 * all agree, and what was sent is everywhere exactly once. */
#include "groups.h"

enum { GROUPS = 2, OPERATIONS = 250 };

struct soak {
    struct rng_seeded random;
    struct hearth_id group[GROUPS][WORLD_PEOPLE]; /* as each person knows it */
    struct said {
        unsigned by, group;
    } said[OPERATIONS];
    unsigned said_count, kills, server_kills, commits;
};

static unsigned below(struct soak *s, unsigned n)
{
    return (unsigned)(rng_seeded_next(&s->random) % n);
}

static void text_of(unsigned n, char text[32])
{
    (void)snprintf(text, 32, "number %u", n);
}

static void found_groups(struct soak *s)
{
    struct hearth_id friends[WORLD_PEOPLE - 1];
    for (unsigned i = 1; i < WORLD_PEOPLE; i++)
        friends[i - 1] = friend_id(ALICE, w.who[i]);
    for (unsigned g = 0; g < GROUPS; g++) {
        s->group[g][0] = found_group(ALICE, "soak");
        wish_done(ALICE, s->group[g][0],
                  &(struct commit_wish){.add = friends, .add_count = WORLD_PEOPLE - 1});
        world_run(1000);
        for (unsigned i = 1; i < WORLD_PEOPLE; i++)
            assert_true(same_group(ALICE, s->group[g][0], w.who[i], &s->group[g][i]));
    }
}

/* Steps of the test's own are none to be killed at; who is to be killed begins nothing. */
static void one_operation(struct soak *s)
{
    unsigned by = below(s, WORLD_PEOPLE), group = below(s, GROUPS), what = below(s, 100);
    struct person *p = w.who[by];
    uint64_t task;
    char text[32];
    if (p->killed || p->kill_at > p->steps)
        return;
    if (what < 60) {
        text_of(s->said_count, text);
        assert_ok(say(p, s->group[group][by], text, &task));
        s->said[s->said_count++] = (struct said){by, group};
    } else if (what < 78) {
        const struct commit_wish update = {.update = true}, rename = {.rename = "renamed"};
        assert_ok(
            wish(p, s->group[group][by], by == 0 && what % 2 == 0 ? &rename : &update, &task));
        s->commits++;
    } else if (what < 95) {
        person_kill_at(p, 1 + below(s, 8));
        s->kills++;
    } else {
        town_kill_server(w.people.town, TOWN_DOMAIN);
        s->server_kills++;
    }
}

static void missing(struct soak *s, unsigned n, unsigned at)
{
    char text[32];
    text_of(n, text);
    for (unsigned i = 0; i < WORLD_PEOPLE; i++) {
        struct hearth_id chat = s->group[s->said[n].group][i];
        print_message("%s: %zu, sent %zu, failed %zu, waiting %zu, %u lives\n", w.who[i]->name,
                      has_message(w.who[i], chat, text, 0),
                      has_message(w.who[i], chat, text, HEARTH_MESSAGE_SENT),
                      has_message(w.who[i], chat, text, HEARTH_MESSAGE_FAILED),
                      has_message(w.who[i], chat, text, HEARTH_MESSAGE_WAITING), w.who[i]->lives);
    }
    fail_msg("\"%s\" by %s is not once with %s", text, w.who[s->said[n].by]->name, w.who[at]->name);
}

static void check(struct soak *s)
{
    for (unsigned g = 0; g < GROUPS; g++) {
        struct view first = view_of(ALICE, s->group[g][0]);
        for (unsigned i = 0; i < WORLD_PEOPLE; i++) {
            struct view v = view_of(w.who[i], s->group[g][i]);
            assert_int_equal(v.state, HEARTH_CHAT_OPEN);
            assert_memory_equal(v.authenticator, first.authenticator, 32);
            assert_int_equal(v.unverified + v.pending, 0);
        }
    }
    for (unsigned n = 0; n < s->said_count; n++) {
        char text[32];
        text_of(n, text);
        for (unsigned i = 0; i < WORLD_PEOPLE; i++)
            if (has_message(w.who[i], s->group[s->said[n].group][i], text, 0) != 1)
                missing(s, n, i);
    }
    for (unsigned i = 0; i < WORLD_PEOPLE; i++) {
        assert_int_equal(seen(w.who[i], HEARTH_EVENT_LOSS), 0);
        assert_int_equal(seen(w.who[i], HEARTH_EVENT_CHAT_BROKEN), 0);
        assert_int_equal(seen(w.who[i], HEARTH_EVENT_UNVERIFIED), 0);
    }
}

static void soak(uint64_t seed)
{
    struct soak s = {0};
    rng_seeded_init(&s.random, seed);
    world_open(seed, WORLD_PEOPLE);
    befriend_all();
    found_groups(&s);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        one_operation(&s);
        people_run_ms(&w.people, below(&s, 40));
        if (below(&s, 3) == 0)
            world_run(WORLD_SLICE_MS); /* the dead begin another life */
    }
    for (unsigned i = 0; i < WORLD_PEOPLE; i++)
        person_kill_at(w.who[i], 0);
    world_run(200000);
    check(&s);
    print_message("seed %u: %u messages, %u commits, %u kills of people, %u of the server\n",
                  (unsigned)seed, s.said_count, s.commits, s.kills, s.server_kills);
    world_close();
}

static void test_soak(void **state)
{
    const char *seeds = getenv("GROUPS_SEEDS");
    uint64_t last = seeds != NULL ? strtoull(seeds, NULL, 10) : 3;
    (void)state;
    for (uint64_t seed = 1; seed <= last; seed++)
        soak(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_soak)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
