/* Every decoder of the log's messages. The first byte chooses. What is read is written again as it
 * was: no message has two encodings. */
#include <stdlib.h>

#include "tlog/compare.h"
#include "tlog/evidence.h"
#include "tlog/monitor.h"
#include "tlog/sight.h"
#include "tlog/update.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void same(struct buf *b, struct bytes in)
{
    if (b->failed || !bytes_equal(buf_view(b), in))
        abort();
    buf_clear(b);
}

static void requests(uint8_t choice, struct bytes in)
{
    struct buf b = BUF_INIT;
    struct search_request search;
    struct owner_request owner;
    static struct contact_request contact;
    struct update_request update;
    switch (choice) {
    case 0:
        if (err_is_ok(search_request_parse(in, &search))) {
            search_request_write(&b, &search);
            same(&b, in);
        }
        break;
    case 1:
        if (err_is_ok(owner_request_parse(in, &owner))) {
            owner_request_write(&b, &owner);
            same(&b, in);
        }
        break;
    case 2:
        if (err_is_ok(contact_request_parse(in, &contact))) {
            contact_request_write(&b, &contact);
            same(&b, in);
        }
        break;
    default:
        if (err_is_ok(update_request_parse(in, &update))) {
            update_request_write(&b, &update);
            same(&b, in);
        }
    }
}

static void owner_response(struct bytes in)
{
    struct owner_response response;
    if (!err_is_ok(owner_response_parse(in, &response)))
        return;
    struct buf b = BUF_INIT;
    wire_write_u8(&b, MONITOR_OWNER);
    wire_write_vector16(&b, response.checkpoint);
    hash_run_write8(&b, &response.consistency);
    wire_write_u8(&b, (uint8_t)response.step_count);
    for (size_t i = 0; i < response.step_count; i++) {
        struct owner_step step;
        owner_step_read(&response.steps, &step);
        owner_step_write(&b, &step);
    }
    if (!err_is_ok(wire_reader_end(&response.steps)))
        abort();
    same(&b, in);
}

static void responses(uint8_t choice, struct bytes in)
{
    struct buf b = BUF_INIT;
    static struct search_response search;
    static struct contact_response contact;
    static struct update_response update;
    static struct auditor_update audit;
    switch (choice) {
    case 4:
        if (err_is_ok(search_response_parse(in, &search))) {
            search_response_write(&b, &search);
            same(&b, in);
        }
        break;
    case 5:
        owner_response(in);
        break;
    case 6:
        if (err_is_ok(contact_response_parse(in, &contact))) {
            contact_response_write(&b, &contact);
            same(&b, in);
        }
        break;
    case 7:
        if (err_is_ok(update_response_parse(in, &update))) {
            update_response_write(&b, &update);
            same(&b, in);
        }
        break;
    default:
        if (err_is_ok(auditor_update_parse(in, &audit))) {
            auditor_update_write(&b, &audit);
            same(&b, in);
        }
    }
}

static void heads(struct bytes in)
{
    static struct kt_head all[KT_HEADS_MAX];
    struct kt_heads parsed;
    struct buf b = BUF_INIT;
    if (!err_is_ok(kt_heads_parse(in, &parsed)))
        return;
    for (size_t i = 0; i < parsed.count; i++)
        kt_head_read(&parsed.heads, &all[i]);
    if (!err_is_ok(kt_heads_write(&b, all, parsed.count)))
        abort();
    same(&b, in);
}

static void shared(uint8_t choice, struct bytes in)
{
    struct buf b = BUF_INIT;
    static struct kt_proof proof;
    struct dist_note note;
    struct kt_config config;
    struct kt_comparison comparison;
    char code[KT_CODE_CHARS + 1];
    switch (choice) {
    case 9:
        if (err_is_ok(kt_proof_parse(in, &proof))) {
            kt_proof_write(&b, &proof);
            same(&b, in);
        }
        break;
    case 10:
        heads(in);
        break;
    case 11:
        if (err_is_ok(dist_note_parse(in, &note))) {
            dist_note_write(&b, &note);
            same(&b, in);
        }
        break;
    case 12:
        if (err_is_ok(kt_config_parse(in, &config))) {
            kt_config_write(&b, &config);
            same(&b, in);
        }
        break;
    default:
        if (err_is_ok(kt_comparison_parse(in, &comparison))) {
            if (!err_is_ok(kt_comparison_code(&comparison, code)) ||
                kt_comparison_judge(&comparison, &comparison) != KT_AGREE)
                abort();
            if (!err_is_ok(kt_comparison_write(&b, &comparison)))
                abort();
            same(&b, in);
        }
    }
}

static void many(struct bytes in)
{
    static struct search_many_request request;
    static struct search_many_response response;
    struct buf b = BUF_INIT;
    if (err_is_ok(search_many_request_parse(in, &request))) {
        search_many_request_write(&b, &request);
        same(&b, in);
    }
    if (err_is_ok(search_many_response_parse(in, &response)) && response.count > SEARCH_MANY_MAX)
        abort();
}

static void sight(struct bytes in)
{
    struct buf b = BUF_INIT;
    struct sight_request request;
    struct sight_response response;
    if (err_is_ok(sight_request_parse(in, &request))) {
        sight_request_write(&b, &request);
        same(&b, in);
    }
    if (err_is_ok(sight_response_parse(in, &response))) {
        sight_response_write(&b, &response);
        same(&b, in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, len - 1);
    uint8_t choice = data[0] % 16;
    if (choice < 4)
        requests(choice, in);
    else if (choice < 9)
        responses(choice, in);
    else if (choice < 14)
        shared(choice, in);
    else if (choice == 14)
        many(in);
    else
        sight(in);
    return 0;
}
