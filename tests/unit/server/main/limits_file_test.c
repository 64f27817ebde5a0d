/* Long windows of limits across a restart, by way of the file. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/main/limits_file.h"
#include "support/store_dir.h"
#include "support/test.h"

static struct front_env env;
static struct front *front;
static struct store_dir dir;
static char path[128];

static int setup(void **state)
{
    (void)state;
    env = (struct front_env){.domain = "a.test", .clock = &clock_system, .rng = &rng_system};
    store_dir_make(&dir);
    (void)snprintf(path, sizeof path, "%s/limits", dir.folder);
    assert_ok(keeper_open(NULL, bytes_str("a.test"), &clock_system, &rng_system, &env.keeper));
    assert_ok(front_new(&env, NULL, &front));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    front_free(front);
    keeper_close(env.keeper);
    store_dir_remove(&dir);
    return 0;
}

static unsigned uploads_left(void)
{
    unsigned n = 0;
    while (err_is_ok(
        limit_take(front_limits(front), LIMIT_KEY_PACKAGE_UPLOADS, bytes_str("client"), 1, NULL)))
        n++;
    return n;
}

static void restart(void)
{
    front_free(front);
    assert_ok(front_new(&env, NULL, &front));
}

static void what_was_spent_stays_spent(void **state)
{
    (void)state;
    struct stat info;
    assert_err(limits_file_read(front, path), NOT_FOUND);
    assert_int_equal(uploads_left(), 6);
    assert_ok(limits_file_write(front, path));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    restart();
    assert_ok(limits_file_read(front, path));
    assert_int_equal(uploads_left(), 0);
    assert_ok(limits_file_write(front, path)); /* over the one that is there */
    restart();
    assert_int_equal(uploads_left(), 6); /* without the file */
}

static void damaged_or_foreign(void **state)
{
    (void)state;
    assert_int_equal(uploads_left(), 6);
    assert_ok(limits_file_write(front, path));
    /* another server's keys */
    keeper_close(env.keeper);
    assert_ok(keeper_open(NULL, bytes_str("a.test"), &clock_system, &rng_system, &env.keeper));
    restart();
    assert_err(limits_file_read(front, path), CRYPTO_TAG);
    assert_int_equal(truncate(path, 10), 0);
    assert_err(limits_file_read(front, path), CRYPTO_TAG);
    assert_int_equal(truncate(path, 0), 0);
    assert_err(limits_file_read(front, path), CRYPTO_TAG);
    assert_int_equal(truncate(path, 100000000), 0);
    assert_err(limits_file_read(front, path), TOO_LARGE);
    assert_int_equal(uploads_left(), 6);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_err(limits_file_read(front, path), IO);
    assert_err(limits_file_write(front, "/no/such/folder/limits"), IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_spent_stays_spent, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_or_foreign, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
