/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IR text tests. A file of tests/ir holds cases, each of them
 *
 *     ; test: what it shows
 *     ; run: dead_code order            passes in order; nothing: parse, verify and print only
 *     ; error: part of the message      instead of an expected output: parsing or verifying must fail with this
 *     (input)
 *     ; expect:
 *     (output; the same text must come out, compared line by line without leading and trailing blanks and comments)
 *
 * What is printed must also parse, and print the same again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "toy_builder.h"
#include "translator/passes.h"

/* Those of the table have its names; after them comes the order, as in passes_run(). */
struct step {
    const char *name;
    void (*run)(struct ir *ir);
};
static const struct step steps[] = {{"dead_code", pass_dead_code}, {"order", pass_order}, {"compact", ir_compact}};

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    size_t n = (size_t)ftell(f);
    rewind(f);
    char *text = calloc(n + 1, 1);
    assert_int_equal(fread(text, 1, n, f), n);
    fclose(f);
    return text;
}

static char *print(const struct ir *ir)
{
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    ir_print(f, ir, &toy_names);
    fclose(f);
    return text;
}

/* Copies the next line with something on it, without comment and outer blanks. */
static bool next_line(const char **text, char line[256])
{
    while (**text) {
        const char *begin = *text + strspn(*text, " \t"), *end = begin + strcspn(begin, ";\n");
        *text = begin + strcspn(begin, "\n");
        *text += **text == '\n';
        while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        if (end > begin) {
            snprintf(line, 256, "%.*s", (int)(end - begin), begin);
            return true;
        }
    }
    return false;
}

static bool same_lines(const char *x, const char *y)
{
    char a[256], b[256];
    for (;;) {
        bool more_a = next_line(&x, a), more_b = next_line(&y, b);
        if (!more_a || !more_b)
            return more_a == more_b;
        if (strcmp(a, b))
            return false;
    }
}

/* The rest of the line that begins with `key` before `end`, or false. */
static bool directive(const char *text, const char *end, const char *key, char value[256])
{
    const char *at = strstr(text, key);
    if (!at || at >= end)
        return false;
    at += strlen(key);
    at += strspn(at, " ");
    snprintf(value, 256, "%.*s", (int)strcspn(at, "\n"), at);
    return true;
}

static void run_passes(struct ir *ir, char *list, const char *where)
{
    char error[256];
    for (char *name = strtok(list, " "); name; name = strtok(NULL, " ")) {
        const struct ir_pass *pass = ir_passes;
        size_t i = 0;
        while (pass->name && strcmp(pass->name, name))
            pass++;
        while (i < sizeof steps / sizeof steps[0] && strcmp(steps[i].name, name))
            i++;
        if (!pass->name && i == sizeof steps / sizeof steps[0])
            fail_msg("%s: there is no pass %s", where, name);
        if (!pass->name) {
            steps[i].run(ir);
        } else {
            pass_order(ir);
            if (pass->run(ir))
                pass_order(ir);
        }
        if (ir_verify(ir, &toy_names, error))
            fail_msg("%s: after %s: %s", where, name, error);
    }
}

static void check_round_trip(const char *text, const char *where)
{
    char error[256];
    struct ir ir;
    ir_init(&ir);
    if (ir_parse(&ir, text, &toy_names, error) || ir_verify(&ir, &toy_names, error))
        fail_msg("%s: printed, then: %s\n%s", where, error, text);
    char *again = print(&ir);
    if (strcmp(text, again))
        fail_msg("%s: printed\n%sthen read and printed\n%s", where, text, again);
    struct ir copy;
    ir_init(&copy);
    ir_copy(&copy, &ir);
    char *copied = print(&copy);
    assert_string_equal(copied, again);
    free(copied);
    free(again);
    ir_free(&copy);
    ir_free(&ir);
}

static void run_case(char *text, const char *path)
{
    char name[256] = "?", where[600], list[256] = "", wanted[256], error[256];
    char *input_end = strstr(text, "; expect:"), *end = text + strlen(text);
    directive(text, end, "; test:", name);
    snprintf(where, sizeof where, "%s: %s", path, name);
    directive(text, end, "; run:", list);
    bool must_fail = directive(text, end, "; error:", wanted);
    if (!input_end == !must_fail)
        fail_msg("%s: needs either \"; expect:\" or \"; error:\"", where);
    if (input_end)
        *input_end = 0;

    struct ir ir;
    ir_init(&ir);
    const char *message = ir_parse(&ir, text, &toy_names, error);
    if (!message)
        message = ir_verify(&ir, &toy_names, error);
    if (must_fail) {
        if (!message || !strstr(message, wanted))
            fail_msg("%s: the message is \"%s\"", where, message ? message : "none");
    } else {
        if (message)
            fail_msg("%s: %s", where, message);
        run_passes(&ir, list, where);
        char *output = print(&ir);
        if (!same_lines(output, input_end + strlen("; expect:")))
            fail_msg("%s: the output is\n%s", where, output);
        check_round_trip(output, where);
        free(output);
    }
    ir_free(&ir);
}

static void run_file(void **state)
{
    const char *path = *state;
    char *text = read_file(path);
    unsigned cases = 0;
    for (char *at = strstr(text, "; test:"), *next; at; at = next) {
        next = strstr(at + 1, "; test:");
        if (next)
            next[-1] = 0; /* the end of the line before */
        run_case(at, path);
        cases++;
    }
    assert_true(cases > 0);
    free(text);
}

int main(void)
{
    glob_t files;
    if (glob("ir/*.ir", 0, NULL, &files) || !files.gl_pathc) {
        fputs("no tests/ir/*.ir: run this in the directory tests\n", stderr);
        return 1;
    }
    struct CMUnitTest *tests = calloc(files.gl_pathc, sizeof *tests);
    for (size_t i = 0; i < files.gl_pathc; i++)
        tests[i] = (struct CMUnitTest){
            .name = files.gl_pathv[i], .test_func = run_file, .initial_state = files.gl_pathv[i]};
    int failures = _cmocka_run_group_tests("ir", tests, files.gl_pathc, NULL, NULL);
    free(tests);
    globfree(&files);
    return failures;
}
