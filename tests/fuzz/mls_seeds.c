/* mls_seeds FOLDER: writes the seeds of the mls_ fuzz targets below tests/fuzz, made by our own
 * kit. They are committed; run it again when a format changes. */
#include <stdio.h>
#include <stdlib.h>

#include "kit/mls_kit.h"

static const char *root;

/* choice below 0: no leading byte */
static void put(const char *target, const char *name, int choice, struct bytes data)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s/%s", root, target, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    if (choice >= 0)
        (void)fputc(choice, file);
    (void)fwrite(data.data, 1, data.len, file);
    (void)fclose(file);
}

/* A record of mls_public_group.c. */
static void record(struct buf *b, int choice, struct bytes data)
{
    wire_write_u8(b, (uint8_t)choice);
    wire_write_vector16(b, data);
}

static void put_record(struct kit *k, const char *name, int choice, struct bytes data)
{
    struct buf b = BUF_INIT;
    record(&b, choice, data);
    put("mls_public_group", name, -1, kit_take(k, &b));
}

/* The body of a handshake message, as verified content. */
static struct bytes body(struct kit *k, struct bytes message)
{
    struct mls_message m;
    KIT_MUST(mls_message_parse(message, &k->arena, &m));
    struct buf b = BUF_INIT;
    framed_body_write(&b, &m.public_message.content.content);
    return kit_take(k, &b);
}

static void handshakes(struct kit *k)
{
    struct psk_id psk = {
        .type = PSK_RESUMPTION, .usage = PSK_USAGE_APPLICATION, .nonce = kit_random(k, 32)};
    struct proposal context = {.type = PROPOSAL_GROUP_CONTEXT_EXTENSIONS};
    context.group_context_extensions =
        kit_extension(k, EXTENSION_EXTERNAL_SENDERS, bytes_of("", 1));
    struct proposal reinit = {
        .type = PROPOSAL_REINIT,
        .reinit = {.group_id = bytes_str("next"), .version = 1, .cipher_suite = 2}};
    struct proposal custom = {.type = 0xff01, .unknown = bytes_str("custom")};
    struct proposal_or_ref list[] = {
        kit_by_value(k, kit_add(k, kit_client_new(k))), kit_by_value(k, kit_remove(k, 4)),
        kit_by_value(k, kit_psk(k, &psk)), kit_by_value(k, kit_proposal(k, &context))};
    struct proposal_or_ref ending = kit_by_value(k, kit_proposal(k, &reinit));
    struct bytes commit = kit_commit(k, 0, list, 4, true);
    struct bytes empty = kit_commit(k, 3, NULL, 0, true);
    struct bytes close = kit_commit(k, 0, &ending, 1, false);
    struct bytes join = kit_external_commit(k, kit_client_new(k), NULL, 0);
    struct proposal_or_ref gone = kit_by_value(k, kit_remove(k, 2));
    struct bytes resync = kit_external_commit(k, k->client_of_leaf[2], &gone, 1);
    struct bytes update = kit_member_proposal(k, 2, kit_update(k, 2));
    struct bytes unknown = kit_member_proposal(k, 2, kit_proposal(k, &custom));
    put("mls_message", "commit", -1, commit);
    put("mls_message", "join", -1, join);
    put("mls_message", "update", -1, update);
    put("mls_message", "unknown_proposal", -1, unknown);
    put_record(k, "message_commit", 0, commit);
    put_record(k, "message_join", 0, join);
    put_record(k, "commit", 1, body(k, commit));
    put_record(k, "commit_reinit", 1, body(k, close));
    put_record(k, "commit_empty", 2, body(k, empty));
    put_record(k, "join", 3, body(k, join));
    put_record(k, "resync", 3, body(k, resync));
    put_record(k, "update", 4, body(k, update));
    put_record(k, "unknown_proposal", 4, body(k, unknown));
    struct buf b = BUF_INIT;
    struct proposal_or_ref list_of_refs[] = {kit_by_ref(k, update), kit_by_ref(k, unknown)};
    record(
        &b, 4,
        body(k, unknown)); /* several in a row: a proposal, another, a commit, and one too late */
    record(&b, 0, update);
    record(&b, 0, kit_commit(k, 0, list_of_refs, 1, false));
    record(&b, 1, body(k, commit));
    record(&b, 0, join);
    put("mls_public_group", "history", -1, kit_take(k, &b));
    struct proposal_or_ref add = kit_by_value(k, kit_add(k, kit_client_new(k)));
    struct proposal_or_ref add_again = kit_by_value(k, kit_add(k, kit_client_new(k)));
    record(&b, 1, body(k, kit_commit(k, 0, &add, 1, false)));
    record(&b, 2, body(k, kit_commit(k, 3, &add_again, 1, false)));
    record(&b, 1, body(k, close));
    record(&b, 1, body(k, empty));
    put("mls_public_group", "two_adds_and_the_end", -1, kit_take(k, &b));
    public_group_save(&b, &k->group);
    put_record(k, "state", 5, kit_take(k, &b));
}

static void tree_and_info(struct kit *k)
{
    struct buf b = BUF_INIT;
    tree_write(&b, &k->group.tree);
    put("mls_ratchet_tree", "five_members", -1, kit_take(k, &b));
    put("mls_message", "group_info", -1, kit_group_info(k, 0, bytes_of(NULL, 0)));
    struct mls_message m = {.wire_format = WIRE_FORMAT_KEY_PACKAGE};
    KIT_MUST(key_package_parse(kit_key_package(k, kit_client_new(k)), &m.key_package));
    mls_message_write(&b, &m);
    put("mls_message", "key_package", -1, kit_take(k, &b));
}

static void welcome_and_private(struct kit *k)
{
    struct buf b = BUF_INIT;
    struct encrypted_group_secrets secrets = {kit_random(k, 32),
                                              {kit_random(k, 32), kit_random(k, 80)}};
    encrypted_group_secrets_write(&b, &secrets);
    encrypted_group_secrets_write(&b, &secrets);
    struct mls_message m = {.wire_format = WIRE_FORMAT_WELCOME};
    m.welcome = (struct welcome){1, kit_take(k, &b), 2, kit_random(k, 100)};
    mls_message_write(&b, &m);
    put("mls_message", "welcome", -1, kit_take(k, &b));
    m = (struct mls_message){.wire_format = WIRE_FORMAT_PRIVATE_MESSAGE};
    m.private_message = (struct private_message){bytes_str("group"),  7,
                                                 CONTENT_APPLICATION, bytes_str("data"),
                                                 kit_random(k, 28),   kit_random(k, 100)};
    mls_message_write(&b, &m);
    put("mls_message", "private_message", -1, kit_take(k, &b));
}

static void secrets(struct kit *k)
{
    struct buf b = BUF_INIT;
    struct psk_id psk = {.type = PSK_EXTERNAL, .id = bytes_str("id"), .nonce = kit_random(k, 32)};
    psk_id_write(&b, &psk);
    struct group_secrets gs = {kit_random(k, 32), true, kit_random(k, 32), kit_take(k, &b), 1};
    group_secrets_write(&b, &gs);
    put("mls_secrets", "group_secrets", 0, kit_take(k, &b));
    sender_data_write(&b, &(struct sender_data){1, 2, {3, 4, 5, 6}});
    put("mls_secrets", "sender_data", 1, kit_take(k, &b));
    struct framed_content content = {.type = CONTENT_APPLICATION,
                                     .application_data = bytes_str("hello")};
    struct content_auth auth = {kit_random(k, 64), {0}};
    private_content_write(&b, &content, &auth, 16);
    put("mls_secrets", "application", 2, kit_take(k, &b));
    put("mls_secrets", "proposal", 3, kit_remove(k, 1));
}

static void extensions(struct kit *k)
{
    struct buf b = BUF_INIT;
    struct required_capabilities required = {kit_list(k, 1, (const uint16_t[]){0xff01}),
                                             {{0}},
                                             kit_list(k, 2, (const uint16_t[]){1, 2})};
    required_capabilities_write(&b, &required);
    put("mls_extension", "required_capabilities", 0, kit_take(k, &b));
    wire_write_vector(&b, kit_kem_key(k));
    put("mls_extension", "external_pub", 1, kit_take(k, &b));
    struct external_sender basic = {kit_random(k, 32), {CREDENTIAL_BASIC, bytes_str("bot")}};
    struct external_sender x509 = {kit_random(k, 32),
                                   {CREDENTIAL_X509, bytes_str("\x03"
                                                               "der")}};
    size_t mark = wire_vector_begin(&b);
    external_sender_write(&b, &basic);
    external_sender_write(&b, &x509);
    wire_vector_end(&b, mark);
    put("mls_extension", "external_senders", 2, kit_take(k, &b));
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: mls_seeds tests/fuzz\n");
        return 2;
    }
    root = argv[1];
    struct kit k;
    kit_init(&k, suite_find(1), 99); /* the group of mls_public_group.c */
    kit_group(&k, 5, true, &(struct extensions){0});
    handshakes(&k);
    tree_and_info(&k);
    welcome_and_private(&k);
    secrets(&k);
    extensions(&k);
    kit_clear(&k);
    return 0;
}
