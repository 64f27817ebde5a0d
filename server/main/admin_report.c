/* hearthd admin report|log */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hearth/v1/admin_rpc.h"
#include "server/main/admin_client.h"
#include "server/main/admin_verbs.h"

#define USAGE "hearthd admin report list|show NUMBER|drop NUMBER"

static void write_day(uint64_t day, char ret_text[16])
{
    time_t when = (time_t)(day * 86400);
    struct tm utc;
    if (gmtime_r(&when, &utc) == NULL || strftime(ret_text, 16, "%Y-%m-%d", &utc) == 0)
        (void)snprintf(ret_text, 16, "?");
}

static int list(const struct invocation *in, struct hearth_channel *channel)
{
    uint64_t after = 0;
    for (bool more = true; more;) {
        Hearth__V1__ListReportsRequest request = HEARTH__V1__LIST_REPORTS_REQUEST__INIT;
        Hearth__V1__ListReportsResponse *answer = NULL;
        struct hearth_status status = {0};
        request.after = after;
        if (hearth_admin_list_reports(channel, NULL, &request, &answer, &status) != HEARTH_OK)
            return admin_client_fail(in, &status);
        for (size_t i = 0; i < answer->n_reports; i++) {
            const Hearth__V1__ReportSummary *r = answer->reports[i];
            char day[16];
            write_day(r->day, day);
            printf(in->json ? "{\"number\":%" PRIu64 ",\"day\":\"%s\",\"bytes\":%" PRIu64 "}\n"
                            : "%-6" PRIu64 " %s %8" PRIu64 " bytes\n",
                   r->number, day, r->size_bytes);
            after = r->number;
        }
        more = answer->n_reports > 0;
        protobuf_c_message_free_unpacked(&answer->base, NULL);
        hearth_status_clear(&status);
    }
    return EXIT_DONE;
}

/* To a file or a pipe as it came. To a terminal without what could command it: the bytes are
 * whatever a client sent. */
static void print_report(ProtobufCBinaryData report)
{
    if (isatty(STDOUT_FILENO) == 0) {
        (void)fwrite(report.data, 1, report.len, stdout);
        return;
    }
    for (size_t i = 0; i < report.len; i++) {
        unsigned byte = report.data[i];
        if ((byte >= ' ' && byte < 0x7f) || byte == '\n')
            (void)putchar((int)byte);
        else
            printf("\\x%02x", byte);
    }
    (void)putchar('\n');
}

static int show(const struct invocation *in, struct hearth_channel *channel, uint64_t number)
{
    Hearth__V1__GetReportRequest request = HEARTH__V1__GET_REPORT_REQUEST__INIT;
    Hearth__V1__GetReportResponse *answer = NULL;
    struct hearth_status status = {0};
    request.number = number;
    if (hearth_admin_get_report(channel, NULL, &request, &answer, &status) != HEARTH_OK)
        return admin_client_fail(in, &status);
    print_report(answer->report);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    hearth_status_clear(&status);
    return EXIT_DONE;
}

static int drop(const struct invocation *in, struct hearth_channel *channel, uint64_t number)
{
    Hearth__V1__DropReportRequest request = HEARTH__V1__DROP_REPORT_REQUEST__INIT;
    Hearth__V1__DropReportResponse *answer = NULL;
    struct hearth_status status = {0};
    request.number = number;
    if (hearth_admin_drop_report(channel, NULL, &request, &answer, &status) != HEARTH_OK)
        return admin_client_fail(in, &status);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    hearth_status_clear(&status);
    return EXIT_DONE;
}

static bool read_number(const char *text, uint64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    *ret_number = strtoull(text, &end, 10);
    return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && *ret_number > 0 &&
           *ret_number <= INT64_MAX;
}

int admin_report(const struct invocation *in, struct hearth_channel *channel)
{
    uint64_t number = 0;
    const char *verb = in->argc > 1 ? in->argv[1] : "list";
    if (in->argc <= 2 && strcmp(verb, "list") == 0)
        return list(in, channel);
    if (in->argc == 3 && read_number(in->argv[2], &number)) {
        if (strcmp(verb, "show") == 0)
            return show(in, channel, number);
        if (strcmp(verb, "drop") == 0)
            return drop(in, channel, number);
    }
    (void)command_fail(USAGE, "what about reports?");
    return EXIT_USAGE;
}

/* Lines after the log's own. */
static size_t cosignatures(ProtobufCBinaryData note)
{
    size_t lines = 0;
    for (size_t i = 0; i + 1 < note.len; i++)
        lines += note.data[i] == '\n' && note.data[i + 1] == 0xe2; /* the dash of a signature */
    return lines > 0 ? lines - 1 : 0;
}

/* The second line of a checkpoint; "0" of none. */
static int size_line(ProtobufCBinaryData note, const char **ret_text)
{
    const char *first = note.len > 0 ? memchr(note.data, '\n', note.len) : NULL;
    size_t left = first != NULL ? note.len - (size_t)(first + 1 - (const char *)note.data) : 0;
    const char *second = left > 0 ? memchr(first + 1, '\n', left) : NULL;
    *ret_text = second != NULL ? first + 1 : "0";
    return second != NULL ? (int)(second - first - 1) : 1;
}

int admin_log(const struct invocation *in, struct hearth_channel *channel)
{
    Hearth__V1__GetLogHeadRequest request = HEARTH__V1__GET_LOG_HEAD_REQUEST__INIT;
    Hearth__V1__GetLogHeadResponse *answer = NULL;
    struct hearth_status status = {0};
    enum hearth_code code = hearth_admin_get_log_head(channel, NULL, &request, &answer, &status);
    if (code == HEARTH_UNIMPLEMENTED) {
        hearth_status_clear(&status);
        return command_fail(NULL, "this homeserver keeps no verifiable log");
    }
    if (code != HEARTH_OK)
        return admin_client_fail(in, &status);
    const char *cosigned;
    const int digits = size_line(answer->cosigned, &cosigned);
    if (in->json)
        printf("{\"size\":%" PRIu64 ",\"time_s\":%" PRIu64
               ",\"cosigned_size\":%.*s,\"cosignatures\":%zu,\"witness\":\"%s\"}\n",
               answer->size, answer->time_s, digits, cosigned, cosignatures(answer->cosigned),
               answer->witness);
    else
        printf("size          %" PRIu64 "\ntime          %" PRIu64
               "\ncosigned      %.*s by %zu\nas a witness  %s\n\n%.*s",
               answer->size, answer->time_s, digits, cosigned, cosignatures(answer->cosigned),
               answer->witness, (int)answer->checkpoint.len, (const char *)answer->checkpoint.data);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    hearth_status_clear(&status);
    return EXIT_DONE;
}
