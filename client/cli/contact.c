/* contact add|accept|refuse|list|remove, verify. */
#include <qrencode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/cli.h"

static const char *state_text(const struct hearth_contact *contact)
{
    switch (contact->state) {
    case HEARTH_CONTACT_ASKED:
        return "asked";
    case HEARTH_CONTACT_ASKS:
        return "asks";
    case HEARTH_CONTACT_FRIEND:
        return "contact";
    case HEARTH_CONTACT_REFUSED:
        return "refused";
    default:
        return "removed";
    }
}

static int said(struct cli *cli, int code, const char *label, const char *format, const char *name)
{
    if (code == EXIT_DONE) {
        char text[512];
        (void)snprintf(text, sizeof text, "%s%s", name, format);
        line(cli, label, "%s", text);
        object(cli, cli->json ? json_pack("{s:s, s:s}", "contact", name, "state", label) : NULL);
    }
    return code;
}

int command_contact_add(struct cli *cli)
{
    int code = finish(cli, hearth_contact_add(cli->account, cli->argv[0]));
    return said(cli, code, "asked", "; you can write as soon as the answer is yes", cli->argv[0]);
}

int command_contact_accept(struct cli *cli)
{
    struct hearth_id id;
    int code = find_contact(cli, cli->argv[0], &id);
    if (code != EXIT_DONE)
        return code;
    return said(cli, finish(cli, hearth_contact_accept(cli->account, &id)), "accepted",
                " is a contact now", cli->argv[0]);
}

int command_contact_refuse(struct cli *cli)
{
    struct hearth_id id;
    int code = find_contact(cli, cli->argv[0], &id);
    if (code != EXIT_DONE)
        return code;
    return said(cli, finish(cli, hearth_contact_refuse(cli->account, &id)), "refused",
                " is told so", cli->argv[0]);
}

static bool print_contact(const struct hearth_contact *contact, void *arg)
{
    const struct cli *cli = arg;
    char id[HEARTH_ID_TEXT_BYTES];
    hearth_id_text(&contact->id, id);
    line(cli, state_text(contact), "%s%s%s%s%s", contact->handle[0] != '\0' ? contact->handle : id,
         contact->name[0] != '\0' ? "  " : "", contact->name,
         contact->compared ? "  (compared)" : "",
         contact->changed ? "  KEYS REPLACED: compare anew" : "");
    object(cli, cli->json
                    ? json_pack("{s:s, s:s, s:o, s:o, s:b, s:b, s:i}", "id", id, "state",
                                state_text(contact), "handle", json_text(contact->handle), "name",
                                json_text(contact->name), "compared", contact->compared, "changed",
                                contact->changed, "devices", (int)contact->devices)
                    : NULL);
    return true;
}

int command_contact_list(struct cli *cli)
{
    return hearth_contact_each(cli->account, print_contact, cli) ? EXIT_DONE : EXIT_FAILED;
}

int command_contact_remove(struct cli *cli)
{
    struct hearth_id id;
    int code = find_contact(cli, cli->argv[0], &id);
    if (code != EXIT_DONE)
        return code;
    if (!confirmed(cli, "End this contact?"))
        return EXIT_USAGE;
    return said(cli, finish(cli, hearth_contact_remove(cli->account, &id)), "removed", "",
                cli->argv[0]);
}

/* ---- comparing */

/* Two rows of modules in one line of text. */
static void print_qr(const uint8_t *bytes, size_t len)
{
    QRcode *code = QRcode_encodeData((int)len, bytes, 0, QR_ECLEVEL_L);
    if (code == NULL)
        return;
    for (int y = -2; y < code->width + 2; y += 2) {
        (void)fputs("    ", stdout);
        for (int x = -2; x < code->width + 2; x++) {
            bool inside = x >= 0 && x < code->width;
            bool upper =
                inside && y >= 0 && y < code->width && (code->data[y * code->width + x] & 1) != 0;
            bool lower = inside && y + 1 >= 0 && y + 1 < code->width &&
                         (code->data[(y + 1) * code->width + x] & 1) != 0;
            (void)fputs(upper ? lower ? " " : "\u2584" : lower ? "\u2580" : "\u2588", stdout);
        }
        (void)putchar('\n');
    }
    QRcode_free(code);
}

/* Are these the digits, whatever their groups? */
static bool same_digits(const char *a, const char *b)
{
    while (*a != '\0' || *b != '\0') {
        if (*a == ' ' || *a == '-')
            a++;
        else if (*b == ' ')
            b++;
        else if (*a++ != *b++)
            return false;
    }
    return true;
}

static int compare_digits(struct cli *cli, const struct hearth_id *id,
                          const struct hearth_safety *safety)
{
    struct hearth_log_comparison code;
    if (hearth_log_code(cli->account, id, &code) && same_digits(cli->argv[1], code.digits)) {
        line(cli, "same", "the logs show %s and you the same", cli->argv[0]);
        object(cli, cli->json ? json_pack("{s:b, s:s}", "same", 1, "compared", "log") : NULL);
        return EXIT_DONE;
    }
    if (!same_digits(cli->argv[1], safety->digits))
        return fail_said(cli, EXIT_UNVERIFIED, "do not write to this contact before you know why",
                         "the numbers differ: somebody may be between you");
    if (!hearth_contact_set_compared(cli->account, id, true))
        return EXIT_FAILED;
    line(cli, "same", "%s is compared now", cli->argv[0]);
    object(cli, cli->json ? json_pack("{s:b}", "same", 1) : NULL);
    return EXIT_DONE;
}

static int compare_qr(struct cli *cli, const struct hearth_id *id)
{
    uint8_t qr[HEARTH_LOG_QR_BYTES];
    struct hearth_error error = {0};
    static const char view[] = "KTL view 1";
    FILE *file = fopen(cli->qr, "rb");
    size_t len = file != NULL ? fread(qr, 1, sizeof qr, file) : 0;
    if (file != NULL)
        (void)fclose(file);
    if (len == 0)
        return fail_said(cli, EXIT_NOT_THERE, NULL, "can't read %s", cli->qr);
    bool log = len > sizeof view && memcmp(qr, view, sizeof view - 1) == 0;
    enum hearth_result result = log ? hearth_log_compare(cli->account, id, qr, len)
                                    : hearth_safety_compare(cli->account, id, qr, len);
    if (result != HEARTH_DONE) {
        hearth_account_error(cli->account, &error);
        return fail_with(cli, &error);
    }
    if (log) {
        line(cli, "same", "the logs show %s and you the same", cli->argv[0]);
        object(cli, cli->json ? json_pack("{s:b, s:s}", "same", 1, "compared", "log") : NULL);
        return EXIT_DONE;
    }
    line(cli, "same", "%s is compared now", cli->argv[0]);
    object(cli, cli->json ? json_pack("{s:b}", "same", 1) : NULL);
    return EXIT_DONE;
}

/* What the logs show both, where there are logs. */
static int show_codes(struct cli *cli, const struct hearth_id *id,
                      const struct hearth_safety *safety)
{
    static struct hearth_log_comparison code;
    char *hex = malloc(2 * safety->qr_bytes + 1), *view = malloc(2 * sizeof code.qr + 1);
    bool logged = hearth_log_code(cli->account, id, &code);
    if (hex == NULL || view == NULL) {
        free(hex);
        free(view);
        return EXIT_FAILED;
    }
    if (logged)
        line(cli, "log", "%s", code.digits);
    else
        line(cli, "log", "nothing to compare: a homeserver without a log, or not asked yet");
    if (logged && !cli->json && isatty(STDOUT_FILENO) != 0)
        print_qr(code.qr, code.qr_bytes);
    view[0] = '\0';
    object(cli, cli->json ? json_pack("{s:s, s:s, s:s, s:s}", "digits", safety->digits, "qr",
                                      hex_text(safety->qr, safety->qr_bytes, hex), "log",
                                      logged ? code.digits : "", "log_qr",
                                      logged ? hex_text(code.qr, code.qr_bytes, view) : view)
                          : NULL);
    free(hex);
    free(view);
    return EXIT_DONE;
}

int command_verify(struct cli *cli)
{
    struct hearth_id id;
    struct hearth_safety safety;
    struct hearth_error error = {0};
    int code = find_contact(cli, cli->argv[0], &id);
    if (code != EXIT_DONE)
        return code;
    if (cli->qr != NULL)
        return compare_qr(cli, &id);
    if (!hearth_safety_number(cli->account, &id, &safety)) {
        hearth_account_error(cli->account, &error);
        return fail_with(cli, &error);
    }
    if (cli->argc > 1)
        return compare_digits(cli, &id, &safety);
    line(cli, "number", "%s", safety.digits);
    if (!cli->json && isatty(STDOUT_FILENO) != 0)
        print_qr(safety.qr, safety.qr_bytes);
    return show_codes(cli, &id, &safety);
}
