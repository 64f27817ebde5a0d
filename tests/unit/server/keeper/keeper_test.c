/* The keeper in this process: verbs, key files, rotation. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "crypto/labelled.h"
#include "seal/credential_chain.h"
#include "server/keeper/keeper.h"
#include "support/failing.h"
#include "support/test.h"
#include "wire/reader.h"
#include "wire/writer.h"

static struct clock_fake fake = {.unix_base_ms = 1700000000000};
static struct clock wall;
static struct rng_seeded seeded;
static struct rng rng;
static char folder[64], path[96];
#define DOMAIN bytes_str("a.example")

static int set_up(void **state)
{
    (void)state;
    wall = clock_of_fake(&fake);
    rng_seeded_init(&seeded, 1);
    rng = rng_of_seeded(&seeded);
    strcpy(folder, "/tmp/hearth-keeper-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/keys", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static struct err open_it(const char *where, struct keeper **ret_keeper)
{
    return keeper_open(where, DOMAIN, &wall, &rng, ret_keeper);
}

static struct keeper *fresh_file(void)
{
    struct keeper *k = NULL;
    (void)unlink(path);
    assert_ok(keeper_init(path, DOMAIN, &wall, &rng));
    assert_ok(open_it(path, &k));
    return k;
}

static void assert_signs(struct keeper *k, enum keeper_signer signer)
{
    struct signature signature;
    struct public_key key;
    assert_ok(keeper_public(k, signer, &key));
    assert_int_equal(key.len, 32);
    if (signer == KEEPER_LOG || signer == KEEPER_WITNESS) { /* as it stands, and with no label */
        assert_err(keeper_sign(k, signer, false, bytes_str("L"), bytes_str("content"), &signature),
                   ARGUMENT);
        assert_ok(
            keeper_sign(k, signer, false, bytes_of(NULL, 0), bytes_str("content"), &signature));
        assert_ok(sig_verify(&sig_ed25519, public_key_view(&key), bytes_str("content"),
                             signature_view(&signature)));
        return;
    }
    assert_ok(keeper_sign(k, signer, false, bytes_str("L"), bytes_str("content"), &signature));
    assert_ok(labelled_verify(&sig_ed25519, public_key_view(&key), LABEL_HEARTH, bytes_str("L"),
                              bytes_str("content"), signature_view(&signature)));
    assert_err(labelled_verify(&sig_ed25519, public_key_view(&key), LABEL_MLS, bytes_str("L"),
                               bytes_str("content"), signature_view(&signature)),
               CRYPTO_SIGNATURE);
}

static void signing(void **state)
{
    (void)state;
    static const uint8_t large[KEEPER_CONTENT_MAX_BYTES + 1];
    struct keeper *k = NULL;
    struct signature s;
    struct public_key key;
    assert_ok(open_it(NULL, &k));
    for (int i = KEEPER_AS_SIGNING; i < KEEPER_SIGNERS; i++) {
        assert_signs(k, (enum keeper_signer)i);
        struct err err = keeper_sign(k, (enum keeper_signer)i, true, bytes_str("FramedContentTBS"),
                                     bytes_str("content"), &s);
        if (i != KEEPER_EXTERNAL_SENDER) {
            assert_err(err, ARGUMENT);
            continue;
        }
        assert_ok(err);
        assert_ok(keeper_public(k, KEEPER_EXTERNAL_SENDER, &key));
        assert_ok(labelled_verify(&sig_ed25519, public_key_view(&key), LABEL_MLS,
                                  bytes_str("FramedContentTBS"), bytes_str("content"),
                                  signature_view(&s)));
    }
    struct bytes l = bytes_str("L");
    assert_err(keeper_sign(k, KEEPER_AS_ROOT, false, l, l, &s), ARGUMENT);
    assert_err(keeper_sign(k, KEEPER_SIGNERS, false, l, l, &s), ARGUMENT);
    const enum keeper_signer peer = KEEPER_FEDERATION;
    assert_err(keeper_sign(k, peer, false, l, bytes_of(large, sizeof large), &s), TOO_LARGE);
    assert_err(keeper_sign(k, peer, false, l, bytes_of(large, sizeof large - 1), &s), TOO_LARGE);
    assert_err(keeper_public(k, KEEPER_SIGNERS, &key), ARGUMENT);
    assert_ok(keeper_public(k, KEEPER_AS_ROOT, &key));
    keeper_close(k);
    keeper_close(NULL);
}

static void credentials_form_a_chain(void **state)
{
    (void)state;
    struct keeper *k = NULL;
    struct buf root_bytes = BUF_INIT, signing_bytes = BUF_INIT;
    struct credential root, sign;
    struct public_key key;
    assert_ok(open_it(NULL, &k));
    assert_ok(keeper_credential(k, KEEPER_AS_ROOT, &root_bytes));
    assert_ok(keeper_credential(k, KEEPER_AS_SIGNING, &signing_bytes));
    assert_err(keeper_credential(k, KEEPER_FEDERATION, &root_bytes), ARGUMENT);
    assert_ok(credential_parse(buf_view(&root_bytes), &root));
    assert_ok(credential_parse(buf_view(&signing_bytes), &sign));
    uint64_t now = fake.unix_base_ms / 1000;
    assert_ok(credential_chain_verify(&root, &sign, NULL, now));
    assert_ok(credential_chain_verify(&root, &sign, NULL, now + 364 * 86400));
    assert_err(credential_chain_verify(&root, &sign, NULL, now + 366 * 86400), CREDENTIAL_TIME);
    test_assert_bytes(root.subject, DOMAIN);
    assert_ok(keeper_public(k, KEEPER_AS_SIGNING, &key));
    test_assert_bytes(sign.public_key, public_key_view(&key));
    buf_clear(&root_bytes);
    buf_clear(&signing_bytes);
    keeper_close(k);
}

static void storage_keys_differ_and_stay(void **state)
{
    (void)state;
    uint8_t keys[KEEPER_PURPOSES][KEEPER_KEY_BYTES], again[KEEPER_KEY_BYTES];
    struct keeper *k = fresh_file();
    for (int i = 0; i < KEEPER_PURPOSES; i++) {
        assert_ok(keeper_storage_key(k, (enum keeper_purpose)i, keys[i]));
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(keys[i], keys[j], KEEPER_KEY_BYTES);
    }
    assert_err(keeper_storage_key(k, KEEPER_PURPOSES, again), ARGUMENT);
    assert_ok(keeper_rotate(k, KEEPER_FEDERATION));
    keeper_close(k);
    assert_ok(open_it(path, &k));
    assert_ok(keeper_storage_key(k, KEEPER_QUEUE_ROWS, again));
    assert_memory_equal(again, keys[KEEPER_QUEUE_ROWS], sizeof again);
    keeper_close(k);
}

static struct err open_one(struct keeper *k, struct bytes sealed, struct queue_ref *ret_ref)
{
    struct err result;
    TRY(keeper_open_refs(k, &sealed, 1, ret_ref, &result));
    return result;
}

static void seal_to(struct keeper *k, struct buf *b, uint8_t tag)
{
    static struct sig_key client;
    struct public_key service;
    struct queue_ref ref = {.tag = {tag}};
    if (client.alg == NULL)
        assert_ok(sig_key_generate(&sig_ed25519, &rng, &client));
    assert_ok(keeper_queue_key(k, &service));
    assert_ok(sealed_ref_seal(b, &rng, public_key_view(&service), DOMAIN, &ref, &client));
}

static void references(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    struct keeper *k = NULL;
    struct buf sealed[COUNT] = {0};
    struct bytes views[COUNT];
    struct queue_ref refs[COUNT];
    struct err results[COUNT];
    static const uint8_t large[SEALED_REF_MAX_BYTES + 1];
    assert_ok(open_it(NULL, &k));
    for (int i = 0; i < COUNT; i++) {
        seal_to(k, &sealed[i], (uint8_t)(i + 1));
        views[i] = buf_view(&sealed[i]);
    }
    sealed[1].data[100] ^= 1;
    views[2].len = 7;
    views[3] = bytes_of(large, sizeof large);
    for (int round = 0; round < 2; round++) { /* the second from the table */
        memset(refs, 0xee, sizeof refs);
        assert_ok(keeper_open_refs(k, views, COUNT, refs, results));
        assert_ok(results[0]);
        assert_int_equal(refs[0].tag[0], 1);
        assert_err(results[1], CRYPTO_TAG);
        assert_int_equal(refs[1].tag[0], 0xee);
        assert_err(results[2], WIRE_SHORT);
        assert_err(results[3], WIRE_LIMIT);
        assert_ok(results[4]);
        assert_int_equal(refs[4].tag[0], 5);
    }
    assert_ok(keeper_open_refs(k, NULL, 0, NULL, NULL));
    for (int i = 0; i < COUNT; i++)
        buf_clear(&sealed[i]);
    keeper_close(k);
}

static void pass_days(unsigned days)
{
    fake.unix_base_ms += (uint64_t)days * 86400 * 1000;
}

/* As many rotations as keys are kept, and a restart: everything sealed before still opens. */
static void rotation_keeps_old_references_opening(void **state)
{
    (void)state;
    enum { KEYS = KEEPER_QUEUE_BEFORE + 1 };
    struct buf sealed[KEYS + 1] = {0};
    struct queue_ref ref;
    struct keeper *k = fresh_file();
    for (int i = 0; i < KEYS; i++) {
        seal_to(k, &sealed[i], (uint8_t)(i + 1));
        assert_ok(open_one(k, buf_view(&sealed[0]), &ref)); /* it is in the table, too */
        if (i + 1 < KEYS)
            assert_ok(keeper_rotate_queue_key(k));
    }
    for (int restart = 0; restart < 2; restart++) {
        for (int i = 0; i < KEYS; i++) {
            assert_ok(open_one(k, buf_view(&sealed[i]), &ref));
            assert_int_equal(ref.tag[0], i + 1);
        }
        keeper_close(k);
        assert_ok(open_it(path, &k));
    }
    /* the next would forget the first, which was in use a moment ago */
    struct public_key was, is;
    assert_ok(keeper_queue_key(k, &was));
    assert_err(keeper_rotate_queue_key(k), KEEPER_IN_USE);
    assert_ok(keeper_queue_key(k, &is));
    assert_memory_equal(was.data, is.data, was.len);
    pass_days(KEEPER_QUEUE_REST_DAYS - 1);
    assert_err(keeper_rotate_queue_key(k), KEEPER_IN_USE);
    pass_days(2);
    /* time enough, but somebody still has such a reference: it was opened in this life */
    assert_ok(open_one(k, buf_view(&sealed[0]), &ref));
    assert_err(keeper_rotate_queue_key(k), KEEPER_IN_USE);
    keeper_close(k);
    assert_ok(open_it(path, &k));
    assert_ok(keeper_rotate_queue_key(k));
    seal_to(k, &sealed[KEYS], KEYS + 1);
    assert_err(open_one(k, buf_view(&sealed[0]), &ref), CRYPTO_TAG);
    for (int i = 1; i <= KEYS; i++)
        assert_ok(open_one(k, buf_view(&sealed[i]), &ref));
    /* who knows that a key has leaked does not wait */
    assert_err(keeper_rotate_queue_key(k), KEEPER_IN_USE);
    assert_ok(keeper_rotate_queue_key_anyway(k));
    assert_err(open_one(k, buf_view(&sealed[1]), &ref), CRYPTO_TAG);
    assert_ok(open_one(k, buf_view(&sealed[2]), &ref));
    keeper_close(k);
    for (int i = 0; i <= KEYS; i++)
        buf_clear(&sealed[i]);
}

/* ---- the external sender's keys */

static const struct sig_alg *alg_of(uint16_t scheme)
{
    static const struct sig_alg *const algs[] = {&sig_ed25519, &sig_ecdsa_p256_sha256,
                                                 &sig_ecdsa_p384_sha384, &sig_ecdsa_p521_sha512};
    for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
        if (algs[i]->scheme == scheme)
            return algs[i];
    }
    fail_msg("a key of scheme %04x", scheme);
    return NULL;
}

static struct err external_signs(struct keeper *k, const struct keeper_external *key)
{
    struct signature s;
    struct bytes label = bytes_str("FramedContentTBS"), content = bytes_str("content");
    TRY(keeper_sign_external(k, public_key_view(&key->key), label, content, &s));
    assert_ok(labelled_verify(alg_of(key->scheme), public_key_view(&key->key), LABEL_MLS, label,
                              content, signature_view(&s)));
    return ERR_OK;
}

static void assert_same_externals(const struct keeper_external *a, const struct keeper_external *b,
                                  size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(a[i].scheme, b[i].scheme);
        assert_int_equal(a[i].present, b[i].present);
        test_assert_bytes(public_key_view(&a[i].key), public_key_view(&b[i].key));
    }
}

static void one_external_sender_for_each_scheme(void **state)
{
    (void)state;
    struct keeper *k = fresh_file();
    struct keeper_external keys[KEEPER_EXTERNAL_KEYS], again[KEEPER_EXTERNAL_KEYS];
    size_t count = 0;
    struct public_key ed25519;
    struct signature s;
    for (int restart = 0; restart < 2; restart++) {
        assert_ok(keeper_external_keys(k, keys, &count));
        assert_int_equal(count, 4);
        unsigned seen = 0;
        for (size_t i = 0; i < count; i++) {
            assert_true(keys[i].present);
            for (size_t j = 0; j < i; j++)
                assert_int_not_equal(keys[i].scheme, keys[j].scheme);
            assert_ok(external_signs(k, &keys[i]));
            seen++;
        }
        assert_int_equal(seen, 4);
        assert_ok(keeper_public(k, KEEPER_EXTERNAL_SENDER, &ed25519));
        test_assert_bytes(public_key_view(&keys[0].key), public_key_view(&ed25519));
        if (restart > 0)
            assert_same_externals(keys, again, 4);
        memcpy(again, keys, sizeof keys);
        keeper_close(k);
        assert_ok(open_it(path, &k));
    }
    /* no other key signs there, not even one of ours */
    struct bytes l = bytes_str("L");
    assert_ok(keeper_public(k, KEEPER_AS_ROOT, &ed25519));
    assert_err(keeper_sign_external(k, public_key_view(&ed25519), l, l, &s), NOT_FOUND);
    assert_err(keeper_sign_external(k, bytes_of(NULL, 0), l, l, &s), NOT_FOUND);
    static const uint8_t large[KEEPER_CONTENT_MAX_BYTES + 1];
    assert_err(keeper_sign_external(k, bytes_of(large, 134), l, l, &s), NOT_FOUND);
    assert_err(keeper_sign_external(k, public_key_view(&keys[1].key), l,
                                    bytes_of(large, sizeof large), &s),
               TOO_LARGE);
    keeper_close(k);
}

static void external_senders_before_a_rotation_still_sign(void **state)
{
    (void)state;
    struct keeper *k = fresh_file();
    struct keeper_external first[KEEPER_EXTERNAL_KEYS], keys[KEEPER_EXTERNAL_KEYS];
    size_t count = 0;
    assert_ok(keeper_external_keys(k, first, &count));
    for (size_t round = 1; round <= KEEPER_EXTERNAL_BEFORE; round++) {
        assert_ok(keeper_rotate(k, KEEPER_EXTERNAL_SENDER));
        keeper_close(k);
        assert_ok(open_it(path, &k));
        assert_ok(keeper_external_keys(k, keys, &count));
        assert_int_equal(count, 4 * (1 + round));
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(keys[i].present, i < 4); /* in that order */
            assert_ok(external_signs(k, &keys[i]));
        }
        for (size_t i = 0; i < 4; i++)
            assert_ok(external_signs(k, &first[i]));
    }
    /* one more would forget the first */
    assert_err(keeper_rotate(k, KEEPER_EXTERNAL_SENDER), KEEPER_IN_USE);
    assert_ok(external_signs(k, &first[2]));
    pass_days(KEEPER_EXTERNAL_REST_DAYS + 1);
    assert_ok(keeper_rotate(k, KEEPER_EXTERNAL_SENDER));
    assert_ok(keeper_external_keys(k, keys, &count));
    assert_int_equal(count, KEEPER_EXTERNAL_KEYS);
    for (size_t i = 0; i < 4; i++)
        assert_err(external_signs(k, &first[i]), NOT_FOUND);
    for (size_t i = 0; i < count; i++)
        assert_ok(external_signs(k, &keys[i]));
    /* the second is old enough by now, too; the third and fourth are not */
    assert_ok(keeper_rotate(k, KEEPER_EXTERNAL_SENDER));
    assert_ok(keeper_rotate(k, KEEPER_EXTERNAL_SENDER));
    assert_err(keeper_rotate(k, KEEPER_EXTERNAL_SENDER), KEEPER_IN_USE);
    assert_ok(keeper_rotate_anyway(k, KEEPER_EXTERNAL_SENDER));
    assert_err(keeper_rotate_anyway(k, KEEPER_AS_ROOT), ARGUMENT);
    keeper_close(k);
}

static void overwrite(const uint8_t *data, size_t len);

/* A file as version 1 was: rewritten from a present one, with a queue key before or none. */
static void write_version_1(const uint8_t queue_before[32])
{
    uint8_t data[8192];
    int fd = open(path, O_RDONLY);
    ssize_t len = read(fd, data, sizeof data);
    close(fd);
    assert_true(len > 32);
    struct wire_reader r = wire_reader_of(bytes_of(data, (size_t)len - 32));
    struct buf b = BUF_INIT;
    struct digest digest;
    buf_append_bytes(&b, wire_read_fixed(&r, 8));
    assert_int_equal(wire_read_u8(&r), 4);
    wire_write_u8(&b, 1);
    wire_write_vector(&b, wire_read_vector(&r));                        /* domain */
    wire_write_fixed(&b, wire_read_fixed(&r, 32));                      /* master */
    wire_write_vector(&b, bytes_of(wire_read_vector(&r).data, 5 * 32)); /* signers of then */
    wire_write_fixed(&b, wire_read_fixed(&r, 32));                      /* queue key */
    assert_int_equal(wire_read_vector(&r).len, 0);                      /* those before */
    wire_write_vector(&b, bytes_of(queue_before, queue_before != NULL ? 32 : 0));
    wire_write_vector(&b, wire_read_vector(&r)); /* root */
    wire_write_vector(&b, wire_read_vector(&r)); /* signing */
    assert_true(wire_read_vector(&r).len > 0);   /* externals */
    (void)wire_read_fixed(&r, 4 + 32);           /* tokens */
    assert_ok(wire_reader_end(&r));
    hash_list(&hash_sha256, BYTES_LIST(bytes_str("Hearth 1 KeyFile"), buf_view(&b)), &digest);
    wire_write_fixed(&b, digest_view(&digest));
    assert_ok(buf_check(&b));
    overwrite(b.data, b.len);
    buf_clear(&b);
}

static void files_of_version_1_are_taken_over(void **state)
{
    (void)state;
    struct secret before;
    struct public_key before_public, now, is;
    struct keeper_external keys[KEEPER_EXTERNAL_KEYS], again[KEEPER_EXTERNAL_KEYS];
    size_t count = 0;
    struct buf sealed = BUF_INIT;
    struct queue_ref ref = {.tag = {7}};
    struct sig_key client;
    assert_ok(sig_key_generate(&sig_ed25519, &rng, &client));
    assert_ok(kem_generate(seal_hpke->kem, &rng, &before, &before_public));
    assert_ok(
        sealed_ref_seal(&sealed, &rng, public_key_view(&before_public), DOMAIN, &ref, &client));
    struct keeper *k = fresh_file();
    assert_ok(keeper_queue_key(k, &now));
    keeper_close(k);
    write_version_1(before.data);
    assert_ok(open_it(path, &k));
    assert_ok(keeper_queue_key(k, &is));
    test_assert_bytes(public_key_view(&is), public_key_view(&now));
    assert_ok(open_one(k, buf_view(&sealed), &ref));
    assert_int_equal(ref.tag[0], 7);
    /* what it lacked was made, and stays */
    assert_ok(keeper_external_keys(k, keys, &count));
    assert_int_equal(count, 4);
    assert_ok(keeper_public(k, KEEPER_WITNESS, &now));
    keeper_close(k);
    assert_ok(open_it(path, &k));
    assert_ok(keeper_public(k, KEEPER_WITNESS, &is));
    test_assert_bytes(public_key_view(&is), public_key_view(&now));
    assert_signs(k, KEEPER_WITNESS);
    assert_ok(keeper_external_keys(k, again, &count));
    assert_same_externals(keys, again, 4);
    assert_ok(open_one(k, buf_view(&sealed), &ref));
    keeper_close(k);
    /* where that can't be written it is not begun with: the keys would be others next time */
    k = fresh_file();
    keeper_close(k);
    write_version_1(NULL);
    char blocker[128];
    snprintf(blocker, sizeof blocker, "%s.new", path);
    assert_int_equal(mkdir(blocker, 0700), 0);
    assert_err(open_it(path, &k), IO);
    assert_int_equal(rmdir(blocker), 0);
    assert_ok(open_it(path, &k));
    keeper_close(k);
    buf_clear(&sealed);
}

static void rotation_of_signers(void **state)
{
    (void)state;
    struct keeper *k = fresh_file();
    struct buf root_bytes = BUF_INIT, before = BUF_INIT, after = BUF_INIT;
    struct credential root, sign;
    assert_ok(keeper_credential(k, KEEPER_AS_ROOT, &root_bytes));
    assert_ok(keeper_credential(k, KEEPER_AS_SIGNING, &before));
    for (int i = KEEPER_AS_SIGNING; i < KEEPER_SIGNERS; i++) {
        struct public_key was, is, stored;
        assert_ok(keeper_public(k, (enum keeper_signer)i, &was));
        assert_ok(keeper_rotate(k, (enum keeper_signer)i));
        assert_ok(keeper_public(k, (enum keeper_signer)i, &is));
        assert_memory_not_equal(was.data, is.data, 32);
        assert_signs(k, (enum keeper_signer)i);
        keeper_close(k);
        assert_ok(open_it(path, &k));
        assert_ok(keeper_public(k, (enum keeper_signer)i, &stored));
        assert_memory_equal(stored.data, is.data, 32);
        assert_signs(k, (enum keeper_signer)i);
    }
    assert_err(keeper_rotate(k, KEEPER_AS_ROOT), ARGUMENT);
    assert_err(keeper_rotate(k, KEEPER_SIGNERS), ARGUMENT);
    assert_ok(keeper_credential(k, KEEPER_AS_SIGNING, &after));
    assert_false(bytes_equal(buf_view(&before), buf_view(&after)));
    assert_ok(credential_parse(buf_view(&root_bytes), &root));
    assert_ok(credential_parse(buf_view(&after), &sign));
    assert_ok(credential_chain_verify(&root, &sign, NULL, fake.unix_base_ms / 1000));
    buf_clear(&root_bytes);
    buf_clear(&before);
    buf_clear(&after);
    keeper_close(k);
}

/* The folder can't be written: the old key goes on, here and in the file. */
static void failed_rotation_changes_nothing(void **state)
{
    (void)state;
    struct keeper *k = fresh_file();
    struct public_key was, is;
    char blocker[128];
    snprintf(blocker, sizeof blocker, "%s.new", path);
    assert_int_equal(mkdir(blocker, 0700), 0); /* root may write anywhere, but not this */
    assert_ok(keeper_public(k, KEEPER_LOG, &was));
    assert_err(keeper_rotate(k, KEEPER_LOG), IO);
    assert_ok(keeper_public(k, KEEPER_LOG, &is));
    assert_memory_equal(was.data, is.data, 32);
    assert_int_equal(rmdir(blocker), 0);
    keeper_close(k);
    assert_ok(open_it(path, &k));
    assert_ok(keeper_public(k, KEEPER_LOG, &is));
    assert_memory_equal(was.data, is.data, 32);
    assert_ok(keeper_rotate(k, KEEPER_LOG));
    keeper_close(k);
}

/* The disk is full in the middle of the file: in a process of its own, whose files may not grow. */
static void a_full_disk_changes_nothing(void **state)
{
    (void)state;
    struct keeper *k = fresh_file();
    pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit little = {100, 100};
        struct public_key was, is;
        (void)signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &little) != 0 ||
            !err_is_ok(keeper_public(k, KEEPER_LOG, &was)) ||
            keeper_rotate(k, KEEPER_LOG).code != ERR_IO ||
            !err_is_ok(keeper_public(k, KEEPER_LOG, &is)) || memcmp(was.data, is.data, 32) != 0)
            _exit(1);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    char left[128];
    struct stat st;
    snprintf(left, sizeof left, "%s.new", path);
    assert_int_not_equal(stat(left, &st), 0);
    keeper_close(k);
    assert_ok(open_it(path, &k));
    keeper_close(k);
}

static void init_overwrites_nothing(void **state)
{
    (void)state;
    struct stat st;
    keeper_close(fresh_file());
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_err(keeper_init(path, DOMAIN, &wall, &rng), STORE_EXISTS);
    char left[128];
    snprintf(left, sizeof left, "%s.new", path);
    assert_int_not_equal(stat(left, &st), 0);
    struct keeper *k = NULL;
    assert_ok(open_it(path, &k));
    keeper_close(k);
    assert_err(keeper_init("/nowhere/at/all", DOMAIN, &wall, &rng), KEEPER_FILE);
}

static void refuse(const char *where)
{
    struct keeper *k = NULL;
    assert_err(open_it(where, &k), KEEPER_FILE);
    assert_null(k);
}

static void files_that_are_refused(void **state)
{
    (void)state;
    struct keeper *k = fresh_file();
    keeper_close(k);
    static const mode_t open_modes[] = {0404, 0440, 0402, 0420, 0410, 0444, 0644, 0500, 04400};
    for (size_t i = 0; i < sizeof open_modes / sizeof *open_modes; i++) {
        assert_int_equal(chmod(path, open_modes[i]), 0);
        refuse(path);
    }
    assert_int_equal(chmod(path, 0600), 0);
    assert_ok(open_it(path, &k)); /* control */
    keeper_close(k);
    assert_int_equal(chmod(path, 0400), 0);
    assert_err(keeper_open(path, bytes_str("b.example"), &wall, &rng, &k), KEEPER_FILE);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, 0), 0);
        refuse(path);
        assert_int_equal(chown(path, 0, 0), 0);
    }
    char other[128];
    snprintf(other, sizeof other, "%s/other", folder);
    assert_int_equal(symlink(path, other), 0);
    refuse(other);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(mkfifo(other, 0400), 0);
    refuse(other); /* and does not hang */
    assert_int_equal(unlink(other), 0);
    refuse(other);
    refuse(folder);
}

static void overwrite(const uint8_t *data, size_t len)
{
    assert_int_equal(unlink(path), 0);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0400);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    close(fd);
}

/* Each byte changed, and every shorter file. */
static void damaged_files_are_refused(void **state)
{
    (void)state;
    keeper_close(fresh_file());
    uint8_t good[8192], bad[8193] = {0};
    int fd = open(path, O_RDONLY);
    ssize_t got = read(fd, good, sizeof good);
    close(fd);
    assert_true(got > 500);
    size_t len = (size_t)got;
    for (size_t i = 0; i < len; i++) {
        memcpy(bad, good, len);
        bad[i] ^= (uint8_t)(1 << i % 8);
        overwrite(bad, len);
        refuse(path);
    }
    for (size_t i = 0; i < len; i += 7) {
        overwrite(good, i);
        refuse(path);
    }
    memcpy(bad, good, len);
    overwrite(bad, len + 1);
    refuse(path);
    overwrite(bad, sizeof bad);
    refuse(path);
    overwrite(good, len);
    struct keeper *k = NULL;
    assert_ok(open_it(path, &k)); /* control */
    keeper_close(k);
}

static void failed_allocations(void **state)
{
    (void)state;
    keeper_close(fresh_file());
    for (long n = 0; test_can_fail_allocations(); n++) {
        struct keeper *k = NULL;
        test_fail_own_allocation(n);
        struct err err = open_it(path, &k);
        bool failed = test_allocation_failed();
        assert_true(err_is_ok(err) || (failed && err.code == ERR_NO_MEMORY && k == NULL));
        keeper_close(k);
        if (!failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signing),
        cmocka_unit_test(credentials_form_a_chain),
        cmocka_unit_test(storage_keys_differ_and_stay),
        cmocka_unit_test(references),
        cmocka_unit_test(rotation_keeps_old_references_opening),
        cmocka_unit_test(one_external_sender_for_each_scheme),
        cmocka_unit_test(external_senders_before_a_rotation_still_sign),
        cmocka_unit_test(files_of_version_1_are_taken_over),
        cmocka_unit_test(rotation_of_signers),
        cmocka_unit_test(failed_rotation_changes_nothing),
        cmocka_unit_test(a_full_disk_changes_nothing),
        cmocka_unit_test(init_overwrites_nothing),
        cmocka_unit_test(files_that_are_refused),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(failed_allocations),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
