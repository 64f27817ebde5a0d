#include "server/keeper/ref_cache.h"
#include "support/test.h"

static const uint8_t *key_of(uint32_t n)
{
    static uint8_t key[REF_CACHE_KEY_BYTES];
    ref_cache_key(bytes_of(&n, sizeof n), key);
    return key;
}

static bool has(struct ref_cache *c, uint32_t n)
{
    const struct queue_ref *ref = ref_cache_find(c, key_of(n));
    if (ref != NULL)
        assert_memory_equal(ref->tag, &n, sizeof n);
    return ref != NULL;
}

static void put(struct ref_cache *c, uint32_t n)
{
    struct queue_ref ref = {0};
    memcpy(ref.tag, &n, sizeof n);
    ref_cache_put(c, key_of(n), &ref);
}

static void the_least_recently_used_goes(void **state)
{
    (void)state;
    struct ref_cache *c = NULL;
    assert_ok(ref_cache_new(&c));
    for (uint32_t n = 0; n < REF_CACHE_ENTRIES; n++)
        put(c, n);
    assert_int_equal(ref_cache_count(c), REF_CACHE_ENTRIES);
    assert_true(has(c, 0)); /* is used, so 1 is the oldest */
    put(c, REF_CACHE_ENTRIES);
    assert_int_equal(ref_cache_count(c), REF_CACHE_ENTRIES);
    assert_true(has(c, 0));
    assert_false(has(c, 1));
    assert_true(has(c, REF_CACHE_ENTRIES));
    for (uint32_t n = 2; n < REF_CACHE_ENTRIES; n++)
        assert_true(has(c, n));
    ref_cache_empty(c);
    assert_int_equal(ref_cache_count(c), 0);
    assert_false(has(c, 5));
    put(c, 5);
    assert_true(has(c, 5));
    ref_cache_free(c);
}

/* Against a plain model: an array of numbers in the order of their use. */
static void random_use_matches_a_model(void **state)
{
    (void)state;
    enum { NUMBERS = REF_CACHE_ENTRIES + 200, STEPS = 60000 };
    static uint32_t used[NUMBERS]; /* step of the last use; 0: not in */
    struct rng_seeded rng;
    struct ref_cache *c = NULL;
    rng_seeded_init(&rng, 3);
    assert_ok(ref_cache_new(&c));
    size_t count = 0;
    for (uint32_t step = 1; step <= STEPS; step++) {
        uint32_t n = step < NUMBERS ? step : (uint32_t)(rng_seeded_next(&rng) % NUMBERS);
        bool in = used[n] != 0;
        assert_int_equal(has(c, n), in);
        if (!in) {
            if (count == REF_CACHE_ENTRIES) {
                uint32_t oldest = n;
                for (uint32_t i = 0; i < NUMBERS; i++)
                    if (used[i] != 0 && (used[oldest] == 0 || used[i] < used[oldest]))
                        oldest = i;
                used[oldest] = 0;
                count--;
            }
            put(c, n);
            count++;
        }
        used[n] = step;
        assert_int_equal(ref_cache_count(c), count);
    }
    ref_cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_recently_used_goes),
        cmocka_unit_test(random_use_matches_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
