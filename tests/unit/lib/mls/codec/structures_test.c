/* Structures of RFC 9420 by hand: what the official vectors, all well formed, do not show. */
#include "mls/codec/message.h"
#include "mls/codec/ratchet_tree.h"
#include "support/test.h"

static struct arena a;

static int setup(void **state)
{
    (void)state;
    arena_init(&a, 1 << 24);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_clear(&a);
    return 0;
}

static struct bytes take(struct buf *b)
{
    assert_ok(buf_check(b));
    struct bytes out = bytes_of(arena_copy(&a, b->data, b->len), b->len);
    buf_clear(b);
    return out;
}

static void lists(void **state)
{
    (void)state;
    struct u16_list list;
    struct wire_reader r = wire_reader_of(bytes_of("\x03\0\1\0", 4)); /* one and a half elements */
    u16_list_read(&r, 10, &list);
    assert_err(wire_reader_end(&r), WIRE_VALUE);
    r = wire_reader_of(bytes_of("\x04\0\1\0\2", 5));
    u16_list_read(&r, 1, &list);
    assert_err(wire_reader_end(&r), WIRE_LIMIT);
    r = wire_reader_of(bytes_of("\x04\0\1\x0a\x0b", 5));
    u16_list_read(&r, 2, &list);
    assert_ok(wire_reader_end(&r));
    assert_int_equal(u16_list_count(&list), 2);
    assert_int_equal(u16_list_at(&list, 1), 0x0a0b);
    assert_true(u16_list_has(&list, 1));
    assert_false(u16_list_has(&list, 2));
    assert_false(u16_list_has(&list, 0x010a)); /* not across elements */
    struct buf b = BUF_INIT;
    for (uint32_t i = 0; i < 100; i++)
        wire_write_u32(&b, 3 * i);
    struct u32_list sorted = {buf_view(&b)};
    for (uint32_t i = 0; i < 320; i++)
        assert_int_equal(u32_list_has_sorted(&sorted, i), i % 3 == 0 && i < 300);
    assert_false(u32_list_has_sorted(&(struct u32_list){{NULL, 0}}, 0));
    buf_clear(&b);
}

static void arrays_grow_up_to_their_limit(void **state)
{
    (void)state;
    struct wire_reader r = wire_reader_of(bytes_of("x", 1));
    size_t cap = 0;
    uint32_t *array = NULL;
    for (uint32_t i = 0; i < 100; i++) {
        array = codec_grow(&r, &a, array, i, &cap, sizeof *array, 100);
        assert_ok(wire_reader_check(&r));
        array[i] = i;
    }
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(array[i], i);
    while (cap > 100)
        cap--; /* as if it were full */
    (void)codec_grow(&r, &a, array, 100, &cap, sizeof *array, 100);
    assert_err(wire_reader_check(&r), WIRE_LIMIT);
    struct arena small;
    arena_init(&small, 16);
    r = wire_reader_of(bytes_of("x", 1));
    assert_null(codec_alloc(&r, &small, 17));
    assert_err(wire_reader_check(&r), TOO_LARGE);
    assert_null(codec_alloc(&r, &small, 1)); /* a failed reader gets nothing */
    arena_clear(&small);
}

static struct err parse_credential(const char *bytes, size_t len, struct mls_credential *c)
{
    struct wire_reader r = wire_reader_of(bytes_of(bytes, len));
    credential_read(&r, c);
    return wire_reader_end(&r);
}

static void credentials(void **state)
{
    (void)state;
    struct mls_credential c;
    struct mls_credential d;
    assert_ok(parse_credential("\0\1\2me", 5, &c));
    assert_true(bytes_equal(c.body, bytes_str("me")));
    assert_ok(parse_credential("\xf0\1\2me", 5, &d)); /* unknown: opaque */
    assert_false(credential_equal(&c, &d));
    assert_true(credential_equal(&c, &c));
    assert_ok(parse_credential("\0\2\5\1a\2bc", 8, &c));
    struct wire_reader it = credential_certificates(&c);
    struct bytes der;
    assert_true(credential_next_certificate(&it, &der));
    assert_true(bytes_equal(der, bytes_str("a")));
    assert_true(credential_next_certificate(&it, &der));
    assert_true(bytes_equal(der, bytes_str("bc")));
    assert_false(credential_next_certificate(&it, &der));
    assert_err(parse_credential("\0\2\0", 3, &c), WIRE_VALUE);    /* no certificate */
    assert_err(parse_credential("\0\2\2\2a", 5, &c), WIRE_SHORT); /* longer than the list */
    assert_err(parse_credential("\0\2\x11\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, &c), WIRE_LIMIT);
}

static void extensions_are_bounded(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    for (int count = MLS_MAX_EXTENSIONS; count <= MLS_MAX_EXTENSIONS + 1; count++) {
        size_t mark = wire_vector_begin(&b);
        for (int i = 0; i < count; i++)
            extension_write(&b, (uint16_t)i, bytes_str("x"));
        wire_vector_end(&b, mark);
        struct bytes in = take(&b);
        struct wire_reader r = wire_reader_of(in);
        struct extensions e;
        extensions_read(&r, &e);
        struct bytes data;
        if (count == MLS_MAX_EXTENSIONS) {
            assert_ok(wire_reader_end(&r));
            assert_true(extensions_unique(&e));
            assert_true(extensions_find(&e, MLS_MAX_EXTENSIONS - 1, &data));
            assert_false(extensions_find(&e, MLS_MAX_EXTENSIONS, &data));
        } else {
            assert_err(wire_reader_end(&r), WIRE_LIMIT);
            assert_int_equal(e.raw.len, 0);
        }
    }
}

static void external_senders_are_bounded(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct external_sender s = {bytes_str("key"), {CREDENTIAL_BASIC, bytes_str("me")}};
    for (int count = MLS_MAX_EXTERNAL_SENDERS; count <= MLS_MAX_EXTERNAL_SENDERS + 1; count++) {
        size_t mark = wire_vector_begin(&b);
        for (int i = 0; i < count; i++)
            external_sender_write(&b, &s);
        wire_vector_end(&b, mark);
        struct bytes in = take(&b);
        if (count == MLS_MAX_EXTERNAL_SENDERS) {
            assert_ok(external_senders_check(in));
            assert_ok(external_senders_at(in, MLS_MAX_EXTERNAL_SENDERS - 1, &s));
            assert_err(external_senders_at(in, MLS_MAX_EXTERNAL_SENDERS, &s), NOT_FOUND);
        } else {
            assert_err(external_senders_check(in), WIRE_LIMIT);
        }
    }
    assert_err(external_senders_check(bytes_of("\1", 1)), WIRE_SHORT);
    assert_err(external_senders_check(bytes_of("\0\0", 2)), WIRE_TRAILING);
}

static void padding(void **state)
{
    (void)state;
    struct framed_content content = {.type = CONTENT_APPLICATION,
                                     .application_data = bytes_str("hi")};
    struct content_auth auth = {bytes_str("signature"), {0}};
    struct buf b = BUF_INIT;
    private_content_write(&b, &content, &auth, 7);
    struct framed_content got = {.epoch = 5};
    struct content_auth got_auth;
    assert_ok(private_content_parse(buf_view(&b), &a, CONTENT_APPLICATION, &got, &got_auth));
    assert_true(bytes_equal(got.application_data, bytes_str("hi")));
    assert_true(bytes_equal(got_auth.signature, bytes_str("signature")));
    assert_int_equal(got.epoch, 5); /* the rest is the caller's */
    for (size_t i = 1; i <= 7; i++) {
        b.data[b.len - i] = 1;
        assert_err(private_content_parse(buf_view(&b), &a, CONTENT_APPLICATION, &got, &got_auth),
                   MLS_PADDING);
        b.data[b.len - i] = 0;
    }
    buf_clear(&b);
}

/* Values the RFC does not know where it leaves no room for them. */
static void values(void **state)
{
    (void)state;
    struct psk_id psk;
    assert_err(psk_id_parse(bytes_of("\3\0\0", 3), &psk), WIRE_VALUE);
    assert_err(psk_id_parse(bytes_of("\2\4\0\0\0\0\0\0\0\0\0\0", 12), &psk), WIRE_VALUE);
    assert_ok(psk_id_parse(bytes_of("\2\3\0\0\0\0\0\0\0\0\0\0", 12), &psk));
    struct commit commit;
    assert_ok(commit_parse(bytes_of("\0\0", 2), &a, &commit));
    assert_err(commit_parse(bytes_of("\0\2", 2), &a, &commit), WIRE_VALUE); /* presence */
    assert_err(commit_parse(bytes_of("\2\3\0\0", 4), &a, &commit),
               WIRE_VALUE); /* neither proposal nor reference */
    assert_err(commit_parse(bytes_of("\0\0\0", 3), &a, &commit), WIRE_TRAILING);
    struct proposal p;
    assert_ok(proposal_parse(bytes_of("\x0a\x0a\2xy", 5), &a, &p));
    assert_true(bytes_equal(p.unknown, bytes_str("xy")));
    assert_int_equal(p.raw.len, 5);
    struct mls_message m;
    assert_err(mls_message_parse(bytes_of("\0\1\0\2\0\0\0\0\0\0\0\0\0\4\0\0\0", 17), &a, &m),
               WIRE_VALUE);
    assert_ok(mls_message_parse(bytes_of("\0\1\0\2\0\0\0\0\0\0\0\0\0\3\0\0\0", 17), &a, &m));
    struct group_context gc;
    assert_err(group_context_parse(bytes_of("\0\2\0\1\0\0\0\0\0\0\0\0\0\0\0\0", 16), &gc),
               MLS_VERSION);
    assert_ok(group_context_parse(bytes_of("\0\1\0\1\0\0\0\0\0\0\0\0\0\0\0\0", 16), &gc));
}

/* A vector of `count` times the same element. */
static struct bytes repeated(const char *element, size_t len, size_t count)
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < count; i++)
        buf_append(&b, element, len);
    return take(&b);
}

static void counts(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    for (size_t more = 0; more <= 1; more++) {
        struct welcome w = {.cipher_suite = 1};
        w.secrets =
            repeated("\0\0\0", 3, MLS_MAX_WELCOME_SECRETS + more); /* empty ref, empty ciphertext */
        welcome_write(&b, &w);
        assert_int_equal(welcome_parse(take(&b), &w).code, more ? ERR_WIRE_LIMIT : ERR_NONE);
        struct group_secrets g = {.psks = repeated("\1\0\0", 3, MLS_MAX_PSKS + more)};
        group_secrets_write(&b, &g);
        assert_int_equal(group_secrets_parse(take(&b), &g).code, more ? ERR_WIRE_LIMIT : ERR_NONE);
        struct leaf_node leaf = {.credential.type = CREDENTIAL_BASIC, .source = LEAF_SOURCE_UPDATE};
        struct update_path_node node = {.ciphertexts = repeated("\0\0", 2, MLS_MAX_LEAVES + more)};
        struct update_path path = {leaf, &node, 1};
        update_path_write(&b, &path);
        struct wire_reader r = wire_reader_of(take(&b));
        update_path_read(&r, &a, &path);
        assert_int_equal(wire_reader_end(&r).code, more ? ERR_WIRE_LIMIT : ERR_NONE);
    }
}

/* Kinds without which the rest can't be read. */
static void kinds(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct framed_content content = {.sender = {SENDER_MEMBER, 0}, .type = CONTENT_APPLICATION};
    struct framed_content got;
    for (uint8_t sender = 0; sender <= 5; sender++) {
        for (uint8_t type = 0; type <= 4; type++) {
            wire_write_vector(&b, bytes_of(NULL, 0));
            wire_write_u64(&b, 0);
            wire_write_u8(&b, sender);
            if (sender == SENDER_MEMBER || sender == SENDER_EXTERNAL)
                wire_write_u32(&b, 7);
            wire_write_vector(&b, bytes_of(NULL, 0));
            wire_write_u8(&b, type);
            content.type = (enum content_type)type;
            content.proposal = (struct proposal){.type = PROPOSAL_REMOVE};
            if (type == CONTENT_APPLICATION)
                wire_write_vector(&b, bytes_of(NULL, 0));
            else if (type == CONTENT_PROPOSAL)
                proposal_write(&b, &content.proposal);
            else if (type == CONTENT_COMMIT)
                commit_write(&b, &(struct commit){0});
            struct wire_reader r = wire_reader_of(take(&b));
            framed_content_read(&r, &a, &got);
            bool known = sender >= 1 && sender <= 4 && type >= 1 && type <= 3;
            assert_int_equal(wire_reader_end(&r).code, known ? ERR_NONE : ERR_WIRE_VALUE);
        }
    }
    struct leaf_node leaf = {.credential.type = CREDENTIAL_BASIC};
    for (uint8_t source = 0; source <= 4; source++) {
        leaf.source = (enum leaf_source)source;
        leaf_node_write(&b, &leaf);
        bool known = source >= 1 && source <= 3;
        struct leaf_node other;
        assert_int_equal(leaf_node_parse(take(&b), &other).code, known ? ERR_NONE : ERR_WIRE_VALUE);
    }
    /* RFC 9420 10: the version of a KeyPackage is that of the MLSMessage around it */
    struct mls_message m = {.wire_format = WIRE_FORMAT_KEY_PACKAGE};
    leaf.source = LEAF_SOURCE_UPDATE;
    for (uint16_t version = 0; version <= 2; version++) {
        m.key_package = (struct key_package){.version = version, .leaf_node = leaf};
        mls_message_write(&b, &m);
        struct mls_message read;
        assert_int_equal(mls_message_parse(take(&b), &a, &read).code,
                         version == 1 ? ERR_NONE : ERR_MLS_VERSION);
    }
}

/* A commit of as many proposals as there may be, and one more; a small message makes no large
 * memory. */
static void commits_are_bounded(void **state)
{
    (void)state;
    struct commit commit;
    for (int count = MLS_MAX_COMMIT_PROPOSALS; count <= MLS_MAX_COMMIT_PROPOSALS + 1; count++) {
        struct buf b = BUF_INIT;
        size_t mark = wire_vector_begin(&b);
        for (int i = 0; i < count; i++)
            buf_append(&b, "\1\0\3\0\0\0\1", 7); /* by value, Remove, leaf 1 */
        wire_vector_end(&b, mark);
        wire_write_present(&b, false);
        struct arena own;
        arena_init(&own, 96 * b.len + 65536); /* what public_group_process allows */
        struct err err = commit_parse(buf_view(&b), &own, &commit);
        if (count == MLS_MAX_COMMIT_PROPOSALS) {
            assert_ok(err);
            assert_int_equal(commit.proposal_count, count);
            assert_int_equal(commit.proposals[count - 1].proposal.remove, 1);
        } else {
            assert_err(err, WIRE_LIMIT);
        }
        arena_clear(&own);
        arena_init(&own, b.len); /* a tight arena is an error, not a crash */
        assert_err(commit_parse(buf_view(&b), &own, &commit), TOO_LARGE);
        arena_clear(&own);
        buf_clear(&b);
    }
}

/* Lists that are walked rather than stored. */
static void walks(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct psk_id id = {
        .type = PSK_RESUMPTION, .usage = PSK_USAGE_BRANCH, .epoch = 7, .nonce = bytes_str("n")};
    psk_id_write(&b, &id);
    id.type = PSK_EXTERNAL;
    psk_id_write(&b, &id);
    struct group_secrets secrets = {.joiner_secret = bytes_str("joiner"), .psks = take(&b)};
    group_secrets_write(&b, &secrets);
    assert_ok(group_secrets_parse(take(&b), &secrets));
    assert_int_equal(secrets.psk_count, 2);
    assert_false(secrets.has_path_secret);
    struct wire_reader it = group_secrets_psks_begin(&secrets);
    struct psk_id got;
    assert_true(group_secrets_psks_next(&it, &got));
    assert_int_equal(got.epoch, 7);
    assert_true(group_secrets_psks_next(&it, &got));
    assert_int_equal(got.type, PSK_EXTERNAL);
    assert_false(group_secrets_psks_next(&it, &got));
    psk_label_write(&b, &got, 1, 2); /* PSKLabel ends in index and count */
    assert_memory_equal(b.data + b.len - 4, "\0\1\0\2", 4);
    struct bytes label = take(&b);
    assert_ok(psk_id_parse(bytes_of(label.data, label.len - 4), &got));

    struct encrypted_group_secrets e = {bytes_str("ref"), {bytes_str("kem"), bytes_str("text")}};
    encrypted_group_secrets_write(&b, &e);
    struct welcome welcome = {.cipher_suite = 3, .secrets = take(&b)};
    welcome_write(&b, &welcome);
    assert_ok(welcome_parse(take(&b), &welcome));
    assert_int_equal(welcome.secret_count, 1);
    it = welcome_begin(&welcome);
    assert_true(welcome_next(&it, &e));
    assert_true(bytes_equal(e.secrets.ciphertext, bytes_str("text")));
    assert_false(welcome_next(&it, &e));

    for (int i = 0; i < 3; i++)
        hpke_ciphertext_write(
            &b, &(struct hpke_ciphertext){bytes_str("kem"), bytes_of("abc", (size_t)i)});
    struct update_path_node node = {.ciphertexts = take(&b), .ciphertext_count = 3};
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(update_path_node_ciphertext(&node, i).ciphertext.len, i);

    struct parent_node parent;
    assert_ok(parent_node_parse(bytes_of("\1k\0\4\0\0\0\5", 8), &parent));
    assert_int_equal(u32_list_at(&parent.unmerged_leaves, 0), 5);
    assert_err(parent_node_parse(bytes_of("\1k\0\3\0\0\0", 7), &parent), WIRE_VALUE);
    struct key_package kp = {0};
    assert_false(key_package_is_last_resort(&kp));
    extension_write(&b, EXTENSION_LAST_RESORT, bytes_of(NULL, 0));
    kp.extensions.raw = take(&b);
    assert_true(key_package_is_last_resort(&kp));
}

static void default_types_need_no_listing(void **state)
{
    (void)state;
    struct capabilities c = {0};
    assert_false(capabilities_has_extension(&c, 0));
    assert_true(capabilities_has_extension(&c, EXTENSION_APPLICATION_ID));
    assert_true(capabilities_has_extension(&c, EXTENSION_EXTERNAL_SENDERS));
    assert_false(capabilities_has_extension(&c, EXTENSION_LAST_RESORT));
    assert_true(capabilities_has_proposal(&c, PROPOSAL_GROUP_CONTEXT_EXTENSIONS));
    assert_false(capabilities_has_proposal(&c, 8));
    assert_false(
        capabilities_has_credential(&c, CREDENTIAL_BASIC)); /* credential types have no defaults */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lists, setup, teardown),
        cmocka_unit_test_setup_teardown(arrays_grow_up_to_their_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(credentials, setup, teardown),
        cmocka_unit_test_setup_teardown(extensions_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(external_senders_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(padding, setup, teardown),
        cmocka_unit_test_setup_teardown(values, setup, teardown),
        cmocka_unit_test_setup_teardown(counts, setup, teardown),
        cmocka_unit_test_setup_teardown(kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(commits_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(walks, setup, teardown),
        cmocka_unit_test_setup_teardown(default_types_need_no_listing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
