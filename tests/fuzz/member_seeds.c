/* member_seeds FOLDER: writes the seeds of mls_group below tests/fuzz. They are committed; run it
 * again when a format or the way world_grow draws its random numbers changes. */
#include <stdio.h>
#include <stdlib.h>

#include "mls/member/group_save.h"
#include "mls/member/group_state.h"
#include "mls/member/welcome_open.h"
#include "support/test.h"
#include "world/world.h"

static const char *root;
static struct world w;

static void put(const char *name, int choice, struct bytes data)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/mls_group/%s", root, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    (void)fputc(choice, file);
    (void)fwrite(data.data, 1, data.len, file);
    (void)fclose(file);
}

static void put_commit(struct world_client *from, const char *message_name, const char *body_name,
                       const struct commit_options *options)
{
    struct commit_output out;
    struct authenticated_content content;
    struct buf body = BUF_INIT;
    assert_ok(group_commit(from->group, &from->client, options, &out));
    put(message_name, 0, buf_view(&out.commit));
    assert_ok(authenticated_content_parse(from->group->pending->content, &w.arena, &content));
    buf_append_bytes(&body, content.auth.confirmation_tag);
    framed_body_write(&body, &content.content);
    put(body_name, 1, buf_view(&body));
    group_drop_pending(from->group);
    buf_clear(&body);
    commit_output_clear(&out);
}

static void put_welcome(struct world_client *from, struct world_client *joiner)
{
    struct key_package_bundle bundle;
    struct commit_output out;
    struct welcome_opened opened;
    struct buf b = BUF_INIT;
    struct buf secrets = BUF_INIT;
    struct bytes add = world_add(&w, world_key_package(&w, joiner, &bundle));
    struct commit_options options = {.proposals = &add, .proposal_count = 1, .force_path = true};
    assert_ok(group_commit(from->group, &from->client, &options, &out));
    assert_ok(welcome_open(&joiner->client, &bundle, NULL, buf_view(&out.welcome), &opened));
    group_secrets_write(&secrets, &opened.secrets);
    wire_write_vector16(&b, buf_view(&secrets));
    buf_clear(&secrets);
    group_info_write(&secrets, &opened.info);
    wire_write_vector16(&b, buf_view(&secrets));
    put("welcome", 5, buf_view(&b));
    group_drop_pending(from->group);
    welcome_opened_clear(&opened);
    buf_clear(&secrets);
    buf_clear(&b);
    commit_output_clear(&out);
    key_package_bundle_clear(&bundle);
}

static void put_pieces(struct world_client *c)
{
    struct buf b = BUF_INIT;
    struct key_package_bundle bundle;
    while (!world_save(&w, c))
        ;
    wire_write_u32(&b, (uint32_t)c->store.state.len);
    buf_append_bytes(&b, buf_view(&c->store.state));
    for (size_t i = 0; i < c->store.count; i++) {
        wire_write_u64(&b, c->store.pieces[i].epoch);
        wire_write_u32(&b, c->store.pieces[i].place);
        wire_write_vector(&b, buf_view(&c->store.pieces[i].bytes));
    }
    put("pieces", 6, buf_view(&b));
    buf_clear(&b);
    (void)world_key_package(&w, c, &bundle);
    assert_ok(key_package_bundle_write(&b, &bundle));
    put("bundle", 7, buf_view(&b));
    key_package_bundle_clear(&bundle);
    buf_clear(&b);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    root = argv[1];
    struct buf b = BUF_INIT;
    struct commit_output out;
    /* as in mls_group.c */
    world_init(&w, suite_find(1), 77, true);
    world_grow(&w, 4);
    struct world_client *c = w.clients;
    struct world_client *joiner = world_client_new(&w);
    put_welcome(&c[1], joiner);
    put_commit(&c[1], "commit", "commit_body", &(struct commit_options){0});
    put_commit(&c[1], "commit_private", "commit_private_body",
               &(struct commit_options){.private_message = true});
    struct bytes removal = world_remove(&w, group_own_leaf(c[3].group));
    struct bytes psk = world_psk(&w, bytes_str("psk"));
    struct bytes list[] = {removal, psk};
    put_commit(&c[1], "commit_two", "commit_two_body",
               &(struct commit_options){.proposals = list, .proposal_count = 2});
    put("proposal_remove", 2, removal);
    put("proposal_psk", 2, psk);
    assert_ok(group_protect(c[1].group, &c[1].client, bytes_str("text"), bytes_str("aad"), &b));
    put("application", 0, buf_view(&b));
    buf_clear(&b);
    put("application_body", 3, bytes_of("\4text", 5));
    assert_ok(
        group_propose_update(c[2].group, &c[2].client, NULL, NULL, bytes_of(NULL, 0), &b, NULL));
    buf_clear(&b);
    assert_ok(
        group_commit(c[2].group, &c[2].client, &(struct commit_options){.force_path = true}, &out));
    commit_output_clear(&out);
    assert_ok(group_write(c[2].group, &b));
    put("state", 4, buf_view(&b));
    buf_clear(&b);
    put_pieces(&c[2]);
    world_clear(&w);
    return 0;
}
