#include "support/test.h"

#include "seal/key_set.h"
#include "wire/writer.h"

enum { KEYS = 6, RECOVERY = 5 };

static struct sig_key keys[KEYS];
static const char *const names[KEYS] = {"c0", "c1", "c2", "c3", "c4", ""};
static const uint8_t commitment[32] = {1};

/* A set of the clients in `which` (a string of digits, in order); the first authorises. */
static struct key_set set_of(uint32_t version, const char *which)
{
    struct key_set set = {
        .label = bytes_str("\x01user"), .version = version, .created_ms = 1000 + version};
    if (version > 0)
        set.prev_commitment = bytes_of(commitment, 32);
    for (; *which != 0; which++) {
        struct client_key *client = &set.clients[set.client_count];
        int i = *which - '0';
        *client =
            (struct client_key){bytes_str(names[i]), 0x0807, public_key_view(&keys[i].public_key),
                                5, set.client_count == 0 ? KEY_SET_AUTHORISES : 0};
        set.client_count++;
    }
    return set;
}

/* Signed by the keys in `signers` as the names in `as`. */
static struct err sign_as(struct buf *b, const struct key_set *fields, const char *signers,
                          const char *as)
{
    const struct sig_key *by[16];
    struct bytes ids[16];
    size_t count = strlen(signers);
    for (size_t i = 0; i < count; i++) {
        by[i] = &keys[signers[i] - '0'];
        ids[i] = bytes_str(names[as[i] - '0']);
    }
    return key_set_make(b, fields, by, ids, count);
}

static struct err try_as(const struct key_set *fields, const char *signers, const char *as,
                         const struct key_set *before)
{
    struct buf b = BUF_INIT;
    struct key_set set;
    assert_ok(sign_as(&b, fields, signers, as));
    assert_ok(key_set_parse(buf_view(&b), &set));
    struct err err = key_set_verify(&set, before);
    buf_clear(&b);
    return err;
}

static struct err try(const struct key_set *fields, const char *signers,
                      const struct key_set *before)
{
    return try_as(fields, signers, signers, before);
}

/* The encoding by hand, as transparency.md 4 has it. */
static void test_bytes(void **state)
{
    (void)state;
    struct buf b = BUF_INIT, want = BUF_INIT;
    struct key_set set, fields = set_of(3, "02");
    fields.recovery_key = public_key_view(&keys[RECOVERY].public_key);
    fields.reset = true;
    assert_ok(sign_as(&b, &fields, "2", "2"));
    buf_append(&want, "\x01\x05\x01user\x00\x00\x00\x03\x20", 12);
    buf_append(&want, commitment, 32);
    buf_append(&want, "\x00\x00\x00\x00\x00\x00\x03\xeb\x01\x00\x02", 11);
    for (int i = 0; i < 2; i++) {
        buf_append(&want,
                   i == 0 ? "\x02"
                            "c0"
                          : "\x02"
                            "c2",
                   3);
        buf_append(&want, "\x08\x07\x00\x20", 4);
        buf_append_bytes(&want, public_key_view(&keys[2 * i].public_key));
        buf_append(&want, "\x00\x00\x00\x00\x00\x00\x00\x05", 8);
        buf_append_byte(&want, i == 0);
    }
    buf_append_byte(&want, 32);
    buf_append_bytes(&want, fields.recovery_key);
    assert_ok(key_set_parse(buf_view(&b), &set));
    test_assert_bytes(set.tbs, buf_view(&want));
    struct buf content = BUF_INIT;
    buf_append(&content, "KTL KeySet 1\0", 13);
    buf_append_bytes(&content, buf_view(&want));
    assert_int_equal(set.sig_count, 1);
    assert_ok(sig_verify(&sig_ed25519, public_key_view(&keys[2].public_key), buf_view(&content),
                         set.sigs[0].signature));
    buf_append(&want,
               "\x01\x02"
               "c2\x00\x40",
               6);
    buf_append_bytes(&want, set.sigs[0].signature);
    test_assert_bytes(buf_view(&b), buf_view(&want));
    assert_int_equal(set.version, 3);
    assert_true(set.reset);
    assert_int_equal(set.client_count, 2);
    assert_ptr_equal(key_set_find(&set, bytes_str("c2")), &set.clients[1]);
    assert_null(key_set_find(&set, bytes_str("c1")));
    buf_clear(&content);
    buf_clear(&want);
    buf_clear(&b);
}

static void test_first(void **state)
{
    (void)state;
    struct key_set fields = set_of(0, "01");
    assert_ok(try(&fields, "01", NULL));
    assert_err(try(&fields, "0", NULL), KEY_SET); /* 1 has not shown its key */
    assert_err(try(&fields, "", NULL), KEY_SET);
    assert_err(try(&fields, "012", NULL), KEY_SET); /* 2 is not in it */
    assert_err(try_as(&fields, "02", "01", NULL), CRYPTO_SIGNATURE);
    fields.version = 1;
    assert_err(try(&fields, "01", NULL), KEY_SET);
    fields = set_of(0, "01");
    fields.prev_commitment = bytes_of(commitment, 32);
    assert_err(try(&fields, "01", NULL), KEY_SET);
}

/* MitM3: nobody joins a set but by an authorising client of the version before. */
static void test_mitm3_additions(void **state)
{
    (void)state;
    struct key_set before = set_of(4, "01"), fields = set_of(5, "012");
    assert_ok(try(&fields, "02", &before));
    assert_err(try(&fields, "2", &before), KEY_SET);  /* itself alone */
    assert_err(try(&fields, "12", &before), KEY_SET); /* 1 may not authorise */
    assert_err(try(&fields, "0", &before), KEY_SET);  /* without having the key */
    assert_err(try_as(&fields, "32", "02", &before), CRYPTO_SIGNATURE);
    /* one that would authorise itself */
    fields.clients[2].flags = KEY_SET_AUTHORISES;
    assert_err(try(&fields, "2", &before), KEY_SET);
    /* a loud reset is for contacts to see */
    fields = set_of(5, "2");
    fields.reset = true;
    assert_ok(try(&fields, "2", &before));
    assert_err(try(&fields, "", &before), KEY_SET);
}

static void test_order(void **state)
{
    (void)state;
    struct key_set before = set_of(4, "01"), fields = set_of(5, "01");
    assert_ok(try(&fields, "0", &before));
    fields.version = 6;
    assert_err(try(&fields, "0", &before), KEY_SET);
    fields.version = 4;
    assert_err(try(&fields, "0", &before), KEY_SET);
    fields = set_of(5, "01");
    fields.label = bytes_str("\x01other");
    assert_err(try(&fields, "0", &before), KEY_SET);
    fields = set_of(5, "01");
    fields.prev_commitment.len = 0;
    assert_err(try(&fields, "0", &before), KEY_SET);
    before.version = UINT32_MAX;
    fields = set_of(0, "01");
    assert_err(try(&fields, "0", &before), KEY_SET);
}

static void test_removal_and_change(void **state)
{
    (void)state;
    struct key_set before = set_of(4, "01"), fields = set_of(5, "1");
    assert_ok(try(&fields, "0", &before)); /* takes itself out */
    assert_err(try(&fields, "1", &before), KEY_SET);
    assert_err(try(&fields, "", &before), KEY_SET);
    /* client 1 changes its key to that of 3: signs with the new one, 0 authorises */
    fields = set_of(5, "01");
    fields.clients[1].public_key = public_key_view(&keys[3].public_key);
    assert_ok(try_as(&fields, "03", "01", &before));
    assert_err(try_as(&fields, "01", "01", &before), KEY_SET); /* old key only */
    assert_ok(try_as(&fields, "013", "011", &before));
    /* client 0 changes its own: both keys */
    fields = set_of(5, "01");
    fields.clients[0].public_key = public_key_view(&keys[3].public_key);
    assert_ok(try_as(&fields, "03", "00", &before));
    assert_err(try_as(&fields, "3", "0", &before), KEY_SET);
    assert_err(try_as(&fields, "0", "0", &before), KEY_SET);
}

/* By who lacks the version before: possession of each key, and nothing else. */
static void test_alone(void **state)
{
    (void)state;
    static const struct {
        uint32_t version;
        bool reset;
        const char *signers;
        bool good;
    } rows[] = {
        {4, false, "01", true}, /* key 0 is the new one, key 1 the one before, both as "c0" */
        {4, false, "10", true},  {4, false, "0", true},  {4, false, "1", false},
        {4, false, "12", false}, {0, false, "0", false}, {4, true, "0", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b = BUF_INIT;
        struct key_set set, fields = set_of(rows[i].version, "0");
        fields.reset = rows[i].reset;
        assert_ok(sign_as(&b, &fields, rows[i].signers, "00"));
        assert_ok(key_set_parse(buf_view(&b), &set));
        if (rows[i].good)
            assert_ok(key_set_verify_alone(&set));
        else
            assert_err(key_set_verify_alone(&set), KEY_SET);
        buf_clear(&b);
    }
}

static void test_recovery(void **state)
{
    (void)state;
    struct key_set before = set_of(4, "01"), fields = set_of(5, "2");
    assert_err(try(&fields, "25", &before), KEY_SET); /* there is no recovery key */
    before.recovery_key = public_key_view(&keys[RECOVERY].public_key);
    assert_ok(try(&fields, "25", &before));
    assert_err(try_as(&fields, "24", "25", &before), CRYPTO_SIGNATURE);
    /* a new recovery key authorises nothing */
    before.recovery_key.len = 0;
    fields.recovery_key = public_key_view(&keys[RECOVERY].public_key);
    assert_err(try(&fields, "25", &before), KEY_SET);
    fields.reset = true;
    assert_ok(try(&fields, "25", &before));
    assert_err(try_as(&fields, "24", "25", &before), CRYPTO_SIGNATURE);
}

static void test_forms(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct key_set set, fields = set_of(0, "012");
    assert_ok(sign_as(&b, &fields, "012", "012"));
    for (size_t len = 0; len < b.len; len++)
        assert_err(key_set_parse(bytes_of(b.data, len), &set), WIRE_SHORT);
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] ^= 0x40;
        struct err err = key_set_parse(buf_view(&b), &set);
        if (err_is_ok(err))
            err = key_set_verify(&set, NULL);
        assert_false(err_is_ok(err));
        b.data[i] ^= 0x40;
    }
    buf_append_byte(&b, 0);
    assert_err(key_set_parse(buf_view(&b), &set), WIRE_TRAILING);
    buf_clear(&b);

#define REFUSED(change, name)                         \
    fields = set_of(0, "012");                        \
    change;                                           \
    assert_err(sign_as(&b, &fields, "0", "0"), name); \
    assert_int_equal(b.len, 0)
    REFUSED(fields.clients[1].client_id = bytes_str("c3"), KEY_SET);
    REFUSED(fields.clients[1].client_id = bytes_str("c0"), KEY_SET);
    REFUSED(fields.clients[1].client_id.len = 0, WIRE_VALUE);
    REFUSED(fields.clients[1].sig_scheme = 0x0401, KEY_SET);
    REFUSED(fields.clients[1].public_key.len = 31, KEY_SET);
    REFUSED(fields.prev_commitment = bytes_of(commitment, 31), WIRE_VALUE);
    REFUSED(fields.recovery_key = bytes_of(commitment, 31), WIRE_VALUE);
    REFUSED(fields.label.len = 0, WIRE_VALUE);
    REFUSED(fields.client_count = KEY_SET_CLIENTS_MAX + 1, WIRE_LIMIT);
#undef REFUSED
    static const uint8_t longer[KEY_SET_MAX_BYTES + 1];
    assert_err(key_set_parse(bytes_of(longer, sizeof longer), &set), WIRE_LIMIT);
}

/* As many clients as a set may have. */
static void test_most(void **state)
{
    (void)state;
    static uint8_t ids[KEY_SET_CLIENTS_MAX];
    struct key_set fields = set_of(0, ""), set;
    const struct sig_key *by[KEY_SET_CLIENTS_MAX];
    struct bytes as[KEY_SET_CLIENTS_MAX];
    for (size_t i = 0; i < KEY_SET_CLIENTS_MAX; i++) {
        ids[i] = (uint8_t)i;
        by[i] = &keys[0];
        as[i] = bytes_of(&ids[i], 1);
        fields.clients[i] =
            (struct client_key){as[i], 0x0807, public_key_view(&keys[0].public_key), 1, 0};
    }
    fields.client_count = KEY_SET_CLIENTS_MAX;
    struct buf b = BUF_INIT;
    assert_ok(key_set_make(&b, &fields, by, as, KEY_SET_CLIENTS_MAX));
    assert_ok(key_set_parse(buf_view(&b), &set));
    assert_ok(key_set_verify(&set, NULL));
    buf_clear(&b);
}

int main(void)
{
    for (int i = 0; i < KEYS; i++) {
        const uint8_t seed[32] = {(uint8_t)(i + 1)};
        if (!err_is_ok(sig_key_init(&sig_ed25519, bytes_of(seed, 32), &keys[i])))
            return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_mitm3_additions),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_removal_and_change),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_most),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i < KEYS; i++)
        sig_key_clear(&keys[i]);
    return failed;
}
