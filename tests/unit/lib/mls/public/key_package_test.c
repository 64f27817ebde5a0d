/* RFC 9420 7.2, 7.3, 10.1, 13.4, 13.5: key packages with one fault each, signed around it. */
#include "kit/mls_kit.h"
#include "support/test.h"

static struct kit k;

static int setup(void **state)
{
    (void)state;
    kit_init(&k, suite_find(1), 42);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_clear(&k);
    return 0;
}

static struct err validate(struct bytes raw)
{
    struct key_package kp;
    TRY(key_package_parse(raw, &kp));
    return validate_key_package(&kp, NULL, &k.policy);
}

/* A package of a new client, with whatever the hooks do to it. */
static struct err judge(void (*leaf)(struct kit *, struct leaf_node *),
                        void (*kp)(struct kit *, struct key_package *))
{
    k.hooks = (struct kit_hooks){.leaf = leaf, .key_package = kp};
    struct bytes raw = kit_key_package(&k, kit_client_new(&k));
    k.hooks = (struct kit_hooks){0};
    return validate(raw);
}

static void of_every_suite_is_accepted(void **state)
{
    (void)state;
    for (uint16_t id = 1; id <= SUITE_COUNT; id++) {
        struct kit other;
        kit_init(&other, suite_find(id), id);
        struct key_package kp;
        assert_ok(key_package_parse(kit_key_package(&other, kit_client_new(&other)), &kp));
        assert_ok(validate_key_package(&kp, NULL, &other.policy));
        assert_ok(validate_key_package(&kp, suite_find(id), &other.policy));
        assert_err(validate_key_package(&kp, suite_find((uint16_t)(id % 7 + 1)), &other.policy),
                   MLS_KEY_PACKAGE_SUITE);
        kit_clear(&other);
    }
}

static void version_mls9(struct kit *kit, struct key_package *kp)
{
    (void)kit;
    kp->version = 9;
}
static void suite_8(struct kit *kit, struct key_package *kp)
{
    (void)kit;
    kp->cipher_suite = 8;
}
static void init_key_short(struct kit *kit, struct key_package *kp)
{
    (void)kit;
    kp->init_key.len--;
}
static void init_key_is_leaf_key(struct kit *kit, struct key_package *kp)
{
    (void)kit;
    kp->init_key = kp->leaf_node.encryption_key;
}
static void extension_twice(struct kit *kit, struct key_package *kp)
{
    struct buf b = BUF_INIT;
    extension_write(&b, 0x0a0a, bytes_str("x"));
    extension_write(&b, 0x0a0a, bytes_str("y"));
    kp->extensions.raw = kit_take(kit, &b);
}
static void grease_extension(struct kit *kit, struct key_package *kp)
{
    kp->extensions = kit_extension(kit, 0x0a0a, bytes_str("grease"));
}

static void faults_of_the_package(void **state)
{
    (void)state;
    assert_err(judge(NULL, version_mls9), MLS_VERSION);
    assert_err(judge(NULL, suite_8), MLS_SUITE_UNKNOWN);
    assert_err(judge(NULL, init_key_short), MLS_INIT_KEY);
    assert_err(judge(NULL, init_key_is_leaf_key), MLS_INIT_KEY_REUSED);
    assert_err(judge(NULL, extension_twice), MLS_EXTENSION_TWICE);
    assert_ok(judge(NULL, grease_extension));
}

static void source_update(struct kit *kit, struct leaf_node *leaf)
{
    (void)kit;
    leaf->source = LEAF_SOURCE_UPDATE;
}
static void source_commit(struct kit *kit, struct leaf_node *leaf)
{
    (void)kit;
    leaf->source = LEAF_SOURCE_COMMIT;
}
static void encryption_key_long(struct kit *kit, struct leaf_node *leaf)
{
    leaf->encryption_key = kit_random(kit, 33);
}
static void signature_key_short(struct kit *kit, struct leaf_node *leaf)
{
    (void)kit;
    leaf->signature_key.len--;
}
static void no_version(struct kit *kit, struct leaf_node *leaf)
{
    leaf->capabilities.versions = kit_list(kit, 1, (const uint16_t[]){0x0a0a});
}
static void no_suite(struct kit *kit, struct leaf_node *leaf)
{
    leaf->capabilities.cipher_suites = kit_list(kit, 2, (const uint16_t[]){2, 3});
}
static void credential_unlisted(struct kit *kit, struct leaf_node *leaf)
{
    leaf->capabilities.credentials = kit_list(kit, 1, (const uint16_t[]){CREDENTIAL_X509});
}
static void leaf_extension_unlisted(struct kit *kit, struct leaf_node *leaf)
{
    leaf->extensions = kit_extension(kit, 0xff01, bytes_str("x"));
}
static void leaf_extension_listed(struct kit *kit, struct leaf_node *leaf)
{
    leaf->extensions = kit_extension(kit, 0x1a1a, bytes_str("x"));
    leaf->capabilities.extensions = kit_list(kit, 2, (const uint16_t[]){0x2a2a, 0x1a1a});
}
static void leaf_extension_default(struct kit *kit, struct leaf_node *leaf)
{
    leaf->extensions = kit_extension(kit, EXTENSION_APPLICATION_ID, bytes_str("\x01x"));
}
static void leaf_extension_twice(struct kit *kit, struct leaf_node *leaf)
{
    struct buf b = BUF_INIT;
    extension_write(&b, EXTENSION_APPLICATION_ID, bytes_str("x"));
    extension_write(&b, EXTENSION_APPLICATION_ID, bytes_str("x"));
    leaf->extensions.raw = kit_take(kit, &b);
}

static void faults_of_the_leaf(void **state)
{
    (void)state;
    assert_err(judge(source_update, NULL), MLS_LEAF_SOURCE);
    assert_err(judge(source_commit, NULL), MLS_LEAF_SOURCE);
    assert_err(judge(encryption_key_long, NULL), MLS_LEAF_ENCRYPTION_KEY);
    assert_err(judge(signature_key_short, NULL), MLS_LEAF_SIGNATURE_KEY);
    assert_err(judge(no_version, NULL), MLS_LEAF_VERSION);
    assert_err(judge(no_suite, NULL), MLS_LEAF_SUITE);
    assert_err(judge(credential_unlisted, NULL), MLS_LEAF_CREDENTIAL_UNLISTED);
    assert_err(judge(leaf_extension_unlisted, NULL), MLS_LEAF_EXTENSION_UNLISTED);
    assert_err(judge(leaf_extension_twice, NULL), MLS_EXTENSION_TWICE);
    assert_ok(judge(leaf_extension_listed, NULL));
    assert_ok(judge(leaf_extension_default, NULL));
}

static struct bytes compressed(struct kit *kit, struct bytes point)
{
    uint8_t *copy = arena_copy(&kit->arena, point.data, point.len);
    copy[0] = (uint8_t)(2 + (copy[point.len - 1] & 1));
    return bytes_of(copy, 1 + point.len / 2);
}
static struct bytes off_the_curve(struct kit *kit, struct bytes point)
{
    uint8_t *copy = arena_copy(&kit->arena, point.data, point.len);
    copy[point.len - 1] ^= 1;
    return bytes_of(copy, point.len);
}
static void encryption_key_compressed(struct kit *kit, struct leaf_node *leaf)
{
    leaf->encryption_key = compressed(kit, leaf->encryption_key);
}
static void encryption_key_off(struct kit *kit, struct leaf_node *leaf)
{
    leaf->encryption_key = off_the_curve(kit, leaf->encryption_key);
}
static void signature_key_compressed(struct kit *kit, struct leaf_node *leaf)
{
    leaf->signature_key = compressed(kit, leaf->signature_key);
}
static void signature_key_off(struct kit *kit, struct leaf_node *leaf)
{
    leaf->signature_key = off_the_curve(kit, leaf->signature_key);
}
static void init_key_compressed(struct kit *kit, struct key_package *kp)
{
    kp->init_key = compressed(kit, kp->init_key);
}

/* RFC 9420 5.1.1: points of the NIST curves uncompressed, and on the curve. */
static void points(void **state)
{
    (void)state;
    static const uint16_t suites[] = {2, 5, 7};
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        k.suite = suite_find(suites[i]);
        assert_ok(judge(NULL, NULL));
        assert_err(judge(encryption_key_compressed, NULL), MLS_LEAF_ENCRYPTION_KEY);
        assert_err(judge(encryption_key_off, NULL), MLS_LEAF_ENCRYPTION_KEY);
        assert_err(judge(signature_key_compressed, NULL), MLS_LEAF_SIGNATURE_KEY);
        assert_err(judge(signature_key_off, NULL), MLS_LEAF_SIGNATURE_KEY);
        assert_err(judge(NULL, init_key_compressed), MLS_INIT_KEY);
    }
}

static void backwards(struct kit *kit, struct leaf_node *leaf)
{
    (void)kit;
    leaf->not_before = KIT_NOW + 1;
    leaf->not_after = KIT_NOW;
}
static void for_ever(struct kit *kit, struct leaf_node *leaf)
{
    (void)kit;
    leaf->not_before = 0;
    leaf->not_after = UINT64_MAX;
}
static void over(struct kit *kit, struct leaf_node *leaf)
{
    (void)kit;
    leaf->not_after = KIT_NOW - 1;
}
static void last_second(struct kit *kit, struct leaf_node *leaf)
{
    (void)kit;
    leaf->not_after = KIT_NOW;
}
static void in_two_days(struct kit *kit, struct leaf_node *leaf)
{
    (void)kit;
    leaf->not_before = KIT_NOW + 2 * 86400;
}

static void lifetimes(void **state)
{
    (void)state;
    assert_err(judge(backwards, NULL), MLS_LIFETIME_RANGE);
    assert_err(judge(for_ever, NULL), MLS_LIFETIME_TOO_LONG);
    assert_err(judge(over, NULL), MLS_LIFETIME_EXPIRED);
    assert_ok(judge(last_second, NULL));
    assert_err(judge(in_two_days, NULL), MLS_LIFETIME_EARLY);
    k.policy.max_lifetime_seconds = 0;
    assert_ok(judge(for_ever, NULL));
}

/* Each bit matters: any single byte changed must be refused, whatever the reason. */
static void no_byte_can_change(void **state)
{
    (void)state;
    struct bytes raw = kit_key_package(&k, kit_client_new(&k));
    uint8_t *copy = arena_copy(&k.arena, raw.data, raw.len);
    assert_ok(validate(raw));
    for (size_t i = 0; i < raw.len; i++) {
        copy[i] ^= 1;
        assert_false(err_is_ok(validate(bytes_of(copy, raw.len))));
        copy[i] ^= 1;
    }
}

static void signatures_of_others(void **state)
{
    (void)state;
    struct key_package kp;
    struct key_package other;
    assert_ok(key_package_parse(kit_key_package(&k, kit_client_new(&k)), &kp));
    assert_ok(key_package_parse(kit_key_package(&k, kit_client_new(&k)), &other));
    struct bytes own = kp.signature;
    kp.signature = other.signature;
    assert_err(validate_key_package(&kp, NULL, &k.policy), MLS_KEY_PACKAGE_SIGNATURE);
    kp.signature = own;
    kp.leaf_node.signature = other.leaf_node.signature;
    assert_err(validate_key_package(&kp, NULL, &k.policy), MLS_LEAF_SIGNATURE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(of_every_suite_is_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(faults_of_the_package, setup, teardown),
        cmocka_unit_test_setup_teardown(faults_of_the_leaf, setup, teardown),
        cmocka_unit_test_setup_teardown(points, setup, teardown),
        cmocka_unit_test_setup_teardown(lifetimes, setup, teardown),
        cmocka_unit_test_setup_teardown(no_byte_can_change, setup, teardown),
        cmocka_unit_test_setup_teardown(signatures_of_others, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
