/* Messages of a two-member group, sent by leaf 1 (RFC 9420 6.2, 6.3): the given ones must open and
 * verify, and ours must come back to the same content. */
#include "mls/member/message_protection.h"
#include "crypto/labelled.h"
#include "vectors/vector_case.h"

struct world {
    const struct suite *suite;
    struct bytes context;
    struct bytes public_key;
    struct sig_key key;
    struct secret membership, sender_data, encryption;
};

static struct bytes body_of(struct vector_case *c, const struct framed_content *content)
{
    if (content->type == CONTENT_APPLICATION)
        return content->application_data;
    struct buf b = BUF_INIT;
    if (content->type == CONTENT_PROPOSAL)
        proposal_write(&b, &content->proposal);
    else
        commit_write(&b, &content->commit);
    return vector_take(c, &b);
}

static void check_content(struct vector_case *c, const struct world *w,
                          const struct authenticated_content *content, struct bytes want)
{
    struct buf tbs = BUF_INIT;
    framed_content_write_tbs(&tbs, content->wire_format, &content->content, w->context);
    CHECK_OK(labelled_verify(w->suite->sig, w->public_key, LABEL_MLS, bytes_str("FramedContentTBS"),
                             vector_take(c, &tbs), content->auth.signature));
    CHECK_BYTES(body_of(c, &content->content), want);
    CHECK(content->content.sender.type == SENDER_MEMBER && content->content.sender.index == 1);
}

static void open_public(struct vector_case *c, const struct world *w, struct bytes message,
                        struct bytes want)
{
    struct mls_message m;
    CHECK_OK(mls_message_parse(message, &c->arena, &m));
    CHECK(m.wire_format == WIRE_FORMAT_PUBLIC_MESSAGE);
    const struct public_message *p = &m.public_message;
    check_content(c, w, &p->content, want);
    CHECK_OK(message_check_membership(w->suite, &w->membership, &p->content, w->context,
                                      p->membership_tag));
    struct bytes cut = p->membership_tag;
    cut.len--;
    CHECK(message_check_membership(w->suite, &w->membership, &p->content, w->context, cut).code ==
          ERR_MLS_MEMBERSHIP_TAG);
}

static struct secret_tree *new_tree(struct vector_case *c, const struct world *w)
{
    struct secret_tree *tree = NULL;
    struct err err =
        secret_tree_new(w->suite, 2, &w->encryption, SECRET_TREE_LIMITS_DEFAULT, &tree);
    if (!err_is_ok(err))
        vector_fail(c, "secret tree: %s", err_name(err));
    return tree;
}

static void open_with(struct vector_case *c, const struct world *w, struct secret_tree *tree,
                      struct bytes message, struct bytes want)
{
    struct mls_message m;
    CHECK_OK(mls_message_parse(message, &c->arena, &m));
    CHECK(m.wire_format == WIRE_FORMAT_PRIVATE_MESSAGE);
    const struct message_keys keys = {w->suite, &w->sender_data, tree};
    struct sender_data sender;
    struct authenticated_content content;
    CHECK_OK(message_open_sender(&keys, &m.private_message, &sender));
    CHECK_OK(message_open_content(&keys, &m.private_message, &sender, &c->arena, &content));
    check_content(c, w, &content, want);
    CHECK_OK(message_done(&keys, &m.private_message, &sender));
    CHECK(message_open_content(&keys, &m.private_message, &sender, &c->arena, &content).code ==
          ERR_MLS_GENERATION_USED);
}

static void open_private(struct vector_case *c, const struct world *w, struct bytes message,
                         struct bytes want)
{
    struct secret_tree *tree = new_tree(c, w);
    if (tree != NULL)
        open_with(c, w, tree, message, want);
    secret_tree_free(tree);
}

/* Content like the given one, signed anew. The confirmation tag is not checked at this level. */
static void sign_own(struct vector_case *c, const struct world *w, uint16_t wire_format,
                     enum content_type type, struct bytes body,
                     struct authenticated_content *content, struct signature *signature)
{
    *content =
        (struct authenticated_content){.wire_format = wire_format,
                                       .content = {.group_id = vector_hex(c, c->json, "group_id"),
                                                   .epoch = vector_uint(c, c->json, "epoch"),
                                                   .sender = {.type = SENDER_MEMBER, .index = 1},
                                                   .authenticated_data = bytes_str("authenticated"),
                                                   .type = type}};
    struct wire_reader r = wire_reader_of(body);
    if (type == CONTENT_APPLICATION)
        content->content.application_data = body;
    else if (type == CONTENT_PROPOSAL)
        proposal_read(&r, &c->arena, &content->content.proposal);
    else
        commit_read(&r, &c->arena, &content->content.commit);
    CHECK_OK(wire_reader_check(&r));
    struct buf tbs = BUF_INIT;
    framed_content_write_tbs(&tbs, wire_format, &content->content, w->context);
    CHECK_OK(labelled_sign(&w->key, LABEL_MLS, bytes_str("FramedContentTBS"), vector_take(c, &tbs),
                           signature));
    content->auth.signature = signature_view(signature);
    if (type == CONTENT_COMMIT)
        content->auth.confirmation_tag = bytes_str("any tag");
}

static void round_trip_private(struct vector_case *c, const struct world *w, enum content_type type,
                               struct bytes body)
{
    struct authenticated_content content;
    struct signature signature;
    sign_own(c, w, WIRE_FORMAT_PRIVATE_MESSAGE, type, body, &content, &signature);
    struct secret_tree *tree = new_tree(c, w);
    CHECK(tree != NULL);
    struct message_keys keys = {w->suite, &w->sender_data, tree};
    struct buf b = BUF_INIT;
    wire_write_u16(&b, MLS_VERSION_MLS10);
    wire_write_u16(&b, WIRE_FORMAT_PRIVATE_MESSAGE);
    struct err err = message_seal(&keys, &rng_system, &content, 37, &b);
    secret_tree_free(tree);
    CHECK_OK(err);
    open_private(c, w, vector_take(c, &b), body);
}

static void round_trip_public(struct vector_case *c, const struct world *w, enum content_type type,
                              struct bytes body)
{
    struct mls_message m = {.wire_format = WIRE_FORMAT_PUBLIC_MESSAGE};
    struct signature signature;
    struct digest tag;
    sign_own(c, w, WIRE_FORMAT_PUBLIC_MESSAGE, type, body, &m.public_message.content, &signature);
    CHECK_OK(message_membership_tag(w->suite, &w->membership, &m.public_message.content, w->context,
                                    &tag));
    m.public_message.membership_tag = digest_view(&tag);
    struct buf b = BUF_INIT;
    mls_message_write(&b, &m);
    open_public(c, w, vector_take(c, &b), body);
}

static void check_messages(struct vector_case *c, const struct world *w)
{
    struct bytes proposal = vector_hex(c, c->json, "proposal");
    struct bytes commit = vector_hex(c, c->json, "commit");
    struct bytes application = vector_hex(c, c->json, "application");
    open_public(c, w, vector_hex(c, c->json, "proposal_pub"), proposal);
    open_public(c, w, vector_hex(c, c->json, "commit_pub"), commit);
    open_private(c, w, vector_hex(c, c->json, "proposal_priv"), proposal);
    open_private(c, w, vector_hex(c, c->json, "commit_priv"), commit);
    open_private(c, w, vector_hex(c, c->json, "application_priv"), application);
    round_trip_public(c, w, CONTENT_PROPOSAL, proposal);
    round_trip_public(c, w, CONTENT_COMMIT, commit);
    round_trip_private(c, w, CONTENT_PROPOSAL, proposal);
    round_trip_private(c, w, CONTENT_COMMIT, commit);
    round_trip_private(c, w, CONTENT_APPLICATION, application);
}

void vector_message_protection(struct vector_case *c)
{
    struct world w = {.suite = vector_suite(c)};
    CHECK(w.suite != NULL);
    struct group_context gc = {.cipher_suite = w.suite->id,
                               .group_id = vector_hex(c, c->json, "group_id"),
                               .epoch = vector_uint(c, c->json, "epoch"),
                               .tree_hash = vector_hex(c, c->json, "tree_hash"),
                               .confirmed_transcript_hash =
                                   vector_hex(c, c->json, "confirmed_transcript_hash")};
    struct buf b = BUF_INIT;
    group_context_write(&b, &gc);
    w.context = vector_take(c, &b);
    w.public_key = vector_hex(c, c->json, "signature_pub");
    CHECK_OK(secret_set(vector_hex(c, c->json, "membership_key"), &w.membership));
    CHECK_OK(secret_set(vector_hex(c, c->json, "sender_data_secret"), &w.sender_data));
    CHECK_OK(secret_set(vector_hex(c, c->json, "encryption_secret"), &w.encryption));
    CHECK_OK(sig_key_init(
        w.suite->sig, vector_private_key(c, c->json, "signature_priv", w.suite->sig->private_bytes),
        &w.key));
    check_messages(c, &w);
    sig_key_clear(&w.key);
}
