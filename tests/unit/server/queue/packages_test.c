/* KeyPackages: each goes to one requester (K1), the last ones are kept for those who need them
 * (DoS7), nothing large or wrong is stored (DoS5, DoS6). */
#include <stdio.h>

#include "kit/mls_kit.h"
#include "mls/codec/message.h"
#include "seal/leaf_credential.h"
#include "server/queue/package.h"
#include "support/queue/queue_world.h"

static struct qworld w;
static struct qclient alice;
static struct kit kit;
enum { BUNDLES_MOST = 130 };

static int setup(void **state)
{
    (void)state;
    qworld_init(&w);
    qworld_use_vfs(&w, "queue packages");
    qworld_start(&w);
    qclient_create(&w, &alice);
    kit_init(&kit, suite_find(1), 3);
    kit.credential_type = LEAF_CREDENTIAL_TYPE;
    kit.capabilities_credentials = kit_list(&kit, 1, (const uint16_t[]){LEAF_CREDENTIAL_TYPE});
    kit.capabilities_extensions = kit_list(&kit, 1, (const uint16_t[]){EXTENSION_LAST_RESORT});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_clear(&kit);
    qworld_end(&w);
    qclient_free(&alice);
    return 0;
}

/* ---- bundles */

struct bundle {
    Hearth__V1__KeyPackageBundle message;
    Hearth__V1__QueueReference reference;
    struct signature signature;
    char domain[64];
};

/* What to do wrong; the zero value makes a good one. */
struct wrong {
    size_t extension_bytes, extensions;
    bool basic, not_yet, over, foreign, unsigned_reference, damaged, trailing, plain, bad_identity;
};
static struct wrong wrong;
static bool as_last_resort;

static void change_package(struct kit *k, struct key_package *kp)
{
    struct buf b = BUF_INIT;
    if (as_last_resort)
        extension_write(&b, EXTENSION_LAST_RESORT, bytes_of(NULL, 0));
    for (size_t i = 0; i < wrong.extensions; i++)
        extension_write(&b, (uint16_t)(0xff00 + i), kit_random(k, wrong.extension_bytes));
    kp->extensions = (struct extensions){kit_take(k, &b)};
}

static void change_leaf(struct kit *k, struct leaf_node *leaf)
{
    (void)k;
    if (wrong.not_yet)
        leaf->not_before = KIT_NOW + (uint64_t)86400 * 2;
    if (wrong.over)
        leaf->not_after = KIT_NOW - 10;
    if (wrong.basic)
        leaf->credential = (struct mls_credential){CREDENTIAL_BASIC, bytes_str("alice")};
}

static void make_bundle(struct bundle *out, bool last_resort)
{
    uint32_t client = kit_client_new(&kit);
    struct buf b = BUF_INIT;
    wire_write_fixed(&b, kit_random(&kit, PSEUDONYM_BYTES));
    wire_write_vector(&b, kit_random(&kit, wrong.bad_identity ? 100 : SEALED_IDENTITY_SHORT_BYTES));
    kit.clients[client].identity = kit_take(&kit, &b);
    kit.hooks = (struct kit_hooks){.leaf = change_leaf, .key_package = change_package};
    as_last_resort = last_resort;
    struct bytes kp = kit_key_package(&kit, client);
    if (!wrong.plain) {
        wire_write_u16(&b, MLS_VERSION_MLS10);
        wire_write_u16(&b, WIRE_FORMAT_KEY_PACKAGE);
    }
    wire_write_fixed(&b, kp);
    if (wrong.trailing)
        wire_write_u8(&b, 0);
    if (wrong.damaged)
        b.data[b.len / 2] ^= 1;
    kp = kit_take(&kit, &b);
    hearth__v1__key_package_bundle__init(&out->message);
    hearth__v1__queue_reference__init(&out->reference);
    (void)snprintf(out->domain, sizeof out->domain, "%s", wrong.foreign ? "b.test" : QWORLD_DOMAIN);
    struct bytes sealed = kit_random(&kit, 160);
    const struct sig_key *key = &kit.clients[wrong.unsigned_reference ? 0 : client].key;
    assert_ok(sealed_ref_sign(key, bytes_str(out->domain), sealed, &out->signature));
    out->reference.domain = out->domain;
    out->reference.sealed = qdata(sealed);
    out->reference.signature = qdata(signature_view(&out->signature));
    out->message.key_package = qdata(kp);
    out->message.wrapped_identity_key = qdata(kit_random(&kit, 60));
    out->message.queue_reference = &out->reference;
}

static enum hearth_code upload(struct qclient *c, struct bundle *bundles, size_t count,
                               struct bundle *last)
{
    uint8_t id[16];
    Hearth__V1__Idempotency once = qworld_id(&w, id);
    Hearth__V1__PublishKeyPackagesRequest in = HEARTH__V1__PUBLISH_KEY_PACKAGES_REQUEST__INIT;
    Hearth__V1__KeyPackageBundle *list[BUNDLES_MOST];
    for (size_t i = 0; i < count; i++)
        list[i] = &bundles[i].message;
    in.idempotency = &once;
    in.n_bundles = count;
    in.bundles = list;
    in.last_resort = &last->message;
    return qworld_call(&w, &c->client, "PublishKeyPackages", &in.base, NULL);
}

static struct bundle bundles[BUNDLES_MOST], last_resort;

static enum hearth_code publish(struct qclient *c, size_t count)
{
    for (size_t i = 0; i < count; i++)
        make_bundle(&bundles[i], false);
    make_bundle(&last_resort, true);
    return upload(c, bundles, count, &last_resort);
}

/* ---- asking */

struct asking {
    uint8_t contact[CONTACT_ID_BYTES];
    uint8_t token[CONTACT_TOKEN_BYTES];
    uint8_t id[16];
    Hearth__V1__Idempotency once;
    Hearth__V1__GetKeyPackagesRequest in;
};

static void asking_init(struct asking *a, struct qclient *owner, uint8_t contact)
{
    *a = (struct asking){.contact = {contact}};
    contact_token_make(owner->contact_key, a->contact, a->token);
    a->once = qworld_id(&w, a->id);
    hearth__v1__get_key_packages_request__init(&a->in);
    a->in.idempotency = &a->once;
    a->in.queue_user_id = qdata(owner->user.id);
    a->in.contact_token = qdata(bytes_of(a->token, sizeof a->token));
}

/* The answer's packages by their hashes. */
static enum hearth_code ask(struct asking *a, struct digest *hashes, size_t *count)
{
    ProtobufCMessage *out = NULL;
    enum hearth_code code = qworld_call(&w, NULL, "GetKeyPackages", &a->in.base, &out);
    if (out == NULL)
        return code;
    Hearth__V1__GetKeyPackagesResponse *got = (Hearth__V1__GetKeyPackagesResponse *)out;
    for (size_t i = 0; i < got->n_bundles; i++)
        hash_once(&hash_sha256,
                  bytes_of(got->bundles[i]->key_package.data, got->bundles[i]->key_package.len),
                  &hashes[i]);
    *count = got->n_bundles;
    protobuf_c_message_free_unpacked(out, NULL);
    return code;
}

static struct digest ask_one(struct qclient *owner, uint8_t contact)
{
    struct asking a;
    struct digest hash[16];
    size_t count = 0;
    asking_init(&a, owner, contact);
    assert_int_equal(ask(&a, hash, &count), HEARTH_OK);
    assert_int_equal(count, 1);
    return hash[0];
}

static struct digest hash_of(const struct bundle *b)
{
    struct digest hash;
    hash_once(&hash_sha256, bytes_of(b->message.key_package.data, b->message.key_package.len),
              &hash);
    return hash;
}

static bool same(struct digest a, struct digest b)
{
    return bytes_equal(digest_view(&a), digest_view(&b));
}

/* ---- K1 */

static void k1_a_package_goes_to_one_requester(void **state)
{
    (void)state;
    enum { COUNT = 20 };
    struct digest seen[COUNT];
    assert_int_equal(publish(&alice, COUNT), HEARTH_OK);
    for (unsigned i = 0; i < COUNT; i++) { /* each contact asks once, with crashes in between */
        seen[i] = ask_one(&alice, (uint8_t)i);
        for (unsigned k = 0; k < i; k++)
            assert_false(same(seen[i], seen[k]));
        assert_false(same(seen[i], hash_of(&last_resort)));
        if (i % 4 == 3)
            qworld_restart(&w, true);
    }
    struct digest last = ask_one(&alice, COUNT);
    assert_true(same(last, hash_of(&last_resort)));
}

/* Asked again by the same request, it is the same package, also after kill -9. */
static void k1_a_repeat_gets_the_same(void **state)
{
    (void)state;
    struct asking a;
    struct digest first[16], again[16];
    size_t count = 0;
    assert_int_equal(publish(&alice, 5), HEARTH_OK);
    asking_init(&a, &alice, 1);
    assert_int_equal(ask(&a, first, &count), HEARTH_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(&a, again, &count), HEARTH_OK);
        assert_int_equal(count, 1);
        assert_true(same(first[0], again[0]));
        qworld_restart(&w, true);
    }
    for (uint8_t i = 2; i < 6; i++) /* four are left */
        assert_false(same(ask_one(&alice, i), hash_of(&last_resort)));
    assert_true(same(ask_one(&alice, 9), hash_of(&last_resort)));
}

/* A commit that failed gave nobody anything; one that may have held is not handed out again. */
static void k1_failed_commits(void **state)
{
    (void)state;
    enum { COUNT = 12 };
    struct digest seen[COUNT * 2];
    size_t got = 0;
    assert_int_equal(publish(&alice, COUNT), HEARTH_OK);
    for (unsigned i = 0; i < COUNT; i++) {
        struct asking a;
        struct digest hash[16];
        size_t count = 0;
        asking_init(&a, &alice, (uint8_t)i);
        vfs_fail(w.vfs, i % 2 == 0 ? VFS_SYNC : VFS_WRITE, VFS_ERROR, 0, 1);
        assert_int_not_equal(ask(&a, hash, &count), HEARTH_OK);
        (void)vfs_failed(w.vfs);
        qworld_restart(&w, true);
        if (i % 3 == 0)
            continue; /* never asks again */
        assert_int_equal(ask(&a, hash, &count), HEARTH_OK);
        assert_int_equal(count, 1);
        for (size_t k = 0; k < got; k++)
            assert_false(same(hash[0], seen[k]));
        seen[got++] = hash[0];
    }
}

static void one_of_each_client(void **state)
{
    (void)state;
    struct qclient *second = calloc(1, sizeof *second), *third = calloc(1, sizeof *third);
    struct asking a;
    struct digest hash[16];
    size_t count = 0;
    assert_true(second != NULL && third != NULL);
    qclient_join(second, &alice);
    qclient_join(third, &alice);
    assert_int_equal(publish(&alice, 3), HEARTH_OK);
    assert_int_equal(publish(second, 3), HEARTH_OK);
    asking_init(&a, &alice, 1);
    assert_int_equal(ask(&a, hash, &count), HEARTH_OK);
    assert_int_equal(count, 2); /* the third has none */
    qclient_free(second);
    qclient_free(third);
    free(second);
    free(third);
}

/* The owner hears of it at once, once. */
static void last_resort_tells_the_owner(void **state)
{
    (void)state;
    struct qlistener l = {0};
    assert_int_equal(publish(&alice, 1), HEARTH_OK);
    qlisten(&l, &alice, 0);
    (void)ask_one(&alice, 1);
    qworld_run_ms(&w, 100);
    assert_int_equal(l.items, 1);
    for (uint8_t i = 2; i < 6; i++)
        assert_true(same(ask_one(&alice, i), hash_of(&last_resort)));
    qworld_run_ms(&w, 100);
    assert_int_equal(l.items, 2);
    assert_int_equal(alice.got[1].kind, QUEUE_ITEM_LAST_RESORT);
    assert_int_equal(alice.got[1].body_bytes, 32);
    assert_int_equal(publish(&alice, 0), HEARTH_OK); /* after an upload it is told anew */
    (void)ask_one(&alice, 7);
    qworld_run_ms(&w, 100);
    assert_int_equal(l.items, 3);
    qlistener_close(&l);
}

/* ---- who may */

/* P5: unknown owner, wrong token, revoked contact: one answer. */
static void p5_one_answer(void **state)
{
    (void)state;
    struct asking a;
    struct digest hash[16];
    size_t count = 0;
    char first[200];
    assert_int_equal(publish(&alice, 5), HEARTH_OK);
    asking_init(&a, &alice, 1);
    a.token[47] ^= 1;
    assert_int_equal(ask(&a, hash, &count), HEARTH_UNAUTHENTICATED);
    (void)strncpy(first, w.last.message, sizeof first - 1);
    first[sizeof first - 1] = 0;
    asking_init(&a, &alice, 1);
    a.in.queue_user_id = qdata(bytes_str("0123456789abcdef"));
    assert_int_equal(ask(&a, hash, &count), HEARTH_UNAUTHENTICATED);
    assert_string_equal(w.last.message, first);
    /* revoked: this contact alone */
    uint8_t id[16];
    Hearth__V1__Idempotency once = qworld_id(&w, id);
    Hearth__V1__UpdateQueueUserRequest in = HEARTH__V1__UPDATE_QUEUE_USER_REQUEST__INIT;
    asking_init(&a, &alice, 1);
    ProtobufCBinaryData revoked[] = {qdata(bytes_of(a.contact, sizeof a.contact))};
    in.idempotency = &once;
    in.n_revoked_contact_ids = 1;
    in.revoked_contact_ids = revoked;
    assert_int_equal(ask(&a, hash, &count), HEARTH_OK); /* the control */
    assert_int_equal(qworld_call(&w, &alice.user, "UpdateQueueUser", &in.base, NULL), HEARTH_OK);
    asking_init(&a, &alice, 1);
    assert_int_equal(ask(&a, hash, &count), HEARTH_UNAUTHENTICATED);
    assert_string_equal(w.last.message, first);
    (void)ask_one(&alice, 2);
    /* a new key ends every token made before */
    uint8_t key[CONTACT_KEY_BYTES] = {7};
    once = qworld_id(&w, id);
    in.n_revoked_contact_ids = 0;
    in.contact_key = qdata(bytes_of(key, sizeof key));
    assert_int_equal(qworld_call(&w, &alice.user, "UpdateQueueUser", &in.base, NULL), HEARTH_OK);
    asking_init(&a, &alice, 2);
    assert_int_equal(ask(&a, hash, &count), HEARTH_UNAUTHENTICATED);
    memcpy(alice.contact_key, key, sizeof key);
    (void)ask_one(&alice, 2);
}

/* DoS7: one contact can't drain an owner; the control, with that limit raised, can. */
static void dos7_one_contact(void **state)
{
    (void)state;
    struct asking a;
    struct digest hash[16];
    size_t count = 0;
    assert_int_equal(publish(&alice, 100), HEARTH_OK);
    qworld_limit(&w, "KEY_PACKAGES_CONTACT", 10);
    unsigned got = 0;
    for (int i = 0; i < 30; i++) {
        asking_init(&a, &alice, 1);
        got += ask(&a, hash, &count) == HEARTH_OK;
    }
    assert_int_equal(got, 10);
    assert_int_equal(w.last.code, HEARTH_RESOURCE_EXHAUSTED);
    (void)ask_one(&alice, 2); /* others are not hurt */
    qworld_limit(&w, "KEY_PACKAGES_CONTACT", 1000);
    got = 0;
    for (int i = 0; i < 120; i++) {
        asking_init(&a, &alice, 3);
        assert_int_equal(ask(&a, hash, &count), HEARTH_OK);
        got += !same(hash[0], hash_of(&last_resort));
    }
    assert_int_equal(got, 100 - 10 - 1 - 20);
}

/* DoS7: contacts that work together share what their source may. */
static void dos7_one_source(void **state)
{
    (void)state;
    struct asking a;
    struct digest hash[16];
    size_t count = 0;
    assert_int_equal(publish(&alice, 100), HEARTH_OK);
    qworld_limit(&w, "KEY_PACKAGES_PREFIX", 10);
    unsigned got = 0;
    for (uint8_t i = 0; i < 30; i++) {
        asking_init(&a, &alice, i);
        got += ask(&a, hash, &count) == HEARTH_OK;
    }
    assert_int_equal(got, 10);
    assert_int_equal(w.last.code, HEARTH_RESOURCE_EXHAUSTED);
    qworld_limit(&w, "KEY_PACKAGES_PREFIX", 1000);
    (void)ask_one(&alice, 40);
}

/* DoS7: the last fifth is for contacts that took none today. */
static void dos7_the_last_fifth(void **state)
{
    (void)state;
    assert_int_equal(publish(&alice, 10), HEARTH_OK);
    for (int i = 0; i < 8; i++)
        assert_false(same(ask_one(&alice, 1), hash_of(&last_resort)));
    for (int i = 0; i < 3; i++)
        assert_true(same(ask_one(&alice, 1), hash_of(&last_resort)));
    assert_false(same(ask_one(&alice, 2), hash_of(&last_resort)));
    assert_true(same(ask_one(&alice, 2), hash_of(&last_resort)));
    qworld_days(&w, 1);
    assert_false(same(ask_one(&alice, 1), hash_of(&last_resort)));
    assert_true(same(ask_one(&alice, 3), hash_of(&last_resort)));
}

/* ---- what is stored */

static enum hearth_code publish_wrong(struct wrong how, bool in_last_resort)
{
    static const struct wrong nothing;
    wrong = in_last_resort ? nothing : how;
    make_bundle(&bundles[0], false);
    wrong = in_last_resort ? how : nothing;
    make_bundle(&last_resort, true);
    wrong = nothing;
    return upload(&alice, bundles, 1, &last_resort);
}

static void wrong_packages_are_refused(void **state)
{
    (void)state;
    static const struct wrong wrongs[] = {
        {.basic = true},
        {.not_yet = true},
        {.over = true},
        {.foreign = true},
        {.unsigned_reference = true},
        {.damaged = true},
        {.trailing = true},
        {.plain = true},
        {.bad_identity = true},
    };
    assert_int_equal(publish(&alice, 1), HEARTH_OK);
    struct digest good = hash_of(&bundles[0]);
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++)
        for (int last = 0; last < 2; last++)
            assert_int_equal(publish_wrong(wrongs[i], last == 1), HEARTH_INVALID_ARGUMENT);
    make_bundle(&bundles[0],
                true); /* last resort where a single-use one belongs, and the reverse */
    make_bundle(&last_resort, true);
    assert_int_equal(upload(&alice, bundles, 1, &last_resort), HEARTH_INVALID_ARGUMENT);
    make_bundle(&last_resort, false);
    assert_int_equal(upload(&alice, bundles, 0, &last_resort), HEARTH_INVALID_ARGUMENT);
    make_bundle(&bundles[0], false); /* the same twice */
    make_bundle(&last_resort, true);
    bundles[1] = bundles[0];
    bundles[1].message.queue_reference = &bundles[1].reference;
    assert_int_equal(upload(&alice, bundles, 2, &last_resort), HEARTH_INVALID_ARGUMENT);
    assert_true(same(ask_one(&alice, 1), good)); /* all that changed nothing */
}

/* DoS6, at n - 1, n, n + 1. */
static void dos6_sizes(void **state)
{
    (void)state;
    static const struct {
        size_t extensions, bytes;
        bool fits;
    } cases[] = {{1, 1023, true}, {1, 1024, true}, {1, 1025, false}, {7, 10, true},
                 {8, 10, true},   {9, 10, false},  {4, 1024, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wrong how = {.extensions = cases[i].extensions, .extension_bytes = cases[i].bytes};
        uint16_t types[9];
        for (uint16_t k = 0; k < 9; k++)
            types[k] = k == 8 ? EXTENSION_LAST_RESORT : (uint16_t)(0xff00 + k);
        kit.capabilities_extensions = kit_list(&kit, 9, types);
        enum hearth_code code = publish_wrong(how, false);
        if (cases[i].fits)
            assert_int_equal(code, HEARTH_OK);
        else
            assert_int_not_equal(code, HEARTH_OK);
    }
}

/* DoS5: so many and no more; so often and no more. */
static void dos5_counts(void **state)
{
    (void)state;
    assert_int_equal(publish(&alice, 100), HEARTH_OK);
    assert_int_equal(publish(&alice, 101), HEARTH_INVALID_ARGUMENT); /* the row's own rule */
    qworld_limit(&w, "KEY_PACKAGES", 50);
    assert_int_equal(publish(&alice, 51), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(publish(&alice, 50), HEARTH_OK);
    qworld_limit(&w, "KEY_PACKAGE_UPLOADS", 6);
    unsigned well = 0;
    for (int i = 0; i < 10; i++)
        well += publish(&alice, 1) == HEARTH_OK;
    assert_true(well <= 6);
    assert_int_equal(w.last.code, HEARTH_RESOURCE_EXHAUSTED);
}

/* F4: an upload replaces, and what is past its end is not handed out. */
static void packages_end(void **state)
{
    (void)state;
    assert_int_equal(publish(&alice, 3), HEARTH_OK);
    struct digest old = hash_of(&bundles[0]);
    assert_int_equal(publish(&alice, 3), HEARTH_OK);
    for (uint8_t i = 0; i < 3; i++)
        assert_false(same(ask_one(&alice, i), old));
    assert_int_equal(publish(&alice, 3), HEARTH_OK);
    qworld_days(&w, 91);
    struct asking a;
    struct digest hash[16];
    size_t count = 1;
    asking_init(&a, &alice, 1);
    assert_int_equal(ask(&a, hash, &count), HEARTH_OK);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(k1_a_package_goes_to_one_requester, setup, teardown),
        cmocka_unit_test_setup_teardown(k1_a_repeat_gets_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(k1_failed_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(one_of_each_client, setup, teardown),
        cmocka_unit_test_setup_teardown(last_resort_tells_the_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(p5_one_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(dos7_one_contact, setup, teardown),
        cmocka_unit_test_setup_teardown(dos7_one_source, setup, teardown),
        cmocka_unit_test_setup_teardown(dos7_the_last_fifth, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_packages_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(dos6_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(dos5_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(packages_end, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
