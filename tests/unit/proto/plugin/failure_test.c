/* Every allocation of a run fails once in turn: an error, nothing written, nothing leaked (the
 * sanitizer build looks for that), and no run that claims success with less. The linker puts
 * failing_malloc before malloc. */
#include "support/test.h"

#include <stdio.h>

#include "proto/plugin/plugin.h"

void *__real_malloc(size_t len);
void *__wrap_malloc(size_t len);

static size_t left = SIZE_MAX; /* allocations until the one that fails */
static bool failed;

void *__wrap_malloc(size_t len)
{
    if (left != SIZE_MAX && left-- == 0) {
        failed = true;
        left = SIZE_MAX;
        return NULL;
    }
    return __real_malloc(len);
}

static struct buf read_seed(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "tests/fuzz/plugin_input/%s", name);
    struct buf seed = BUF_INIT;
    FILE *in = fopen(path, "rb");
    if (in == NULL)
        fail_msg("no %s: run from the project's root", path);
    seed.len = fread(buf_extend(&seed, 64 * 1024), 1, 64 * 1024, in);
    fclose(in);
    return seed;
}

static void check_seed(const char *name)
{
    struct buf seed = read_seed(name);
    struct buf good = BUF_INIT;
    assert_ok(plugin_run(buf_view(&seed), &good));
    assert_true(good.len > 0);
    size_t runs = 0;
    for (size_t n = 0;; n++) {
        struct buf out = BUF_INIT;
        failed = false;
        left = n;
        struct err err = plugin_run(buf_view(&seed), &out);
        left = SIZE_MAX;
        if (!failed) {
            assert_ok(err);
            buf_clear(&out);
            break;
        }
        runs++;
        if (err_is_ok(err)) /* an allocation it could do without */
            assert_true(bytes_equal(buf_view(&out), buf_view(&good)));
        else if (out.len != 0)
            fail_msg("%s: wrote %zu bytes and failed", name, out.len);
        buf_clear(&out);
    }
    assert_true(runs >=
                5); /* ten times that where arenas give each allocation a malloc of its own */
    buf_clear(&good);
    buf_clear(&seed);
}

static void each_allocation_fails(void **state)
{
    (void)state;
    check_seed("bench");
    check_seed("docs");
    check_seed("rules");
    check_seed("collision");
    check_seed("bad_rules");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
