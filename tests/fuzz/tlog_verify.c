/* The client's verifiers, against the log of tests/kit/tlog/story.h. The first byte chooses. A
 * failure leaves the view as it was; a success never goes back, and never shows another value than
 * the log has. */
#include <stdlib.h>

#include "crypto/vrf.h"
#include "kit/tlog/story.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct story story;

static void begin(void)
{
    static bool begun;
    if (!begun && !err_is_ok(story_begin(&story)))
        abort();
    begun = true;
}

static void unchanged_or_grown(struct err err, const struct kt_view *view,
                               const struct kt_view *before)
{
    if (!err_is_ok(err) && memcmp(view, before, sizeof *view) != 0)
        abort();
    if (view->size < before->size)
        abort();
}

static void search(struct bytes in, const struct kt_view *from, struct bytes label,
                   const struct kt_known *known)
{
    struct kt_view view = *from;
    static struct kt_result result;
    struct kt_query query = {
        .label = label, .now_ms = story.now_ms, .known = known, .opaque_value = true};
    struct err err = kt_verify_search(&view, &query, in, &result);
    unchanged_or_grown(err, &view, from);
    if (!err_is_ok(err))
        return;
    bool is_bob = bytes_equal(label, story.bob);
    if (result.known.exists != is_bob)
        abort();
    if (is_bob && !bytes_equal(result.value, bytes_str("bob 1")) &&
        !bytes_equal(result.value, bytes_str("bob 0")))
        abort();
}

static void monitoring(uint8_t choice, struct bytes in)
{
    struct kt_view view = choice == 4 ? story.pending : story.first, before = view;
    struct kt_dist to;
    uint64_t index;
    static struct kt_result result;
    if (choice == 3) {
        struct kt_view late = view;
        struct kt_lookup lookups[sizeof story.lookups / sizeof *story.lookups];
        memcpy(lookups, story.lookups, sizeof lookups);
        struct err err =
            kt_verify_owner_late(&late, story.bob, lookups, story.own.count, &story.from, in, &to);
        unchanged_or_grown(err, &late, &before);
        bool good = err_is_ok(err);
        err = kt_verify_owner(&view, &story.own, &story.from, in, &to);
        unchanged_or_grown(err, &view, &before);
        if (err_is_ok(err) && !good)
            abort(); /* who made all himself is one of several devices, too */
        if (!good && memcmp(lookups, story.lookups, sizeof lookups) != 0)
            abort();
    } else if (choice == 4) {
        const struct kt_contact contact = {story.bob, &story.bob_pending.known,
                                           story.bob_pending.opening};
        unchanged_or_grown(kt_verify_contacts(&view, &contact, 1, in, &index), &view, &before);
    } else {
        unchanged_or_grown(
            kt_verify_update(&view, &story.own, 1, bytes_str("bob 1"), story.now_ms, in, &result),
            &view, &before);
    }
}

static void proof(struct bytes in)
{
    static struct kt_result result;
    struct kt_query query = {.label = story.bob, .opaque_value = true};
    if (err_is_ok(kt_verify_proof(&story.newest, &query, in, &result)) &&
        (result.known.version != 1 || !bytes_equal(result.value, bytes_str("bob 1"))))
        abort();
}

static void heads(struct bytes in)
{
    struct kt_heads parsed;
    if (!err_is_ok(kt_heads_parse(in, &parsed)))
        return;
    for (size_t i = 0; i < parsed.count; i++) {
        struct kt_head head;
        bool compared;
        kt_head_read(&parsed.heads, &head);
        if (err_is_ok(kt_view_compare(&story.newest, &head, &compared)) && compared &&
            head.dist_index != kt_view_newest_dist(&story.newest)->index)
            abort();
    }
}

static void dist_note(struct bytes in)
{
    struct kt_view view = story.newest;
    if (!err_is_ok(kt_view_dist_note(&view, in)) && memcmp(&view, &story.newest, sizeof view) != 0)
        abort();
}

static void evidence(struct bytes in)
{
    struct evidence found;
    if (err_is_ok(evidence_verify(in, &found)) &&
        (found.kind < EVIDENCE_ROOTS || found.kind > EVIDENCE_FORKED))
        abort();
}

static void vrf(struct bytes in)
{
    uint8_t output[VRF_OUTPUT_BYTES];
    if (in.len < VRF_PROOF_BYTES)
        return;
    struct bytes alpha = bytes_of(in.data + VRF_PROOF_BYTES, in.len - VRF_PROOF_BYTES);
    struct bytes given = bytes_of(in.data, VRF_PROOF_BYTES);
    if (!err_is_ok(vrf_verify(bytes_of(story.op.vrf.public_key, 32), alpha, given, output)))
        return;
    /* the only proof of it is the one that we make */
    uint8_t ours[VRF_PROOF_BYTES];
    if (!err_is_ok(vrf_prove(&story.op.vrf, alpha, ours, output)) ||
        !bytes_equal(given, bytes_of(ours, sizeof ours)))
        abort();
}

static void many(struct bytes in)
{
    struct kt_view view = story.first;
    static struct kt_result results[2];
    size_t count;
    const struct kt_query queries[2] = {
        {.label = story.bob, .now_ms = story.now_ms, .opaque_value = true},
        {.label = story.dave, .now_ms = story.now_ms}};
    struct err err = kt_verify_many(&view, queries, 2, in, results, &count);
    unchanged_or_grown(err, &view, &story.first);
    if (!err_is_ok(err))
        return;
    if (count == 0 || count > 2 || !results[0].known.exists ||
        (count == 2 && results[1].known.exists))
        abort();
    if (!bytes_equal(results[0].value, bytes_str("bob 1")) &&
        !bytes_equal(results[0].value, bytes_str("bob 0")))
        abort();
}

/* Whatever entry is shown, bob had one of two values there. */
static void sight(struct bytes in)
{
    struct kt_view view = story.first;
    struct kt_sight found;
    struct err err = kt_verify_sight(&view, story.bob, story.now_ms, in, &found);
    unchanged_or_grown(err, &view, &story.first);
    if (err_is_ok(err) && found.exists && !bytes_equal(found.value, bytes_str("bob 0")) &&
        !bytes_equal(found.value, bytes_str("bob 1")))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    begin();
    if (len == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, len - 1);
    uint8_t choice = data[0] % 13;
    switch (choice) {
    case 0:
        search(in, &story.first, story.bob, NULL);
        break;
    case 1:
        search(in, &story.pending, story.bob, &story.bob_pending.known);
        break;
    case 2:
        search(in, &story.first, story.dave, NULL);
        break;
    case 3:
    case 4:
    case 5:
        monitoring(choice, in);
        break;
    case 6:
        proof(in);
        break;
    case 7:
        heads(in);
        break;
    case 8:
        dist_note(in);
        break;
    case 9:
        evidence(in);
        break;
    case 10:
        vrf(in);
        break;
    case 11:
        many(in);
        break;
    default:
        sight(in);
    }
    return 0;
}
