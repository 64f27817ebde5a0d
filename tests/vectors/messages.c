/* Every structure of RFC 9420, random contents: must be read completely and written back byte for
 * byte. */
#include "mls/codec/message.h"
#include "mls/codec/ratchet_tree.h"
#include "vectors/vector_case.h"

static void check_message(struct vector_case *c, const char *field, uint16_t wire_format)
{
    struct bytes in = vector_hex(c, c->json, field);
    struct mls_message m;
    CHECK_OK(mls_message_parse(in, &c->arena, &m));
    CHECK(m.wire_format == wire_format);
    struct buf b = BUF_INIT;
    mls_message_write(&b, &m);
    CHECK_BYTES(vector_take(c, &b), in);
}

static void check_tree(struct vector_case *c)
{
    struct bytes in = vector_hex(c, c->json, "ratchet_tree");
    struct ratchet_tree_walk w = ratchet_tree_walk_of(in);
    struct buf b = BUF_INIT;
    size_t mark = wire_vector_begin(&b);
    struct tree_entry entry;
    while (ratchet_tree_next(&w, &entry))
        tree_entry_write(&b, &entry);
    wire_vector_end(&b, mark);
    struct bytes out = vector_take(c, &b);
    CHECK_OK(ratchet_tree_walk_end(&w));
    CHECK_BYTES(out, in);
}

static void check_group_secrets(struct vector_case *c)
{
    struct bytes in = vector_hex(c, c->json, "group_secrets");
    struct group_secrets s;
    CHECK_OK(group_secrets_parse(in, &s));
    struct buf b = BUF_INIT;
    group_secrets_write(&b, &s);
    CHECK_BYTES(vector_take(c, &b), in);
}

/* The files hold the bodies of proposals without their type. */
static void check_proposal(struct vector_case *c, const char *field, uint16_t type)
{
    struct bytes body = vector_hex(c, c->json, field);
    struct buf in = BUF_INIT;
    wire_write_u16(&in, type);
    wire_write_fixed(&in, body);
    struct bytes whole = vector_take(c, &in);
    struct proposal p;
    CHECK_OK(proposal_parse(whole, &c->arena, &p));
    struct buf b = BUF_INIT;
    proposal_write(&b, &p);
    CHECK_BYTES(vector_take(c, &b), whole);
}

static void check_commit(struct vector_case *c)
{
    struct bytes in = vector_hex(c, c->json, "commit");
    struct commit commit;
    CHECK_OK(commit_parse(in, &c->arena, &commit));
    struct buf b = BUF_INIT;
    commit_write(&b, &commit);
    CHECK_BYTES(vector_take(c, &b), in);
}

void vector_messages(struct vector_case *c)
{
    check_message(c, "mls_welcome", WIRE_FORMAT_WELCOME);
    check_message(c, "mls_group_info", WIRE_FORMAT_GROUP_INFO);
    check_message(c, "mls_key_package", WIRE_FORMAT_KEY_PACKAGE);
    /* not all have it: RFC 9420 6 forbids to send one */
    if (json_object_get(c->json, "public_message_application") != NULL)
        check_message(c, "public_message_application", WIRE_FORMAT_PUBLIC_MESSAGE);
    check_message(c, "public_message_proposal", WIRE_FORMAT_PUBLIC_MESSAGE);
    check_message(c, "public_message_commit", WIRE_FORMAT_PUBLIC_MESSAGE);
    check_message(c, "private_message", WIRE_FORMAT_PRIVATE_MESSAGE);
    check_tree(c);
    check_group_secrets(c);
    check_proposal(c, "add_proposal", PROPOSAL_ADD);
    check_proposal(c, "update_proposal", PROPOSAL_UPDATE);
    check_proposal(c, "remove_proposal", PROPOSAL_REMOVE);
    check_proposal(c, "pre_shared_key_proposal", PROPOSAL_PSK);
    check_proposal(c, "re_init_proposal", PROPOSAL_REINIT);
    check_proposal(c, "external_init_proposal", PROPOSAL_EXTERNAL_INIT);
    check_proposal(c, "group_context_extensions_proposal", PROPOSAL_GROUP_CONTEXT_EXTENSIONS);
    check_commit(c);
}
