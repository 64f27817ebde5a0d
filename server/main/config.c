#include "server/main/config.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "server/main/config_row.h"

#define AT(section, name) offsetof(struct config, section##_##name)
const struct config_row config_rows[] = {
#define CONFIG_TEXT(section, name, value, live, text) \
    {#section, #name, TEXT, AT(section, name), value, 0, 0, 0, NULL, live, text},
#define CONFIG_PATH(section, name, value, live, text) CONFIG_TEXT(section, name, value, live, text)
#define CONFIG_CHOICE(section, name, value, choices, live, text) \
    {#section, #name, CHOICE, AT(section, name), value, 0, 0, 0, choices, live, text},
#define CONFIG_BOOL(section, name, value, live, text) \
    {#section, #name, BOOL, AT(section, name), NULL, value, 0, 1, NULL, live, text},
#define CONFIG_NUMBER(section, name, value, least, most, live, text) \
    {#section, #name, NUMBER, AT(section, name), NULL, value, least, most, NULL, live, text},
#define CONFIG_LIST(section, name, value, live, text) \
    {#section, #name, LIST, AT(section, name), value, 0, 0, 0, NULL, live, text},
#include "server/main/config.def"
#undef CONFIG_TEXT
#undef CONFIG_PATH
#undef CONFIG_CHOICE
#undef CONFIG_BOOL
#undef CONFIG_NUMBER
#undef CONFIG_LIST
};
enum { ROWS = sizeof config_rows / sizeof config_rows[0] };
const size_t config_row_count = ROWS;

static void *slot(struct config *config, const struct config_row *row)
{
    return (uint8_t *)config + row->offset;
}

static void set_text(char *out, const char *value)
{
    (void)snprintf(out, CONFIG_VALUE_MAX, "%s", value);
}

void config_defaults(struct config *config)
{
    memset(config, 0, sizeof *config);
    for (const struct config_row *row = config_rows; row < config_rows + config_row_count; row++) {
        if (row->kind == TEXT || row->kind == CHOICE) {
            set_text(slot(config, row), row->text_default);
        } else if (row->kind == BOOL) {
            *(bool *)slot(config, row) = row->number_default != 0;
        } else if (row->kind == NUMBER) {
            *(uint64_t *)slot(config, row) = row->number_default;
        } else if (row->text_default[0] != '\0') {
            struct config_list *list = slot(config, row);
            set_text(list->values[0], row->text_default);
            list->count = 1;
        }
    }
}

/* ---- reading */

struct reading {
    FILE *file;
    const char *name;
    struct config *config;
    char *error; /* CONFIG_ERROR_MAX; empty: none yet */
    int line;    /* that was read last */
    bool cut;    /* it did not fit */
    bool given[ROWS];
};

__attribute__((format(printf, 2, 3))) static void complain(struct reading *r, const char *format,
                                                           ...)
{
    if (r->error[0] != '\0')
        return; /* the first one counts */
    int len = snprintf(r->error, CONFIG_ERROR_MAX, "%s:%d: ", r->name, r->line);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(r->error + len, (size_t)(CONFIG_ERROR_MAX - len), format, args);
    va_end(args);
}

/* Levenshtein, two rows of the table; words are short. */
static size_t distance(const char *a, const char *b)
{
    enum { MOST = 64 };
    size_t columns = strlen(b), previous[MOST + 1], current[MOST + 1];
    if (columns > MOST)
        return MOST;
    for (size_t j = 0; j <= columns; j++)
        previous[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        current[0] = i + 1;
        for (size_t j = 0; j < columns; j++) {
            size_t best = previous[j] + (a[i] != b[j]);
            if (previous[j + 1] + 1 < best)
                best = previous[j + 1] + 1;
            current[j + 1] = current[j] + 1 < best ? current[j] + 1 : best;
        }
        memcpy(previous, current, sizeof previous);
    }
    return previous[columns];
}

const char *config_nearest(const char *word, const char *const *names)
{
    const char *best = NULL;
    size_t least = strlen(word) / 3 + 2; /* farther is not a slip of the finger */
    for (; *names != NULL; names++) {
        size_t d = distance(word, *names);
        if (d < least) {
            least = d;
            best = *names;
        }
    }
    return best;
}

static void complain_unknown(struct reading *r, const char *section, const char *name)
{
    const char *names[ROWS + 1];
    size_t count = 0;
    bool known_section = strcmp(section, "limits") == 0;
    for (const struct config_row *row = config_rows; row < config_rows + config_row_count; row++) {
        if (strcmp(row->section, section) == 0) {
            names[count++] = row->name;
            known_section = true;
        }
    }
    names[count] = NULL;
    if (!known_section) {
        static const char *const sections[] = {
            "server", "keeper",  "connections", "tls",    "registration", "federation",
            "push",   "storage", "metrics",     "limits", "transparency", NULL};
        const char *near = config_nearest(section, sections);
        complain(r, "there is no section [%s]%s%s%s", section,
                 near != NULL ? "; did you mean [" : "", near != NULL ? near : "",
                 near != NULL ? "]?" : "; see hearthd config describe");
        return;
    }
    const char *near = config_nearest(name, names);
    complain(r, "unknown setting \"%s\" in [%s]%s%s%s", name, section,
             near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
             near != NULL ? "\"?" : "; see hearthd config describe");
}

static bool parse_number(const char *value, uint64_t least, uint64_t most, uint64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || value[0] < '0' || value[0] > '9' ||
        number < least || number > most)
        return false;
    *ret_number = number;
    return true;
}

static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);
    for (const char *at = choices; at != NULL; at = strchr(at, '|')) {
        at += *at == '|';
        if (len > 0 && strncmp(at, value, len) == 0 && (at[len] == '|' || at[len] == '\0'))
            return true;
    }
    return false;
}

static void set_list(struct reading *r, const struct config_row *row, const char *value)
{
    struct config_list *list = slot(r->config, row);
    if (!r->given[row - config_rows])
        list->count = 0; /* the first one replaces the default */
    if (list->count == CONFIG_LIST_MAX)
        complain(r, "more than %d values of \"%s\"", CONFIG_LIST_MAX, row->name);
    else
        set_text(list->values[list->count++], value);
}

static void set_value(struct reading *r, const struct config_row *row, const char *value)
{
    if (r->given[row - config_rows] && row->kind != LIST) {
        complain(r, "\"%s\" is set a second time", row->name);
        return;
    }
    if (row->kind == LIST) {
        set_list(r, row, value);
    } else if (row->kind == BOOL) {
        bool yes = strcmp(value, "yes") == 0 || strcmp(value, "true") == 0;
        if (!yes && strcmp(value, "no") != 0 && strcmp(value, "false") != 0)
            complain(r, "\"%s\" must be yes or no, not \"%s\"", row->name, value);
        *(bool *)slot(r->config, row) = yes;
    } else if (row->kind == NUMBER) {
        if (!parse_number(value, row->least, row->most, slot(r->config, row)))
            complain(r, "\"%s\" must be a number from %llu to %llu, not \"%s\"", row->name,
                     (unsigned long long)row->least, (unsigned long long)row->most, value);
    } else if (row->kind == CHOICE && !is_choice(row->choices, value)) {
        complain(r, "\"%s\" must be one of %s, not \"%s\"", row->name, row->choices, value);
    } else {
        set_text(slot(r->config, row), value);
    }
    r->given[row - config_rows] = true;
}

static const char *const limit_names[] = {
#define LIMIT_ROW(name, unit, value, least, most, reason) #name,
#define LIMIT_BUCKET(name, burst, per_hour, reason)       #name,
#include "server/front/limit.def"
#undef LIMIT_ROW
#undef LIMIT_BUCKET
    NULL};

static const struct limit_row *limit_named(const char *name)
{
    int i = 0;
    while (strcmp(limit_names[i], name) != 0)
        i++;
    return limit_row((enum limit)i);
}

static bool has_limit(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->limit_count; i++)
        if (strcmp(config->limits[i].name, name) == 0)
            return true;
    return false;
}

static void set_limit(struct reading *r, const char *name, const char *value)
{
    char upper[64] = "";
    for (size_t i = 0; i < sizeof upper - 1 && name[i] != '\0'; i++)
        upper[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
    const char *near = config_nearest(upper, limit_names);
    const struct limit_row *row = near == NULL ? NULL : limit_named(near);
    uint64_t number = 0;
    if (near == NULL || strcmp(near, upper) != 0) {
        complain(r, "there is no limit \"%s\"%s%s%s", name, near != NULL ? "; did you mean " : "",
                 near != NULL ? near : "", near != NULL ? "?" : "");
    } else if (!parse_number(value, row->least, row->most, &number)) {
        complain(r, "limit \"%s\" must be a number from %llu to %llu, not \"%s\"", name,
                 (unsigned long long)row->least, (unsigned long long)row->most, value);
    } else if (has_limit(r->config, near)) {
        complain(r, "limit \"%s\" is set a second time", name);
    } else if (r->config->limit_count == CONFIG_LIMITS_MAX) {
        complain(r, "more than %d limits", CONFIG_LIMITS_MAX);
    } else {
        struct config_limit *limit = &r->config->limits[r->config->limit_count++];
        (void)snprintf(limit->name, sizeof limit->name, "%s", near);
        limit->value = number;
    }
}

static int on_value(void *user, const char *section, const char *name, const char *value)
{
    struct reading *r = user;
    if (value == NULL || name == NULL)
        return 0;
    if (strlen(value) >= CONFIG_VALUE_MAX) {
        complain(r, "the value of \"%s\" is longer than %d bytes", name, CONFIG_VALUE_MAX - 1);
        return 1;
    }
    if (strcmp(section, "limits") == 0) {
        set_limit(r, name, value);
        return 1;
    }
    for (const struct config_row *row = config_rows; row < config_rows + config_row_count; row++) {
        if (strcmp(row->section, section) == 0 && strcmp(row->name, name) == 0) {
            set_value(r, row, value);
            return 1;
        }
    }
    complain_unknown(r, section, name);
    return 1;
}

/* inih's lines: it counts none, and cuts what is too long without a word. Blank lines are kept so
 * that it sees all of them. */
static char *next_line(char *out, int size, void *user)
{
    struct reading *r = user;
    if (fgets(out, size, r->file) == NULL)
        return NULL;
    r->line++;
    size_t len = strlen(out);
    if (len > 0 && out[len - 1] != '\n' && !feof(r->file)) {
        complain(r, "the line is longer than %d bytes", size - 2);
        for (int c = fgetc(r->file); c != EOF && c != '\n';)
            c = fgetc(r->file);
    }
    /* A line that begins with blanks would continue the value before it. */
    size_t blanks = strspn(out, " \t");
    if (blanks > 0)
        memmove(out, out + blanks, len - blanks + 1);
    return out;
}

struct err config_read(FILE *file, const char *name, struct config *ret_config,
                       char ret_error[CONFIG_ERROR_MAX])
{
    struct config *config = calloc(1, sizeof *config);
    if (config == NULL)
        return ERR(NO_MEMORY);
    config_defaults(config);
    ret_error[0] = '\0';
    struct reading r = {.file = file, .name = name, .config = config, .error = ret_error};
    struct stat st;
    int bad_line = 0;
    if (fstat(fileno(file), &st) == 0 && !S_ISREG(st.st_mode))
        complain(&r, "not a plain file"); /* a device may have no end, a pipe nothing to say */
    else
        bad_line = ini_parse_stream(next_line, &r, on_value, &r);
    if (bad_line > 0) {
        r.line = bad_line;
        complain(&r, "neither [section] nor name = value");
    }
    if (ferror(file))
        complain(&r, "can't be read");
    if (ret_error[0] == '\0')
        *ret_config = *config;
    free(config);
    return ret_error[0] == '\0' ? ERR_OK : ERR(CONFIG);
}

struct err config_load(const char *path, struct config *ret_config,
                       char ret_error[CONFIG_ERROR_MAX])
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void)snprintf(ret_error, CONFIG_ERROR_MAX, "%s: %s", path, strerror(errno));
        return ERR(IO);
    }
    struct err err = config_read(file, path, ret_config, ret_error);
    (void)fclose(file);
    return err;
}
