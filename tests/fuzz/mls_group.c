/* A member who receives anything. The first byte chooses what the rest is:
 *   0  a message as from the network
 *   1  the body of a Commit (a confirmation tag in front), 2 of a Proposal, 3 application data: a
 *      fellow member signs and frames it rightly, so that what lies behind the tags is reached
 *   4  a stored group
 *   5  GroupSecrets and GroupInfo (each with two bytes of length) of a Welcome sealed rightly to us
 *   6  a group stored in pieces: its state (uint32 length), then epoch, place, opaque<V> of each
 *   7  a stored KeyPackage bundle
 *
 * Whatever comes: no crash, no leak, and what was refused leaves the stored form as it was. */
#include <stdlib.h>

#include "mls/member/frame.h"
#include "mls/member/group_save.h"
#include "mls/member/welcome_protection.h"
#include "wire/reader.h"
#include "world/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct world w;
static struct world_client *sender;
static struct world_client *us;
static struct world_client *joiner;
static struct key_package_bundle bundle;
static struct buf state;

static void start(void)
{
    world_init(&w, suite_find(1), 77, true);
    world_grow(&w, 4);
    sender = &w.clients[1];
    us = &w.clients[2];
    joiner = world_client_new(&w);
    (void)world_key_package(&w, joiner, &bundle);
    if (!err_is_ok(group_write(us->group, &state)))
        abort();
}

static void must_be_as_before(const struct mls_group *g, const struct buf *before)
{
    struct buf after = BUF_INIT;
    if (!err_is_ok(group_write(g, &after)) || !bytes_equal(buf_view(before), buf_view(&after)))
        abort();
    buf_clear(&after);
}

static void receive(struct mls_group *g, struct bytes message)
{
    struct mls_received received;
    struct buf before = BUF_INIT;
    struct buf after = BUF_INIT;
    if (!err_is_ok(group_write(g, &before)))
        abort();
    if (!err_is_ok(group_process(g, &us->client, message, &received))) {
        must_be_as_before(g, &before);
    } else {
        if (received.staged != NULL && !err_is_ok(group_merge(g, &received.staged)))
            abort();
        mls_received_clear(&received);
        if (!err_is_ok(group_write(g, &after)))
            abort();
    }
    buf_clear(&before);
    buf_clear(&after);
}

static void receive_fresh(struct bytes message)
{
    struct mls_group *g;
    if (!err_is_ok(group_read(&us->client, buf_view(&state), &g)))
        abort();
    receive(g, message);
    group_free(g);
}

static void receive_framed(enum content_type type, struct bytes in)
{
    struct arena a;
    struct buf message = BUF_INIT;
    struct signature signature;
    struct authenticated_content content = frame_begin(sender->group, type, bytes_of(NULL, 0));
    size_t tag_bytes = w.suite->hash->bytes;
    arena_init(&a, 128 * in.len + 65536);
    if (type == CONTENT_COMMIT) {
        if (in.len < tag_bytes)
            return;
        content.auth.confirmation_tag = bytes_of(in.data, tag_bytes);
        in = bytes_of(in.data + tag_bytes, in.len - tag_bytes);
    }
    struct wire_reader r = wire_reader_of(in);
    framed_body_read(&r, &a, &content.content);
    if (err_is_ok(wire_reader_end(&r)) &&
        err_is_ok(frame_sign(sender->group, &sender->key, &content, &signature)) &&
        err_is_ok(frame_wrap(sender->group, &w.rng, &content, &message)))
        receive_fresh(buf_view(&message));
    buf_clear(&message);
    arena_clear(&a);
}

static void read_stored(struct bytes in)
{
    struct mls_group *g;
    struct buf b = BUF_INIT;
    if (!err_is_ok(group_read(&us->client, in, &g)))
        return;
    if (!err_is_ok(group_write(g, &b)))
        abort();
    group_free(g);
    /* what is written is read */
    if (!err_is_ok(group_read(&us->client, buf_view(&b), &g)))
        abort();
    group_free(g);
    buf_clear(&b);
}

static struct err append_state(void *self, struct bytes bytes)
{
    buf_append_bytes(self, bytes);
    return ERR_OK;
}

static struct err append_ratchet(void *self, uint64_t epoch, uint32_t place, struct bytes ratchet)
{
    wire_write_u64(self, epoch);
    wire_write_u32(self, place);
    wire_write_vector(self, ratchet);
    return ERR_OK;
}

static struct err append_drop(void *self, uint64_t from, uint64_t to)
{
    (void)self;
    if (from != 1 || to != 0)
        abort();
    return ERR_OK;
}

enum { PIECES_MAX = 64 };

static bool load_pieces(struct bytes in, struct mls_group **ret_group)
{
    struct group_ratchet_piece pieces[PIECES_MAX];
    struct wire_reader r = wire_reader_of(in);
    size_t count = 0;
    struct bytes stored = wire_read_fixed(&r, wire_read_u32(&r));
    while (wire_reader_more(&r) && count < PIECES_MAX) {
        uint64_t epoch = wire_read_u64(&r);
        uint32_t place = wire_read_u32(&r);
        pieces[count++] = (struct group_ratchet_piece){epoch, place, wire_read_vector(&r)};
    }
    return err_is_ok(wire_reader_end(&r)) &&
           err_is_ok(group_load(&us->client, stored, pieces, count, ret_group));
}

/* What was taken is handed out again, and by the group's other stored form comes the same. */
static void read_pieces(struct bytes in)
{
    struct mls_group *g;
    struct buf stored = BUF_INIT;
    if (!load_pieces(in, &g))
        return;
    struct buf first = BUF_INIT, second = BUF_INIT;
    const struct group_sink sink = {append_state, append_ratchet, append_drop, &stored};
    if (!err_is_ok(group_save(g, GROUP_SAVE_ALL, &sink)) || !err_is_ok(group_write(g, &first)))
        abort();
    struct buf pieces = BUF_INIT;
    const struct group_sink apart = {append_state, append_ratchet, append_drop, &pieces};
    group_free(g);
    if (!err_is_ok(group_read(&us->client, buf_view(&first), &g)) ||
        !err_is_ok(group_save(g, GROUP_SAVE_CHANGED, &apart)) ||
        !bytes_equal(buf_view(&pieces), buf_view(&stored)) || !err_is_ok(group_write(g, &second)) ||
        !bytes_equal(buf_view(&first), buf_view(&second)))
        abort();
    group_free(g);
    buf_clear(&stored);
    buf_clear(&pieces);
    buf_clear(&first);
    buf_clear(&second);
}

static void read_bundle(struct bytes in)
{
    struct key_package_bundle b;
    struct buf again = BUF_INIT;
    if (!err_is_ok(key_package_bundle_read(in, &b)))
        return;
    if (!err_is_ok(key_package_bundle_write(&again, &b)) || !bytes_equal(in, buf_view(&again)))
        abort();
    key_package_bundle_clear(&b);
    buf_clear(&again);
}

static void join(struct bytes in)
{
    struct wire_reader r = wire_reader_of(in);
    struct bytes secrets = wire_read_vector16(&r);
    struct bytes info = wire_read_vector16(&r);
    struct group_secrets parsed;
    struct secret joiner_secret;
    struct secret no_psk;
    struct secret welcome_secret;
    struct digest ref;
    struct key_package kp;
    struct buf sealed_info = BUF_INIT;
    struct buf entry = BUF_INIT;
    struct buf message = BUF_INIT;
    struct mls_group *g;
    secret_set_zero(suite_hash_bytes(w.suite), &no_psk);
    if (!err_is_ok(wire_reader_end(&r)) || !err_is_ok(group_secrets_parse(secrets, &parsed)) ||
        !err_is_ok(secret_set(parsed.joiner_secret, &joiner_secret)) ||
        !err_is_ok(key_package_ref(buf_view(&bundle.key_package), &ref)) ||
        !err_is_ok(key_package_parse(buf_view(&bundle.key_package), &kp)) ||
        !err_is_ok(key_schedule_welcome(w.suite, &joiner_secret, &no_psk, &welcome_secret)) ||
        !err_is_ok(welcome_seal_group_info(w.suite, &welcome_secret, info, &sealed_info)) ||
        !err_is_ok(welcome_seal_secrets(w.suite, &w.rng, digest_view(&ref), kp.init_key, secrets,
                                        buf_view(&sealed_info), &entry)))
        goto out;
    mls_message_write(&message, &(struct mls_message){.wire_format = WIRE_FORMAT_WELCOME,
                                                      .welcome = {w.suite->id, buf_view(&entry), 1,
                                                                  buf_view(&sealed_info)}});
    if (err_is_ok(group_join(&joiner->client, &w.config, &bundle, buf_view(&message),
                             bytes_of(NULL, 0), NULL, &g)))
        group_free(g);
out:
    buf_clear(&sealed_info);
    buf_clear(&entry);
    buf_clear(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (us == NULL)
        start();
    if (len == 0)
        return 0;
    struct bytes rest = bytes_of(data + 1, len - 1);
    switch (data[0]) {
    case 0:
        receive_fresh(rest);
        break;
    case 1:
        receive_framed(CONTENT_COMMIT, rest);
        break;
    case 2:
        receive_framed(CONTENT_PROPOSAL, rest);
        break;
    case 3:
        receive_framed(CONTENT_APPLICATION, rest);
        break;
    case 4:
        read_stored(rest);
        break;
    case 6:
        read_pieces(rest);
        break;
    case 7:
        read_bundle(rest);
        break;
    default:
        join(rest);
        break;
    }
    world_forget(&w);
    return 0;
}
