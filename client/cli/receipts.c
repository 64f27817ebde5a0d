/* receipts: what homeservers answered and signed. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/cli.h"
#include "hearth/rpc.h"

struct showing {
    const struct cli *cli;
    unsigned refused, accepted;
};

/* "AddClient" of "/hearth.v1.Auth/AddClient" */
static const char *short_name(const char *method)
{
    const char *name = strrchr(method, '/');
    return name != NULL ? name + 1 : method;
}

static bool show(const struct hearth_receipt *receipt, void *arg)
{
    struct showing *s = arg;
    char time[32], hash[65];
    *(receipt->accepted ? &s->accepted : &s->refused) += 1;
    (void)hex_text(receipt->request_hash, sizeof receipt->request_hash, hash);
    line(s->cli, receipt->accepted ? "accepted" : "refused", "%s by %s, %s, %s, request %.16s",
         short_name(receipt->method), receipt->domain,
         hearth_code_name((enum hearth_code)receipt->status),
         clock_text(receipt->kept_ms / 1000, time), hash);
    object(s->cli, s->cli->json
                       ? json_pack("{s:b, s:s, s:s, s:i, s:I, s:I, s:s, s:i}", "accepted",
                                   (int)receipt->accepted, "domain", receipt->domain, "method",
                                   receipt->method, "status", (int)receipt->status, "kept_ms",
                                   (json_int_t)receipt->kept_ms, "signed_hour_ms",
                                   (json_int_t)receipt->hour_ms, "request_sha256", hash, "bytes",
                                   (int)receipt->receipt_bytes)
                       : NULL);
    return true;
}

int command_receipts(struct cli *cli)
{
    struct showing s = {.cli = cli};
    if (!hearth_receipt_each(cli->account, show, &s))
        return EXIT_FAILED;
    line(cli, "receipts", "%u refusals and %u changes that were accepted, all signed", s.refused,
         s.accepted);
    return EXIT_DONE;
}
