/* Writes the seeds of fuzz_client_log: `client_log_seeds FOLDER`, FOLDER being tests/fuzz. Rows as
 * they are after bob was found in the log of tests/kit/tlog/story.h. */
#include <stdio.h>
#include <stdlib.h>

#include "client/core/log.h"
#include "kit/tlog/story.h"

static const char *folder;
static struct story story;

static void must(struct err err)
{
    if (!err_is_ok(err)) {
        (void)fprintf(stderr, "%s\n", err_name(err));
        exit(1);
    }
}

static void save(const char *name, uint8_t choice, struct buf *b)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/client_log/%s", folder, name);
    FILE *out = fopen(path, "wb");
    if (out == NULL || fputc(choice, out) == EOF || fwrite(b->data, 1, b->len, out) != b->len ||
        fclose(out) != 0) {
        perror(path);
        exit(1);
    }
    buf_clear(b);
}

static void logs(void)
{
    struct buf b = BUF_INIT;
    struct log log = {.domain = "n.example", .state = LOG_UNLOGGED, .asked_ms = 1000};
    log_write(&b, &log);
    save("unlogged", 0, &b);
    log.state = LOG_HELD;
    log.view = story.newest;
    log.seen_count = 1;
    buf_append_bytes(&log.seen[0].note, buf_view(&story.op.epochs[5].note));
    buf_append_bytes(&log.seen[0].dist, bytes_str("an entry"));
    log_write(&b, &log);
    save("held", 0, &b);
    log_clear(&log);
}

static void labels(void)
{
    struct buf b = BUF_INIT;
    struct log_label *l;
    must(log_label_new("n.example", story.bob, &l));
    log_label_write(&b, l);
    save("asked", 1, &b);
    l->roles = LOG_OWN | LOG_PROVEN;
    l->checked_ms = 2000;
    l->known = story.bob_pending.known;
    l->commitment = story.bob_pending.commitment;
    buf_append_bytes(&l->value, story.bob_pending.value);
    buf_append_bytes(&l->response, buf_view(&story.answers[STORY_AGAIN]));
    buf_append_bytes(&l->proof, buf_view(&story.answers[STORY_PROOF]));
    l->watched = story.from;
    l->own_count = story.own.count < LOG_OWN_MAX ? story.own.count : LOG_OWN_MAX;
    for (size_t i = 0; i < l->own_count; i++)
        l->own[i] = story.own.lookups[i];
    log_label_write(&b, l);
    save("found", 1, &b);
    log_label_free(l);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    folder = argv[1];
    must(story_begin(&story));
    logs();
    labels();
    story_end(&story);
    return 0;
}
