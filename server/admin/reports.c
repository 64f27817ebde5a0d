/* Abuse reports: what reporters chose to disclose to the operator. */
#include <stdlib.h>

#include "server/admin/inside.h"

static void add_report(void *to, uint64_t number, uint64_t day, uint64_t bytes)
{
    struct admin_list *l = to;
    Hearth__V1__ReportSummary *report = hearth_call_alloc(l->call, sizeof *report);
    if (report == NULL)
        return;
    hearth__v1__report_summary__init(report);
    report->number = number;
    report->day = day;
    report->size_bytes = bytes;
    admin_list_add(l, report);
}

ADMIN_HANDLER(list_reports, ListReports)
{
    struct admin *admin = self;
    struct admin_list reports = {.call = call};
    if (admin->verbs.report_list == NULL)
        return HEARTH_UNIMPLEMENTED;
    struct err err = admin->verbs.report_list(admin->verbs.self, in->after, add_report, &reports);
    if (err.code != ERR_NONE)
        return admin_fail(call, err);
    out->reports = (Hearth__V1__ReportSummary **)(void *)reports.at;
    out->n_reports = reports.count;
    return HEARTH_OK;
}

static void free_report(void *state)
{
    struct buf *report = state;
    buf_clear(report);
    free(report);
}

ADMIN_HANDLER(get_report, GetReport)
{
    struct admin *admin = self;
    if (admin->verbs.report_read == NULL)
        return HEARTH_UNIMPLEMENTED;
    struct buf *report = calloc(1, sizeof *report); /* too much for a call's arena */
    if (report == NULL)
        return admin_fail(call, ERR(NO_MEMORY));
    hearth_call_set_state(call, report, free_report);
    struct err err = admin->verbs.report_read(admin->verbs.self, in->number, report, &out->day);
    if (err.code != ERR_NONE)
        return admin_fail(call, err);
    out->report = (ProtobufCBinaryData){report->len, report->data};
    return HEARTH_OK;
}

ADMIN_HANDLER(drop_report, DropReport)
{
    struct admin *admin = self;
    (void)out;
    if (admin->verbs.report_drop == NULL)
        return HEARTH_UNIMPLEMENTED;
    struct err err = admin->verbs.report_drop(admin->verbs.self, in->number);
    return err.code == ERR_NONE ? HEARTH_OK : admin_fail(call, err);
}
