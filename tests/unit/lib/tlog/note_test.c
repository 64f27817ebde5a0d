/* Signed notes, checkpoints, cosignatures, and a witness's judgement, with keys of our own. */
#include <stdio.h>

#include "kit/tlog/memory_log.h"
#include "support/test.h"
#include "tlog/base64.h"
#include "tlog/witness.h"

static struct sig_key log_key, witness_key;
static struct note_key log_vkey, witness_vkey;

static const char origin[] = "a.example/kt/1";

static struct checkpoint a_checkpoint(uint64_t size)
{
    struct checkpoint c = {.origin = bytes_str(origin), .size = size};
    memset(c.root.data, (int)size, sizeof c.root.data);
    return c;
}

static void sign(struct buf *b, const struct checkpoint *c)
{
    struct buf text = BUF_INIT;
    checkpoint_write(&text, c);
    assert_ok(note_sign(b, buf_view(&text), &log_vkey, &log_key));
    buf_clear(&text);
}

static void test_base64(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) { /* RFC 4648 10 */
        struct buf b = BUF_INIT;
        uint8_t out[16];
        size_t len;
        tlog_base64_write(&b, bytes_str(rows[i][0]));
        test_assert_bytes(buf_view(&b), bytes_str(rows[i][1]));
        assert_ok(tlog_base64_decode(buf_view(&b), out, &len));
        test_assert_bytes(bytes_of(out, len), bytes_str(rows[i][0]));
        buf_clear(&b);
    }
    static const char *const bad[] = {
        "Z", "Zg", "Zg=", "Zg==Zg==", "====", "Z===", "Zm9-", "Zm9 ", "Zm9\n", "Z=9v"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t out[16];
        size_t len;
        assert_err(tlog_base64_decode(bytes_str(bad[i]), out, &len), TLOG_NOTE);
    }
}

static void test_sign_and_verify(void **state)
{
    (void)state;
    struct buf b = BUF_INIT, kept = BUF_INIT, text = BUF_INIT;
    struct checkpoint c = a_checkpoint(12), got;
    struct note note;
    uint64_t time_s = 0;
    sign(&b, &c);
    size_t bare = b.len;
    checkpoint_write(&text, &c);
    assert_ok(note_cosign(&b, buf_view(&text), &witness_vkey, &witness_key, 1234567));
    assert_ok(note_parse(buf_view(&b), &note));
    assert_int_equal(note.line_count, 2);
    assert_ok(note_verify(&note, &log_vkey));
    assert_ok(note_verify_cosignature(&note, &witness_vkey, &time_s));
    assert_int_equal(time_s, 1234567);
    assert_err(note_verify(&note, &witness_vkey), ARGUMENT);
    assert_err(note_verify_cosignature(&note, &log_vkey, &time_s), ARGUMENT);
    assert_ok(checkpoint_open(buf_view(&b), &log_vkey, &got));
    assert_int_equal(got.size, 12);
    assert_memory_equal(got.root.data, c.root.data, 32);
    /* what is kept is what was there before the cosignature */
    assert_ok(checkpoint_keep(&kept, buf_view(&b), &log_vkey));
    test_assert_bytes(buf_view(&kept), bytes_of(b.data, bare));
    /* no byte can be changed */
    for (size_t i = 0; i < bare; i++) {
        for (int bit = 0; bit < 8; bit++) {
            kept.data[i] ^= (uint8_t)(1 << bit);
            /* the bits behind the last base64 character are nobody's */
            if (err_is_ok(checkpoint_open(buf_view(&kept), &log_vkey, &got)))
                assert_true(i == bare - 3 && memcmp(got.root.data, c.root.data, 32) == 0);
            kept.data[i] ^= (uint8_t)(1 << bit);
        }
    }
    for (size_t len = 0; len < bare; len++)
        assert_err(checkpoint_open(bytes_of(kept.data, len), &log_vkey, &got), TLOG_NOTE);
    buf_clear(&text);
    buf_clear(&kept);
    buf_clear(&b);
}

static void test_cosignature_is_of_its_time(void **state)
{
    (void)state;
    struct checkpoint c = a_checkpoint(1);
    struct buf b = BUF_INIT, text = BUF_INIT;
    struct note note;
    uint64_t time_s = 99;
    checkpoint_write(&text, &c);
    sign(&b, &c);
    size_t from = b.len;
    assert_ok(note_cosign(&b, buf_view(&text), &witness_vkey, &witness_key, 5));
    /* em dash, space, name, space; then base64 of id and time: the last of its 12 bytes is 5 */
    size_t at = from + 4 + witness_vkey.name.len + 1 + 15;
    assert_int_equal(b.data[at], 'F');
    b.data[at] = 'G';
    assert_ok(note_parse(buf_view(&b), &note));
    assert_err(note_verify_cosignature(&note, &witness_vkey, &time_s), TLOG_NOTE_SIGNATURE);
    assert_int_equal(time_s, 99);
    buf_clear(&text);
    buf_clear(&b);
}

static void test_keys(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct note_key key;
    note_key_write(&b, &log_vkey);
    assert_ok(note_key_parse(buf_view(&b), &key));
    assert_memory_equal(key.public_key, log_vkey.public_key, 32);
    assert_memory_equal(key.id, log_vkey.id, 4);
    test_assert_bytes(key.name, bytes_str(origin));
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] ^= 1;
        struct err err = note_key_parse(buf_view(&b), &key);
        assert_err(err, TLOG_NOTE); /* the id covers name, type and key */
        b.data[i] ^= 1;
        assert_err(note_key_parse(bytes_of(b.data, i), &key), TLOG_NOTE);
    }
    buf_clear(&b);
    struct bytes public_key = bytes_of(log_vkey.public_key, 32);
    assert_err(note_key_make(bytes_str(""), 1, public_key, &key), TLOG_NOTE);
    assert_err(note_key_make(bytes_str("a b"), 1, public_key, &key), TLOG_NOTE);
    assert_err(note_key_make(bytes_str("a\xc2\xa0"
                                       "b"),
                             1, public_key, &key),
               TLOG_NOTE);
    assert_err(note_key_make(bytes_str("a+b"), 1, public_key, &key), TLOG_NOTE);
    assert_err(note_key_make(bytes_str("a"), 2, public_key, &key), TLOG_NOTE);
    assert_err(note_key_make(bytes_str("a"), 1, bytes_of(log_vkey.public_key, 31), &key),
               TLOG_NOTE);
}

static void test_note_forms(void **state)
{
    (void)state;
    static const struct {
        const char *note;
        const char *want;
    } rows[] = {
        {"text\n\n\xe2\x80\x94 a AAAAAAA=\n", "NONE"},
        {"t\n\nu\n\n\xe2\x80\x94 a AAAAAAA=\n\xe2\x80\x94 b AAAAAAA=\n", "NONE"},
        {"\n\n\xe2\x80\x94 a AAAAAAA=\n", "NONE"},          /* an empty line is text */
        {"text\n\n\xe2\x80\x94 a AAAAAAA=", "TLOG_NOTE"},   /* no newline at the end */
        {"text\n\n\xe2\x80\x94 a AAAAAA==\n", "TLOG_NOTE"}, /* an id alone */
        {"text\n\n\xe2\x80\x94 a  AAAAAAA=\n", "TLOG_NOTE"},
        {"text\n\n\xe2\x80\x94 a AAAAAAA= \n", "TLOG_NOTE"},
        {"text\n\n- a AAAAAAA=\n", "TLOG_NOTE"},
        {"text\n\n\xe2\x80\x94 a+ AAAAAAA=\n", "TLOG_NOTE"},
        {"text\n\n\xe2\x80\x94 AAAAAAA=\n", "TLOG_NOTE"},
        {"text\n\n\xe2\x80\x94 a AAAAAAA=\nmore\n", "TLOG_NOTE"},
        {"text\n\n", "TLOG_NOTE"},
        {"text\n", "TLOG_NOTE"},
        {"", "TLOG_NOTE"},
        {"te\txt\n\n\xe2\x80\x94 a AAAAAAA=\n", "TLOG_NOTE"},
        {"te\rxt\n\n\xe2\x80\x94 a AAAAAAA=\n", "TLOG_NOTE"},
        {"te\xc3\xa9xt\n\n\xe2\x80\x94 a AAAAAAA=\n", "NONE"},
        {"te\xf0\x9f\x94\xa5xt\n\n\xe2\x80\x94 a AAAAAAA=\n", "NONE"},
        {"te\xc3xt\n\n\xe2\x80\x94 a AAAAAAA=\n", "TLOG_NOTE"},
        {"te\xc0\x80xt\n\n\xe2\x80\x94 a AAAAAAA=\n", "TLOG_NOTE"},
        {"te\xe0\x80\x80xt\n\n\xe2\x80\x94 a AAAAAAA=\n", "TLOG_NOTE"},
        {"te\xed\xa0\x80xt\n\n\xe2\x80\x94 a AAAAAAA=\n", "TLOG_NOTE"},
        {"te\xf4\x90\x80\x80xt\n\n\xe2\x80\x94 a AAAAAAA=\n", "TLOG_NOTE"},
        {"te\xf5\x80\x80\x80xt\n\n\xe2\x80\x94 a AAAAAAA=\n", "TLOG_NOTE"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct note note;
        struct err err = note_parse(bytes_str(rows[i].note), &note);
        if (strcmp(err_name(err), rows[i].want) != 0)
            fail_msg("row %zu: %s", i, err_name(err));
    }
    struct buf b = BUF_INIT;
    struct note note;
    buf_append(&b, "t\n\n", 3);
    for (int i = 0; i < NOTE_LINES_MAX; i++)
        buf_append(&b, "\xe2\x80\x94 a AAAAAAA=\n", 15);
    assert_ok(note_parse(buf_view(&b), &note));
    buf_append(&b, "\xe2\x80\x94 a AAAAAAA=\n", 15);
    assert_err(note_parse(buf_view(&b), &note), WIRE_LIMIT);
    buf_reset_unwiped(&b);
    memset(buf_extend(&b, NOTE_MAX_BYTES + 1), 'a', NOTE_MAX_BYTES + 1);
    assert_err(note_parse(buf_view(&b), &note), WIRE_LIMIT);
    buf_clear(&b);
}

static void test_checkpoint_forms(void **state)
{
    (void)state;
#define ROOT "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {
        {"o\n0\n" ROOT, true},
        {"o\n4611686018427387903\n" ROOT, true},
        {"o\n4611686018427387904\n" ROOT, false},
        {"o\n99999999999999999999\n" ROOT, false},
        {"o\n01\n" ROOT, false},
        {"o\n\n" ROOT, false},
        {"o\n-1\n" ROOT, false},
        {"\n1\n" ROOT, false},
        {"o\n1\nAAAA\n", false},
        {"o\n1\n" ROOT "ext\n", true},
        {"o\n1\n" ROOT "\n", false},
        {"o\n1\n" ROOT "ext", false},
        {"o\n1\n", false},
        {"o\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct checkpoint c;
        if (err_is_ok(checkpoint_parse(bytes_str(rows[i].text), &c)) != rows[i].ok)
            fail_msg("row %zu", i);
        if (!rows[i].ok)
            continue;
        struct buf b = BUF_INIT;
        checkpoint_write(&b, &c);
        test_assert_bytes(buf_view(&b), bytes_str(rows[i].text));
        buf_clear(&b);
    }
    /* ours have no extensions, and their own name */
    struct checkpoint c = a_checkpoint(3), got;
    struct buf b = BUF_INIT;
    c.extensions = bytes_str("more\n");
    sign(&b, &c);
    assert_err(checkpoint_open(buf_view(&b), &log_vkey, &got), TLOG_CHECKPOINT);
    buf_clear(&b);
    c = a_checkpoint(3);
    c.origin = bytes_str("b.example/kt/1");
    sign(&b, &c);
    assert_err(checkpoint_open(buf_view(&b), &log_vkey, &got), TLOG_CHECKPOINT);
    buf_clear(&b);
}

/* A log that grows, and its witness. */
static int ask(uint64_t old, uint64_t size, const struct log_store *store,
               const struct hash_value *root, struct witness_state *state)
{
    static struct witness_request request;
    struct buf b = BUF_INIT;
    struct log_proof proof = {.count = 0};
    char head[32];
    struct witness_state next = *state;
    if (old <= size)
        assert_ok(log_prove_consistency(store, old, size, &proof));
    buf_append(&b, head,
               (size_t)snprintf(head, sizeof head, "old %llu\n", (unsigned long long)old));
    for (size_t i = 0; i < proof.count; i++) {
        tlog_base64_write(&b, hash_value_view(&proof.at[i]));
        buf_append_byte(&b, '\n');
    }
    buf_append_byte(&b, '\n');
    struct checkpoint c = {.origin = bytes_str(origin), .size = size, .root = *root};
    sign(&b, &c);
    assert_ok(witness_request_parse(buf_view(&b), &request));
    int status = witness_judge(&request, &log_vkey, state, &next);
    if (status == 200)
        *state = next;
    else
        assert_memory_equal(&next, state, sizeof next);
    buf_clear(&b);
    return status;
}

static void test_witness(void **state)
{
    (void)state;
    struct memory_log memory = {0};
    struct log_store store = memory_log_store(&memory);
    struct hash_value roots[20], leaf, other = {{1}};
    for (uint8_t i = 0; i < 19; i++) {
        log_leaf_hash(bytes_of(&i, 1), &leaf);
        assert_ok(log_append(&store, i, &leaf));
        assert_ok(log_root(&store, i + 1u, &roots[i + 1]));
    }
    struct witness_state witness = {0};
    assert_int_equal(ask(0, 3, &store, &roots[3], &witness), 200);
    assert_int_equal(ask(0, 5, &store, &roots[5], &witness), 409);
    assert_int_equal(ask(3, 7, &store, &roots[8], &witness), 422);
    assert_int_equal(ask(3, 7, &store, &roots[7], &witness), 200);
    assert_int_equal(ask(7, 7, &store, &roots[7], &witness), 200);
    assert_int_equal(ask(7, 7, &store, &other, &witness), 409);
    assert_int_equal(ask(8, 7, &store, &roots[7], &witness), 400);
    assert_int_equal(ask(7, 19, &store, &roots[19], &witness), 200);
    assert_int_equal(ask(7, 12, &store, &roots[12], &witness), 409);
    assert_int_equal(witness.size, 19);
    memory_log_clear(&memory);
}

static void test_witness_forms(void **state)
{
    (void)state;
#define HASH "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
#define NOTE "o\n1\n" HASH "\n\xe2\x80\x94 a AAAAAAA=\n"
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {
        {"old 0\n\n" NOTE, true},
        {"old 1\n" HASH "\n" NOTE, true},
        {"old 01\n\n" NOTE, false},
        {"old -1\n\n" NOTE, false},
        {"old \n\n" NOTE, false},
        {"new 0\n\n" NOTE, false},
        {"old 1\nAAAA\n\n" NOTE, false},
        {"old 1\n" HASH NOTE, false},
        {"old 0\n", false},
        {"old 0", false},
        {"", false},
        {"old 0\n\ntext\n\n\xe2\x80\x94 a AAAAAAA=\n", false},
    };
    static struct witness_request request;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (err_is_ok(witness_request_parse(bytes_str(rows[i].text), &request)) != rows[i].ok)
            fail_msg("row %zu", i);
    }
    struct buf b = BUF_INIT;
    buf_append(&b, "old 9\n", 6);
    for (int i = 0; i <= WITNESS_PROOF_MAX; i++)
        buf_append(&b, HASH, 45);
    buf_append(&b, "\n" NOTE, sizeof "\n" NOTE - 1);
    assert_err(witness_request_parse(buf_view(&b), &request), TLOG_CHECKPOINT);
    memset(buf_extend(&b, NOTE_MAX_BYTES), 'a', NOTE_MAX_BYTES);
    assert_err(witness_request_parse(buf_view(&b), &request), WIRE_LIMIT);
    buf_clear(&b);
}

int main(void)
{
    static const uint8_t seed1[32] = {1}, seed2[32] = {2};
    if (!err_is_ok(sig_key_init(&sig_ed25519, bytes_of(seed1, 32), &log_key)) ||
        !err_is_ok(sig_key_init(&sig_ed25519, bytes_of(seed2, 32), &witness_key)) ||
        !err_is_ok(note_key_make(bytes_str(origin), NOTE_ED25519,
                                 public_key_view(&log_key.public_key), &log_vkey)) ||
        !err_is_ok(note_key_make(bytes_str("w.example/w"), NOTE_COSIGNATURE,
                                 public_key_view(&witness_key.public_key), &witness_vkey)))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_sign_and_verify),
        cmocka_unit_test(test_cosignature_is_of_its_time),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_note_forms),
        cmocka_unit_test(test_checkpoint_forms),
        cmocka_unit_test(test_witness),
        cmocka_unit_test(test_witness_forms),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sig_key_clear(&log_key);
    sig_key_clear(&witness_key);
    return failed;
}
