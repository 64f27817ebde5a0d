/* Files: pieces, and whole ones from one person to another, across kills. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/core/file.h"
#include "unit/client/core/friends.h"

static char folder[] = "/tmp/hearth-files-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[2][128];
    static int turn;
    turn = !turn;
    (void)snprintf(path[turn], sizeof path[0], "%s/%s", folder, name);
    return path[turn];
}

/* Bytes that follow from the place. */
static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 2654435761U >> 13);
}

static void make_file(const char *name, size_t bytes)
{
    FILE *f = fopen(path_of(name), "wb");
    assert_non_null(f);
    for (size_t i = 0; i < bytes; i++)
        (void)fputc(byte_at(i), f);
    assert_int_equal(fclose(f), 0);
}

static void assert_file(const char *name, size_t bytes)
{
    FILE *f = fopen(path_of(name), "rb");
    assert_non_null(f);
    for (size_t i = 0; i < bytes; i++)
        if (fgetc(f) != byte_at(i))
            fail_msg("%s differs at %zu", name, i);
    assert_int_equal(fgetc(f), EOF);
    assert_int_equal(fclose(f), 0);
    unlink(path_of(name));
}

/* ---- pieces */

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(file_blob_bytes(0), 4096);
    assert_int_equal(file_blob_bytes(4080), 4096);
    assert_true(file_blob_bytes(4081) > 4096);
    assert_int_equal(file_blob_bytes((uint64_t)FILE_BLOB_MAX_BYTES + 1), 0);
    for (uint64_t n = 0; n < 70000000; n = n * 5 / 4 + 997) {
        uint64_t blob = file_blob_bytes(n);
        assert_true(file_plain_bytes(blob) >= n);
        assert_true(blob <= 4096 || blob < (n + 16 * file_pieces(blob)) * 9 / 8 + 64);
        uint64_t sum = 0;
        for (uint64_t i = 0; i < file_pieces(blob); i++) {
            assert_true(file_piece_bytes(blob, i) > AEAD_TAG_BYTES);
            sum += file_piece_bytes(blob, i);
        }
        assert_int_equal(sum, blob);
        assert_int_equal(file_piece_bytes(blob, file_pieces(blob)), 0);
    }
}

static void test_pieces(void **state)
{
    static uint8_t plain[FILE_PIECE_BYTES], piece[FILE_PIECE_BYTES], out[FILE_PIECE_BYTES];
    const uint8_t key[FILE_KEY_BYTES] = {1}, other[FILE_KEY_BYTES] = {2};
    const uint64_t blob = 2 * FILE_PIECE_BYTES;
    struct bytes view = bytes_of(plain, FILE_PIECE_PLAIN_BYTES);
    (void)state;
    memset(plain, 7, sizeof plain);
    assert_ok(file_piece_seal(key, blob, 0, view, piece));
    struct bytes sealed = bytes_of(piece, FILE_PIECE_BYTES);
    assert_ok(file_piece_open(key, blob, 0, sealed, out));
    assert_memory_equal(out, plain, FILE_PIECE_PLAIN_BYTES);
    /* neither at another place, nor of another blob, nor the last, nor under another key */
    assert_err(file_piece_open(key, blob, 1, sealed, out), CRYPTO_TAG);
    assert_err(file_piece_open(key, FILE_PIECE_BYTES, 0, sealed, out), CRYPTO_TAG);
    assert_err(file_piece_open(key, 2 * blob, 0, sealed, out), CRYPTO_TAG);
    assert_err(file_piece_open(other, blob, 0, sealed, out), CRYPTO_TAG);
    assert_err(file_piece_open(key, blob, 0, bytes_of(piece, 100), out), CRYPTO_TAG);
    assert_err(file_piece_seal(key, blob, 0, bytes_of(plain, 5), piece), ARGUMENT);
}

/* ---- people */

static void send_and_get(struct pair *p, const char *name, size_t bytes, uint64_t kill_sender,
                         uint64_t kill_getter)
{
    make_file(name, bytes);
    if (kill_sender > 0)
        person_kill_at(p->alice, kill_sender);
    done(p->alice, hearth_file_send(&p->alice->account, &p->alice_chat, path_of(name)));
    person_settle(p->alice);
    person_alive(p->alice);
    person_kill_at(p->alice, 0);
    person_settle(p->alice);
    uint64_t number = hears(p->bob, &p->bob_chat, name);
    if (kill_getter > 0)
        person_kill_at(p->bob, kill_getter);
    done(p->bob, hearth_file_get(&p->bob->account, &p->bob_chat, number, path_of("got")));
    person_settle(p->bob);
    person_alive(p->bob);
    person_kill_at(p->bob, 0);
    person_settle(p->bob);
    assert_file("got", bytes);
    unlink(path_of(name));
}

static void test_sent(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 11);
    befriend(&p);
    send_and_get(&p, "empty", 0, 0, 0);
    send_and_get(&p, "small", 10, 0, 0);
    send_and_get(&p, "edge", FILE_PIECE_PLAIN_BYTES, 0, 0);
    send_and_get(&p, "large", 3 << 20, 0, 0);
    people_close(&p.all);
}

static void test_killed(void **state)
{
    static struct pair p;
    char name[16];
    (void)state;
    pair_init(&p, 12);
    befriend(&p);
    for (unsigned at = 1; at < 9; at++) {
        (void)snprintf(name, sizeof name, "file%u", at);
        send_and_get(&p, name, 200000, at, at);
    }
    people_close(&p.all);
}

/* A part from an earlier life is gone on from; what stands in the way is left alone. */
static void test_resumed(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 13);
    befriend(&p);
    make_file("long", 1 << 20);
    done(p.alice, hearth_file_send(&p.alice->account, &p.alice_chat, path_of("long")));
    person_settle(p.alice);
    uint64_t number = hears(p.bob, &p.bob_chat, "long");
    struct hearth_op *op = hearth_file_get(&p.bob->account, &p.bob_chat, number, path_of("got"));
    assert_non_null(op);
    for (int i = 0; i < 200 && town_step(p.all.town); i++)
        ;
    person_kill(p.bob);
    person_start(p.bob);
    person_settle(p.bob);
    assert_file("got", 1 << 20);
    unlink(path_of("long"));
    make_file("got", 5);
    assert_null(hearth_file_get(&p.bob->account, &p.bob_chat, number, path_of("got")));
    assert_file("got", 5);
    people_close(&p.all);
}

static void test_not_a_file(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 14);
    befriend(&p);
    assert_null(hearth_file_send(&p.alice->account, &p.alice_chat, path_of("missing")));
    assert_null(hearth_file_send(&p.alice->account, &p.alice_chat, folder));
    assert_null(hearth_file_get(&p.bob->account, &p.bob_chat, 1000, path_of("got")));
    people_close(&p.all);
}

static int tidy(void **state)
{
    (void)state;
    return rmdir(folder); /* nothing is left behind */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),   cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_sent),    cmocka_unit_test(test_killed),
        cmocka_unit_test(test_resumed), cmocka_unit_test(test_not_a_file),
    };
    if (mkdtemp(folder) == NULL)
        return 1;
    return cmocka_run_group_tests(tests, NULL, tidy);
}
