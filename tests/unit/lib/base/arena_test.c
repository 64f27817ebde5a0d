#include "base/arena.h"
#include "support/test.h"

static void gives_zeroed_aligned_memory(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t len = 0; len < 5000; len += 37) {
        uint8_t *room = arena_alloc(&a, len);
        assert_non_null(room);
        assert_int_equal((uintptr_t)room % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < len; i++)
            assert_int_equal(room[i], 0);
        memset(room, 0xaa, len);
    }
    arena_clear(&a);
    assert_int_equal(a.used_bytes, 0);
}

static void cap_is_sticky(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 100);
    assert_non_null(arena_alloc(&a, 80));
    assert_null(arena_alloc(&a, 80));
    assert_true(a.overflow);
    assert_null(arena_alloc(&a, 1));
    arena_clear(&a);
    assert_non_null(arena_alloc(&a, 80));
    arena_clear(&a);
}

static void huge_length_does_not_wrap(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, SIZE_MAX);
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_strndup(&a, "x", SIZE_MAX));
    arena_clear(&a);
}

static void copies(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1000);
    assert_string_equal(arena_strndup(&a, "hello world", 5), "hello");
    assert_memory_equal(arena_copy(&a, "abc", 3), "abc", 3);
    arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_aligned_memory),
        cmocka_unit_test(cap_is_sticky),
        cmocka_unit_test(huge_length_does_not_wrap),
        cmocka_unit_test(copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
