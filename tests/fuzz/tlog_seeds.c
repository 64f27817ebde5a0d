/* Writes the seeds of fuzz_tlog_messages, fuzz_tlog_text and fuzz_tlog_verify: `tlog_seeds FOLDER`,
 * FOLDER being tests/fuzz. One good object of each kind behind the byte that chooses it. (Evidence
 * that names a label, tlog_verify/unsigned and skipped, is of runs of tests/client/log_attacks.py.)
 */
#include <stdio.h>
#include <stdlib.h>

#include "kit/tlog/story.h"
#include "tlog/base64.h"
#include "tlog/compare.h"

static const char *folder;
static struct story story;

static void must(struct err err)
{
    if (!err_is_ok(err)) {
        (void)fprintf(stderr, "%s\n", err_name(err));
        exit(1);
    }
}

static void save(const char *target, const char *name, uint8_t choice, struct bytes content)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s/%s", folder, target, name);
    FILE *out = fopen(path, "wb");
    if (out == NULL || fputc(choice, out) == EOF ||
        fwrite(content.data, 1, content.len, out) != content.len || fclose(out) != 0) {
        perror(path);
        exit(1);
    }
}

static struct bytes answer(enum story_answer which)
{
    return buf_view(&story.answers[which]);
}

static void save_and_clear(const char *target, const char *name, uint8_t choice, struct buf *b)
{
    must(buf_check(b));
    save(target, name, choice, buf_view(b));
    buf_clear(b);
}

static void many(void)
{
    static struct search_many_request parsed;
    struct buf request = BUF_INIT, b = BUF_INIT;
    struct kt_source source = operator_source(&story.op);
    const struct kt_query queries[2] = {{.label = story.bob}, {.label = story.dave}};
    must(kt_many_request(&request, &story.first, queries, 2));
    must(search_many_request_parse(buf_view(&request), &parsed));
    must(kt_prove_many(&source, &parsed, &b));
    save("tlog_verify", "many", 11, buf_view(&b));
    save_and_clear("tlog_messages", "many_request", 14, &request);
    save_and_clear("tlog_messages", "many_response", 14, &b);
}

static void sight(void)
{
    struct buf b = BUF_INIT;
    struct kt_source source = operator_source(&story.op);
    struct sight_request request = {1, 5150000, story.bob};
    must(kt_prove_sight(&source, &request, &b));
    save("tlog_verify", "sight", 12, buf_view(&b));
    save_and_clear("tlog_messages", "sight_response", 15, &b);
    request.label = bytes_of("\0keys", 5);
    sight_request_write(&b, &request);
    save_and_clear("tlog_messages", "sight_request", 15, &b);
}

static void verify(void)
{
    many();
    sight();
    static const char *const names[] = {"search", "again",     "absent", "owner",     "contact",
                                        "update", "proof",     "heads",  "dist_note", "roots",
                                        "time",   "rewritten", "forked"};
    static const uint8_t choices[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9};
    struct buf b = BUF_INIT;
    uint8_t proof[VRF_PROOF_BYTES], output[VRF_OUTPUT_BYTES];
    for (size_t i = 0; i < STORY_ANSWERS; i++)
        save("tlog_verify", names[i], choices[i], answer((enum story_answer)i));
    must(vrf_prove(&story.op.vrf, bytes_str("alpha"), proof, output));
    buf_append(&b, proof, sizeof proof);
    buf_append(&b, "alpha", 5);
    save_and_clear("tlog_verify", "vrf", 10, &b);
}

static void messages(void)
{
    struct buf b = BUF_INIT;
    struct search_request search = {.last = 3,
                                    .flags = SEARCH_KNOWN,
                                    .label = story.bob,
                                    .has_known = true,
                                    .known_version = 1};
    struct kt_contact contact = {story.bob, &story.bob_pending.known, story.bob_pending.opening};
    struct update_request update = {2, story.bob, 1, bytes_str("value")};
    search_request_write(&b, &search);
    save_and_clear("tlog_messages", "search_request", 0, &b);
    must(kt_owner_request(&b, &story.first, &story.own, &story.from));
    save_and_clear("tlog_messages", "owner_request", 1, &b);
    must(kt_contact_request(&b, &story.pending, &contact, 1));
    save_and_clear("tlog_messages", "contact_request", 2, &b);
    update_request_write(&b, &update);
    save_and_clear("tlog_messages", "update_request", 3, &b);
    save("tlog_messages", "search_response", 4, answer(STORY_SEARCH));
    save("tlog_messages", "absent", 4, answer(STORY_ABSENT));
    save("tlog_messages", "owner_response", 5, answer(STORY_OWNER));
    save("tlog_messages", "contact_response", 6, answer(STORY_CONTACT));
    save("tlog_messages", "update_response", 7, answer(STORY_UPDATE));
    struct prefix_leaf leaves[3] = {{{1}, {2}}, {{3}, {4}}, {{200}, {5}}};
    struct memory_view past = {story.op.tree, 3};
    struct prefix_store store = memory_view_store(&past);
    must(kt_prove_audit(&store, 5000, leaves, 3, &b));
    save_and_clear("tlog_messages", "audit", 8, &b);
    save("tlog_messages", "kt_proof", 9, answer(STORY_PROOF));
    save("tlog_messages", "kt_heads", 10, answer(STORY_HEADS));
    save("tlog_messages", "dist_note", 11, answer(STORY_DIST_NOTE));
    save("tlog_messages", "config", 12, buf_view(&story.op.config_bytes));
    struct kt_comparison c = {.head_count = 1};
    c.persons[0] = (struct kt_person){story.bob, 1, {{1}}};
    c.persons[1] = (struct kt_person){story.carol, 0, {{2}}};
    if (!kt_view_head_of(&story.newest, story.newest.dist_count - 1, &c.heads[0]))
        exit(1);
    must(kt_comparison_write(&b, &c));
    save_and_clear("tlog_messages", "comparison", 13, &b);
}

static void text(void)
{
    struct buf b = BUF_INIT;
    struct note_key key;
    struct note note;
    struct log_proof proof;
    struct log_store log = memory_log_store(&story.op.log);
    struct bytes newest = buf_view(&story.op.epochs[5].note);
    must(kt_config_log_key(&story.op.config, &key));
    must(note_parse(newest, &note));
    buf_append_bytes(&b, newest);
    must(note_cosign(&b, note.text, &key, &story.op.log_key, 1795000000));
    save_and_clear("tlog_text", "note", 0, &b);
    note_key_write(&b, &key);
    save_and_clear("tlog_text", "key", 1, &b);
    must(log_prove_consistency(&log, 3, 7, &proof));
    buf_append(&b, "old 3\n", 6);
    for (size_t i = 0; i < proof.count; i++) {
        tlog_base64_write(&b, hash_value_view(&proof.at[i]));
        buf_append_byte(&b, '\n');
    }
    buf_append_byte(&b, '\n');
    buf_append_bytes(&b, newest);
    save_and_clear("tlog_text", "witness", 2, &b);
    save("tlog_text", "base64", 3, bytes_str("Zm9vYg=="));
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    folder = argv[1];
    must(story_begin(&story));
    verify();
    messages();
    text();
    story_end(&story);
    return 0;
}
