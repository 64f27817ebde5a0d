/* mls_follow: a server's view of one group, for live tests against other stacks. Reads lines
 *
 *     info HEX      MLSMessage with a GroupInfo that holds its tree: the group from here on
 *     message HEX   MLSMessage with a PublicMessage; a commit that is accepted is merged
 *
 * and answers each with `OK EPOCH TREE_HASH CONFIRMED_TRANSCRIPT_HASH` or `ERR NAME`, state as it
 * was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mls/public/public_group.h"
#include "mls/public/staged_commit.h"

static struct public_group group;
static struct mls_policy policy;

static struct err from_info(struct bytes message)
{
    struct arena a;
    struct mls_message m;
    struct public_group g;
    arena_init(&a, (size_t)1 << 24);
    struct err err = mls_message_parse(message, &a, &m);
    if (err_is_ok(err) && m.wire_format != WIRE_FORMAT_GROUP_INFO)
        err = ERR(MLS_WIRE_FORMAT);
    if (err_is_ok(err))
        err = public_group_from_group_info(&m.group_info, bytes_of(NULL, 0), &policy, &g);
    if (err_is_ok(err)) {
        public_group_clear(&group);
        group = g;
    }
    arena_clear(&a);
    return err;
}

static struct err from_message(struct bytes message)
{
    struct staged_commit *staged = NULL;
    TRY(public_group_process(&group, message, &policy, &staged));
    if (staged != NULL)
        public_group_merge(&group, &staged);
    return ERR_OK;
}

static void print_hex(struct bytes b)
{
    (void)putchar(' ');
    for (size_t i = 0; i < b.len; i++)
        (void)printf("%02x", b.data[i]);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place. */
static struct err unhex(char *text, struct bytes *ret_bytes)
{
    size_t len = strlen(text);
    if (len % 2 != 0)
        return ERR(ARGUMENT);
    for (size_t i = 0; i < len; i += 2) {
        int high = digit(text[i]), low = digit(text[i + 1]);
        if (high < 0 || low < 0)
            return ERR(ARGUMENT);
        text[i / 2] = (char)(high * 16 + low);
    }
    *ret_bytes = bytes_of((const uint8_t *)text, len / 2);
    return ERR_OK;
}

static struct err line_do(char *line)
{
    struct bytes message;
    char *space = strchr(line, ' ');
    if (space == NULL)
        return ERR(ARGUMENT);
    *space = '\0';
    TRY(unhex(space + 1, &message));
    if (strcmp(line, "info") == 0)
        return from_info(message);
    if (strcmp(line, "message") == 0)
        return group.suite == NULL ? ERR(WRONG_STATE) : from_message(message);
    return ERR(ARGUMENT);
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    policy = mls_policy_at(clock_unix_ms(&clock_system) / 1000);
    policy.max_lifetime_seconds = 0; /* some implementations make leaves that last for ever */
    while ((len = getline(&line, &room, stdin)) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        struct err err = line_do(line);
        if (err_is_ok(err)) {
            (void)printf("OK %llu", (unsigned long long)public_group_epoch(&group));
            print_hex(group.context.tree_hash);
            print_hex(group.context.confirmed_transcript_hash);
        } else {
            (void)printf("ERR %s", err_name(err));
        }
        (void)putchar('\n');
        (void)fflush(stdout);
    }
    free(line);
    public_group_clear(&group);
    return 0;
}
