/* CreateGroup: the first state of a group, from the creator's GroupInfo with its tree. The
 * creator's leaf key, which signs the request, comes in that tree. */
#include "server/delivery/access.h"
#include "server/delivery/commit_check.h"
#include "server/delivery/leaf_check.h"
#include "server/delivery/reservation.h"
#include "server/delivery/roles.h"
#include "server/delivery/rpcs.h"

REQUEST_FIELDS(Hearth__V1__CreateGroupRequest)

/* What is decoded takes a few times its bytes. */
enum { INFO_FACTOR = 8, INFO_FLOOR_BYTES = 65536 };

static struct err parse_info(struct request *r, struct mls_message *m)
{
    const Hearth__V1__CreateGroupRequest *in = (const void *)r->in;
    TRY(mls_message_parse(pb_view(in->group_info), &r->work, m));
    if (m->wire_format != WIRE_FORMAT_GROUP_INFO)
        return ERR(DELIVERY_CONTENT);
    const struct group_context *context = &m->group_info.group_context;
    if (!bytes_equal(context->group_id, r->group_id) || context->epoch != 0 || r->leaf_index != 0)
        return ERR(DELIVERY_FOUNDING);
    return suite_check(suite_find(context->cipher_suite));
}

/* Before anything is verified: whose key would it be? */
static struct err find_key(struct request *r)
{
    struct mls_message m;
    struct bytes tree_bytes;
    struct tree tree = {0};
    TRY(parse_info(r, &m));
    r->alg = suite_find(m.group_info.group_context.cipher_suite)->sig;
    if (!extensions_find(&m.group_info.extensions, EXTENSION_RATCHET_TREE, &tree_bytes))
        return ERR(MLS_TREE_MISSING);
    TRY(tree_load(suite_find(m.group_info.group_context.cipher_suite)->hash, tree_bytes, &tree));
    struct leaf_node leaf;
    struct err err = ERR(DELIVERY_FOUNDING);
    if (tree.member_count == 1 && tree_leaf(&tree, 0, &leaf))
        err = access_use_key(r, leaf.signature_key);
    tree_clear(&tree);
    return err;
}

static struct err open_nothing(struct request *r, struct store_txn *txn)
{
    const Hearth__V1__CreateGroupRequest *in = (const void *)r->in;
    (void)txn;
    delivery_pseudonym_id(r->d, r->group_id, bytes_of(NULL, 0), r->pseudonym_id);
    TRY(reservation_check(r->d, r->group_id, pb_view(in->reservation)));
    return find_key(r);
}

static struct err admit(struct request *r)
{
    return request_take(r, LIMIT_CREATE_GROUP_PREFIX, r->source, 1);
}

static struct err fill_state(struct request *r, const struct group_info *info,
                             struct public_group *group)
{
    const Hearth__V1__CreateGroupRequest *in = (const void *)r->in;
    struct leaf_node leaf;
    struct leaf_entry entry;
    struct bytes external_pub;
    if (group->tree.member_count != 1 || !public_group_leaf(group, 0, &leaf))
        return ERR(DELIVERY_FOUNDING);
    TRY(record_check(r->d, group->suite, &leaf, in->creator, &entry));
    TRY(context_check(r->d, group->suite, &group->context.extensions));
    if (!context_is_admin(&group->context.extensions, entry.user_pseudonym) ||
        entry.pseudonym_signature.len > 0)
        return ERR(DELIVERY_CONTEXT);
    if (!extensions_find(&info->extensions, EXTENSION_EXTERNAL_PUB, &external_pub))
        return ERR(DELIVERY_INFO);
    entry.month = month_of(r->now_s);
    r->state.suite = group->suite;
    r->state.info_extensions = info->extensions.raw;
    r->state.info_signer = info->signer;
    r->state.info_signature = info->signature;
    TRY(group_state_put(&r->state, &entry));
    struct buf saved = BUF_INIT;
    public_group_save(&saved, group);
    return request_take_buf(r, &saved, &r->state.public_group);
}

static struct err check(struct request *r)
{
    struct mls_message m;
    struct mls_policy policy = mls_policy_at(r->now_s);
    struct public_group group = {0};
    TRY(parse_info(r, &m));
    TRY(public_group_from_group_info(&m.group_info, bytes_of(NULL, 0), &policy, &group));
    struct err err = fill_state(r, &m.group_info, &group);
    r->version = 0; /* the first is 1 */
    if (err_is_ok(err))
        err = request_seal_state(r);
    public_group_clear(&group);
    TRY(err);
    r->effect = REQUEST_INSERTS;
    return request_answer(r, &hearth__v1__create_group_response__descriptor) != NULL
               ? ERR_OK
               : ERR(NO_MEMORY);
}

const struct request_row create_group_row = {
    .name = "CreateGroup",
    .caller = REQUEST_MEMBER,
    .changes = true,
    .group = group_of,
    .idempotency = idempotency_of,
    .open = open_nothing,
    .admit = admit,
    .check = check,
};
