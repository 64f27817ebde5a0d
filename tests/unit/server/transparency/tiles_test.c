/* Paths of tlog-tiles: which are one, and nothing else is. */
#include "server/transparency/inside.h"
#include "support/test.h"

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        unsigned level;
        bool entries;
        uint64_t index;
        unsigned width;
    } good[] = {
        {"tile/0/000", 0, false, 0, 256},
        {"tile/3/067.p/1", 3, false, 67, 1},
        {"tile/63/x001/234.p/255", 63, false, 1234, 255},
        {"tile/entries/x001/x234/067", 0, true, 1234067, 256},
        {"tile/entries/x001/x000/x000/000.p/9", 0, true, UINT64_C(1000000000), 9},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct kt_tile t;
        assert_true(kt_tile_parse(good[i].path, &t));
        assert_int_equal(t.level, good[i].level);
        assert_int_equal(t.entries, good[i].entries);
        assert_int_equal(t.index, good[i].index);
        assert_int_equal(t.width, good[i].width);
    }
}

static void test_other_paths(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/ 1/000",
        "tile/0/000/",
        "tile/0/x000/001",
        "tile/0/x001",
        "tile/0/x001/x002",
        "tile/0/001/002",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/4294967297",
        "tile/0/000.p/1/",
        "tile/0/000.p/1x",
        "tile/4294967296/000",
        "tile/entries",
        "tile/entries/0/000",
        "tile/data/000",
        "tile/0/00a",
        "tile/0/x001/x001/x001/x001/001",
        "/tile/0/000",
        "checkpoint",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct kt_tile t;
        if (kt_tile_parse(bad[i], &t))
            fail_msg("%s is none", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_paths),
                                       cmocka_unit_test(test_other_paths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
