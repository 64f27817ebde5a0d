/* Token keys of a keeper: the same after a restart and in both forms, for three days and no longer,
 * also for who reads the key file. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "pass/key_schedule.h"
#include "server/keeper/keeper.h"
#include "support/test.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { DAY = 20780, DAY_MS = 86400000 };
#define DOMAIN bytes_str("a.example")

static struct clock_fake fake;
static struct clock wall;
static struct rng_seeded seeded;
static struct rng rng;
static char folder[64], path[96];
static struct keeper *k;

static void set_day(uint64_t day)
{
    fake.unix_base_ms = day * DAY_MS + 1;
}

static void open_again(void)
{
    keeper_close(k);
    k = NULL;
    assert_ok(keeper_open(path, DOMAIN, &wall, &rng, &k));
}

static int set_up(void **state)
{
    (void)state;
    wall = clock_of_fake(&fake);
    set_day(DAY);
    rng_seeded_init(&seeded, 1);
    rng = rng_of_seeded(&seeded);
    strcpy(folder, "/tmp/hearth-tokens-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/keys", folder);
    assert_ok(keeper_init(path, DOMAIN, &wall, &rng));
    open_again();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    keeper_close(k);
    k = NULL;
    (void)unlink(path);
    return rmdir(folder);
}

static struct buf read_file(void)
{
    struct buf b = BUF_INIT;
    uint8_t data[8192];
    int fd = open(path, O_RDONLY);
    ssize_t len = read(fd, data, sizeof data);
    close(fd);
    assert_true(len > 68);
    buf_append(&b, data, (size_t)len);
    return b;
}

/* Where the file has the master: before the digest. */
static struct pass_master master_in_file(void)
{
    struct buf b = read_file();
    struct pass_master m;
    struct wire_reader r = wire_reader_of(bytes_of(b.data + b.len - 68, 36));
    m.period = wire_read_u32(&r);
    memcpy(m.secret, wire_read_fixed(&r, 32).data, 32);
    buf_clear(&b);
    return m;
}

static void keys_of_days(void **state)
{
    (void)state;
    uint8_t private_key[32], public_key[32], again[32];
    struct voprf_key key;
    for (uint32_t day = DAY - 1; day <= DAY + 1; day++)
        for (uint8_t class = 1; class < PASS_CLASS_END; class ++) {
            assert_ok(keeper_token_key(k, class, day, private_key));
            assert_ok(keeper_token_public(k, class, day, public_key));
            assert_ok(voprf_key_init(private_key, &key));
            assert_memory_equal(key.public_key, public_key, 32);
        }
    assert_err(keeper_token_key(k, 1, DAY - 2, private_key), PASS_KEY);
    assert_err(keeper_token_key(k, 1, DAY + 2, private_key), PASS_KEY);
    assert_err(keeper_token_key(k, 1, UINT32_MAX, private_key), PASS_KEY);
    assert_err(keeper_token_key(k, 0, DAY, private_key), ARGUMENT);
    assert_err(keeper_token_key(k, PASS_CLASS_END, DAY, private_key), ARGUMENT);
    assert_ok(keeper_token_public(k, 1, DAY + 10, public_key));
    assert_err(keeper_token_public(k, 1, DAY + 11, again), PASS_KEY);
    assert_err(keeper_token_public(k, 1, DAY - 2, again), PASS_KEY);
    /* what was published ahead is what comes */
    open_again();
    set_day(DAY + 10);
    assert_ok(keeper_token_key(k, 1, DAY + 10, private_key));
    assert_ok(voprf_key_init(private_key, &key));
    assert_memory_equal(key.public_key, public_key, 32);
}

/* On day n the keys of day n - 2 are gone: for the keeper, and for who copies its file. */
static void days_gone_are_gone(void **state)
{
    (void)state;
    uint8_t yesterday[32], again[32];
    assert_ok(keeper_token_key(k, 2, DAY - 1, yesterday));
    struct pass_master before = master_in_file();
    assert_int_equal(before.period, DAY - 1);
    set_day(DAY + 1);
    assert_err(keeper_token_key(k, 2, DAY - 1, again), PASS_KEY);
    assert_ok(keeper_token_key(k, 2, DAY, again)); /* this moves it on */
    struct pass_master after = master_in_file();
    assert_int_equal(after.period, DAY);
    assert_memory_not_equal(after.secret, before.secret, 32);
    /* the clock goes back: what is gone stays gone, the rest goes on */
    set_day(DAY);
    assert_err(keeper_token_key(k, 2, DAY - 1, again), PASS_KEY);
    assert_ok(keeper_token_key(k, 2, DAY, again));
    open_again();
    assert_err(keeper_token_key(k, 2, DAY - 1, again), PASS_KEY);
    assert_int_equal(master_in_file().period, DAY);
}

/* Where the file can't be written the keys of today are served all the same. */
static void serves_on_without_its_file(void **state)
{
    (void)state;
    char blocker[128];
    uint8_t now[32], later[32];
    snprintf(blocker, sizeof blocker, "%s.new", path);
    assert_int_equal(mkdir(blocker, 0700), 0);
    set_day(DAY + 5);
    assert_ok(keeper_token_key(k, 3, DAY + 5, now));
    assert_int_equal(master_in_file().period, DAY - 1);
    assert_int_equal(rmdir(blocker), 0);
    assert_ok(keeper_token_key(k, 3, DAY + 5, later));
    assert_int_equal(master_in_file().period, DAY + 4);
    assert_memory_equal(now, later, 32);
}

/* A file of version 2 has no master: one is made, written, and stays. */
/* The sixth signing key, behind magic, version, domain, master and a length of two bytes. */
static void without_witness(struct buf *b)
{
    enum { BEFORE = 8 + 1 + 1, MASTER = 32, SIGNERS = 5 * 32, WITNESS = 32 };
    const size_t at = BEFORE + b->data[9] + MASTER;
    assert_int_equal(b->data[at], 0x40);
    assert_int_equal(b->data[at + 1], SIGNERS + WITNESS);
    b->data[at + 1] = SIGNERS;
    const size_t end = at + 2 + SIGNERS + WITNESS;
    memmove(b->data + end - WITNESS, b->data + end, b->len - end);
    b->len -= WITNESS;
}

static void files_of_version_2_are_taken_over(void **state)
{
    (void)state;
    struct digest digest;
    uint8_t was[32], is[32];
    struct buf b = read_file();
    assert_int_equal(b.data[8], 4);
    b.data[8] = 2;
    b.len -= 68; /* the master of tokens, and the digest */
    without_witness(&b);
    hash_list(&hash_sha256, BYTES_LIST(bytes_str("Hearth 1 KeyFile"), buf_view(&b)), &digest);
    wire_write_fixed(&b, digest_view(&digest));
    assert_int_equal(unlink(path), 0);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0400);
    assert_int_equal(write(fd, b.data, b.len), b.len);
    close(fd);
    buf_clear(&b);
    open_again();
    assert_int_equal(master_in_file().period, DAY - 1);
    assert_ok(keeper_token_key(k, 1, DAY, was));
    open_again();
    assert_ok(keeper_token_key(k, 1, DAY, is));
    assert_memory_equal(was, is, 32);
}

/* The confined process can do what moving on takes. It has the machine's clock. */
static void in_a_process_of_its_own(void **state)
{
    (void)state;
    struct keeper *far = NULL;
    const uint32_t today = (uint32_t)(time(NULL) / 86400);
    uint8_t there[32], here[32];
    keeper_close(k);
    k = NULL;
    assert_ok(keeper_spawn(path, DOMAIN, &far));
    assert_ok(keeper_token_key(far, 4, today, there));
    assert_err(keeper_token_key(far, 4, today - 10, here), PASS_KEY);
    assert_err(keeper_token_key(far, 9, today, here), ARGUMENT);
    assert_true(master_in_file().period >= today - 1);
    set_day(today);
    open_again();
    assert_ok(keeper_token_key(k, 4, today, here));
    assert_memory_equal(here, there, 32);
    assert_ok(keeper_token_public(k, 4, today + 3, here));
    assert_ok(keeper_token_public(far, 4, today + 3, there));
    assert_memory_equal(here, there, 32);
    keeper_close(far);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_of_days, set_up, tear_down),
        cmocka_unit_test_setup_teardown(days_gone_are_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(serves_on_without_its_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_of_version_2_are_taken_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(in_a_process_of_its_own, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
