/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that read, change and run what is debugged. Each function leaves its answer in server->reply; none is "not known". */
#include <errno.h>
#include <string.h>

#include "machine/gdb_private.h"
#include "translator/cpu.h"

#define GDB_SIGNAL_TRAP 5

/* ---- threads -------------------------------------------------------------------------------------------------------------- */

static bool id_fits(struct gdb_id wanted, struct gdb_id id)
{
    return (wanted.pid <= 0 || wanted.pid == id.pid) && (wanted.tid <= 0 || wanted.tid == id.tid);
}

const struct gdb_action *gdb_action_for(const struct gdb_action *actions, size_t n, struct gdb_id id)
{
    for (size_t i = 0; i < n; i++) {
        if (id_fits(actions[i].id, id))
            return &actions[i];
    }
    return NULL;
}

struct gdb_id gdb_some_thread(struct gdb_server *server, struct gdb_id id)
{
    const struct gdb_target *target = server->target;
    struct gdb_id first = {0};
    if (id.tid > 0)
        return id;
    if (server->stop.thread.tid > 0 && target->cpu(target->opaque, server->stop.thread))
        return server->stop.thread;
    target->threads(target->opaque, &first, 1);
    return first;
}

static struct cpu *general_cpu(struct gdb_server *server)
{
    return server->target->cpu(server->target->opaque, gdb_some_thread(server, server->general));
}

static bool set_thread(struct gdb_server *server, const char *at)
{
    struct gdb_id id;
    char which = *at;
    if (which != 'g' && which != 'c')
        return false;
    at++;
    if (!parse_id(&at, &id) || (id.tid > 0 && !server->target->cpu(server->target->opaque, id))) {
        reply_error(&server->reply, ESRCH);
        return true;
    }
    if (which == 'g')
        server->general = id;
    else
        server->step = id;
    reply_print(&server->reply, "OK");
    return true;
}

static bool thread_alive(struct gdb_server *server, const char *at)
{
    struct gdb_id id;
    if (parse_id(&at, &id) && id.tid > 0 && server->target->cpu(server->target->opaque, id))
        reply_print(&server->reply, "OK");
    else
        reply_error(&server->reply, ESRCH);
    return true;
}

/* ---- registers ------------------------------------------------------------------------------------------------------------ */

static bool read_registers(struct gdb_server *server, const char *at)
{
    uint8_t bytes[ISA_DEBUG_BYTES];
    const struct isa_debug *registers = server->target->registers;
    const struct cpu *cpu = general_cpu(server);
    (void)at;
    if (!cpu)
        reply_error(&server->reply, ESRCH);
    for (unsigned i = 0; cpu && i < registers->count(cpu); i++)
        reply_hex(&server->reply, bytes, registers->read(cpu, i, bytes));
    return true;
}

static void registers_written(struct gdb_server *server)
{
    server->target->wrote(server->target->opaque, gdb_some_thread(server, server->general));
    reply_print(&server->reply, "OK");
}

static bool write_registers(struct gdb_server *server, const char *at)
{
    const struct isa_debug *registers = server->target->registers;
    struct cpu *cpu = general_cpu(server);
    if (!cpu) {
        reply_error(&server->reply, ESRCH);
        return true;
    }
    for (unsigned i = 0; i < registers->count(cpu) && *at; i++) {
        uint8_t bytes[ISA_DEBUG_BYTES], now[ISA_DEBUG_BYTES];
        size_t size = registers->read(cpu, i, now), given = parse_bytes(&at, bytes, size);
        if (given < size && *at != 'x') { /* "xx": not known to the client, as it is */
            reply_error(&server->reply, EINVAL);
            return true;
        }
        if (given < size)
            at += strspn(at, "x") < 2 * size ? strspn(at, "x") : 2 * size;
        else
            registers->write(cpu, i, bytes, size);
    }
    registers_written(server);
    return true;
}

static bool read_register(struct gdb_server *server, const char *at)
{
    uint8_t bytes[ISA_DEBUG_BYTES];
    uint64_t number;
    const struct cpu *cpu = general_cpu(server);
    size_t size = 0;
    if (cpu && parse_hex(&at, &number) && number <= UINT16_MAX)
        size = server->target->registers->read(cpu, (unsigned)number, bytes);
    if (size)
        reply_hex(&server->reply, bytes, size);
    else
        reply_error(&server->reply, EINVAL);
    return true;
}

static bool write_register(struct gdb_server *server, const char *at)
{
    uint8_t bytes[ISA_DEBUG_BYTES];
    uint64_t number;
    struct cpu *cpu = general_cpu(server);
    if (!cpu || !parse_hex(&at, &number) || number > UINT16_MAX || !parse_char(&at, '=')) {
        reply_error(&server->reply, EINVAL);
        return true;
    }
    size_t size = parse_bytes(&at, bytes, sizeof bytes);
    if (*at || server->target->registers->write(cpu, (unsigned)number, bytes, size) != size || size == 0)
        reply_error(&server->reply, EINVAL);
    else
        registers_written(server);
    return true;
}

/* ---- memory --------------------------------------------------------------------------------------------------------------- */

static bool parse_range(const char **at, uint64_t *address, uint64_t *size)
{
    return parse_hex(at, address) && parse_char(at, ',') && parse_hex(at, size);
}

static bool read_memory(struct gdb_server *server, const char *at)
{
    uint8_t bytes[GDB_PACKET / 2];
    uint64_t address, size;
    if (!parse_range(&at, &address, &size) || *at) {
        reply_error(&server->reply, EINVAL);
        return true;
    }
    if (size > sizeof bytes)
        size = sizeof bytes; /* a reply may be shorter than what was asked for */
    size_t n = server->target->read_memory(server->target->opaque, gdb_some_thread(server, server->general), address, bytes,
                                           size);
    if (n == 0 && size > 0)
        reply_error(&server->reply, EFAULT);
    else
        reply_hex(&server->reply, bytes, n);
    return true;
}

static void write_bytes(struct gdb_server *server, uint64_t address, const void *bytes, uint64_t given, uint64_t size)
{
    if (given != size)
        reply_error(&server->reply, EINVAL);
    else if (size && !server->target->write_memory(server->target->opaque, gdb_some_thread(server, server->general), address,
                                                   bytes, size))
        reply_error(&server->reply, EFAULT);
    else
        reply_print(&server->reply, "OK");
}

static bool write_memory(struct gdb_server *server, const char *at)
{
    uint8_t bytes[GDB_PACKET / 2];
    uint64_t address, size;
    if (!parse_range(&at, &address, &size) || !parse_char(&at, ':')) {
        reply_error(&server->reply, EINVAL);
        return true;
    }
    size_t given = parse_bytes(&at, bytes, sizeof bytes);
    write_bytes(server, address, bytes, *at ? SIZE_MAX : given, size);
    return true;
}

static bool write_binary(struct gdb_server *server, const char *at)
{
    uint64_t address, size;
    if (!parse_range(&at, &address, &size) || !parse_char(&at, ':')) {
        reply_error(&server->reply, EINVAL);
        return true;
    }
    write_bytes(server, address, at, server->packet_size - (size_t)(at - server->packet), size);
    return true;
}

/* ---- breakpoints ---------------------------------------------------------------------------------------------------------- */

static bool change_point(struct gdb_server *server, const char *at, bool insert)
{
    const struct gdb_target *target = server->target;
    uint64_t kind, address, size;
    if (!parse_hex(&at, &kind) || !parse_char(&at, ',') || !parse_range(&at, &address, &size) || (*at && *at != ';')) {
        reply_error(&server->reply, EINVAL);
        return true;
    }
    if (kind > GDB_WATCH_ACCESS)
        return false;
    int error = (insert ? target->insert : target->remove)(target->opaque, (enum gdb_point)kind, address, size);
    if (error == ENOTSUP)
        return false;
    if (error)
        reply_error(&server->reply, error);
    else
        reply_print(&server->reply, "OK");
    return true;
}

static bool insert_point(struct gdb_server *server, const char *at) { return change_point(server, at, true); }
static bool remove_point(struct gdb_server *server, const char *at) { return change_point(server, at, false); }

/* ---- running -------------------------------------------------------------------------------------------------------------- */

/** No reply now: that comes with the next stop. */
static void resume(struct gdb_server *server, const struct gdb_action *actions, size_t n)
{
    server->running = true;
    server->target->resume(server->target->opaque, actions, n);
}

/** One action of vCont, without the thread that may follow. */
static bool parse_action(const char **at, struct gdb_action *action)
{
    uint64_t signal = 0;
    char letter = *(*at)++;
    *action = (struct gdb_action){.id = {-1, -1}};
    switch (letter) {
    case 'C':
    case 'S':
        if (!parse_hex(at, &signal) || signal > 255)
            return false;
        action->signal = (int)signal;
        action->kind = letter == 'C' ? GDB_CONTINUE : GDB_STEP;
        return true;
    case 'c': action->kind = GDB_CONTINUE; return true;
    case 's': action->kind = GDB_STEP; return true;
    case 't': return true;
    case 'r':
        action->kind = GDB_STEP;
        return parse_hex(at, &action->range_start) && parse_char(at, ',') && parse_hex(at, &action->range_end);
    }
    return false;
}

static bool continue_threads(struct gdb_server *server, const char *at)
{
    struct gdb_action actions[GDB_MAX_ACTIONS];
    size_t n = 0;
    bool any = false;
    for (; *at == ';' && n < GDB_MAX_ACTIONS; n++) {
        at++;
        if (!*at || !parse_action(&at, &actions[n]) || (parse_char(&at, ':') && !parse_id(&at, &actions[n].id)))
            break;
        any |= actions[n].kind != GDB_STAY;
    }
    /* If nothing ran, no stop would ever come. */
    if (*at || !any)
        reply_error(&server->reply, EINVAL);
    else
        resume(server, actions, n);
    return true;
}

static bool ask_continue(struct gdb_server *server, const char *at)
{
    (void)at;
    reply_print(&server->reply, "vCont;c;C;s;S;t;r");
    return true;
}

/** c, s, C, S: from before vCont. */
static void old_resume(struct gdb_server *server, const char *at, enum gdb_action_kind kind, bool with_signal)
{
    uint64_t signal = 0, address;
    struct cpu *cpu;
    struct gdb_id stopped = gdb_some_thread(server, kind == GDB_STEP ? server->step : (struct gdb_id){0});
    bool good = !with_signal || (parse_hex(&at, &signal) && signal <= 255);
    if (good && with_signal && *at)
        good = parse_char(&at, ';');
    if (good && *at && parse_hex(&at, &address) && (cpu = server->target->cpu(server->target->opaque, stopped)) != NULL)
        cpu->pc = address;
    if (!good || *at) {
        reply_error(&server->reply, EINVAL);
        return;
    }
    const struct gdb_action actions[] = {
        {.id = stopped, .kind = kind, .signal = (int)signal},
        {.id = {-1, -1}, .kind = GDB_CONTINUE},
    };
    resume(server, actions, 2);
}

static bool old_continue(struct gdb_server *server, const char *at)
{
    old_resume(server, at, GDB_CONTINUE, false);
    return true;
}

static bool old_step(struct gdb_server *server, const char *at)
{
    old_resume(server, at, GDB_STEP, false);
    return true;
}

static bool old_continue_signal(struct gdb_server *server, const char *at)
{
    old_resume(server, at, GDB_CONTINUE, true);
    return true;
}

static bool old_step_signal(struct gdb_server *server, const char *at)
{
    old_resume(server, at, GDB_STEP, true);
    return true;
}

/* ---- stops ---------------------------------------------------------------------------------------------------------------- */

static void print_program(struct gdb_server *server, const struct gdb_stop *stop)
{
    const struct gdb_target *target = server->target;
    char *name = NULL;
    int64_t size = target->object ? target->object(target->opaque, stop->thread, "exec-file", "", &name) : -ENOENT;
    if (size > 0 && server->exec_events) {
        reply_print(&server->reply, "exec:");
        reply_hex(&server->reply, name, (size_t)size);
        reply_print(&server->reply, ";");
    }
    free(name);
}

static void print_why(struct gdb_server *server, const struct gdb_stop *stop)
{
    static const char *const watch[] = {[GDB_WATCH_WRITE] = "watch", [GDB_WATCH_READ] = "rwatch", [GDB_WATCH_ACCESS] = "awatch"};
    struct gdb_reply *reply = &server->reply;
    switch (stop->kind) {
    case GDB_STOP_BREAKPOINT:
        if (stop->point == GDB_BREAK_HARDWARE ? server->hwbreak : server->swbreak)
            reply_print(reply, stop->point == GDB_BREAK_HARDWARE ? "hwbreak:;" : "swbreak:;");
        break;
    case GDB_STOP_WATCH:
        reply_print(reply, "%s:%llx;", watch[stop->point], (unsigned long long)stop->value);
        break;
    case GDB_STOP_SYSCALL_ENTRY:
        reply_print(reply, "syscall_entry:%llx;", (unsigned long long)stop->value);
        break;
    case GDB_STOP_SYSCALL_RETURN:
        reply_print(reply, "syscall_return:%llx;", (unsigned long long)stop->value);
        break;
    case GDB_STOP_EXEC:
        print_program(server, stop);
        break;
    default:
        break;
    }
}

void gdb_stop_reply(struct gdb_server *server)
{
    const struct gdb_target *target = server->target;
    const struct gdb_stop *stop = &server->stop;
    struct gdb_reply *reply = &server->reply;
    reply_begin(reply);
    if (stop->kind == GDB_STOP_EXITED || stop->kind == GDB_STOP_KILLED) {
        reply_print(reply, "%c%02llx", stop->kind == GDB_STOP_EXITED ? 'W' : 'X', (unsigned long long)stop->value);
        if (server->multiprocess)
            reply_print(reply, ";process:%llx", (unsigned long long)stop->thread.pid);
        return;
    }
    if (stop->kind == GDB_STOP_NO_THREADS && server->no_resumed) {
        reply_print(reply, "N");
        return;
    }
    struct gdb_id thread = gdb_some_thread(server, stop->thread);
    reply_print(reply, "T%02x", (unsigned)(stop->kind == GDB_STOP_SIGNAL ? stop->signal : GDB_SIGNAL_TRAP) & 0xff);
    print_why(server, stop);
    reply_print(reply, "thread:");
    reply_id(server, thread);
    reply_print(reply, ";");
    const struct cpu *cpu = target->cpu(target->opaque, thread);
    for (unsigned i = 0; cpu && i < target->registers->nexpedited; i++) {
        uint8_t bytes[ISA_DEBUG_BYTES];
        reply_print(reply, "%x:", target->registers->expedited[i]);
        reply_hex(reply, bytes, target->registers->read(cpu, target->registers->expedited[i], bytes));
        reply_print(reply, ";");
    }
}

static bool ask_stop(struct gdb_server *server, const char *at)
{
    (void)at;
    gdb_stop_reply(server);
    return true;
}

/* ---- ends ----------------------------------------------------------------------------------------------------------------- */

static bool detach(struct gdb_server *server, const char *at)
{
    (void)at;
    reply_print(&server->reply, "OK");
    gdb_send(server, &server->reply);
    server->ended = true;
    return true;
}

static bool kill_process(struct gdb_server *server, const char *at)
{
    (void)at;
    reply_print(&server->reply, "OK");
    gdb_send(server, &server->reply);
    server->target->kill(server->target->opaque);
    return true;
}

static bool kill_silently(struct gdb_server *server, const char *at)
{
    (void)at;
    server->target->kill(server->target->opaque);
    return true;
}

/* ---- the table ------------------------------------------------------------------------------------------------------------ */

/* A name that begins with another one comes before it. */
static const struct gdb_command_row rows[] = {
    {"?", ask_stop},
    {"C", old_continue_signal},
    {"D", detach},
    {"G", write_registers},
    {"H", set_thread},
    {"M", write_memory},
    {"P", write_register},
    {"S", old_step_signal},
    {"T", thread_alive},
    {"X", write_binary},
    {"Z", insert_point},
    {"c", old_continue},
    {"g", read_registers},
    {"k", kill_silently},
    {"m", read_memory},
    {"p", read_register},
    {"s", old_step},
    {"vCont?", ask_continue},
    {"vCont", continue_threads},
    {"vKill", kill_process},
    {"z", remove_point},
    {NULL, NULL},
};

bool gdb_run_row(struct gdb_server *server, const struct gdb_command_row *row, const char *packet)
{
    for (; row->name; row++) {
        size_t length = strlen(row->name);
        if (strncmp(packet, row->name, length) == 0)
            return row->function(server, packet + length);
    }
    return false;
}

bool gdb_command(struct gdb_server *server)
{
    const struct gdb_command_row *table = rows;
    if (server->packet[0] == 'q' || server->packet[0] == 'Q')
        table = gdb_query_rows;
    else if (server->target->files && strncmp(server->packet, "vFile:", 6) == 0)
        table = gdb_file_rows;
    reply_begin(&server->reply);
    if (!gdb_run_row(server, table, server->packet))
        reply_begin(&server->reply); /* the empty reply: not known */
    if (server->running || server->ended)
        return true;
    if (server->reply.full)
        reply_error(&server->reply, EOVERFLOW);
    return gdb_send(server, &server->reply);
}
