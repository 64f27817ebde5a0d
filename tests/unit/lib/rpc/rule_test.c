#include "support/test.h"

#include <stdio.h>

#include "hearth/rpc.h"

/* A path grows outwards; an index binds to its field and to what follows by a dot. */
static void paths_grow_outwards(void **state)
{
    (void)state;
    struct hearth_broken_rule broken;
    assert_false(hearth_rule_break(&broken, "group_id", "must be 16 bytes"));
    assert_string_equal(broken.path, "group_id");
    assert_false(hearth_rule_at(&broken, "members", 3));
    assert_false(hearth_rule_in(&broken, "commit"));
    assert_string_equal(broken.path, "commit.members[3].group_id");
    assert_string_equal(broken.text, "must be 16 bytes");
    /* an element of a repeated scalar has no name of its own */
    hearth_rule_break(&broken, "", "must be at least 1");
    hearth_rule_at(&broken, "sizes", 0);
    assert_string_equal(broken.path, "sizes[0]");
}

/* Whatever the lengths, the path stays terminated and its inner end is kept. */
static void long_paths_lose_their_front(void **state)
{
    (void)state;
    for (size_t len = 1; len < 200; len++) {
        char field[200];
        memset(field, 'f', len);
        field[len] = '\0';
        struct hearth_broken_rule broken;
        hearth_rule_break(&broken, "id", "x");
        for (size_t i = 0; i < 5; i++) {
            hearth_rule_in(&broken, field);
            hearth_rule_at(&broken, field, i);
            size_t got = strlen(broken.path);
            assert_true(got < sizeof broken.path);
            assert_string_equal(broken.path + got - 3, ".id");
        }
    }
    struct hearth_broken_rule broken;
    hearth_rule_break(&broken, "id", "x");
    for (size_t i = 0; i < 60; i++)
        hearth_rule_in(&broken, "abc");
    assert_memory_equal(broken.path, "...", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_grow_outwards),
        cmocka_unit_test(long_paths_lose_their_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
