#include <stdlib.h>
#include <string.h>

#include "server/main/config.h"
#include "server/main/config_row.h"

static const void *slot_of(const struct config *config, const struct config_row *row)
{
    return (const uint8_t *)config + row->offset;
}

void config_describe(FILE *out)
{
    (void)fprintf(
        out,
        "; (reload): in force after `hearthd admin reload` or SIGHUP; (restart): after the next "
        "start\n\n");
    const char *section = "";
    for (const struct config_row *row = config_rows; row < config_rows + config_row_count; row++) {
        if (strcmp(section, row->section) != 0)
            (void)fprintf(out, "%s[%s]\n", section[0] != '\0' ? "\n" : "", row->section);
        section = row->section;
        (void)fprintf(out, "; %s%s\n", row->text, row->live ? " (reload)" : " (restart)");
        if (row->kind == CHOICE)
            (void)fprintf(out, "; one of %s\n", row->choices);
        if (row->kind == NUMBER)
            (void)fprintf(out, "; %llu to %llu\n", (unsigned long long)row->least,
                          (unsigned long long)row->most);
        if (row->kind == NUMBER)
            (void)fprintf(out, "%s = %llu\n", row->name, (unsigned long long)row->number_default);
        else
            (void)fprintf(out, "%s = %s\n", row->name,
                          row->kind != BOOL          ? row->text_default
                          : row->number_default != 0 ? "yes"
                                                     : "no");
    }
}

static void write_list(FILE *out, const struct config_row *row, const struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        (void)fprintf(out, "%s = %s\n", row->name, list->values[i]);
}

static bool differs(const struct config_row *row, const struct config *a, const struct config *b)
{
    const void *x = slot_of(a, row), *y = slot_of(b, row);
    if (row->kind == BOOL)
        return *(const bool *)x != *(const bool *)y;
    if (row->kind == NUMBER)
        return *(const uint64_t *)x != *(const uint64_t *)y;
    if (row->kind != LIST)
        return strcmp(x, y) != 0;
    const struct config_list *one = x, *two = y;
    bool same = one->count == two->count;
    for (size_t i = 0; same && i < one->count; i++)
        same = strcmp(one->values[i], two->values[i]) == 0;
    return !same;
}

void config_write(FILE *out, const struct config *config, bool all)
{
    struct config *defaults = calloc(1, sizeof *defaults);
    if (defaults == NULL)
        return;
    config_defaults(defaults);
    const char *section = "";
    for (const struct config_row *row = config_rows; row < config_rows + config_row_count; row++) {
        if (!all && !differs(row, config, defaults))
            continue;
        if (strcmp(section, row->section) != 0)
            (void)fprintf(out, "%s[%s]\n", section[0] != '\0' ? "\n" : "", row->section);
        section = row->section;
        const void *value = slot_of(config, row);
        if (row->kind == LIST)
            write_list(out, row, value);
        else if (row->kind == NUMBER)
            (void)fprintf(out, "%s = %llu\n", row->name,
                          (unsigned long long)*(const uint64_t *)value);
        else if (row->kind == BOOL)
            (void)fprintf(out, "%s = %s\n", row->name, *(const bool *)value ? "yes" : "no");
        else
            (void)fprintf(out, "%s = %s\n", row->name, (const char *)value);
    }
    if (config->limit_count > 0)
        (void)fprintf(out, "%s[limits]\n", section[0] != '\0' ? "\n" : "");
    for (size_t i = 0; i < config->limit_count; i++)
        (void)fprintf(out, "%s = %llu\n", config->limits[i].name,
                      (unsigned long long)config->limits[i].value);
    free(defaults);
}

void config_take_live(struct config *config, const struct config *fresh)
{
    for (const struct config_row *row = config_rows; row < config_rows + config_row_count; row++) {
        static const size_t sizes[] = {[TEXT] = CONFIG_VALUE_MAX,
                                       [CHOICE] = CONFIG_VALUE_MAX,
                                       [BOOL] = sizeof(bool),
                                       [NUMBER] = sizeof(uint64_t),
                                       [LIST] = sizeof(struct config_list)};
        if (row->live)
            memcpy((uint8_t *)config + row->offset, slot_of(fresh, row), sizes[row->kind]);
    }
    memcpy(config->limits, fresh->limits, sizeof config->limits);
    config->limit_count = fresh->limit_count;
}

static const struct config_limit *limit_of(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->limit_count; i++)
        if (strcmp(config->limits[i].name, name) == 0)
            return &config->limits[i];
    return NULL;
}

void config_limit_differences(const struct config *before, const struct config *after,
                              void (*say)(void *self, const char *name), void *self)
{
    for (int i = 0; i < LIMITS; i++) {
        const struct limit_row *row = limit_row((enum limit)i);
        const struct config_limit *a = limit_of(before, row->name), *b = limit_of(after, row->name);
        if ((a != NULL ? a->value : row->value) != (b != NULL ? b->value : row->value)) {
            char name[128];
            (void)snprintf(name, sizeof name, "limits.%s", row->name);
            say(self, name);
        }
    }
}

void config_differences(const struct config *before, const struct config *after, bool live,
                        void (*say)(void *self, const char *name), void *self)
{
    for (const struct config_row *row = config_rows; row < config_rows + config_row_count; row++) {
        char name[128];
        if (row->live != live || !differs(row, before, after))
            continue;
        (void)snprintf(name, sizeof name, "%s.%s", row->section, row->name);
        say(self, name);
    }
}
