/* Commits of our own (RFC 9420 12.4.1). */
#include "mls/member/commit_build.h"

void commit_output_clear(struct commit_output *out)
{
    buf_clear(&out->commit);
    buf_clear(&out->welcome);
    buf_clear(&out->group_info);
}

static struct err make_path(struct commit_build *b, const struct commit_options *options)
{
    struct leaf_node leaf;
    /* RFC 9420 12.4: the path may be left out when no proposal asks for one */
    if (!b->s->path_required && !options->force_path)
        return ERR_OK;
    if (!tree_leaf(&b->group->public.tree, b->group->own_leaf, &leaf))
        return ERR(INTERNAL);
    if (options->profile != NULL) {
        leaf.credential = options->profile->credential;
        leaf.capabilities = options->profile->capabilities;
        leaf.extensions = options->profile->extensions;
    }
    return commit_build_path(b, &leaf);
}

/* RFC 9420 13.4: each type once; and what we put in ourselves is not the caller's to give. */
static struct err check_extensions(struct bytes raw)
{
    struct extensions extensions;
    struct bytes data;
    struct buf b = BUF_INIT;
    wire_write_vector(&b, raw);
    struct wire_reader r = wire_reader_of(buf_view(&b));
    extensions_read(&r, &extensions);
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = wire_reader_end(&r);
    if (err_is_ok(err) && (!extensions_unique(&extensions) ||
                           extensions_find(&extensions, EXTENSION_RATCHET_TREE, &data) ||
                           extensions_find(&extensions, EXTENSION_EXTERNAL_PUB, &data)))
        err = ERR(ARGUMENT);
    buf_clear(&b);
    return err;
}

static struct err make_output(struct commit_build *b, const struct commit_options *options,
                              struct commit_output *out)
{
    struct group_info_options info = {.ratchet_tree = !options->tree_beside,
                                      .external_pub = options->external_pub};
    struct buf group_info = BUF_INIT;
    struct err err = ERR_OK;
    bool apart = options->welcome_extensions.len > 0;
    if (b->s->added.count > 0) {
        TRY_OR(commit_group_info(b, info, options->welcome_extensions, &group_info), err, out);
        TRY_OR(welcome_make(b, buf_view(&group_info), &out->welcome), err, out);
    }
    if (options->external_pub) {
        if (apart)
            buf_clear(&group_info);
        if (group_info.len == 0)
            TRY_OR(commit_group_info(b, info, (struct bytes){0}, &group_info), err, out);
        wire_write_u16(&out->group_info, MLS_VERSION_MLS10);
        wire_write_u16(&out->group_info, WIRE_FORMAT_GROUP_INFO);
        wire_write_fixed(&out->group_info, buf_view(&group_info));
        TRY_OR(buf_check(&out->group_info), err, out);
    }
    err = frame_wrap(b->group, b->client->rng, &b->content, &out->commit);
out:
    buf_clear(&group_info);
    return err;
}

static struct err build(struct commit_build *b, const struct commit_options *options,
                        struct commit_output *out)
{
    struct mls_group *g = b->group;
    struct staged_options staged_options = {.psk_usage = options->psk_usage};
    TRY(check_extensions(options->welcome_extensions));
    TRY(commit_build_start(b));
    b->staged->psk_usage = options->psk_usage;
    TRY(commit_select(b, options));
    TRY(staged_commit_begin(&g->public, (struct sender){SENDER_MEMBER, g->own_leaf}, b->list,
                            b->count, &b->client->policy, &staged_options, &b->staged->public));
    b->s = b->staged->public;
    TRY(make_path(b, options));
    b->content = frame_begin(g, CONTENT_COMMIT, options->authenticated_data);
    if (options->private_message || options->public_message)
        b->content.wire_format =
            options->private_message ? WIRE_FORMAT_PRIVATE_MESSAGE : WIRE_FORMAT_PUBLIC_MESSAGE;
    TRY(commit_build_finish(b, &g->secrets.init));
    TRY(make_output(b, options, out));
    return commit_build_seal(b);
}

struct err group_commit(struct mls_group *g, const struct mls_client *client,
                        const struct commit_options *options, struct commit_output *ret_output)
{
    TRY(group_check_open(g));
    TRY(group_check_signer(g, client));
    /* a new signature key needs a path to stand in */
    struct commit_options o = *options;
    o.force_path = o.force_path || o.new_signer != NULL || o.profile != NULL;
    struct commit_build b = {
        .group = g,
        .client = client,
        .predecessor = o.predecessor,
        .message_signer = client->signer,
        .leaf_signer = o.new_signer != NULL ? o.new_signer : client->signer,
    };
    struct commit_output out = {BUF_INIT, BUF_INIT, BUF_INIT};
    struct err err = build(&b, &o, &out);
    commit_build_clear(&b);
    if (!err_is_ok(err)) {
        commit_output_clear(&out);
        return err;
    }
    *ret_output = out;
    return ERR_OK;
}
